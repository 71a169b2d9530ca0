"""The decision in pure SQL, over frames, for tests that compare it."""

from collections.abc import Mapping

import duckdb
import polars as pl
from corpusgate.filters.policy import BoundPolicy
from corpusgate.filters.registers import RegisterSet
from corpusgate.filters.schema import DERIVED, PROVENANCE
from corpusgate.filters.sql.decide import DECISION, PURGE, Corpus, Question, decision_sql

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
    at_once: bool = False,
) -> pl.DataFrame:
    """Decide a frame of provenance columns, row for row."""
    given = registers.given()
    for name, register in given.items():
        database.register(f"t_{name}", register.frame.to_arrow())
    database.register("t_records", records.with_row_index("place").to_arrow())
    query = decision_sql(
        policy,
        {name: f"t_{name}" for name in given},
        Corpus("t_records", columns or {name: name for name in PROVENANCE}, unit),
        Question(asked, {"place": "place"}, at_once=at_once),
        kinds={name: register.kinds() for name, register in given.items()} if kinds else None,
    )
    table = database.sql(f"SELECT * FROM ({query}) ORDER BY place").to_arrow_table()
    found = pl.DataFrame(table)
    assert found["place"].to_list() == list(range(records.height))
    return found.drop("place")
