"""No text of a record stands anywhere but in the released files, whatever happens."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs import reducing
from runs.reducing import KEY, Reducing
from runs.workshop import Workshop, tree
from runs.world import BY_NAME, CANARY, NAMES, REGISTERS, SCHEMA, row, rows, table


def leaks(workshop: Workshop, *streams: str) -> list[str]:
    """Name every file outside of eligible/, and every stream, in which the canary sings."""
    found = [
        name
        for name, data in tree(workshop.out).items()
        if not name.startswith("eligible/") and CANARY.encode() in data.lower()
    ]
    return found + [stream for stream in streams if CANARY in stream.lower()]


def broken_page(source: bytes) -> bytes:
    """Break the middle of the text column's pages."""
    place = source.index(CANARY.encode() + b" in the text")
    return source[:place] + b"\xff" * 200 + source[place + 200 :]


def corrupt(content: pa.Table) -> bytes:
    """A file of which a page of text does not have its checksum."""
    sink = io.BytesIO()
    pq.write_table(
        content, sink, compression="none", use_dictionary=False, write_page_checksum=True
    )
    return broken_page(sink.getvalue())


def test_no_text_outside_of_the_released_files(workshop):
    workshop.shard("a.parquet", repeat=3)
    workshop.shard("b.parquet", NAMES[::-1])
    done = workshop.cli("run", workshop.job())
    assert done.returncode == 0
    assert leaks(workshop, done.stdout, done.stderr) == []
    assert CANARY.encode() in (workshop.out / "eligible/a.parquet").read_bytes().lower()


def test_excluded_text_is_in_no_file_at_all(workshop):
    given = rows("a.parquet")
    for index, record in enumerate(given):
        if not BY_NAME[NAMES[index]].eligible:
            record["text"] = f"nachtigall {index}"
            record["messages"] = [{"role": "nachtigall", "content": "nachtigall"}]
    content = pa.Table.from_pylist(given, SCHEMA)
    index = content.column_names.index("text")
    content = content.set_column(index, "text", content["text"].dictionary_encode())
    workshop.write("a.parquet", content, compression="none")
    workshop.run()
    assert [n for n, data in tree(workshop.out).items() if b"nachtigall" in data.lower()] == []


def test_a_file_s_own_metadata_goes_nowhere(workshop):
    content = table("a.parquet").replace_schema_metadata({"note": CANARY + "-meta"})
    workshop.write("a.parquet", content)
    workshop.run()
    needle = f"{CANARY}-meta".encode()
    assert [name for name, data in tree(workshop.out).items() if needle in data] == []


def test_shards_that_cannot_be_read_are_named_without_their_text(workshop):
    workshop.shard("good.parquet")
    workshop.write("page.parquet", corrupt(table("page.parquet", repeat=20)))
    whole = workshop.shard("cut.parquet", repeat=20, compression="none").read_bytes()
    workshop.write("cut.parquet", whole[: len(whole) // 2])
    workshop.write("garbage.parquet", f"{CANARY} ".encode() * 100)
    workshop.write("line.jsonl", f'{{"id": "1", "source": "public_web"}}\n{CANARY}\n'.encode())
    workshop.write("type.jsonl", f'{{"id": "1", "source": ["{CANARY}"]}}\n'.encode())
    done = workshop.cli("run", workshop.job())
    assert done.returncode == 3, done.stderr
    assert workshop.shards()["error"].null_count() == 1
    assert leaks(workshop, done.stdout, done.stderr) == []


MAIL = f"{CANARY}.quill@northwick-press.com"
SUNG = f"{CANARY} in the text writes to {MAIL}"


@pytest.mark.parametrize("operator", ["replace", "pseudonym"])
def test_no_text_outside_where_personal_information_is_reduced(
    tmp_path, monkeypatch, capsys, operator
):
    """Done, done in part and failed, every text column and every shape of one."""
    monkeypatch.setenv("CG_KEY", KEY)
    world = Reducing(tmp_path)
    arguments = json.dumps({"to": SUNG, CANARY: [SUNG]})
    chat = [{"role": SUNG, "content": SUNG, "tool_calls": [{"name": SUNG, "arguments": arguments}]}]
    sung = [
        reducing.record(number, SUNG, user=MAIL, messages=chat if number % 2 else None)
        for number in range(40)
    ]
    world.records("a.parquet", sung)
    changes = {"pii": {"operators": {"EMAIL_ADDRESS": operator}}, "key": {"env": "CG_KEY"}}
    done = world.command(capsys, "run", world.job(changes), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["findings"]
    assert found == {"EMAIL_ADDRESS": 40 + 20 * 3}
    assert leaks(world, done.stdout, done.stderr) == []

    world.write("b.parquet", corrupt(pa.Table.from_pylist(sung, reducing.SCHEMA)))
    done = world.command(capsys, "run", world.job(changes), "--json")
    assert done.returncode == 3, done.stderr
    assert leaks(world, done.stdout, done.stderr) == []

    sung[3]["id"] = MAIL
    world.records("a.parquet", sung)
    done = world.command(capsys, "run", world.job(changes), "--json")
    assert done.returncode == 2
    assert "record_ids: hmac" in done.stderr
    assert leaks(world, done.stdout, done.stderr) == []


@pytest.mark.parametrize(
    "change",
    [
        {"consent": [{**REGISTERS["consent"][0], "choice": CANARY}]},
        {"consent": [{**REGISTERS["consent"][0], "subject_kind": CANARY}]},
        {"consent": [{**REGISTERS["consent"][0], "effective_at": CANARY}]},
        {"accounts": [{**REGISTERS["accounts"][0], "baa": CANARY}]},
    ],
)
def test_a_faulty_register_is_named_without_its_values(workshop, change, capsys):
    workshop.shard("a.parquet")
    workshop.register(**change)
    done = workshop.command(capsys, "run", workshop.job())
    assert done.returncode == 1
    assert "registers." in done.stderr
    assert leaks(workshop, done.stdout, done.stderr) == []


@pytest.mark.parametrize(
    "columns",
    [
        {"record_id": "score"},
        {"surface": "notes"},
        {"submitted_at": "notes"},
        {"submitted_at": {"column": "text", "timezone": "UTC"}},
        {"surface": {"sql": "CASE WHEN notes = 'x' THEN 'public_web' ELSE notes END"}},
        {"part": "text"},
    ],
)
def test_a_text_column_that_is_mapped_by_mistake_is_not_written_down(workshop, columns, capsys):
    content = pa.Table.from_pylist(
        [row("a.parquet", number, BY_NAME[name]) for number, name in enumerate(NAMES)], SCHEMA
    )
    workshop.write("a.parquet", content)
    done = workshop.command(capsys, "run", workshop.job({"input": {"columns": columns}}))
    assert leaks(workshop, done.stdout, done.stderr) == []
    assert "Traceback" not in done.stderr
