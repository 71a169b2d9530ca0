"""Whole runs that reduce personal information: what is released, listed and counted."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.filters.errors import JobError
from corpusgate.jobs.describe_plan import describe_plan
from corpusgate.jobs.explain import explain_record
from corpusgate.jobs.spec import parse_job
from nlp_models.small import train
from runs.reducing import ADDRESS, JOB, KEY, MAIL, RECORDS, SCHEMA, Reducing, record
from runs.workshop import merge, stable, tree


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("CG_KEY", KEY)
    world = Reducing(tmp_path)
    world.records("a.parquet", RECORDS)
    return world


def test_texts_are_reduced_and_all_else_is_as_it_was(world):
    summary = world.run()
    released = world.released("a.parquet")
    assert released.schema.equals(SCHEMA.remove(2).remove(1))
    kept = [each for each in RECORDS if each["source"] == "public_web"]
    assert released["id"].to_pylist() == [each["id"] for each in kept]
    assert released["text"].to_pylist() == [
        "Nothing to see here.",
        "Write to <EMAIL_ADDRESS>, or to <EMAIL_ADDRESS>.",
        None,
        "<IP_ADDRESS> <IP_ADDRESS> <EMAIL_ADDRESS>",
        "stra\u00dfe \U0001f600 <EMAIL_ADDRESS>",
    ]
    arguments = json.dumps({"to": "<EMAIL_ADDRESS>", "n": 1, "é": "\u00fc"})
    assert released["messages"].to_pylist()[2] == [
        {"role": "user", "content": "ping <IP_ADDRESS>", "tool_calls": None},
        {"role": MAIL, "content": None, "tool_calls": [
            {"name": "mail", "arguments": arguments},
            {"name": "look", "arguments": "{}"},
        ]},
    ]  # fmt: skip
    assert summary.findings == {"EMAIL_ADDRESS": 5, "IP_ADDRESS": 3}
    assert world.manifest()["totals"]["findings_by_surface"] == {"public_web": summary.findings}


def test_findings_say_where_in_the_input(world):
    world.run()
    found = world.findings("a.parquet")
    assert found["shard"].unique().to_list() == ["a.parquet"]
    assert set(found["operator"]) == {"replace"}
    for each in found.iter_rows(named=True):
        source = RECORDS[each["row"]]
        assert source["id"] == each["record_id"]
        text = source["text"]
        if each["path"] == "messages[].content":
            text = source["messages"][each["index"][0]]["content"]
        if each["path"].endswith("arguments"):
            message, call = each["index"]
            assert each["pointer"] == "/0"
            text = json.loads(source["messages"][message]["tool_calls"][call]["arguments"])["to"]
        value = text[each["start"] : each["end"]]
        assert value.lower() in {MAIL, ADDRESS}, each
    assert found.height == 8


@pytest.mark.slow
def test_no_finding_stands_anywhere_but_where_it_came_from(world):
    done = world.cli("run", world.job(), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["findings"] == {"EMAIL_ADDRESS": 5, "IP_ADDRESS": 3}
    needles = (MAIL.encode(), MAIL.upper().encode(), ADDRESS.encode())
    for name, data in tree(world.out).items():
        hits = [needle for needle in needles if needle in data]
        # The role is no text path: it stays as it is.
        assert not hits or (name == "eligible/a.parquet" and hits == [MAIL.encode()]), name
    assert not any(n.decode() in done.stdout + done.stderr for n in needles)


def test_records_with_too_much_are_excluded_and_counted(world):
    world.records("b.parquet", [record(9, f"{MAIL}"), record(8, "nothing")])
    summary = world.run({"pii": {"exclude": {"max_findings": 2}}})
    assert summary.reasons == {"public": 6, "pii:too-dense": 1, "enterprise-surface": 1}
    assert summary.eligible == 6
    assert world.released("a.parquet")["id"].to_pylist() == ["r-0", "r-1", "r-3", "r-5"]
    decided = world.decisions().filter(pl.col("shard") == "a.parquet")
    assert decided["reasons"].to_list()[4] == ["pii:too-dense"]
    assert decided["out_row"].to_list() == [0, 1, None, 2, None, 3]
    assert world.findings("a.parquet").filter(record_id="r-4").height == 3


def test_off_must_be_said(world):
    summary = world.run({"pii": "off"})
    assert summary.findings == {}
    assert world.released("a.parquet")["text"].to_pylist()[1] == RECORDS[1]["text"]
    assert not (world.out / "audit/findings").exists()
    assert world.manifest()["pii"] == "off"


@pytest.mark.parametrize("pii", [None, "on", True, []])
def test_other_ways_to_say_nothing_are_refused(world, pii):
    with pytest.raises(JobError) as caught:
        parse_job(json.dumps({**JOB, "pii": pii}))
    assert [fault.where for fault in caught.value.faults] == ["pii"]


def test_operators_with_a_key(world):
    changes = {
        "pii": {"operators": {"EMAIL_ADDRESS": "pseudonym", "DEFAULT": "hash"}, "scope": "run"},
        "key": {"env": "CG_KEY"},
    }
    world.run(changes)
    texts = world.released("a.parquet")["text"].to_pylist()
    first, second = texts[1].removeprefix("Write to ").removesuffix(".").split(", or to ")
    assert first == second
    assert first.partition("@")[2].startswith("example.")
    assert first in texts[4]
    before = stable(world.out)
    world.run(changes, fresh=True)
    assert stable(world.out) == before
    assert KEY.encode() not in b"".join(tree(world.out).values())


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (None, "key: {env: NAME}"),
        ({"env": "CG_NOBODY_SET_THIS"}, "is not set"),
        ({"file": "nowhere.key"}, "cannot be read"),
        ({"file": "short.key"}, "fewer than 16"),
        ({"env": "A", "file": "B"}, "one place"),
    ],
)
def test_a_key_that_is_not_one_stops_the_run(world, capsys, key, words):
    (world.folder / "short.key").write_text("short\n")
    job = world.job({"pii": {"operators": {"DEFAULT": "hash"}}, "key": key})
    done = world.command(capsys, "run", job)
    assert done.returncode == 2
    assert words in done.stderr
    assert not world.out.exists()


def test_another_key_is_another_run(world, monkeypatch):
    changes = {"pii": {"operators": {"DEFAULT": "hash"}}, "key": {"env": "CG_KEY"}}
    world.run(changes)
    before = world.released("a.parquet")["text"].to_pylist()
    monkeypatch.setenv("CG_KEY", KEY[::-1])
    assert not world.run(changes).done_before
    assert world.released("a.parquet")["text"].to_pylist() != before


def test_ids_that_are_addresses_stop_the_run_and_keyed_ids_do_not(world, capsys):
    world.records("mail.parquet", [{**record(0, "hello"), "id": MAIL}])
    done = world.command(capsys, "run", world.job())
    assert done.returncode == 2
    assert "record_ids: hmac" in done.stderr
    assert MAIL not in done.stderr
    assert not (world.out / "manifest.json").exists()
    keyed = {"record_ids": "hmac", "key": {"env": "CG_KEY"}}
    world.run(keyed)
    ids = world.released("mail.parquet")["id"].to_pylist()
    assert all(len(each) == 64 for each in ids)
    assert MAIL.encode() not in (world.out / "eligible/mail.parquet").read_bytes()


def test_keyed_ids_of_numbers_are_strings(world):
    table = pa.Table.from_pylist(RECORDS, SCHEMA)
    world.write("a.parquet", table.set_column(0, "id", pa.array(range(len(table)))))
    world.run({"record_ids": "hmac", "key": {"env": "CG_KEY"}, "pii": "off"})
    released = world.released("a.parquet")
    assert released.schema.field("id").type == pa.string()
    assert len(set(released["id"].to_pylist())) == 5


def test_workers_and_batches_change_no_byte(world, monkeypatch):
    from corpusgate.connectors import pending
    from corpusgate.jobs import release

    for index in range(6):
        world.records(f"{index}.parquet", RECORDS * 5, row_group_size=7)
    for name in tree(world.folder / "corpus"):
        source = pq.read_table(world.folder / "corpus" / name)
        ids = pa.array([f"{name}-{row}" for row in range(len(source))])
        world.write(name, source.set_column(0, "id", ids), row_group_size=7)
    world.run(workers=1)
    before = stable(world.out)
    world.run(workers=3, fresh=True)
    assert stable(world.out) == before
    for whose in (release, pending):  # each unit alone; then a few rows at a time
        monkeypatch.setattr(whose, "TABLE_ROWS", 3)
        world.run(workers=2, fresh=True)
        assert stable(world.out) == before


def test_a_shard_that_cannot_be_reduced_costs_only_itself(world, monkeypatch):
    from corpusgate.filters.reduce.reducer import Reducer

    names = [f"{index}.parquet" for index in range(5)]
    for index, name in enumerate(names):
        world.records(name, [record(10 * index + n, f"{n} {MAIL}") for n in range(4)])
    world.records("2.parquet", [record(90, f"poison {MAIL}")])
    world.run(workers=1)
    before = stable(world.out)
    reduce = Reducer.reduce

    def picky(self, leaves, scopes):
        if "poison" in "".join(text for each in leaves for text in each.texts.to_pylist()):
            raise RuntimeError(MAIL)
        return reduce(self, leaves, scopes)

    monkeypatch.setattr(Reducer, "reduce", picky)
    summary = world.run(workers=1, fresh=True)
    assert list(summary.unreadable) == ["2.parquet"]
    after = stable(world.out)
    others = [name for name in before if Path(name).name in set(names) - {"2.parquet"}]
    assert len(others) == 4 * len(("eligible", "decisions", "purge", "findings"))
    assert {name: after[name] for name in others} == {name: before[name] for name in others}
    assert not [name for name in after if Path(name).name == "2.parquet"]


def test_reducing_what_was_reduced_changes_nothing(world):
    world.run()
    once = world.released("a.parquet")
    world.write("a.parquet", once.append_column("source", pa.array(["public_web"] * len(once))))
    summary = world.run({"output": {"path": "twice"}})
    assert summary.findings == {}
    twice = pq.read_table(world.folder / "twice/eligible/a.parquet")
    assert twice.equals(once)


def test_what_cannot_be_reduced_is_named_without_a_word_of_it(world, capsys, monkeypatch):
    from corpusgate.filters.reduce import reducer

    def broken(*_: object) -> None:
        raise RuntimeError(MAIL)

    monkeypatch.setattr(reducer.Reducer, "reduce", broken)
    done = world.command(capsys, "run", world.job())
    assert done.returncode == 3
    assert "RuntimeError" in done.stderr + done.stdout
    assert MAIL not in done.stderr + done.stdout
    assert list((world.out / "eligible").rglob("*")) == []


def test_explain_says_what_a_run_would_find(world, capsys):
    (one,) = explain_record(world.job(), "r-4")["found"]
    assert [each["entity"] for each in one["findings"]] == [
        "IP_ADDRESS", "IP_ADDRESS", "EMAIL_ADDRESS",
    ]  # fmt: skip
    done = world.command(capsys, "explain", world.job(), "--record", "r-3")
    assert "messages[].tool_calls[].arguments[1][0]/0" in "".join(done.stdout.split())
    assert not any(text in done.stdout for text in (MAIL, ADDRESS))
    job = world.job({"pii": {"exclude": {"max_findings": 2}}})
    (one,) = explain_record(job, "r-4")["found"]
    assert one["decision"]["reason"] == "pii:too-dense"
    (one,) = explain_record(job, "r-2")["found"]
    assert one["findings"] == []


@pytest.mark.slow
def test_names_where_the_job_names_a_model(world, capsys):
    train().to_disk(world.folder / "names")
    texts = ["Marta Keller lives in Lisbon.", "It rained all day."]
    world.records("a.parquet", [record(number, text) for number, text in enumerate(texts)])
    job = {"pii": {"nlp": {"engine": "spacy", "model": "./names"}}}
    summary = world.run(job)
    assert summary.findings == {"LOCATION": 1, "PERSON": 1}
    assert world.released("a.parquet")["text"].to_pylist() == [
        "<PERSON> lives in <LOCATION>.",
        "It rained all day.",
    ]
    told = world.manifest()["pii"]["nlp"]
    assert (told["model"], told["version"]) == ("./names", "1.2.3")
    done = world.command(capsys, "run", world.job(merge(job, {"pii": {"nlp": {"model": "./no"}}})))
    assert done.returncode == 2
    assert "pii.nlp.model" in done.stderr
    done = world.command(capsys, "plan", world.job(merge(job, {"pii": {"threshold": 0.9}})))
    assert "none will be found" in " ".join(done.stdout.split())


def test_two_paths_to_one_text_are_refused(world, capsys):
    job = world.job({"input": {"text": ["text", "text{}"]}})
    done = world.command(capsys, "run", job)
    assert done.returncode == 2
    assert "two text paths lead to the same texts" in done.stderr


def test_unknown_entities_and_operators_are_faults_of_the_job(world, capsys):
    job = world.job({"pii": {"entities": ["EMAIL_ADRESS"]}})
    done = world.command(capsys, "run", job)
    assert done.returncode == 2
    assert "EMAIL_ADDRESS" in done.stderr
    job = world.job({"pii": {"entities": ["EMAIL_ADDRESS"], "operators": {"US_SSN": "mask"}}})
    done = world.command(capsys, "run", job)
    assert done.returncode == 2
    assert "not among the entities" in done.stderr


def test_analysis_wants_reduction(world):
    assert world.run({"purpose": "analysis"}).eligible == 5
    with pytest.raises(JobError):
        world.run({"purpose": "analysis", "pii": "off"})


def test_the_plan_says_what_is_looked_for_and_where_not(world, capsys):
    facts = describe_plan(world.job())["pii"]
    assert "EMAIL_ADDRESS" in {name for each in facts["looked_for"] for name in each["entities"]}
    assert facts["not_looked_at"] == ["id", "messages[].role", "messages[].tool_calls[].name"]
    done = world.command(capsys, "plan", world.job())
    assert "messages[].role" in done.stdout
    assert describe_plan(world.job({"pii": "off"}))["pii"] == "off"
