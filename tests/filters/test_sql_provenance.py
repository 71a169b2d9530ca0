"""Ids, endpoints, models and times in SQL, beside the same in Polars, over awkward spellings."""

import random
from collections.abc import Iterator
from itertools import pairwise

import duckdb
import polars as pl
import pytest
from corpusgate.filters.mapping import Source, map_columns
from corpusgate.filters.provenance import conform, normal_endpoint, normal_model
from corpusgate.filters.sql.mapping import from_text as text_in_sql
from corpusgate.filters.sql.mapping import mapped
from corpusgate.filters.sql.provenance import normal_endpoint as endpoint_in_sql
from corpusgate.filters.sql.provenance import normal_id as id_in_sql
from corpusgate.filters.sql.provenance import normal_model as model_in_sql
from corpusgate.filters.times import from_text
from polars.testing import assert_series_equal

BITS = ["POST", "get", " ", "\t", "\n", "\v", "\x85", "\xa0", "\u2003", "\u3000", "\u200b",
        "https://", "host.com", "HOST", ":80", "//", "/", "v1", "V1", "É", "é", "İ", "\u0131",
        "\u212a", "?a=b", "#x", "http/1.1", " HTTP/1.1", ".", "a", "-", "٣", "\x1c", "\0", "x:",
        "://", "ß", "😀", "e\u0301", "%", "\\", "'", "$1", "\\1",
        "\r", "~", "!", "\x7f"]  # fmt: skip
TIMES = ["2023-03-01T01:02:03Z", "2023-03-01 01:02:03+01:00", "2023-03-01T01:02Z",
         "2023-03-01T01:02:03.5+0100", "2023-03-01T01:02:03.1234567-05", "2023-3-1T1:2:3Z",
         "23-03-01T01:02:03Z", "+2023-03-01T01:02:03Z", "9999-12-31T23:59:59.9999999Z",
         "0001-01-01T00:00:00+01:00", "2024-02-29T00:00:00Z", "2023-03-01T23:59:60Z",
         "2023-03-01T01:02:03 Z", "2023-03-01T01:02:03", "2023-03-01T01:02", "2023-03-01",
         "2023-03-01 01:02:03.5", "2023-3-1", "2023-03-12T02:30:00", "2023-11-05T01:30:00",
         "1969-12-31T23:59:59.9999995Z", "1883-11-18T12:00:00", "2023-03-01T24:00"]  # fmt: skip
LAST_RULE = 3_900_000_000_000_000  # Polars knows changes of clocks up to 2099, DuckDB for ever


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as database:
        database.execute("SET TimeZone='Asia/Tokyo'; SET threads=1")  # no answer depends on it
        yield database


def in_sql(database: duckdb.DuckDBPyConnection, values: pl.Series, sql: str) -> pl.Series:
    database.register("t", values.alias("x").to_frame().with_row_index("i").to_arrow())
    table = database.sql(f"SELECT {sql} AS found FROM t ORDER BY i").to_arrow_table()
    return pl.DataFrame(table)["found"]


def spellings() -> pl.Series:
    dice = random.Random(1)  # noqa: S311 - a seed, not a secret
    words = ["".join(dice.choices(BITS, k=dice.randint(1, 7))) for _ in range(8_000)]
    return pl.Series("x", [None, "", *words])


@pytest.mark.parametrize(
    ("sql", "expression"),
    [(endpoint_in_sql, normal_endpoint), (model_in_sql, normal_model)],
    ids=["endpoint", "model"],
)
def test_spellings_are_normalised_alike(database, sql, expression):
    values = spellings()
    expected = pl.select(expression(pl.lit(values))).to_series()
    assert_series_equal(in_sql(database, values, sql("x")), expected, check_names=False)
    assert expected.null_count() > 1


def test_blank_ids_are_empty_alike(database):
    values = spellings()
    frame = pl.DataFrame({"record_id": values, "surface": pl.Series(["api"] * len(values))})
    expected = conform(frame)["record_id"]
    assert_series_equal(in_sql(database, values, id_in_sql("x")), expected, check_names=False)
    assert (expected == "").sum() > 1


def texts() -> pl.Series:
    dice = random.Random(5)  # noqa: S311 - a seed, not a secret
    found = list(TIMES)
    for _ in range(6_000):
        letters = list(dice.choice(TIMES))
        for _ in range(dice.randint(1, 2)):
            at = dice.randrange(len(letters))
            piece = dice.choice("0123456789-:+ TZz.t\u2003")
            letters[at : at + dice.randint(0, 1)] = dice.choice(["", piece])
        found.append("".join(letters) or "x")
    return pl.Series("x", found)


@pytest.mark.parametrize("zone", [None, "America/New_York", "Australia/Lord_Howe"])
def test_texts_are_read_alike(database, zone):
    values = texts()
    expected = from_text(values, zone).to_physical()
    found = in_sql(database, values, f"epoch_us({text_in_sql('x', zone)})")
    judged = (expected.fill_null(0) < LAST_RULE) & (found.fill_null(0) < LAST_RULE)
    assert_series_equal(found.filter(judged), expected.filter(judged), check_names=False)
    assert judged.sum() > len(TIMES)


EDGES = [0, 1, 1677628800, 253402300799, 253402300800, 2**31, 2**53, 2**63 - 2, 1677628800123456789]
NUMBERS = sorted({sign * (edge + step) for edge in EDGES for sign in (1, -1) for step in (0, 1)})


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt64, pl.Int32, pl.Float64, pl.Float32])
def test_epochs_are_read_alike(database, unit, dtype):
    values = pl.Series("x", NUMBERS, dtype=pl.Int64).cast(dtype, strict=False)
    if dtype.is_float():
        more = [float("nan"), float("inf"), 0.9999999, 1.5, -0.1]
        values = values.append(pl.Series(more, dtype=dtype))
    agree(database, values, Source("x", unit=unit))


def moments() -> list[int]:
    dice = random.Random(3)  # noqa: S311 - a seed, not a secret
    year = [dice.randrange(1_600_000_000, 1_700_000_000) for _ in range(4_000)]
    return [*(dice.randrange(-62_135_596_800, 3_900_000_000) for _ in range(4_000)), *year]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Lisbon", "UTC"])
def test_clocks_are_read_alike(database, unit, zone):
    factor = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    numbers = [a * factor + b % factor for a, b in pairwise(moments())]
    values = pl.Series("x", [n for n in numbers if abs(n) < 2**62]).cast(pl.Datetime(unit))
    agree(database, values, Source("x", timezone=zone))
    agree(database, values.dt.replace_time_zone("UTC"), Source("x"))
    agree(database, values.cast(pl.Date), Source("x", timezone=zone))


def agree(database: duckdb.DuckDBPyConnection, values: pl.Series, source: Source) -> None:
    sources = {"submitted_at": source}
    expected = map_columns(values.to_frame(), sources, "x")["submitted_at"].to_physical()
    database.register("typed", values.to_frame().to_arrow())
    types = dict(database.sql("SELECT column_name, column_type FROM (DESCRIBE typed)").fetchall())
    sql = mapped(sources, types, "x")["submitted_at"]
    found = in_sql(database, values, f"epoch_us({sql})")
    assert_series_equal(found, expected, check_names=False)
