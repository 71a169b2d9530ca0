"""The demo's corpus, three ways: a run, a session, and emitted SQL in a DuckDB of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import corpusgate
import polars as pl
import pytest
import yaml
from corpusgate.jobs.emission import emit
from corpusgate.jobs.session import Session, open_session
from polars.testing import assert_frame_equal

PROGRAM = Path(__file__).parents[2] / "examples" / "demo" / "make_corpus.py"
COMPARED = ["shard", "row", "record_id", "eligible", "reason", "reasons", "submitted_at",
            "license_ends_at", "org_id", "user_id", "end_user_id", "file_id", "conversation_id",
            "model"]  # fmt: skip
ALONE = """
import json, sys
import duckdb
con = duckdb.connect()
con.execute(open(sys.argv[1]).read())
corpus = sys.argv[2]
con.execute(f"COPY (SELECT * FROM decisions('{corpus}')) TO '{sys.argv[3]}' (FORMAT parquet)")
con.execute(f"COPY (SELECT * FROM due('{corpus}')) TO '{sys.argv[4]}' (FORMAT parquet)")
counts = [f"(SELECT count(*) FROM {name}('{corpus}'))" for name in ("eligible", "excluded")]
columns = con.sql(f"SELECT * FROM eligible('{corpus}') LIMIT 0").columns
print(json.dumps([con.sql("SELECT " + ", ".join(counts)).fetchall()[0], columns]))
assert not {"corpusgate", "polars", "pyarrow"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    arguments = [folder, "--records", "2400", "--shards", "12"]
    subprocess.run([sys.executable, PROGRAM, *map(str, arguments)], check=True)
    job = folder / "job.yaml"
    job.write_text(yaml.safe_dump(yaml.safe_load(job.read_text()) | {"pii": "off"}))
    corpusgate.run(job)
    return folder


@pytest.fixture(scope="module")
def run(demo: Path) -> pl.DataFrame:
    return pl.read_parquet(f"{demo}/out/audit/decisions/**/*.parquet").sort("shard", "row")


@pytest.fixture(scope="module")
def purge(demo: Path) -> pl.DataFrame:
    return pl.read_parquet(f"{demo}/out/audit/purge/**/*.parquet").sort(pl.all())


@pytest.fixture(scope="module")
def session(demo: Path) -> Iterator[Session]:
    session = open_session(demo / "job.yaml")
    yield session
    session.database.close()


def asked(session: Session, query: str) -> pl.DataFrame:
    return pl.DataFrame(session.database.sql(query).to_arrow_table())


def test_a_session_decides_as_the_run_did(session: Session, run: pl.DataFrame):
    found = asked(session, "SELECT * FROM decisions ORDER BY shard, row")
    assert_frame_equal(found.select(COMPARED), run.select(COMPARED))


def test_a_session_finds_due_what_the_run_did(session: Session, purge: pl.DataFrame):
    found = asked(session, "SELECT record_id, reason, deadline FROM due")
    assert_frame_equal(found.sort(pl.all()), purge)
    assert found.height > 0


def test_eligible_and_excluded_are_the_corpus(session: Session, run: pl.DataFrame):
    for name, eligible in (("eligible", True), ("excluded", False)):
        found = asked(session, f"SELECT record_id, reason, lang, text FROM {name}")
        assert found.height == run.filter(eligible=eligible).height
    corpus = asked(session, "SELECT shard, row, id, record_id, org, org_id FROM corpus")
    assert corpus.height == run.height
    assert (corpus["id"] == corpus["record_id"]).all()


def test_what_the_run_left_is_there(session: Session, run: pl.DataFrame, purge: pl.DataFrame):
    assert asked(session, "SELECT count(*) FROM released").item() == run["eligible"].sum()
    assert asked(session, "SELECT count(*) FROM purge").item() == purge.height


def test_emitted_sql_decides_as_the_run_did(
    demo: Path, tmp_path: Path, run: pl.DataFrame, purge: pl.DataFrame
):
    macros, decided, due = (tmp_path / name for name in ("gate.sql", "d.parquet", "due.parquet"))
    emit(demo / "job.yaml", macros)
    corpus = f"{demo}/corpus/**/*.parquet"
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *map(str, (macros, corpus, decided, due))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = pl.read_parquet(decided).with_columns(
        pl.col("shard").str.strip_prefix(f"{demo}/corpus/")
    )
    found = found.sort("shard", "row")
    assert_frame_equal(found.select(COMPARED), run.select(COMPARED))
    rows = pl.read_parquet(due).select("record_id", "reason", "deadline").sort(pl.all())
    assert_frame_equal(rows, purge)
    counts, columns = json.loads(done.stdout)
    assert counts == [run["eligible"].sum(), (~run["eligible"]).sum()]
    assert columns == pl.scan_parquet(corpus).collect_schema().names()
    header = macros.read_text().split("SET TimeZone")[0]
    for word in ("openai-api-data, version 1", "fingerprint", "2023-08-01", "pretraining"):
        assert word in header
    assert not (tmp_path / "gate.registers").exists()


def test_one_record_is_judged_alone(session: Session):
    query = """
        SELECT eligibility_reason({'record_id': 'x', 'surface': s}) AS reason
        FROM (VALUES ('public_web'), ('enterprise'), ('mars'), (NULL)) AS t(s)
    """
    assert asked(session, query)["reason"].to_list() == [
        "public", "enterprise-surface", "input:unknown-surface", "input:unknown-surface",
    ]  # fmt: skip
