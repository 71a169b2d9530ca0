"""`corpusgate sql`: what it prints, what it refuses, and what its errors never say."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import time
from importlib import resources
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate import SchemaError
from corpusgate.jobs.queries import QUERIES
from corpusgate.jobs.query import ask
from corpusgate.jobs.session import open_session
from runs.workshop import CLI, Workshop
from runs.world import CANARY, KINDS, SCHEMA
from sampled import sampled

COUNT = "SELECT reason, count(*) AS n FROM decisions GROUP BY reason ORDER BY reason"
REASONS = sorted(kind.reason for kind in KINDS)


@pytest.fixture
def asked(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    """Ask the small world, and give what the command came to."""
    workshop.shard("a.parquet")

    def ask(*arguments: str | Path, job: Path | None = None):
        return workshop.command(capsys, "sql", "--job", job or workshop.job(), *arguments)

    return ask


def test_a_table_has_every_reason(asked):
    done = asked(COUNT)
    assert done.returncode == 0
    for reason in REASONS:
        assert reason in done.stdout


def test_csv_and_json_say_the_same(asked):
    rows = list(csv.DictReader(io.StringIO(asked(COUNT, "--csv").stdout)))
    objects = json.loads(asked(COUNT, "--json").stdout)
    assert [row["reason"] for row in rows] == [item["reason"] for item in objects] == REASONS
    assert [int(row["n"]) for row in rows] == [item["n"] for item in objects]


def test_values_of_every_type_are_spelled(asked):
    query = """
        SELECT NULL AS a, 1.50::DECIMAL(4, 2) AS b, DATE '2023-03-01' AS c, [1, NULL] AS d,
            TIMESTAMPTZ '2023-03-01 00:00:00+01' AS e, {'x': 'y'} AS f, TRUE AS g, 'a"b' AS h,
            TIMESTAMP_NS '2023-03-01 00:00:00.000000001' AS i, INTERVAL '1 day' AS j, 'x'::BLOB AS k
    """
    [row] = json.loads(asked(query, "--json").stdout)
    assert row | {"j": None} == {
        "a": None, "b": 1.5, "c": "2023-03-01", "d": [1, None], "e": "2023-02-28T23:00:00Z",
        "f": {"x": "y"}, "g": True, "h": 'a"b', "i": "2023-03-01T00:00:00", "j": None, "k": "78",
    }  # fmt: skip
    [line] = csv.DictReader(io.StringIO(asked(query, "--csv").stdout))
    assert (line["a"], line["d"], line["g"], line["h"]) == ("", "[1, null]", "true", 'a"b')
    assert asked(query).returncode == 0


def test_json_is_json_and_keeps_all_digits(asked):
    query = """
        SELECT 'nan'::DOUBLE AS a, 'inf'::FLOAT AS b, ['-inf'::DOUBLE, 1.5] AS c,
            MAP {'k': 'nan'::DOUBLE} AS d, {'x': 12345678901234567890123456789.123} AS e,
            123456789012345.678 AS f, sum(0.10) AS g, 170141183460469231731::HUGEINT AS h
    """

    def refuse(word):
        raise AssertionError(word)

    [row] = json.loads(asked(query, "--json").stdout, parse_constant=refuse)
    assert row == {
        "a": None, "b": None, "c": [None, 1.5], "d": [["k", None]],
        "e": {"x": "12345678901234567890123456789.123"}, "f": "123456789012345.678", "g": 0.1,
        "h": 170141183460469231731,
    }  # fmt: skip
    [line] = csv.DictReader(io.StringIO(asked(query, "--csv").stdout))
    assert (line["c"], line["f"], line["g"]) == ("[null, 1.5]", "123456789012345.678", "0.10")
    assert "123456789012345.678" in asked(query).stdout


def test_json_loses_no_column(asked):
    query = "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS A"
    assert json.loads(asked(query, "--json").stdout) == [{"a": 1, "a_1": 2, "a_1_1": 3, "A_2": 4}]


ALONE = [
    (["SELECT 1", "--csv", "--json"], "--csv and --json exclude each other"),
    (["SELECT 1", "--plot", "--csv"], "--csv and --plot exclude each other"),
    (["SELECT 1", "--json", "--output", "x.parquet"], "--json and --output exclude each other"),
    (["--emit", "gate.sql", "SELECT 1"], "--emit asks nothing"),
    (["--emit", "gate.sql", "--query", "losses"], "--emit asks nothing"),
    (["--emit", "gate.sql", "-f", "q.sql"], "--emit asks nothing"),
    (["--emit", "gate.sql", "--json"], "--emit asks nothing"),
    (["--emit", "gate.sql", "--allow", "shared"], "--emit asks nothing"),
]


@pytest.mark.parametrize(("arguments", "what"), ALONE)
def test_no_option_is_passed_over_for_another(asked, monkeypatch, tmp_path, arguments, what):
    monkeypatch.chdir(tmp_path)
    done = asked(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert what in line
    assert not Path("gate.sql").exists()


def test_rows_go_to_a_parquet_file(asked, tmp_path):
    target = tmp_path / "x.parquet"
    done = asked("SELECT * FROM decisions", "--output", target)
    assert done.returncode == 0
    assert pl.read_parquet(target).height == len(KINDS)
    assert target.stat().st_mode & 0o077 == 0
    again = asked("SELECT 1", "--output", target)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_a_query_comes_from_a_file(asked, tmp_path):
    (tmp_path / "q.sql").write_text(f"CREATE VIEW v AS {COUNT}; SELECT * FROM v;")
    assert "public" in asked("-f", tmp_path / "q.sql").stdout


@pytest.mark.parametrize("name", QUERIES)
def test_named_queries_answer(asked, name):
    done = asked("--query", name)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 1


def test_a_chart_is_drawn(asked):
    done = asked(COUNT, "--plot")
    assert done.returncode == 0
    assert "█" in done.stdout
    assert asked("SELECT 'a'", "--plot").returncode == 2
    odd = asked("SELECT * FROM (VALUES ('a', 'nan'::DOUBLE), ('b', 'inf'), ('c', 2))", "--plot")
    assert odd.stdout.count("█") > 0, odd.stderr


REFUSED = [
    ("selec 1", "syntax error", "line 1"),
    ("SELECT org FROM decisions", "no column `org`", ""),
    ("SELECT * FROM decision", "no relation `decision`", "decisions"),
    ("SELECT nofun(1)", "nofun", ""),
    ("SELECT lang::INT FROM corpus", "cannot be cast", "TRY_CAST"),
    ("SELECT notes::DATE FROM corpus", "cannot be cast", "TRY_CAST"),
    ("SELECT error(text) FROM corpus", "refused a value", ""),
    ("SELECT * FROM read_text('/etc/hostname')", "only what the job names", "--allow"),
    ("FROM read_csv('https://example.org/a.csv')", "only what the job names", ""),
    ("COPY corpus TO 'x.parquet'", "writes no files", "--allow"),
    ("EXPLAIN ANALYZE COPY corpus TO 'x.parquet'", "writes no files", "--allow"),
    ("EXPLAIN (ANALYZE) COPY corpus TO 'x.parquet'", "writes no files", "--allow"),
    ("EXPLAIN--\nANALYZE COPY corpus TO 'x.parquet'", "writes no files", "--allow"),
    ("COPY corpus TO '{corpus}' (USE_TMP_FILE false)", "writes no files", "--allow"),
    ("COPY (PIVOT decisions ON reason) TO 'x.parquet'", "writes no files", "--allow"),
    ("ATTACH 'x.db'", "not for this session", ""),
    ("INSTALL httpfs", "not for this session", ""),
    ("SET memory_limit='1GB'", "not for this session", ""),
    ("CREATE SECRET (TYPE s3)", "not for this session", ""),
    ("EXPORT DATABASE 'x'", "not for this session", ""),
    ("PREPARE p AS COPY corpus TO 'x.parquet'", "not for this session", ""),
    ("SELECT * FROM released", "after a finished run", "corpusgate run"),
    ("SELECT eligibility_reason({'surface': 'x', 'modell': 'y'})", "no other field", "model"),
    ("SELECT eligibility_reason({'modell': 'y'})", "no other field", "model"),
    ("SELECT eligibility_reason('{\"modell\": 1}')", "no other field", "model"),
    ("SELECT eligibility_reason(NULL)", "no other field", "model"),
    ("SELECT eligibility_reason(c) FROM corpus AS c", "no other field", "model"),
    ("", "empty", ""),
    (";", "empty", ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    workshop = Workshop(tmp_path_factory.mktemp("refused"))
    workshop.shard("a.parquet")
    session = open_session(workshop.job())
    yield session
    session.database.close()


def all_of(session, query):
    answer = ask(session, query)
    return list(answer.batches if answer else ())


@pytest.mark.parametrize(("query", "what", "fix"), REFUSED)
def test_what_is_refused_takes_one_clear_line(session, query, what, fix):
    with pytest.raises(SchemaError) as refused:
        all_of(session, query)
    assert what in str(refused.value)
    assert fix in str(refused.value)
    assert "\n" not in str(refused.value)
    assert CANARY not in str(refused.value)
    assert refused.value.__cause__ is refused.value.__context__ is None


def test_a_refusal_is_bad_usage(asked):
    done = asked("SELECT lang::INT FROM corpus")
    assert done.returncode == 2
    assert done.stderr == (
        "corpusgate: query: a value cannot be cast as the query wants. Use TRY_CAST\n"
    )


def test_an_error_halfway_names_no_value(asked):
    """The first batch is read before the error comes, through Arrow."""
    query = """
        SELECT CASE WHEN i > 350000 THEN one.text::INT END
        FROM range(400000) AS r(i), (FROM corpus LIMIT 1) AS one
    """
    done = asked(query, "--csv")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "corpusgate: query: a value cannot be cast as the query wants. Use TRY_CAST"
    ]


def test_a_missing_job_is_said(workshop, capsys):
    done = workshop.command(capsys, "sql", "SELECT 1")
    assert done.returncode == 2
    assert "--job" in done.stderr
    gone = workshop.command(capsys, "sql", "SELECT 1", "--job", "gone.yaml")
    assert gone.returncode == 2
    half = workshop.folder / "half.yaml"
    half.write_text("policy: openai-api-data\npurpose: pretraining\noutput: {path: out}\n")
    keys = workshop.command(capsys, "sql", "SELECT 1", "--job", half)
    assert "input: this key is missing" in keys.stderr


def test_allow_opens_a_folder_and_no_other(asked, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "a.csv").write_text("x\n1\n")
    assert asked(f"SELECT * FROM '{shared}/a.csv'").returncode == 2
    assert asked(f"SELECT * FROM '{shared}/a.csv'", "--allow", shared).returncode == 0
    done = asked(f"COPY (SELECT 1) TO '{shared}/b.csv'", "--allow", shared)
    assert done.returncode == 0, done.stderr
    assert (shared / "b.csv").exists()
    assert asked(f"COPY (SELECT 1) TO '{tmp_path}/c.csv'", "--allow", shared).returncode == 2


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO '{input}' (USE_TMP_FILE false)",
        "COPY (SELECT ' to ''{shared}/x.csv''') TO '{input}' (USE_TMP_FILE false);",
        "COPY (SELECT 1) /* to '{shared}/x' ( */ TO '{input}' (USE_TMP_FILE false --)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{shared}/x.csv'",
    ],
)
def test_with_allow_nothing_is_written_elsewhere(workshop: Workshop, capsys, query):
    file = workshop.shard("a.parquet")
    before = file.read_bytes()
    shared = workshop.folder / "shared"
    shared.mkdir()
    asked = query.format(input=file, shared=shared)
    done = workshop.command(capsys, "sql", asked, "--job", workshop.job(), "--allow", shared)
    assert done.returncode == 2
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("folder", "what"),
    [
        (".", "an input file and registers.accounts"),
        ("corpus", "an input file and the corpus"),
        ("corpus/new", "the corpus"),
        ("linked", "the corpus"),
        ("registers", "registers.consent"),
        ("out/eligible", "the output"),
        ("rules", "the policy"),
        ("apart", "the output"),
    ],
)
def test_a_folder_of_the_job_s_own_is_not_opened(workshop: Workshop, capsys, folder, what):
    """A query could overwrite what decides, or add to it."""
    workshop.shard("a.parquet")
    for name in ("corpus/new", "rules", "apart"):
        (workshop.folder / name).mkdir()
    policy = resources.files("corpusgate.filters") / "policies/openai-api-data.yaml"
    (workshop.folder / "rules/p.yaml").write_text(policy.read_text("utf-8"), "utf-8")
    (workshop.folder / "linked").symlink_to(workshop.folder / "corpus")
    job = workshop.job({"policy": "rules/p.yaml", "output": {"audit": "apart"}})
    target = workshop.folder / folder / "a.parquet"
    query = f"COPY (SELECT 1) TO '{target}'"
    allow = workshop.folder / folder
    done = workshop.command(capsys, "sql", query, "--job", job, "--allow", allow)
    assert done.returncode == 2
    assert what in done.stderr
    assert "name a folder apart" in done.stderr.lower()
    assert not target.exists() or pq.ParquetFile(target).metadata.num_rows == len(KINDS)


def test_what_no_shard_can_say_is_a_warning(asked, workshop):
    workshop.write("b.parquet", b"no parquet")
    done = asked(COUNT)
    assert done.returncode == 0
    assert "warning: b.parquet is left out" in done.stderr


TEXTS = ("id", "text", "messages", "lang", "score")
SHAPES = {
    "no rows": pa.Table.from_pylist([], SCHEMA),
    "one row of nothing": pa.Table.from_pylist([{}], SCHEMA),
    "untyped columns": pa.table(
        {f.name: pa.nulls(2, f.type if f.name in TEXTS else pa.null()) for f in SCHEMA}
    ),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "folder", [pytest.param("plain", marks=pytest.mark.slow), 'it\'s; a "b" [v1] *']
)
def test_empty_corpora_and_odd_paths_work(workshop: Workshop, name, folder):
    place = workshop.folder / folder
    place.mkdir()
    pq.write_table(SHAPES[name], place / "a'b;.parquet")
    if name == "untyped columns":
        pq.write_table(SHAPES["no rows"], place / "typed.parquet")
    job = workshop.job({"input": {"path": [folder]}})
    session = open_session(job)
    for relation in ("decisions", "corpus", "eligible", "excluded", "due", "states"):
        answer = ask(session, f"SELECT * FROM {relation}")
        assert answer is not None
        rows = sum(batch.num_rows for batch in answer.batches)
        kept = relation in ("decisions", "corpus", "excluded", "states")
        assert rows == (SHAPES[name].num_rows if kept else 0)


def test_a_prompt_answers_and_remembers(workshop: Workshop, monkeypatch, capsys):
    workshop.shard("a.parquet")
    typed = iter([".tables", "SELECT count(*)", "FROM decisions;", "selec;", ".queries",
                  ".query losses", ".query gone", ".help", "", ".quit"])  # fmt: skip
    monkeypatch.setenv("XDG_STATE_HOME", str(workshop.folder / "state"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: next(typed))
    done = workshop.command(capsys, "sql", "--job", workshop.job())
    assert done.returncode == 0, done.stderr
    assert "decisions" in done.stdout
    assert str(len(KINDS)) in done.stdout
    assert "alone" in done.stdout
    assert "syntax error" in done.stderr
    assert "there is losses" in done.stderr
    history = workshop.folder / "state" / "corpusgate" / "sql_history"
    assert history.stat().st_mode & 0o077 == 0


def test_a_plan_is_drawn(asked):
    assert "Projection" in asked("EXPLAIN SELECT reason FROM decisions").stdout


def test_a_what_if_lives_in_memory_alone(asked):
    """Registers may be changed to ask what would be if; the next session knows nothing of it."""
    query = "SELECT count(*) AS n FROM decisions WHERE reason = 'deleted'"
    [before] = json.loads(asked(query, "--json").stdout)
    [after] = json.loads(asked(f"DELETE FROM deletions; {query}", "--json").stdout)
    assert (before["n"], after["n"]) == (1, 0)
    assert json.loads(asked(query, "--json").stdout) == [before]


DAMAGE = {
    "missing": (Path.unlink, "is missing"),
    "another length": (lambda path: path.write_bytes(b"nothing"), "is not as long"),
    "as long": (lambda path: path.write_bytes(b"x" * path.stat().st_size), "is damaged"),
}
PLACES = {"released": "eligible", "findings": "audit/findings", "purge": "audit/purge"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run of two shards."""
    workshop = Workshop(tmp_path_factory.mktemp("whole"))
    workshop.shard("a.parquet")
    workshop.shard("b.parquet")
    workshop.run({"pii": {}})
    return workshop.folder


@pytest.fixture
def finished(whole, tmp_path, capsys):
    """The same, and a way to ask it."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    workshop = Workshop(tmp_path)

    def ask(query):
        return workshop.command(capsys, "sql", query, "--csv", "--job", tmp_path / "job.yaml")

    return workshop, ask


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("how", sampled([*DAMAGE], "as long"))
def test_a_relation_that_cannot_be_read_is_left_out(finished, name, how):
    workshop, ask = finished
    damage, what = DAMAGE[how]
    path = workshop.out / PLACES[name] / "a.parquet"
    damage(path)
    others = " UNION ALL ".join(f"SELECT count(*) FROM {n}" for n in PLACES if n != name)
    done = ask(others)
    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith(f"warning: {name} is left out: {path} {what}")
    assert "Run the job again" in line
    assert "`corpusgate verify`" in line
    done = ask(f"SELECT * FROM {name}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{line}\n{line.replace('warning', 'corpusgate')}\n"


@pytest.mark.parametrize("name", ["manifest.json", "audit/shards.parquet"])
@pytest.mark.parametrize("how", ["another length", "missing"])
def test_without_what_lists_the_files_all_are_left_out(finished, name, how):
    workshop, ask = finished
    DAMAGE[how][0](workshop.out / name)
    done = ask("SELECT count(*) AS n FROM decisions")
    assert (done.returncode, done.stdout) == (0, f"n\n{2 * len(KINDS)}\n"), done.stderr
    warned = 0 if (name, how) == ("manifest.json", "missing") else len(PLACES)  # or no run at all
    assert len(done.stderr.splitlines()) == warned
    done = ask("SELECT * FROM released")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == warned + 1


def test_a_manifest_that_lists_nothing_is_one_more_way_to_leave_all_out(finished):
    workshop, ask = finished
    (workshop.out / "manifest.json").write_text("{}", "utf-8")
    done = ask("SELECT count(*) AS n FROM decisions")
    assert (done.returncode, len(done.stderr.splitlines())) == (0, len(PLACES)), done.stderr


def test_a_file_that_breaks_while_it_is_read_is_said(finished):
    """Only the first of some files is opened for the types of a list."""
    workshop, ask = finished
    path = workshop.out / "audit/findings/b.parquet"
    DAMAGE["as long"][0](path)
    done = ask("SELECT max(entity) FROM findings")
    assert done.returncode == 2
    assert "corpusgate verify" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


LONG = {
    "one number": "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b",
    "rows": "FROM range(10000000) a, range(1000000) b WHERE a.range * b.range < 9",
    "texts": "SELECT count(pii_reduce(text || r)) FROM texts, range(9999999) s(r)",
}  # fmt: skip


def begun(workshop, *arguments, **streams):
    """Start the command, and wait until its session is open: it warns of a shard."""
    workshop.shard("a.parquet")
    workshop.write("b.parquet", b"no parquet")
    command = [*CLI, "sql", "--job", str(workshop.job({"pii": {}})), *arguments]
    place = os.environ | {"XDG_STATE_HOME": str(workshop.folder / "state")}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = subprocess.Popen(command, cwd=workshop.folder, env=place, text=True, **streams)
    assert "b.parquet is left out" in command.stderr.readline()
    return command


@pytest.mark.parametrize("name", sampled([*LONG], "rows"))
def test_ctrl_c_ends_a_query_with_one_line(workshop, name):
    command = begun(workshop, LONG[name], "--csv")
    time.sleep(1)
    command.send_signal(signal.SIGINT)
    try:
        _, stderr = command.communicate(timeout=30)
    finally:
        command.kill()
    assert command.returncode == 130
    assert stderr == "corpusgate: interrupted; run it again to go on\n"


def test_ctrl_c_in_a_prompt_ends_the_query_alone(workshop):
    typed, terminal = os.openpty()
    command = begun(workshop, stdin=terminal)
    os.close(terminal)
    try:
        os.write(typed, f"{LONG['one number']};\n".encode())
        time.sleep(1)
        command.send_signal(signal.SIGINT)
        while "interrupted" not in command.stderr.readline():
            assert command.poll() is None
        os.write(typed, b"SELECT 6 * 7;\n.quit\n")
        stdout, stderr = command.communicate(timeout=30)
    finally:
        command.kill()
        os.close(typed)
    assert command.returncode == 0
    assert "42" in stdout
    assert stderr == ""
