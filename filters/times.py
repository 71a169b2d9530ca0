"""Times of all kinds → instants in UTC, to the microsecond.

What lies outside the years 1 to 9999, or cannot be read, becomes NULL; a wrong unit must never
wrap round into a plausible time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import polars as pl

from .to_polars import TIMESTAMP

UNITS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0}
"""Microseconds in a unit of epoch time; nanoseconds are cut off, never rounded up."""

FIRST: Final = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z in microseconds
LAST: Final = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z

UNREADABLE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""What a corpus's time becomes that is there and cannot be read: implausible, so excluded."""


def from_epoch(number: pl.Expr, dtype: pl.DataType, unit: str) -> pl.Expr:
    """Read numbers since 1970 in a unit of UNITS; negative ones are no times of ours.

    >>> pl.select(from_epoch(pl.lit(1677628800), pl.Int64(), "s")).item().isoformat()
    '2023-03-01T00:00:00+00:00'
    """
    if dtype.is_integer():
        return _instants(_micros(number, unit, first=0))
    micros = number.cast(pl.Float64) * (UNITS[unit] or 0.001)
    inside = micros.is_between(0, float(LAST)).fill_null(value=False)
    return _instants(pl.when(inside).then(micros).floor().cast(pl.Int64, strict=False))


def from_zoned(time: pl.Expr, dtype: pl.Datetime) -> pl.Expr:
    """Bring zoned timestamps of any unit to UTC and microseconds."""
    return _instants(_micros(time.to_physical(), dtype.time_unit))


def from_wall_clock(time: pl.Expr, dtype: pl.DataType, timezone: str) -> pl.Expr:
    """Read naive timestamps, or dates as their first instant, in a zone.

    The hour that a clock shows twice, and the one that it never shows, give NULL.
    """
    if isinstance(dtype, pl.Datetime):
        micros = _micros(time.to_physical(), dtype.time_unit)
    else:
        days = time.to_physical().cast(pl.Int64)
        micros = _inside(days, FIRST // _DAY, LAST // _DAY) * _DAY
    naive = micros.cast(pl.Datetime("us"))
    zoned = naive.dt.replace_time_zone(timezone, ambiguous="null", non_existent="null")
    return _instants(zoned.dt.convert_time_zone("UTC").to_physical())


def from_text(text: pl.Series, timezone: str | None = None) -> pl.Series:
    """Read ISO 8601 strings that state their offset; in a zone, also those that do not.

    >>> from_text(pl.Series(["2023-03-01T01:00:00+01", "2023-03-01T00:00:00"])).is_null().to_list()
    [False, True]
    """
    clean = text.str.strip_chars().str.replace(r"^(\d{4}-\d\d-\d\d) ", "${1}T")
    frame = pl.DataFrame({"text": clean})
    offset = pl.col("text").str.contains(r"T.*(?:[zZ]|[+-]\d\d(?::?\d\d)?)$")
    spelled = pl.col("text").str.replace(r"[zZ]$", "+00:00").str.replace(r"([+-]\d\d)$", "${1}:00")
    zoned = pl.coalesce(
        pl.when(offset).then(spelled).str.to_datetime(form, time_unit="us", strict=False)
        for form in ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%:z")
    )
    instants = _instants(zoned.to_physical())
    if timezone is not None:
        naive = pl.coalesce(
            *(
                pl.col("text").str.to_datetime(form, time_unit="us", strict=False)
                for form in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
            ),
            pl.col("text").str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
        )
        wall = from_wall_clock(naive, pl.Datetime("us"), timezone)
        instants = pl.when(offset).then(instants).otherwise(wall)
    return frame.select(instants.alias(text.name)).to_series()


_DAY: Final = 86_400_000_000


def _micros(number: pl.Expr, unit: str, first: int = FIRST) -> pl.Expr:
    """Turn integers into microseconds; bounds come before any multiplication."""
    factor = UNITS[unit]
    if not factor:
        return _inside(number, first * 1_000 if first > -(2**53) else -(2**63), 2**63 - 1) // 1_000
    return _inside(number, -(-first // factor), LAST // factor) * factor


def _inside(number: pl.Expr, first: int, last: int) -> pl.Expr:
    kept = pl.when(number.is_between(first, last)).then(number)
    return kept.cast(pl.Int64, strict=False)


def _instants(micros: pl.Expr) -> pl.Expr:
    bounded = pl.when(micros.is_between(FIRST, LAST)).then(micros)
    return bounded.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(TIMESTAMP)
