"""A session decides what a run decides, whatever the corpus's files are like."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from corpusgate import JobError, RegisterError, Registers, decide, load_policy
from corpusgate.filters.errors import UnitError
from corpusgate.jobs.emission import emit
from corpusgate.jobs.session import connect, open_session, register
from polars.testing import assert_frame_equal
from runs.world import AS_OF, KINDS, NEW, OLD, REGISTERS, SCHEMA, rows, table
from sampled import sampled

if TYPE_CHECKING:
    from pathlib import Path

    from runs.workshop import Workshop

JUDGED = ["shard", "row", "record_id", "eligible", "reason", "reasons"]
DAY = 86_400_000_000


def micros(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1_000_000)


def retyped(name: str, convert: Any, dtype: pa.DataType, column: str = "created_at") -> pa.Table:
    """The small world with its times, or ids, in another form."""
    given = table(name)
    values = pa.array([convert(value) for value in given[column].to_pylist()], dtype)
    return given.set_column(given.schema.get_field_index(column), column, values)


def in_session(job: Path, *columns: str) -> pl.DataFrame:
    session = open_session(job)
    assert session.files.unreadable == {}
    names = ", ".join(columns or JUDGED)
    found = session.database.sql(f"SELECT {names} FROM decisions ORDER BY shard, row, record_id")
    return pl.DataFrame(found.to_arrow_table())


def by_macros(job: Path, folder: Path) -> pl.DataFrame:
    """Ask a DuckDB that never saw a job; it names files in full."""
    target = folder / "gate.sql"
    emit(job, target)
    with duckdb.connect() as database:
        database.execute(target.read_text())
        query = f"SELECT * FROM decisions('{folder}/corpus/**/*.*')"
        found = pl.DataFrame(database.sql(query).to_arrow_table())
    shard = pl.col("shard").str.strip_prefix(f"{folder}/corpus/")
    return found.with_columns(shard).sort("shard", "row", "record_id")


def agrees(workshop: Workshop, changes: dict[str, Any] | None = None, *, emitted: bool = True):
    """The run, the session and the macros decide the same; give what they decided."""
    workshop.run(changes)
    job = workshop.job(changes)
    run = workshop.decisions().sort("shard", "row", "record_id").select(JUDGED)
    found = in_session(job)
    if found["row"].null_count():  # JSON lines have no rows in DuckDB
        order = ["shard", "record_id"]
        run, found = run.drop("row").sort(order), found.drop("row").sort(order)
    assert_frame_equal(found, run)
    if emitted:
        macros = by_macros(job, workshop.folder).select(run.columns)
        assert_frame_equal(macros.sort(run.columns[:-1]), run.sort(run.columns[:-1]))
    return run


def test_parquet_agrees(workshop: Workshop):
    workshop.shard("a.parquet", repeat=2)
    workshop.shard("b/c.parquet")
    assert set(agrees(workshop)["reason"]) == {kind.reason for kind in KINDS}


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.gz"])
def test_json_lines_agree(workshop: Workshop, name):
    blank = dict.fromkeys(SCHEMA.names)
    lines = [json.dumps(blank | row, default=datetime.isoformat) for row in rows(name)]
    content = "\n".join(lines).encode()
    workshop.write(name, gzip.compress(content) if name.endswith(".gz") else content)
    agrees(workshop)


def json_line(**values: Any) -> bytes:
    """A public record as one line, with values as they are to stand in JSON."""
    row = {**dict.fromkeys(SCHEMA.names, "null"), "source": '"public_web"'}
    row |= {"score": "1", "text": '"x"', "messages": '[{"content": "y"}]', "parents": "[]"}
    pairs = (f'"{key}": {value}' for key, value in {**row, **values}.items())
    return f"{{{', '.join(pairs)}}}\n".encode()


OTHER = "a line is not a JSON object, or values of one key are of types that do not go together"
LEFT_OUT = {
    "half a pair": (
        json_line(id='"q"', text=r'"x\udc00"'),
        "line 1 has half of a surrogate pair, which is no Unicode",
    ),
    "a large id": (json_line(id=10**23), "a number in `id` is too large for 64 bits"),
    "a large number": (
        json_line(id='"q"', more=10**23),
        "a number in `more` is too large for 64 bits",
    ),
    "floats for ids": (json_line(id=1.5), "column `record_id`: {} is not a string"),
    "booleans for ids": (json_line(id="true"), "column `record_id`: {} is not a string"),
    "lists for ids": (json_line(id='["a"]'), "column `record_id`: {} is not a string"),
    "integers for a surface": (
        json_line(id='"q"', source=1),
        "column `surface`: {} is not a string",
    ),
    "floats for users": (json_line(id='"q"', user=1.5), "column `user_id`: {} is not a string"),
    "booleans beside integers": (json_line(id="true") + json_line(id=2), OTHER),
    "a byte order mark": (
        b"\xef\xbb\xbf" + json_line(id='"q"'),
        "it begins with a byte order mark",
    ),
    "packed": (
        gzip.compress(json_line(id='"q"')),
        "its name says plain text, and its first bytes do not",
    ),
}


@pytest.mark.parametrize(
    ("content", "what"), sampled(LEFT_OUT, "half a pair", "a large id", "floats for ids")
)
def test_what_a_run_cannot_read_of_json_lines_is_left_out(workshop: Workshop, content, what):
    parents = json_line(id='"first"', source='"api"', created_at='"x"', parents='["p"]')
    workshop.write("a.jsonl", content)
    workshop.write("b.jsonl", parents + json_line(id='"z"'))
    job = workshop.job()
    run = workshop.run().unreadable
    session = open_session(job)
    left_out = session.files.unreadable
    assert left_out.keys() == run.keys() == {"a.jsonl"}
    if "{}" in what:
        dtype = run["a.jsonl"].partition(": ")[2].split()[0]
        assert run["a.jsonl"] == what.format(dtype)
        start, end = what.split("{}")
        assert left_out["a.jsonl"].startswith(start)
        assert left_out["a.jsonl"].endswith(end)
    else:
        assert left_out == run == {"a.jsonl": what}
    query = "SELECT record_id, eligible FROM decisions ORDER BY 1"
    assert session.database.sql(query).fetchall() == [("first", False), ("z", True)]
    assert session.database.sql("SELECT count(*) FROM corpus").fetchall() == [(2,)]
    assert by_macros_of(job, workshop, "b.jsonl") == [("first", False), ("z", True)]


def by_macros_of(job: Path, workshop: Workshop, *names: str) -> list[tuple[Any, ...]]:
    """Ask the macros about some files of the corpus alone."""
    target = workshop.folder / "gate.sql"
    emit(job, target)
    files = [str(workshop.folder / "corpus" / name) for name in names]
    with duckdb.connect() as database:
        database.execute(target.read_text())
        query = f"SELECT record_id, eligible FROM decisions({files}) ORDER BY 1"
        return database.sql(query).fetchall()


@pytest.mark.parametrize("kind", ["floats for ids", "booleans for ids", "lists for ids",
                                  "integers for a surface", "floats for users"])  # fmt: skip
def test_macros_stop_at_json_of_another_type(workshop: Workshop, kind):
    parents = json_line(id='"first"', parents='["p"]')
    workshop.write("b.jsonl", parents + json_line(id='"z"'))
    (workshop.folder / "later.jsonl").write_bytes(LEFT_OUT[kind][0])
    with pytest.raises(duckdb.Error, match="has other types than when this was written"):
        by_macros_of(workshop.job(), workshop, "../later.jsonl")


def test_macros_read_integers_and_booleans_of_json_lines(workshop: Workshop):
    first = json_line(id=1, parents='["p"]', user='"\\u0041\\u0000"', crawled="false")
    workshop.write("a.jsonl", first + json_line(id=-2, crawled="true"))
    sql = "CASE WHEN crawled THEN 'public_web' ELSE 'unknown' END"
    changes = {"input": {"columns": {"surface": {"sql": sql}}}}
    run = agrees(workshop, changes)
    assert run.sort("record_id").select("record_id", "eligible").rows() == [
        ("-2", True),
        ("1", False),
    ]


@pytest.mark.parametrize("dtype", [pa.float64(), pa.bool_(), pa.date32()])
def test_parquet_with_ids_of_another_type_is_left_out(workshop: Workshop, dtype):
    numbers = pa.array(range(len(KINDS)), pa.int32())
    workshop.write("a.parquet", table("a").set_column(0, "id", numbers.cast(dtype)))
    workshop.shard("b.parquet")
    session = open_session(workshop.job())
    assert session.files.unreadable.keys() == workshop.run().unreadable.keys() == {"a.parquet"}
    assert len(by_macros_of(workshop.job(), workshop, "b.parquet")) == len(KINDS)


def test_json_lines_without_lines_agree(workshop: Workshop):
    workshop.write("a.jsonl", b"")
    workshop.write("b.jsonl.gz", gzip.compress(b"\n\n"))
    workshop.write("c.jsonl", json_line(id='"z"', parents='["p"]'))
    assert agrees(workshop, emitted=False).height == 1
    assert by_macros_of(workshop.job(), workshop, "*.jsonl") == [("z", False)]
    assert connect(workshop.job()).sql("SELECT count(*) FROM released").fetchall() == [(0,)]


def test_partitions_agree(workshop: Workshop):
    content = table("x").drop_columns(["org"])
    workshop.write("o%20rg=acme/owner=acme/x.parquet", content)
    workshop.write("o%20rg=b/owner=__HIVE_DEFAULT_PARTITION__/x.parquet", content)
    agrees(workshop, {"input": {"columns": {"org_id": "owner", "region": "o rg"}}})


def test_parts_of_a_file_are_decided_apart(workshop: Workshop):
    """An id that stands in two units of a file stands twice in neither."""
    twice = pa.concat_tables([table("x"), table("x")])
    workshop.write("x.parquet", twice, row_group_size=len(KINDS))
    apart = agrees(workshop, {"input": {"max_unit_bytes": 1}}, emitted=False)
    assert "input:duplicate-record_id" not in set(apart["reasons"].explode())
    together = agrees(workshop)
    assert "input:duplicate-record_id" in set(together["reasons"].explode())


def test_ids_may_have_to_differ_in_the_whole_run(workshop: Workshop):
    workshop.write("x.parquet", table("x"))
    workshop.write("y.parquet", table("x", ["web"]))
    found = agrees(workshop, {"input": {"unique": "run"}})
    assert found["reasons"].list.contains("input:duplicate-record_id").sum() == 2


def test_a_shard_that_cannot_be_read_may_hold_any_id(workshop: Workshop):
    workshop.write("x.parquet", table("x"))
    workshop.write("y.parquet", b"PAR1 and no more")
    with open_session(workshop.job()).database as database:
        assert database.sql("FROM decisions").fetchall()
    with pytest.raises(UnitError, match=r"y\.parquet: .*`unique: run` must know all ids"):
        open_session(workshop.job({"input": {"unique": "run"}}))


TIMES = {
    "seconds": (lambda t: t and micros(t) // 1_000_000, pa.int64(), {"unit": "s"}),
    "float milliseconds": (lambda t: t and micros(t) / 1e3, pa.float64(), {"unit": "ms"}),
    "nanoseconds": (lambda t: t and micros(t) * 1000, pa.int64(), {"unit": "ns"}),
    "zoned nanoseconds": (
        lambda t: t and micros(t) * 1000,
        pa.timestamp("ns", "UTC"),
        {},
    ),
    "a clock in New York": (
        lambda t: t and micros(t),
        pa.timestamp("us"),
        {"timezone": "America/New_York"},
    ),
    "dates": (lambda t: t and micros(t) // DAY, pa.date32(), {"timezone": "Asia/Tokyo"}),
    "texts": (lambda t: t and t.isoformat(), pa.string(), {}),
    "texts without a zone": (
        lambda t: t and t.replace(tzinfo=None).isoformat(" "),
        pa.string(),
        {"timezone": "Europe/Lisbon"},
    ),
    "texts that are none": (
        lambda t: t and (t.isoformat() if t == OLD else "soon"),
        pa.string(),
        {},
    ),
}


@pytest.mark.parametrize("form", sampled([*TIMES], "seconds", "zoned nanoseconds", "dates"))
def test_times_of_every_form_agree(workshop: Workshop, form):
    convert, dtype, how = TIMES[form]
    workshop.write("x.parquet", retyped("x", convert, dtype))
    agrees(workshop, {"input": {"columns": {"submitted_at": {"column": "created_at", **how}}}})


def test_files_of_different_types_agree(workshop: Workshop):
    workshop.write("x.parquet", table("x"))
    workshop.write(
        "y.parquet", retyped("y", lambda t: t and micros(t) * 1000, pa.timestamp("ns", "UTC"))
    )
    workshop.write("z.parquet", table("z").append_column("more", pa.nulls(len(KINDS))))
    agrees(workshop, emitted=False)


def test_constants_and_expressions_agree(workshop: Workshop):
    workshop.shard("x.parquet")
    surface = (
        "CASE WHEN source = 'consumer' AND \"user\" IS NOT NULL THEN 'consumer'"
        " WHEN source IN ('api') AND created_at < TIMESTAMPTZ '2023-01-01T00:00:00Z' THEN 'api'"
        " WHEN score > 3 THEN 'public_web' ELSE 'odd' END"
    )
    columns = {
        "surface": {"sql": surface},
        "region": {"constant": "it's"},
        "license_ends_at": {"constant": "perpetual"},
    }
    agrees(workshop, {"input": {"columns": columns}})


def test_ids_may_be_numbers(workshop: Workshop):
    numbers = {"acme": 1, "beta": 2}
    workshop.write("x.parquet", retyped("x", numbers.get, pa.int32(), "org"))
    workshop.register(
        consent=[e | {"subject_id": 1} for e in REGISTERS["consent"] if e["subject_kind"] == "org"],
        accounts=[e | {"org_id": numbers[e["org_id"]]} for e in REGISTERS["accounts"]],
        deletions=[
            {"subject_kind": "org", "subject_id": 2, "requested_at": NEW, "recorded_at": NEW}
        ],
    )
    agrees(workshop)
    workshop.register()
    with pytest.raises(RegisterError, match="strings"):
        connect(workshop.job())


def test_registers_of_every_form_agree(workshop: Workshop):
    """CSV, JSON lines and renamed columns are read by the macros; a folder is copied."""
    workshop.shard("x.parquet")
    place = workshop.folder / "registers"
    consent = pl.DataFrame(
        [
            e | {"effective_at": e["effective_at"].isoformat(), "recorded_at": None,
                 "purposes": '["pretraining"]' if n else ""}
            for n, e in enumerate(REGISTERS["consent"])
        ],
        schema_overrides={"recorded_at": pl.String},
    ).rename({"subject_id": "who"})  # fmt: skip
    consent.write_csv(place / "consent.csv")
    lines = [json.dumps(e, default=lambda t: t.isoformat()) for e in REGISTERS["accounts"]]
    (place / "accounts.jsonl").write_text("\n".join(lines))
    (place / "deletions").mkdir()
    pl.read_parquet(place / "deletions.parquet").write_parquet(place / "deletions/a.parquet")
    changes = {
        "registers": {
            "consent": {"path": "registers/consent.csv", "columns": {"subject_id": "who"}},
            "accounts": "registers/accounts.jsonl",
            "deletions": "registers/deletions",
        }
    }
    agrees(workshop, changes)
    head = (workshop.folder / "gate.sql").read_text()
    assert "read_csv" in head
    assert "read_json" in head
    assert [p.name for p in (workshop.folder / "gate.registers").iterdir()] == ["deletions.parquet"]


BROKEN = {
    "a choice nobody knows": ("choice", "maybe"),
    "no subject": ("subject_id", ""),
    "a time that is none": ("effective_at", "soon"),
    "a surface nobody knows": ("surfaces", '["mars"]'),
    "a list that is none": ("surfaces", "api"),
}


@pytest.mark.parametrize("name", sampled([*BROKEN], "no subject", "a time that is none"))
def test_macros_stop_at_a_register_that_has_broken_since(workshop: Workshop, name):
    workshop.shard("x.parquet")
    place = workshop.folder / "registers" / "consent.csv"
    good = {"subject_kind": "org", "subject_id": "acme", "choice": "opt_in",
            "effective_at": OLD.isoformat(), "surfaces": '["api"]'}  # fmt: skip
    pl.DataFrame([good]).write_csv(place)
    job = workshop.job({"registers": {"consent": "registers/consent.csv"}})
    assert by_macros(job, workshop.folder).height == len(KINDS)
    column, value = BROKEN[name]
    pl.DataFrame([good, good | {column: value}]).write_csv(place)
    with duckdb.connect() as database:
        database.execute((workshop.folder / "gate.sql").read_text())
        query = f"SELECT count(reason) FROM decisions('{workshop.folder}/corpus/x.parquet')"
        with pytest.raises(duckdb.Error, match=r"registers\.consent: a row of"):
            database.sql(query).fetchall()


def test_macros_stop_at_a_register_that_is_empty_since(workshop: Workshop):
    workshop.shard("x.parquet")
    job = workshop.job()
    emit(job, workshop.folder / "gate.sql")
    deletions = workshop.folder / "registers" / "deletions.parquet"
    pl.read_parquet(deletions).clear().write_parquet(deletions)
    with duckdb.connect() as database:
        database.execute((workshop.folder / "gate.sql").read_text())
        query = f"SELECT count(reason) FROM decisions('{workshop.folder}/corpus/x.parquet')"
        with pytest.raises(duckdb.Error, match="it is empty"):
            database.sql(query).fetchall()


def test_macros_stop_at_columns_of_other_types(workshop: Workshop):
    workshop.shard("x.parquet")
    emit(workshop.job(), workshop.folder / "gate.sql")
    workshop.write("y.parquet", retyped("y", lambda t: t and micros(t), pa.timestamp("us")))
    with duckdb.connect() as database:
        database.execute((workshop.folder / "gate.sql").read_text())
        query = f"SELECT count(reason) FROM decisions('{workshop.folder}/corpus/y.parquet')"
        with pytest.raises(duckdb.Error, match="`submitted_at` have other types"):
            database.sql(query).fetchall()


def test_names_that_sql_cannot_tell_apart_are_refused(workshop: Workshop):
    workshop.write("x.parquet", table("x").append_column("ID", pa.nulls(len(KINDS))))
    with pytest.raises(JobError, match="cannot tell the column"):
        connect(workshop.job())


def test_a_connection_reads_what_the_job_names_and_no_more(workshop: Workshop):
    workshop.shard("x.parquet")
    database = connect(workshop.job())
    assert database.sql("SELECT count(*) FROM decisions").fetchall() == [(len(KINDS),)]
    columns = database.sql("SELECT * FROM corpus").columns
    assert {"record_id", "id", "model", "model_original", "text"} <= set(columns)
    for query in ("SELECT * FROM read_text('/etc/hostname')", "SET enable_external_access=true"):
        with pytest.raises(duckdb.Error):
            database.sql(query).fetchall()


def test_texts_are_those_at_the_ends_of_the_job_s_paths(workshop: Workshop):
    deep = pa.array(
        [[("k", [{"a": ["x", None], "b c": "no"}, None]), ("l", None)], None],
        pa.map_(
            pa.string(),
            pa.list_(pa.struct([("a", pa.list_(pa.string(), 2)), ("b c", pa.string())]), 2),
        ),
    )
    content = table("x", ["web", "consumer"]).append_column("deep", deep)
    workshop.write("x.parquet", content)
    workshop.write("y.parquet", table("y", ["web", "unlicensed"]).append_column("deep", deep))
    text = ["text", "messages[].content", "deep[].value[].a[]", "deep[].key"]
    database = connect(workshop.job({"input": {"text": text}}))
    query = "SELECT shard, record_id, surface, path, text FROM texts WHERE path LIKE 'deep%'"
    assert set(database.sql(query).fetchall()) == {
        (*place, path, value)
        for place in (
            ("x.parquet", "x#0#web", "public_web"),
            ("y.parquet", "y#0#web", "public_web"),
        )
        for path, value in (("deep[].value[].a[]", "x"), ("deep[].key", "k"), ("deep[].key", "l"))
    }
    counts = database.sql("SELECT path, count(*) FROM texts GROUP BY path ORDER BY path").fetchall()
    assert counts == [("deep[].key", 4), ("deep[].value[].a[]", 2), ("messages[].content", 3),
                      ("text", 3)]  # fmt: skip


def test_registers_too_old_for_a_run_are_too_old_for_sql(workshop: Workshop):
    workshop.shard("x.parquet")
    job = workshop.job({"max_register_age": "30 days"})
    with pytest.raises(RegisterError, match="older than 30 days"):
        connect(job)
    with pytest.raises(RegisterError, match="older than 30 days"):
        emit(job, workshop.folder / "macros.sql")


def records() -> pl.DataFrame:
    names = {"id": "record_id", "source": "surface", "created_at": "submitted_at", "org": "org_id",
             "user": "user_id"}  # fmt: skip
    frame = pl.DataFrame(table("x").select(list(names))).rename(names)
    return frame.with_columns(extra=pl.lit(1))


def given_registers() -> Registers:
    frames = {name: pl.DataFrame(events) for name, events in REGISTERS.items()}
    return Registers(**frames, empty=["holds"])


def test_a_policy_joins_a_connection_that_is_there(tmp_path: Path):
    frame = records()
    policy, registers = load_policy("openai-api-data"), given_registers()
    expected = decide(frame, policy, registers, purpose="pretraining", as_of=AS_OF)
    with duckdb.connect(str(tmp_path / "house.duckdb")) as database:
        database.execute("SET TimeZone='Asia/Tokyo'")
        database.register("staged", frame.to_arrow())
        register(database, policy=policy, registers=registers, purpose="pretraining", as_of=AS_OF)
        query = "SELECT record_id, eligible, reason, reasons FROM decisions('staged')"
        found = pl.DataFrame(database.sql(query).to_arrow_table()).sort("record_id")
        order = ["record_id", "eligible", "reason", "reasons"]
        assert_frame_equal(found, expected.select(order).sort("record_id"))
        for name, eligible in (("eligible", True), ("excluded", False)):
            kept = database.sql(f"SELECT * FROM {name}('staged')")
            assert kept.columns == frame.columns
            assert kept.to_arrow_table().num_rows == expected.filter(eligible=eligible).height
    with duckdb.connect(str(tmp_path / "house.duckdb")) as database:
        assert database.sql("SHOW TABLES").fetchall() == []  # nothing stays behind


def by_registering(_: Workshop | None, database: duckdb.DuckDBPyConnection) -> None:
    register(
        database,
        policy="openai-api-data",
        registers=given_registers(),
        purpose="pretraining",
        as_of=AS_OF,
    )


def test_times_without_a_zone_are_refused_in_any_table():
    with duckdb.connect() as database:
        by_registering(None, database)
        database.execute(
            "CREATE TABLE t AS SELECT '1' AS record_id, 'api' AS surface,"
            " TIMESTAMP '2023-01-01' AS submitted_at"
        )
        with pytest.raises(duckdb.Error, match="no time with a zone"):
            database.sql("SELECT reason FROM decisions('t')").fetchall()


def by_emitting(workshop: Workshop, database: duckdb.DuckDBPyConnection) -> None:
    workshop.shard("x.parquet")
    emit(workshop.job(), workshop.folder / "gate.sql")
    database.execute((workshop.folder / "gate.sql").read_text())


RECORD_ASKED = [
    ("{'record_id': 'x', 'surface': 'public_web'}", "public"),
    ("{'RECORD_ID': 'x', 'Surface': 'public_web'}", "public"),
    ("{'surface': 'public_web'}", "input:missing-record_id"),
    ("{'record_id': 'x', 'surface': 'public_web', 'model': 'gpt-4'}", "input:contradiction"),
]
RECORD_REFUSED = [
    "{'record_id': 'x', 'surface': 'public_web', 'modell': 'gpt-4'}",
    "{'record_id': 'x', 'surface': 'public_web', 'bogus': NULL}",
    "{'bogus': 1}",
    "t) FROM (SELECT 'x' AS record_id, r::VARCHAR AS modell FROM range(3) s(r)) AS t WHERE (TRUE",
]


@pytest.mark.parametrize("given", [by_registering, by_emitting])
def test_a_field_that_no_record_has_is_an_error(workshop: Workshop, given):
    """DuckDB's cast would drop it, and with a typo in a field what a rule wants to know."""
    with duckdb.connect() as database:
        given(workshop, database)
        for record, reason in RECORD_ASKED:
            query = f"SELECT eligibility_reason({record})"
            assert database.sql(query).fetchall() == [(reason,)]
        for record in RECORD_REFUSED:
            with pytest.raises(duckdb.Error, match=r"There is record_id, .* model, .*") as refused:
                database.sql(f"SELECT eligibility_reason({record})").fetchall()
            assert "\n" not in str(refused.value)


def test_a_register_that_rules_read_must_be_there():
    with duckdb.connect() as database, pytest.raises(RegisterError, match="no consent register"):
        register(
            database,
            policy="openai-api-data",
            registers=Registers(empty=["accounts", "deletions"]),
            purpose="pretraining",
            as_of=datetime(2023, 8, 1, tzinfo=UTC),
        )


def test_connecting_warns_of_what_is_left_out(workshop: Workshop):
    workshop.shard("a.parquet")
    workshop.write("b.parquet", b"no parquet")
    with pytest.warns(UserWarning, match=r"b\.parquet is left out"):
        database = connect(workshop.job())
    assert database.sql("SELECT count(*) FROM corpus").fetchall() == [(len(KINDS),)]


def test_connecting_warns_where_nothing_can_be_due(workshop: Workshop):
    workshop.shard("a.parquet")
    with pytest.warns(UserWarning, match="no holds register.* the purge list stays empty"):
        database = connect(workshop.job({"registers": {"holds": None}}))
    assert database.sql("SELECT count(*) FROM due").fetchall() == [(0,)]


def test_a_warning_is_one_line_without_commands_to_a_terminal(workshop: Workshop):
    workshop.shard("a.parquet")
    workshop.write("b\x1b[31m\nwarning: fine.parquet", b"no parquet")
    with pytest.warns(UserWarning, match="is left out") as caught:
        connect(workshop.job())
    [said] = [str(each.message) for each in caught]
    assert said.startswith("b\\x1b[31m\\nwarning: fine.parquet is left out: ")
