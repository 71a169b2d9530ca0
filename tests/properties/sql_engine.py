"""The decision in pure SQL, over frames, for tests that compare it."""

from collections.abc import Mapping
from dataclasses import replace

import duckdb
import polars as pl
from corpusgate.filters.policy import BoundPolicy
from corpusgate.filters.registers import RegisterSet
from corpusgate.filters.schema import DERIVED, PROVENANCE
from corpusgate.filters.sql.decide import (
    DECISION,
    Corpus,
    Question,
    decision_sql,
    register_tables,
    twice_sql,
)
from corpusgate.filters.sql.marks import Reasons
from corpusgate.filters.sql.purge import PURGE

ASKED = (*DERIVED, *DECISION, *PURGE)


def connection() -> duckdb.DuckDBPyConnection:
    """Open DuckDB as every query of ours wants it."""
    database = duckdb.connect()
    database.execute("SET TimeZone='UTC'; SET threads=1")
    return database


def decide_in_sql(
    database: duckdb.DuckDBPyConnection,
    policy: BoundPolicy,
    registers: RegisterSet,
    records: pl.DataFrame,
    *,
    kinds: bool = False,
    asked: tuple[str, ...] = ASKED,
    columns: Mapping[str, str] | None = None,
    unit: str | None = "0",
    marks: bool = False,
) -> pl.DataFrame:
    """Decide a frame of provenance columns, row for row.

    With `marks` as a verification does: tables made before, reasons as marks, then read.
    """
    given = registers.given()
    for name, register in given.items():
        database.register(f"t_{name}", register.frame.to_arrow())
    database.register("t_records", records.with_row_index("place").to_arrow())
    tables = {name: f"t_{name}" for name in given}
    known = {name: register.kinds() for name, register in given.items()} if kinds else None
    corpus = Corpus("t_records", columns or {name: name for name in PROVENANCE}, unit)
    wanted = tuple(name for name in asked if not marks or name not in DECISION)
    question = Question(wanted, {"place": "place"}, marks=marks, told=marks)
    if marks:
        for name, sql in register_tables(policy, tables, question, known).items():
            database.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")
        database.execute(f"CREATE OR REPLACE TEMP TABLE before AS {twice_sql(corpus)}")
        corpus = replace(corpus, twice="before")
    query = decision_sql(policy, tables, corpus, question, kinds=known)
    table = database.sql(f"SELECT * FROM ({query}) ORDER BY place").to_arrow_table()
    found = pl.DataFrame(table)
    assert found["place"].to_list() == list(range(records.height))
    return (_read(policy, found).select(*asked) if marks else found).drop("place", strict=False)


def _read(policy: BoundPolicy, found: pl.DataFrame) -> pl.DataFrame:
    words = found.select(pl.col("^marks_.*$")).rows()
    said = list(map(Reasons(policy).of, words))
    columns = {
        "eligible": [eligible for eligible, _ in said],
        "reason": [reasons[0] for _, reasons in said],
        "reasons": [reasons for _, reasons in said],
    }
    types = {"eligible": pl.Boolean, "reason": pl.String, "reasons": pl.List(pl.String)}
    return found.hstack(pl.DataFrame(columns, schema=types))
