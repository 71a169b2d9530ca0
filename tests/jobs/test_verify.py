"""`verify` finds a sound run sound, whatever the corpus's files and the job are like."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from corpusgate import JobError
from corpusgate.jobs.verify import decided
from corpusgate.jobs.verify.verdict import CHECKS
from corpusgate.jobs.verify.verify import Verdict, verify
from runs.reducing import KEY, RECORDS, Reducing, record
from runs.world import KINDS, SCHEMA, rows, table

if TYPE_CHECKING:
    from runs.workshop import Workshop


def sound(workshop: Workshop, *doubted: str, **options) -> dict[str, int]:
    """Verify a run; give what was right, by check. Only some checks may leave things open."""
    verdict = verify(workshop.out, **{"pii": 1.0, **options})
    assert verdict.faults == []
    assert {check for check, _ in verdict.tally.doubts} == set(doubted)
    return {row["check"]: row["right"] for row in verdict.tally.rows()}


@pytest.mark.parametrize("together", [1, 5, 3_000])
def test_rows_in_any_order_come_into_that_of_their_shards(together):
    rows = np.array([(shard, row) for shard in range(3) for row in range(6_000)])
    runs = np.append(0, 1 + np.random.default_rng(7).permutation(len(rows) // together - 1))
    mixed = rows.reshape(-1, together, 2)[runs].reshape(-1, 2)
    names = pa.array(["a", "b", "c"])
    shards = pa.DictionaryArray.from_arrays(pa.array(mixed[:, 0], pa.uint8()), names)
    table = decided.in_order(pa.table({"shard": shards, "row": mixed[:, 1]}))
    assert table["row"].to_pylist() == rows[:, 1].tolist()
    assert table["shard"].to_pylist() == [names[n].as_py() for n in rows[:, 0]]


def test_a_run_that_decides_alone_is_sound(workshop: Workshop):
    workshop.shard("a.parquet", repeat=20)
    workshop.shard("b/c.parquet")
    summary = workshop.run()
    right = sound(workshop)
    assert right["decisions"] == summary.rows_in == 21 * len(KINDS)
    assert right["rows"] == summary.eligible
    assert right["purge"] == summary.purge
    assert (right["input"], right["registers"]) == (2, 4)
    assert right["files"] == 2 * 3 + 1
    assert right["texts"] == 2 * summary.eligible  # two columns with text
    assert right["findings"] == right["remaining"] == 0


@pytest.mark.parametrize("name", ["a.jsonl", "in/a.ndjson.gz"])
def test_json_lines_are_verified(workshop: Workshop, name):
    blank = dict.fromkeys(SCHEMA.names)
    lines = [json.dumps(blank | row, default=datetime.isoformat) for row in rows(name)]
    content = "\n".join(lines).encode()
    workshop.write(name, gzip.compress(content) if name.endswith(".gz") else content)
    summary = workshop.run()
    assert sound(workshop)["decisions"] == summary.rows_in


def test_parts_of_a_file_and_ids_of_the_whole_run_are_verified(workshop: Workshop):
    twice = pa.concat_tables([table("x"), table("x"), table("y")])
    workshop.write("x.parquet", twice, row_group_size=len(KINDS))
    workshop.write("y.parquet", table("y", ["web"]))
    for changes in (
        {"max_unit_bytes": 1},
        {"unique": "run"},
        {"max_unit_bytes": 1, "unique": "run"},
    ):
        workshop.run({"input": changes}, fresh=True)
        assert sound(workshop)["decisions"] == 3 * len(KINDS) + 1


def test_an_id_that_stands_in_two_groups_of_shards_is_found(workshop: Workshop, monkeypatch):
    monkeypatch.setattr(decided, "GROUP_ROWS", 3)
    for name in ("a", "b", "c"):
        workshop.write(f"{name}.parquet", table("x" if name != "b" else "y", ["web", "strange"]))
    summary = workshop.run({"input": {"unique": "run"}})
    assert summary.eligible == 1  # of `y`: the others stand twice
    assert sound(workshop)["decisions"] == 6


def test_partitions_and_empty_shards_are_verified(workshop: Workshop):
    workshop.write("org=acme/x.parquet", table("x").drop_columns(["org"]))
    workshop.write("org=__HIVE_DEFAULT_PARTITION__/y.parquet", table("y").drop_columns(["org"]))
    workshop.write("org=beta/z.parquet", table("z", ["workspace"]).drop_columns(["org"]))
    workshop.write("org=beta/none.parquet", table("z", []).drop_columns(["org"]))
    summary = workshop.run()
    right = sound(workshop)
    assert (right["input"], right["decisions"]) == (4, summary.rows_in)


def test_a_shard_that_no_run_can_read_is_left_alone(workshop: Workshop):
    workshop.shard("a.parquet")
    workshop.write("b.parquet", b"no parquet")
    assert workshop.run().shards_unreadable == 1
    assert sound(workshop)["input"] == 1


def test_types_that_are_kept_are_compared_to_the_bit(workshop: Workshop):
    content = table("x")
    count = len(content)
    more = {
        "f": pa.array([float("nan"), -0.0, *[1.5] * (count - 2)], pa.float32()),
        "nested": pa.array([[{"x": float("nan")}]] * count),
        "when": pa.array([None, *range(count - 1)], pa.time32("s")),
        "day": pa.array(range(count), pa.date32()),
        "kind": pa.array(["a", "b", None] * (count // 3)).dictionary_encode(),
        "view": pa.array(["v"] * count, pa.string_view()),
        "bytes": pa.array([b"\xff"] * count, pa.binary(1)),
    }
    for name, values in more.items():
        content = content.append_column(name, values)
    workshop.write("x.parquet", content)
    keep = {
        "keep": ["score", "f", "nested", "when", "day"],
        "keep_raw": ["kind", "view", "bytes", "lang"],
    }
    summary = workshop.run({"input": keep})
    assert sound(workshop)["columns"] == summary.eligible * 10


def test_an_audit_folder_apart_and_a_key_of_ids_are_found(workshop: Workshop, monkeypatch):
    monkeypatch.setenv("CG_KEY", KEY)
    workshop.shard("a.parquet")
    changes = {
        "output": {"audit": "apart"},
        "record_ids": "hmac",
        "key": {"env": "CG_KEY"},
    }
    summary = workshop.run(changes)
    assert sound(workshop)["rows"] == summary.eligible
    monkeypatch.delenv("CG_KEY")
    assert sound(workshop, "rows")["rows"] == 0
    assert sound(workshop, key=KEY.encode())["rows"] == summary.eligible
    wrong = verify(workshop.out, key=b"another key of many bytes")
    assert {fault.check for fault in wrong.faults} == {"rows"}


OPERATORS = {
    "replace": "replace",
    "a value": {"type": "replace", "new_value": "(gone)"},
    "redact": "redact",
    "mask": "mask",
    "mask some": {"type": "mask", "chars_to_mask": 4, "from_end": True, "masking_char": "x"},
    "keep": "keep",
    "hash": {"type": "hash", "length": 16},
    "pseudonym": "pseudonym",
}
CLOSE = [
    record(10, "mara.quill@northwick-press.com81.174.36.29 and ada@lovelace.org,ada@lovelace.org"),
    record(11, "<ada@lovelace.org><81.174.36.29>", messages=[
        {"role": "r", "content": "é\u0301 ada@lovelace.org", "tool_calls": [
            {"name": "n", "arguments": '[{"a" : "ada@lovelace.org", "n": 1.50},'
                                       ' "\\ud83d\\ude00 81.174.36.29"]'},
        ]},
    ]),
    record(12, "4111 1111 1111 1111 4111-1111-1111-1111 call 212-736-5000 at once", user="ada"),
]  # fmt: skip


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("CG_KEY", KEY)
    world = Reducing(tmp_path)
    world.records("a.parquet", [*RECORDS, *CLOSE])
    return world


QUICK = {("mask some", "record"), ("pseudonym", "user")}
CASES = [(name, "record") for name in OPERATORS] + [("pseudonym", "user"), ("pseudonym", "run")]


@pytest.mark.parametrize(
    ("name", "scope"),
    [c if c in QUICK else pytest.param(*c, marks=pytest.mark.slow) for c in CASES],
)
def test_every_operator_is_applied_again(world: Reducing, monkeypatch, name, scope):
    changes = {
        "pii": {"operators": {"DEFAULT": OPERATORS[name]}, "scope": scope},
        "key": {"env": "CG_KEY"},
    }
    if scope == "user":
        changes["input"] = {"columns": {"user_id": "user"}, "absent": _without("user_id")}
    summary = world.run(changes)
    assert sound(world)["texts"] == 2 * summary.eligible
    off = verify(world.out, pii=None)
    assert off.faults == []
    if name in ("hash", "pseudonym"):
        monkeypatch.delenv("CG_KEY")
        assert "texts" in {check for check, _ in verify(world.out).tally.doubts}
        assert verify(world.out).sound


def _without(name: str) -> list[str]:
    return [n for n in Reducing.ABSENT if n != name]


def test_records_excluded_for_what_is_in_them_are_scanned(world: Reducing):
    world.records("b.parquet", [record(20, "a@b.org, c@d.org, e@f.org"), record(21, "a@b.org")])
    keys = [
        {
            "role": None,
            "content": None,
            "tool_calls": [{"name": None, "arguments": '{"a@b.org": 1}'}],
        }
    ]
    world.records("c.parquet", [record(30, None, messages=keys)])
    summary = world.run({"pii": {"exclude": {"max_findings": 2}}})
    assert {"pii:too-dense", "pii:unreadable"} <= set(summary.reasons)
    right = sound(world)
    assert right["findings"] > summary.eligible
    assert sound(world, pii=0.01)["findings"] < right["findings"]


def test_the_command_prints_a_table_and_json(workshop: Workshop, capsys):
    workshop.shard("a.parquet")
    workshop.run()
    done = workshop.command(capsys, "verify", workshop.out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") > len(CHECKS)
    assert "Sound" in done.stdout
    done = workshop.command(capsys, "verify", workshop.out, "--json", "--seed", "7", "--pii", "off")
    facts = json.loads(done.stdout)
    assert facts["sound"] is True
    assert [row["check"] for row in facts["checks"]] == list(CHECKS)
    assert (facts["scanned_share"], facts["seed"], facts["faults"]) == (None, 7, [])
    digest = facts["manifest_sha256"]
    assert workshop.command(capsys, "verify", workshop.out, "--manifest", digest).returncode == 0
    done = workshop.command(capsys, "verify", workshop.out, "--manifest", "0" * 64)
    assert done.returncode == 1
    assert "not the one of that digest" in " ".join(done.stdout.split())


def test_what_cannot_be_verified_is_said_in_one_line(workshop: Workshop, capsys):
    workshop.shard("a.parquet")
    nothing = workshop.command(capsys, "verify", workshop.out)
    assert nothing.returncode == 1
    assert "there is no manifest.json" in nothing.stderr
    workshop.run()
    assert workshop.command(capsys, "verify", workshop.out, "--pii", "2").returncode == 2
    (workshop.folder / "job.yaml").rename(workshop.folder / "moved.yaml")
    done = workshop.command(capsys, "verify", workshop.out)
    assert done.returncode == 2
    assert "--job job.yaml" in done.stderr
    with pytest.raises(JobError):
        verify(workshop.out)
    assert verify(workshop.out, job=workshop.folder / "moved.yaml").sound


def test_a_sample_is_drawn_anew_and_can_be_drawn_again(world: Reducing):
    world.records("b.parquet", [record(100 + n, "nothing") for n in range(300)])
    world.run()
    verdict: Verdict = verify(world.out, pii=0.1)
    again = verify(world.out, pii=0.1, seed=verdict.seed)
    assert verdict.tally == again.tally
    assert verdict.tally.passed["remaining"] == 1 + 30
