"""`init`: what it guesses from names and types, and that a person can go on from there."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate import JobError, SchemaError
from corpusgate.jobs.cli import main
from corpusgate.jobs.describe_plan import describe_plan
from corpusgate.jobs.guess import _NAMES
from corpusgate.jobs.init import draft_job
from corpusgate.jobs.spec import Job, load_job, parse_job

DEMO = Path(__file__).parents[2] / "examples" / "demo"
STRING, TIME, NAIVE = pa.string(), pa.timestamp("us", "UTC"), pa.timestamp("ms")
BASE = {"id": STRING, "source": STRING, "text": STRING}


def corpus(folder: Path, types: dict[str, pa.DataType], name: str = "a.parquet", **values) -> str:
    path = folder / "corpus" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {n: pa.array(values.get(n, [None]), kind) for n, kind in types.items()}
    pq.write_table(pa.table(columns), path)
    return str(folder / "corpus")


def drafted(where: str) -> Job:
    return parse_job(draft_job(where))


def sources(where: str) -> dict[str, dict[str, str]]:
    columns = drafted(where).input.columns
    return {name: spec.model_dump(exclude_none=True) for name, spec in columns.items()}


def with_registers(text: str) -> str:
    """Do the editing that the draft asks for."""
    return re.sub(r"^# (registers:|  \w+: registers/)", r"\1", text, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    arguments = [str(folder), "--records", "600", "--shards", "9"]
    subprocess.run([sys.executable, DEMO / "make_corpus.py", *arguments], check=True)
    return folder


def test_the_demos_draft_maps_what_its_own_job_maps(demo):
    written = load_job(demo / "job.yaml")
    guessed = drafted(str(demo / "corpus"))
    mapped = dict(guessed.input.columns)
    mapped.pop("region")  # the demo's job leaves it out: no rule asks for it
    assert mapped == written.input.columns
    assert guessed.input.text == written.input.text
    assert "# keep_raw: [lang]" in draft_job(str(demo / "corpus"))


def test_the_demos_draft_can_be_planned_after_little_editing(demo, monkeypatch):
    monkeypatch.chdir(demo)
    draft = demo / "draft.yaml"
    draft.write_text(with_registers(draft_job("corpus")))
    facts = describe_plan(draft)
    assert facts["input"]["rows"] == describe_plan(demo / "job.yaml")["input"]["rows"]
    assert not facts["input"]["unreadable"]
    assert facts["registers"]["consent"]["rows"] > 0


@pytest.mark.parametrize(
    ("target", "column", "kind", "expected"),
    [
        ("record_id", "doc_id", STRING, {"column": "doc_id"}),
        ("record_id", "UUID", pa.int64(), {"column": "UUID"}),
        ("surface", "origin", pa.dictionary(pa.int8(), STRING), {"column": "origin"}),
        ("submitted_at", "createdAt", TIME, {"column": "createdAt"}),
        ("submitted_at", "timestamp", NAIVE, {"column": "timestamp", "timezone": "UTC"}),
        ("submitted_at", "date", pa.date32(), {"column": "date", "timezone": "UTC"}),
        ("submitted_at", "created", STRING, {"column": "created"}),
        ("submitted_at", "ts", pa.int64(), {"column": "ts", "unit": "s"}),
        ("submitted_at", "created_ms", pa.int64(), {"column": "created_ms", "unit": "ms"}),
        ("submitted_at", "ts_ns", pa.int64(), {"column": "ts_ns", "unit": "ns"}),
        ("org_id", "organization_id", STRING, {"column": "organization_id"}),
        ("user_id", "user", STRING, {"column": "user"}),
        ("model", "engine", STRING, {"column": "engine"}),
        ("conversation_id", "thread_id", STRING, {"column": "thread_id"}),
        ("parent_ids", "parents", pa.list_(STRING), {"column": "parents"}),
        ("license_ends_at", "license_until", NAIVE, {"column": "license_until", "timezone": "UTC"}),
        # Of a type that cannot become what is wanted:
        ("submitted_at", "created", pa.bool_(), None),
        ("parent_ids", "parents", STRING, None),
        ("user_id", "user", pa.struct([("name", STRING)]), None),
        # Who wrote something has not submitted it.
        ("user_id", "author", STRING, None),
    ],
)
def test_a_column_is_guessed_from_its_name_and_type(tmp_path, target, column, kind, expected):
    types = {n: k for n, k in BASE.items() if (n, target) != ("id", "record_id")}
    types = {n: k for n, k in types.items() if (n, target) != ("source", "surface")}
    where = corpus(tmp_path, types | {column: kind})
    found = parse_job(draft_job(where).replace("FILL-IN", "public_web")).input.columns.get(target)
    assert (found and found.model_dump(exclude_none=True)) == expected


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1_677_628_800, "s"),
        (1_677_628_800_000, "ms"),
        (1_677_628_800_000_000, "us"),
        (1_677_628_800_000_000_000, "ns"),
    ],
)
def test_a_numbers_size_tells_its_unit_and_is_not_shown(tmp_path, value, unit):
    where = corpus(tmp_path, BASE | {"created": pa.int64()}, created=[value])
    assert sources(where)["submitted_at"] == {"column": "created", "unit": unit}
    assert str(value) not in draft_job(where)
    (tmp_path / "lines").mkdir()
    line = {"id": "a", "source": "api", "text": "x", "created": value}
    (tmp_path / "lines" / "a.jsonl").write_text(json.dumps(line))
    assert sources(str(tmp_path / "lines"))["submitted_at"]["unit"] == unit


def test_a_guess_that_could_be_wrong_says_what_to_check(tmp_path):
    where = corpus(tmp_path, BASE | {"created": NAIVE})
    text = draft_job(where)
    check = re.search(r"# CHECK: (.*)\n +submitted_at:", text)
    assert check
    assert "UTC is a guess" in check[1]


def test_no_column_can_be_taken_twice():
    words = [re.sub("_", "", word) for words in _NAMES.values() for word in words.split()]
    assert len(words) == len(set(words))


def test_the_likeliest_name_is_taken(tmp_path):
    where = corpus(tmp_path, {"message_id": STRING} | BASE)
    assert sources(where)["record_id"] == {"column": "id"}


def test_what_stands_in_the_file_and_in_its_path_is_left_alone(tmp_path):
    where = corpus(tmp_path, BASE | {"org": STRING}, "org=acme/a.parquet")
    assert "org_id" in drafted(where).input.absent


def test_what_rules_read_and_nobody_has_is_listed_as_absent(tmp_path):
    job = drafted(corpus(tmp_path, BASE | {"org": STRING}))
    assert "org_id" not in job.input.absent
    assert {"submitted_at", "user_id", "endpoint", "model", "part"} <= set(job.input.absent)
    assert "region" not in job.input.absent


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ({"prompt": STRING, "completion": pa.large_string()}, ["prompt", "completion"]),
        ({"body": pa.list_(STRING)}, ["body[]"]),
        (
            {"messages": pa.list_(pa.struct([("role", STRING), ("content", STRING)]))},
            ["messages[].content"],
        ),
        (
            {"conversations": pa.list_(pa.struct([("from", STRING), ("value", STRING)]))},
            ["conversations[].value"],
        ),
        (
            {
                "messages": pa.list_(
                    pa.struct(
                        [
                            ("content", pa.list_(pa.struct([("type", STRING), ("text", STRING)]))),
                            (
                                "tool_calls",
                                pa.list_(
                                    pa.struct(
                                        [
                                            (
                                                "function",
                                                pa.struct(
                                                    [("name", STRING), ("arguments", STRING)]
                                                ),
                                            )
                                        ]
                                    )
                                ),
                            ),
                        ]
                    )
                )
            },
            ["messages[].content[].text", "messages[].tool_calls[].function.arguments"],
        ),
        ({"meta": pa.struct([("title", STRING), ("lang", STRING)])}, ["meta.title"]),
    ],
)
def test_text_is_found_however_deep_it_lies(tmp_path, types, expected):
    where = corpus(tmp_path, {"id": STRING, "source": STRING} | types)
    assert drafted(where).input.text == expected


def test_other_columns_are_offered_and_not_released(tmp_path):
    where = corpus(tmp_path, BASE | {"tokens": pa.int32(), "lang": STRING, "blob": pa.binary()})
    text = draft_job(where)
    assert "# keep: [tokens]" in text
    assert "# keep_raw: [lang, blob]" in text
    job = parse_job(text)
    assert (job.input.keep, job.input.keep_raw) == ([], [])


def test_without_a_surface_plan_stops_and_names_the_surfaces(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    corpus(tmp_path, {"id": STRING, "text": STRING})
    Path("job.yaml").write_text(draft_job("corpus"))
    with pytest.raises(SystemExit) as exit_:
        main(["plan", "job.yaml"])
    error = capsys.readouterr().err
    assert exit_.value.code == 2
    assert "input.columns.surface" in error
    assert "public_web" in error
    assert "#   surface: {constant: public_web}" in Path("job.yaml").read_text()


def test_what_is_left_to_fill_in_is_all_there_is_to_fill_in(tmp_path):
    text = draft_job(corpus(tmp_path, {"colour": STRING}))
    with pytest.raises(JobError) as error:
        parse_job(text)
    assert {fault.where for fault in error.value.faults} == {"input.text"}
    text = text.replace("text: []", "text: [colour]")
    with pytest.raises(JobError) as error:
        parse_job(text)
    places = {fault.where for fault in error.value.faults}
    assert places == {"input.columns.record_id", "input.columns.surface"}
    filled = text.replace("record_id: {constant: FILL-IN}", "record_id: colour")
    filled = filled.replace("surface: {constant: FILL-IN}", "surface: {constant: licensed}")
    assert parse_job(filled).input.columns["surface"].constant == "licensed"


def test_partitions_are_columns_too(tmp_path):
    where = corpus(
        tmp_path, {"id": STRING, "text": STRING}, "source=public_web/day=2023-01-01/a.parquet"
    )
    found = sources(where)
    assert found["surface"] == {"column": "source"}
    assert found["submitted_at"] == {"column": "day", "timezone": "UTC"}


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz"])
def test_json_lines_are_looked_at(tmp_path, name):
    lines = [
        {"doc_id": "a", "source": "consumer", "messages": [{"role": "user", "content": "hi"}]},
        {"doc_id": "b", "source": "consumer", "messages": [{"role": "user", "content": "ho"}]},
    ]
    data = "\n".join(map(json.dumps, lines)).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    job = drafted(str(path))
    assert job.input.columns["record_id"].column == "doc_id"
    assert job.input.text == ["messages[].content"]


def test_lines_without_a_number_are_no_trouble(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "a", "source": "api", "text": "x"}\n')
    assert set(sources(str(tmp_path))) == {"record_id", "surface"}


@pytest.mark.parametrize(
    "name", ["a: b", "a # b", "true", "1", 'say "so"', "line\nbreak", "naïve 🦆", "x, y", "-"]
)
def test_awkward_names_survive(tmp_path, name):
    where = corpus(tmp_path, BASE | {name: pa.int64()})
    text = draft_job(where)
    assert parse_job(text)
    uncommented = text.replace("  # keep: ", "  keep: ")
    assert parse_job(uncommented).input.keep == [name]


def test_awkward_paths_survive(tmp_path):
    where = corpus(tmp_path / "a: #b", BASE)
    assert drafted(where).input.path == [where]


def test_an_unreadable_shard_is_passed_over(tmp_path):
    where = corpus(tmp_path, BASE, "b.parquet")
    (Path(where) / "a.parquet").write_bytes(b"no Parquet")
    assert "those of b.parquet" in draft_job(where)
    (Path(where) / "b.parquet").write_bytes(b"nor this")
    with pytest.raises(SchemaError, match="none of its 2 files can be read"):
        draft_job(where)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(SchemaError):
        draft_job(str(tmp_path))


def test_the_output_never_lies_among_the_input(tmp_path, monkeypatch):
    where = Path(corpus(tmp_path, BASE))
    monkeypatch.chdir(where)
    Path("job.yaml").write_text(draft_job("."))
    output = (where / load_job("job.yaml").output.path).resolve()
    assert not output.is_relative_to(where)
    monkeypatch.chdir(tmp_path)
    assert parse_job(draft_job("corpus")).output.path == "out"


def test_a_job_file_elsewhere_finds_its_corpus(tmp_path, monkeypatch):
    corpus(tmp_path, BASE)
    (tmp_path / "jobs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main(["init", "corpus", "--output", "jobs/job.yaml"])
    assert not exit_.value.code
    job = load_job("jobs/job.yaml")
    assert (job.base / job.input.path[0]).resolve() == tmp_path / "corpus"


def test_init_overwrites_nothing(tmp_path, monkeypatch, capsys):
    corpus(tmp_path, BASE)
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text("mine")
    with pytest.raises(SystemExit) as exit_:
        main(["init", "corpus", "-o", "job.yaml"])
    assert exit_.value.code == 2
    assert "exists already" in capsys.readouterr().err
    assert Path("job.yaml").read_text() == "mine"


def test_a_drafted_job_runs_once_filled_in(tmp_path, monkeypatch):
    """From nothing to a released record: the draft's defaults hold up."""
    from corpusgate import run

    corpus(
        tmp_path,
        BASE | {"created_at": TIME},
        id=["a"],
        source=["public_web"],
        text=["x"],
        created_at=[datetime(2023, 1, 1, tzinfo=UTC)],
    )
    monkeypatch.chdir(tmp_path)
    text = draft_job("corpus")
    for name in ("consent", "accounts", "deletions", "holds"):
        text = text.replace(f"#   {name}: registers/{name}.parquet", f"  {name}: {{empty: true}}")
    Path("job.yaml").write_text(text.replace("# registers:", "registers:"))
    assert run("job.yaml").eligible == 1
