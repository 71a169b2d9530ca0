"""`explain`: it tells what a run decides, step by step, and shows no text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate import JobError, SchemaError, load_policy, run
from corpusgate.jobs.cli import main
from corpusgate.jobs.explain import explain_record

HIDDEN = "nobody-may-see-this"
FEBRUARY = datetime(2023, 2, 1, tzinfo=UTC)
JULY = datetime(2023, 7, 20, tzinfo=UTC)
JOB = """
policy: openai-api-data
purpose: pretraining
as_of: 2023-08-01T00:00:00Z
input:
  path: corpus
  columns:
    record_id: id
    surface: source
    submitted_at: created
    org_id: org
    user_id: user
  absent: [endpoint, model, part, license_ends_at]
  text: [text]
registers:
  consent: consent.parquet
  accounts: accounts.parquet
  deletions: deletions.parquet
  holds: holds.parquet
output:
  path: out
"""
ROWS = [
    ("web", "public_web", None, None, None),
    ("before", "api", FEBRUARY, "plain", None),
    ("after", "api", JULY, "plain", None),
    ("opted-in", "api", JULY, "keen", None),
    ("business", "enterprise", FEBRUARY, "big", None),
    ("deleted", "public_web", None, None, None),
    ("held", "public_web", None, None, None),
    ("stranger", "dark_web", None, None, None),
    ("timeless", "api", None, "plain", None),
    ("accountless", "file_upload", FEBRUARY, "nobody", None),
    ("twice", "public_web", None, None, None),
    ("twice", "public_web", None, None, None),
    ("chat", "consumer", FEBRUARY, None, "u1"),
]


def table(rows: list[tuple]) -> pa.Table:
    ids, sources, created, orgs, users = zip(*rows, strict=True)
    return pa.table(
        {
            "id": list(ids),
            "source": list(sources),
            "created": pa.array(created, pa.timestamp("us", "UTC")),
            "org": pa.array(orgs, pa.string()),
            "user": pa.array(users, pa.string()),
            "text": [HIDDEN] * len(rows),
        }
    )


def write(path: Path, columns: dict) -> None:
    pq.write_table(pa.table(columns), path)


@pytest.fixture
def job(tmp_path) -> Path:
    (tmp_path / "corpus").mkdir()
    pq.write_table(table(ROWS), tmp_path / "corpus" / "all.parquet", row_group_size=4)
    write(
        tmp_path / "consent.parquet",
        {
            "subject_kind": ["org"],
            "subject_id": ["keen"],
            "choice": ["opt_in"],
            "effective_at": [FEBRUARY],
        },
    )
    orgs = ["plain", "keen", "big"]
    write(
        tmp_path / "accounts.parquet",
        {
            "org_id": orgs,
            "plan": ["free", "free", "enterprise"],
            "zero_retention": [False] * 3,
            "baa": [False] * 3,
            "effective_at": [datetime(2020, 1, 1, tzinfo=UTC)] * 3,
        },
    )
    gone = {"subject_kind": ["record"] * 2, "subject_id": ["deleted", "held"]}
    write(tmp_path / "deletions.parquet", {**gone, "requested_at": [JULY] * 2})
    held = {"subject_kind": ["record"], "subject_id": ["held"], "from": [JULY]}
    write(tmp_path / "holds.parquet", held)
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


@pytest.fixture
def command(capsys):
    def called(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    return called


def one(job: Path, record_id: str) -> dict:
    (found,) = explain_record(job, record_id)["found"]
    return found


def rules(found: dict) -> dict[str, dict]:
    return {rule["reason"]: rule for rule in found["rules"]}


def test_every_record_is_explained_as_a_run_decides_it(job):
    run(job)
    decisions = pl.read_parquet(job.parent / "out" / "audit" / "decisions" / "all.parquet")
    purge = pl.read_parquet(job.parent / "out" / "audit" / "purge" / "all.parquet")
    due = dict(purge.select("record_id", "deadline").iter_rows())
    assert due
    assert decisions.height == len(ROWS)
    for row in decisions.iter_rows(named=True):
        found = explain_record(job, row["record_id"])["found"]
        assert row["row"] in [item["row"] for item in found]
        for item in found:
            decision = item["decision"]
            assert decision["eligible"] == row["eligible"]
            assert decision["reason"] == row["reason"]
            assert decision["reasons"] == row["reasons"]
            deadline = due.get(row["record_id"])
            assert decision["purge_deadline"] == (deadline and deadline.isoformat())
            # The rules' outcomes alone give the reasons.
            excluding = [r for r in item["rules"] if r["means"].startswith("excludes")]
            permitting = [r["reason"] for r in item["rules"] if r["means"] == "permits"]
            spelled = [f"{r['reason']}{'' if r['outcome'] else '?'}" for r in excluding]
            if not permitting:
                spelled.append("no-permit")
            assert (spelled or permitting) == row["reasons"]


def test_rules_stand_in_the_order_of_reasons(job):
    policy = load_policy("openai-api-data")
    reasons = [rule["reason"] for rule in one(job, "web")["rules"]]
    assert reasons[-len(policy.permits) :] == [rule.id for rule in policy.permits]
    assert reasons[: -len(policy.permits)][-len(policy.forbids) :] == [
        rule.id for rule in policy.forbids
    ]
    assert reasons[0] == "input:missing-record_id"


def test_a_rule_shows_its_bound_condition_and_what_it_read(job):
    rule = rules(one(job, "before"))["api-before-cutoff"]
    assert "TIMESTAMPTZ '2023-03-01 00:00:00+00:00'" in rule["condition"]
    assert "$" not in rule["condition"]
    assert rule["reads"] == {"surface": "api", "submitted_at": FEBRUARY.isoformat()}
    assert (rule["outcome"], rule["means"]) == (True, "permits")
    assert rule["clauses"] == ["C2", "C20"]


def test_null_excludes_in_a_forbid_and_permits_nothing(job):
    found = rules(one(job, "accountless"))
    assert found["business-plan"]["outcome"] is None
    assert found["business-plan"]["means"] == "excludes: whether it holds is unknown"
    found = rules(one(job, "timeless"))
    assert found["api-before-cutoff"]["outcome"] is None
    assert found["api-before-cutoff"]["means"] == "does not permit"
    assert found["input:implausible-time"]["outcome"] is None
    assert found["input:implausible-time"]["means"] == "does not exclude"


def test_a_rule_out_of_reach_says_why(job):
    found = rules(one(job, "web"))
    assert found["own-custom-model"]["means"] == "not reached in this run: it is for custom_model"
    assert found["outside-regions"]["means"].startswith("not reached in this run: its parameters")


def test_a_hold_keeps_what_is_due(job):
    decision = one(job, "deleted")["decision"]
    assert (decision["purge_reason"], decision["held_back"]) == ("deleted", False)
    decision = one(job, "held")["decision"]
    assert (decision["purge_reason"], decision["held_back"]) == (None, True)
    assert decision["on_hold"] is True
    job.write_text(JOB.replace("  holds: holds.parquet\n", ""))
    decision = one(job, "deleted")["decision"]
    assert (decision["purge_reason"], decision["held_back"]) == (None, True)
    assert decision["on_hold"] is None


def test_a_duplicate_shows_every_row(job):
    found = explain_record(job, "twice")["found"]
    assert [item["row"] for item in found] == [10, 11]
    assert {item["decision"]["reason"] for item in found} == {"input:duplicate-record_id"}


def test_of_many_duplicates_people_see_some_in_full_and_all_in_short(job, command):
    for number in range(5):
        pq.write_table(table([ROWS[0]]), job.parent / "corpus" / f"more{number}.parquet")
    _, out, _ = command("explain", job, "--record", "web")
    assert out.count("what the registers say") == 3
    assert all(f"more{number}.parquet" in out for number in range(5))
    assert "3 more with this id" in out


def test_duplicates_across_shards_count_where_the_job_says_so(job):
    pq.write_table(table([ROWS[0]]), job.parent / "corpus" / "more.parquet")
    found = explain_record(job, "web")["found"]
    assert [item["shard"] for item in found] == ["all.parquet", "more.parquet"]
    assert {item["decision"]["eligible"] for item in found} == {True}
    job.write_text(JOB.replace("  text: [text]", "  text: [text]\n  unique: run"))
    found = explain_record(job, "web")["found"]
    assert {item["decision"]["reason"] for item in found} == {"input:duplicate-record_id"}


def test_rows_are_counted_from_the_files_start(job):
    job.write_text(JOB.replace("  text: [text]", "  text: [text]\n  max_unit_bytes: 1"))
    facts = explain_record(job, "chat")
    assert facts["found"][0]["row"] == 12
    assert facts["records_looked_at"] == len(ROWS)


def test_values_are_what_the_rules_see_and_never_text(job, command):
    found = one(job, "chat")
    assert found["provenance"]["surface"] == "consumer"
    assert found["provenance"]["user_id"] == "u1"
    assert found["state"]["user_consent_at_submission"] == "none"
    _, out, err = command("explain", job, "--record", "chat")
    assert "'u1'" in out
    assert HIDDEN not in out + err + json.dumps(found)


def test_json_lines_are_explained_and_leave_nothing_behind(job):
    folder = job.parent / "corpus"
    (folder / "all.parquet").unlink()
    line = {"id": "j", "source": "public_web", "created": None, "org": None, "user": None}
    other = line | {"id": "k", "source": "nowhere"}
    lines = [json.dumps(item | {"text": HIDDEN}) for item in (other, line)]
    (folder / "a.jsonl").write_text("\n".join(lines))
    before = sorted(job.parent.rglob("*"))
    found = one(job, "j")
    assert (found["row"], found["decision"]["reason"]) == (1, "public")
    assert sorted(job.parent.rglob("*")) == before


def test_whole_numbers_are_found_as_they_are_written(job):
    data = table(ROWS[:2]).set_column(0, "id", pa.array([7, 77]))
    pq.write_table(data, job.parent / "corpus" / "all.parquet")
    for name in ("deletions", "holds"):
        job.write_text(
            job.read_text().replace(f"{name}: {name}.parquet", f"{name}: {{empty: true}}")
        )
    assert one(job, "77")["row"] == 1


def test_as_of_is_the_runs_where_the_job_names_none(job):
    job.write_text(JOB.replace("as_of:", "# as_of:"))
    assert explain_record(job, "web")["as_of_from"] == "now"
    as_of = run(job).as_of.isoformat()
    facts = explain_record(job, "web")
    assert (facts["as_of"], facts["as_of_from"]) == (as_of, "run.json")


def test_the_page_ends_with_the_decision(job, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = command("explain", job, "--record", "after")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "(from the job)" in out
    assert "all.parquet, row 2" in out
    last = out[out.rindex("\ndecision") :]
    assert "eligible  no" in last
    assert "no-permit" in last


def test_the_page_escapes_what_a_terminal_would_obey(job, command):
    pq.write_table(
        table([("x", "\x1b[31mred", None, None, None)]), job.parent / "corpus" / "odd.parquet"
    )
    _, out, _ = command("explain", job, "--record", "x")
    assert "\x1b" not in out
    assert r"\x1b[31mred" in out


def test_json_is_the_facts(job, command):
    code, out, _ = command("explain", job, "--record", "web", "--json")
    assert code == 0
    assert json.loads(out) == json.loads(json.dumps(explain_record(job, "web")))


def test_an_unknown_record_says_how_many_were_looked_at(job, command):
    code, out, err = command("explain", job, "--record", "nope")
    assert (code, out) == (1, "")
    assert "none of 13 records has this id" in err
    assert "column `id`" in err


def test_an_unknown_record_may_lie_in_what_cannot_be_read(job):
    (job.parent / "corpus" / "bad.parquet").write_bytes(b"no Parquet")
    with pytest.raises(SchemaError, match=r"1 shard cannot be read \(bad\.parquet\)"):
        explain_record(job, "nope")
    assert explain_record(job, "web")["shards_not_looked_at"] == ["bad.parquet"]


def test_a_job_that_cannot_run_explains_nothing(job):
    job.write_text(JOB.replace("[endpoint, model,", "["))
    with pytest.raises(JobError, match=r"(?s)endpoint.*model"):
        explain_record(job, "web")
