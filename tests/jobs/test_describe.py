"""`policy show` and `plan`: what they say, what they refuse, and that they change nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate import JobError, OutputError, load_policy, run
from corpusgate.jobs.cli import main
from corpusgate.jobs.describe_plan import describe_plan
from corpusgate.jobs.describe_policy import describe_policy

MARCH = datetime(2023, 3, 1, tzinfo=UTC)
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
    model: {constant: gpt-4}
  absent: [user_id, endpoint, part, license_ends_at]
  text: [text]
  keep: [size]
registers:
  consent: {empty: true}
  accounts: {empty: true}
  deletions: deletions.parquet
output:
  path: out
"""


def shard(ids: list[str]) -> pa.Table:
    return pa.table(
        {
            "text": [f"text of {name}" for name in ids],
            "id": ids,
            "source": ["api"] * len(ids),
            "created": pa.array([MARCH] * len(ids), pa.timestamp("us", "UTC")),
            "org": ["acme"] * len(ids),
            "size": pa.array(range(len(ids)), pa.int32()),
        }
    )


def job_file(folder: Path, text: str = JOB) -> Path:
    (folder / "corpus").mkdir(exist_ok=True)
    pq.write_table(shard(["a", "b", "c"]), folder / "corpus" / "one.parquet")
    pq.write_table(shard(["d"]), folder / "corpus" / "two.parquet")
    deletions = {"subject_kind": ["org"], "subject_id": ["other"], "requested_at": [MARCH]}
    pq.write_table(pa.table(deletions), folder / "deletions.parquet")
    path = folder / "job.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def job(tmp_path) -> Path:
    return job_file(tmp_path)


@pytest.fixture
def command(capsys):
    def called(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    return called


def rules(facts: dict) -> dict[str, dict]:
    return {rule["reason"]: rule for rule in facts["rules"]}


def columns(facts: dict) -> dict[str, dict]:
    return {column["name"]: column for column in facts["columns"]}


# ------------------------------------------------------------------------------------- policy


def test_policy_has_its_rules_in_every_language():
    policy = load_policy("openai-api-data")
    facts = describe_policy(policy)
    assert facts["fingerprint"] == policy.fingerprint
    assert [rule["id"] for rule in facts["rules"]] == [
        rule.id for rule in policy.forbids + policy.permits
    ]
    rule = next(rule for rule in facts["rules"] if rule["id"] == "api-before-cutoff")
    assert rule["effect"] == "permit"
    assert rule["clauses"] == ["C2", "C20"]
    assert rule["when"] == "submitted_at < $cutoff"
    assert rule["surfaces"] == ["api", "playground", "file_upload"]
    assert "(submitted_at < $cutoff)" in rule["duckdb"]
    assert '(col("submitted_at")) < (col("$cutoff"))' in rule["polars"]
    assert rule["purge_deadline"] is None


def test_policy_shows_parameters_as_a_file_writes_them():
    policy = load_policy("openai-api-data").with_parameters({"retention": "36 hours"})
    parameters = describe_policy(policy)["parameters"]
    assert parameters["retention"]["value"] == "36 hours"
    assert parameters["deletion_window"]["value"] == "30 days"
    assert parameters["allow_opt_in"]["value"] is True
    assert parameters["cutoff"]["because"]


def test_policy_show_fits_eighty_columns_and_loses_nothing(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = command("policy", "show", "openai-api-data")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    words = "".join(out.split())
    for rule in describe_policy(load_policy("openai-api-data"))["rules"]:
        # Brackets in an expression are not markup.
        for key in ("because", "when", "duckdb", "polars"):
            assert "".join(rule[key].split()) in words
        assert f"{rule['effect']} {rule['id']}" in out


def test_policy_show_gives_json(command):
    code, out, _ = command("policy", "show", "openai-api-data", "--json")
    assert code == 0
    assert json.loads(out) == describe_policy(load_policy("openai-api-data"))


def test_unknown_policy_names_the_known_ones(command):
    code, out, err = command("policy", "show", "openai-api")
    assert (code, out) == (2, "")
    assert "no such policy" in err
    assert "openai-api-data" in err


# --------------------------------------------------------------------------------------- plan


def test_plan_counts_what_is_there(job):
    facts = describe_plan(job)
    size = sum(path.stat().st_size for path in (job.parent / "corpus").iterdir())
    assert {k: facts["input"][k] for k in ("shards", "units", "rows", "bytes")} == {
        "shards": 2,
        "units": 2,
        "rows": 4,
        "bytes": size,
    }
    assert facts["policy"]["fingerprint"] == load_policy("openai-api-data").fingerprint
    assert facts["reads"] == ["created", "id", "org", "source"]


def test_plan_says_where_each_column_comes_from_and_who_reads_it(job):
    found = columns(describe_plan(job))
    assert found["org_id"]["from"] == {"column": "org"}
    assert found["model"]["from"] == {"constant": "gpt-4"}
    assert [found[n]["state"] for n in ("org_id", "endpoint", "region")] == [
        "mapped",
        "absent",
        "unmapped",
    ]
    assert "business-plan" in found["org_id"]["read_by"]
    assert found["license_ends_at"]["read_by"] == ["licensed"]
    assert found["region"]["read_by"] == []
    assert found["parent_ids"]["read_by"] == ["input:unresolved-parents"]


def test_plan_says_what_each_rule_reads_and_which_are_out_of_reach(job):
    found = rules(describe_plan(job))
    assert found["business-plan"]["columns"] == ["org_id"]
    assert found["business-plan"]["through"] == {
        "business_plan": {"register": "accounts", "columns": ["org_id", "submitted_at"]}
    }
    # Only the kinds that the register names are looked up.
    assert found["deleted"]["through"]["deleted"]["columns"] == ["org_id"]
    unreached = {name for name, rule in found.items() if not rule["reached"]}
    assert unreached == {
        "other-organisation",
        "outside-regions",
        "own-custom-model",
        "abuse-monitoring",
    }
    assert found["outside-regions"]["columns"] == []


def test_plan_of_a_scoped_deletion_reads_the_time(job):
    table = pa.table(
        {
            "subject_kind": ["conversation"],
            "subject_id": ["x"],
            "requested_at": [MARCH],
            "scope_until": [MARCH],
        }
    )
    pq.write_table(table, job.parent / "deletions.parquet")
    job.write_text(JOB.replace("org_id: org", "org_id: org\n    conversation_id: id"))
    through = rules(describe_plan(job))["deleted"]["through"]["deleted"]
    assert through == {"register": "deletions", "columns": ["conversation_id", "submitted_at"]}


def test_plan_knows_its_registers(job):
    registers = describe_plan(job)["registers"]
    assert registers["deletions"]["rows"] == 1
    assert registers["deletions"]["source"] == "deletions.parquet"
    assert len(registers["deletions"]["digest"]) == 64
    assert registers["deletions"]["snapshot_at"] is None
    assert registers["holds"]["given"] is False
    # What is due to be deleted depends on holds, even if no condition reads them.
    assert "deleted" in registers["holds"]["read_by"]


def test_plan_lists_released_columns_in_the_shards_order(job):
    released = describe_plan(job)["releases"]
    assert released["columns"] == [
        {"name": "text", "type": "string"},
        {"name": "id", "type": "string"},
        {"name": "size", "type": "int32"},
    ]


def test_plan_reads_no_record(job):
    """The pages of a file may be anything: only its footer is looked at."""
    before = describe_plan(job)
    path = job.parent / "corpus" / "one.parquet"
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    path.write_bytes(data[:4] + bytes(footer - 4) + data[footer:])
    assert describe_plan(job)["input"]["rows"] == before["input"]["rows"]


def test_plan_writes_nothing(job):
    def tree() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in job.parent.rglob("*")}

    before = tree()
    describe_plan(job)
    assert tree() == before
    run(job)
    before = tree()
    describe_plan(job)
    assert tree() == before


def test_plan_knows_what_is_done_already(job):
    assert describe_plan(job)["output"]["state"] == "none"
    run(job)
    pq.write_table(shard(["e"]), job.parent / "corpus" / "three.parquet")
    output = describe_plan(job)["output"]
    assert (output["state"], output["units_done"], output["units_to_do"]) == ("finished", 2, 1)
    job.write_text(JOB.replace("purpose: pretraining", "purpose: alignment"))
    output = describe_plan(job)["output"]
    assert (output["units_done"], output["units_to_do"]) == (0, 3)


def test_plan_names_unreadable_shards(job):
    (job.parent / "corpus" / "bad.parquet").write_bytes(b"not Parquet at all")
    given = describe_plan(job)["input"]
    assert (given["shards"], given["units"]) == (3, 2)
    assert [item["shard"] for item in given["unreadable"]] == ["bad.parquet"]
    assert given["unreadable"][0]["what"]


def test_plan_takes_as_of_from_the_job_then_the_run_then_the_clock(job):
    assert describe_plan(job)["as_of_from"] == "job"
    job.write_text(JOB.replace("as_of:", "# as_of:"))
    facts = describe_plan(job)
    assert facts["as_of_from"] == "now"
    assert abs(datetime.fromisoformat(facts["as_of"]) - datetime.now(UTC)) < timedelta(minutes=1)
    as_of = run(job).as_of
    facts = describe_plan(job)
    assert (facts["as_of_from"], facts["as_of"]) == ("run.json", as_of.isoformat())


def test_plan_of_json_lines_leaves_open_what_only_reading_shows(tmp_path):
    job = job_file(tmp_path)
    for path in (tmp_path / "corpus").iterdir():
        path.unlink()
    (tmp_path / "corpus" / "a.jsonl").write_text('{"id": "a"}\n')
    facts = describe_plan(job)
    assert facts["releases"] is None
    assert facts["input"]["units_not_counted"] == 1


def test_plan_page_says_it_all(job, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (job.parent / "corpus" / "bad.parquet").write_bytes(b"not Parquet at all")
    code, out, _ = command("plan", job)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for text in (
        "2023-08-01T00:00:00+00:00 (from the job)",
        "3 shards, 2 units",
        "4 rows",
        "unreadable: bad.parquet",
        "constant gpt-4",
        "absent",
        "unmapped",
        "not reached in this run",
        "not given: unknown",
        "0 done already, 2 to do",
        "no holds register",
    ):
        assert text in out
    code, out, _ = command("plan", job, "--json")
    assert json.loads(out) == json.loads(json.dumps(describe_plan(job)))


def test_plan_page_escapes_what_a_terminal_would_obey(tmp_path, command):
    job = job_file(tmp_path)
    (tmp_path / "corpus" / "a\x1b]0;x\x07.parquet").write_bytes(b"no")
    _, out, _ = command("plan", job)
    assert "\x1b" not in out
    assert r"a\x1b]0;x\x07.parquet" in out


# ------------------------------------------------------------------------------------- errors


def test_all_missing_columns_stand_in_one_message(tmp_path, command):
    job = job_file(tmp_path, JOB.replace("[user_id, endpoint, part, license_ends_at]", "[part]"))
    code, out, err = command("plan", job)
    assert (code, out) == (2, "")
    for column in ("user_id", "endpoint", "license_ends_at"):
        assert f"input.columns.{column}" in err
    assert "input.columns.part" not in err


@pytest.mark.parametrize(
    ("wrong", "right", "hint"),
    [
        ("org_idd: org", "org_id: org", "did you mean `org_id`"),
        ("org_id: orgg", "org_id: org", "org"),
        ("text: [texts]", "text: [text]", "did you mean `text`"),
    ],
)
def test_a_wrong_column_gets_a_suggestion(tmp_path, command, wrong, right, hint):
    job = job_file(tmp_path, JOB.replace(right, wrong))
    code, _, err = command("plan", job)
    assert code == 2
    name = wrong.replace(":", "").replace("[", "").replace("]", "").split()
    assert any(f"`{word}`" in err for word in name)
    assert hint.lower() in err.lower()


def test_plan_refuses_an_output_that_is_somebody_elses(job):
    (job.parent / "out").mkdir()
    (job.parent / "out" / "thesis.doc").write_text("x")
    with pytest.raises(OutputError):
        describe_plan(job)


def test_plan_without_a_job_says_how_to_get_one(tmp_path, command):
    code, _, err = command("plan", tmp_path / "none.yaml")
    assert code == 2
    assert "corpusgate init" in err


def test_plan_refuses_input_inside_the_output(job):
    job.write_text(JOB.replace("path: out", "path: ."))
    with pytest.raises((JobError, OutputError)):
        describe_plan(job)
