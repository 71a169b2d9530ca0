"""The page on a run's output: its tables are a real run's files, its queries run."""

from __future__ import annotations

import json
import re

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from docs.conftest import run_command
from docs.pages import blocks, codes, page, section, table

PAGE = page("output.md")
BLOCKS = blocks(PAGE)
QUERIES = [block for block in BLOCKS if block.kind == "sql"]
PROGRAMS = [block for block in BLOCKS if block.kind == "python"]
SHARD = "web/web-00000.parquet"


def spelled(kind: pa.DataType) -> str:
    """Write a type as the page does."""
    if pa.types.is_struct(kind):
        return f"struct<{', '.join(field.name for field in kind)}>"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list<{spelled(kind.value_type)}>"
    if pa.types.is_timestamp(kind):
        return f"timestamp[{kind.unit}, {kind.tz}]"
    names = {"bool": "boolean", "large_string": "string", "string_view": "string"}
    return names.get(str(kind), str(kind))


@pytest.fixture
def out(inside):
    return inside / "build/demo/out"


@pytest.mark.parametrize(
    ("heading", "file"),
    [
        ("`audit/decisions/`", f"audit/decisions/{SHARD}"),
        ("`audit/findings/`", f"audit/findings/{SHARD}"),
        ("`audit/purge/`", f"audit/purge/{SHARD}"),
        ("`audit/shards.parquet`", "audit/shards.parquet"),
    ],
)
def test_columns_are_those_of_a_run(out, heading, file):
    rows = table(section(PAGE, heading))
    schema = pq.read_schema(out / file)
    assert [(codes(row["column"])[0], row["type"]) for row in rows] == [
        (field.name, spelled(field.type)) for field in schema
    ]


@pytest.mark.parametrize("name", ["manifest.json", "run.json"])
def test_keys_are_those_of_a_run(out, name):
    rows = table(section(PAGE, f"`{name}`"))
    told = {codes(row["key"])[0] for row in rows}
    assert told == json.loads((out / name).read_bytes()).keys()


def test_the_summary_has_the_keys_that_are_listed(inside):
    code, printed = run_command("corpusgate run build/demo/job.yaml --json --quiet")
    assert code == 0
    told = codes(section(PAGE, "`--json`").partition(": ")[2])
    assert told == [*json.loads(printed)] or {*told} == json.loads(printed).keys()


def test_every_file_of_a_run_is_listed(out):
    listed = re.findall(r"^ +OUT/(\S+)", PAGE, re.MULTILINE)
    patterns = [re.escape(name).replace("…", ".*") for name in listed]
    names = [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()]
    assert {name for name in names if not any(re.fullmatch(p, name) for p in patterns)} == {".lock"}
    assert all(any(re.fullmatch(p, name) for name in names) for p in patterns)


def test_names_of_released_files_are_as_listed(inside):
    demo = inside / "build/demo"
    names = demo / "names/web"
    names.mkdir(parents=True)
    frame = pl.read_parquet(demo / "corpus" / SHARD)
    frame.write_parquet(names / "a.parquet", row_group_size=-(-frame.height // 4))
    frame.select("id", "source", "text").write_ndjson(names / "a.jsonl.gz", compression="gzip")
    (demo / "names.yaml").write_text(
        """
        policy: openai-api-data
        purpose: pretraining
        as_of: 2023-08-01T00:00:00Z
        input:
          path: names
          columns: {record_id: id, surface: source}
          absent: [submitted_at, org_id, user_id, endpoint, model, part, license_ends_at]
          text: text
          max_unit_bytes: 1
        registers: {consent: {empty: true}, accounts: {empty: true}, deletions: {empty: true}}
        output: {path: named}
        """,
        "utf-8",
    )
    code, _ = run_command("corpusgate run build/demo/names.yaml --quiet")
    assert code == 0
    parts = [f"web/a-0000{part}-of-00004.parquet" for part in range(4)]
    for folder in ("eligible", "audit/decisions", "audit/findings", "audit/purge"):
        root = demo / "named" / folder
        released = {path.relative_to(root).as_posix() for path in root.rglob("*.parquet")}
        assert released == {*parts, "web/a.jsonl.gz.parquet"}
    told = section(PAGE, "`eligible/`")
    assert {parts[0], "web/a.jsonl.gz.parquet"} <= {*codes(told)}


@pytest.mark.parametrize("block", QUERIES, ids=lambda block: f"line-{block.line}")
def test_queries_answer(inside, block):
    with duckdb.connect() as connection:
        assert connection.sql(block.text).pl().height > 0


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: f"line-{block.line}")
def test_programs_print_what_they_show(python, block):
    shown = BLOCKS[BLOCKS.index(block) + 1]
    assert shown.kind == "text"
    assert python(block.text, {}) == shown.text


def test_rows_in_are_eligible_and_excluded(out):
    shards = pl.read_parquet(out / "audit/shards.parquet")
    assert (shards["rows"] == shards["eligible"] + shards["excluded"]).all()
