"""A corpus's own columns → provenance columns, and a register's own → its columns.

A column comes from a column by name, from an expression of the rule language, or from a
constant for the whole corpus. Times may be epoch numbers with a unit, or naive times, dates and
strings with a time zone. In a corpus, a time that is there and cannot be read becomes
1970-01-01T00:00:00Z, which is implausible and excludes its record: unknown must not look like
absent. In a register it is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from . import predicate as p
from .document import suggest
from .errors import Fault, RegisterError, SchemaError
from .parse import Names, mentioned, parse, parse_time
from .schema import PROVENANCE, SURFACES, Type
from .times import UNITS, UNREADABLE, from_epoch, from_text, from_wall_clock, from_zoned
from .to_polars import TIMESTAMP, to_polars

PERPETUAL: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True)
class Source:
    """Where one provenance column comes from: exactly one of column, sql and constant."""

    column: str | None = None
    sql: str | None = None
    constant: str | None = None
    unit: str | None = None
    timezone: str | None = None

    def faults(self, target: str, kind: Type, where: str) -> list[Fault]:
        """Find what is wrong with it as the source of a column, before any frame is known."""
        found = []
        is_time = kind is Type.TIMESTAMP
        if sum(x is not None for x in (self.column, self.sql, self.constant)) != 1:
            found.append(Fault(where, "not one of column, sql, constant", "give exactly one"))
        if target == "record_id" and self.column is None:
            found.append(Fault(where, "a record's id comes from a column", "name the column"))
        if (self.unit or self.timezone) and (not is_time or self.column is None):
            found.append(Fault(where, "unit and timezone go with a time", "leave them out"))
        if self.unit is not None and self.unit not in UNITS:
            found.append(Fault(where, f"unknown unit `{self.unit}`", suggest(self.unit, UNITS)))
        if self.unit and self.timezone:
            found.append(Fault(where, "an epoch number has no time zone", "leave timezone out"))
        if self.timezone is not None and not _is_zone(self.timezone):
            fix = "write an IANA name such as America/New_York, or UTC"
            found.append(Fault(where, f"unknown time zone `{self.timezone}`", fix))
        if self.constant is not None and _constant(target, kind, self.constant) is None:
            fix = "write 2023-03-01T00:00:00Z" if is_time else "map a column"
            if target == "license_ends_at":
                fix += ", or perpetual"
            if target == "surface":
                fix = suggest(self.constant, SURFACES)
            found.append(Fault(where, "not a constant this column can have", fix))
        return found

    def reads(self) -> frozenset[str]:
        """Name the columns of the corpus that it reads."""
        if self.column is not None:
            return frozenset({self.column})
        return mentioned(self.sql) if self.sql is not None else frozenset()


def map_columns(frame: pl.DataFrame, sources: Mapping[str, Source], where: str) -> pl.DataFrame:
    """Give the provenance columns that `sources` define, row for row.

    Raises SchemaError, saying `where`, for a column that the frame lacks or that has a type which
    cannot become the wanted one, and for a faulty expression.

    >>> frame = pl.DataFrame({"id": ["a"], "ts": [1677628800]})
    >>> map_columns(frame, {"record_id": Source("id"), "submitted_at": Source("ts", unit="s")},
    ...             "input.columns")["submitted_at"].item().isoformat()
    '2023-03-01T00:00:00+00:00'
    """
    frame = _plain(frame, sources)
    columns, times = _columns(tuple(sources.items()), tuple(frame.schema.items()), where)
    for source, value, place in times:
        _not_all_lost(frame, source, value, place)
    return frame.select(columns)


@lru_cache(maxsize=64)
def _columns(
    sources: tuple[tuple[str, Source], ...], schema: tuple[tuple[str, pl.DataType], ...], where: str
) -> tuple[list[pl.Expr], list[tuple[Source, pl.Expr, str]]]:
    """Give the columns, and of those that are times each source and value.

    They are the same for all frames of one schema, of which a corpus may have very many small ones.
    """
    columns, times = [], []
    for target, source in sources:
        kind, place = PROVENANCE[target], f"{where}.{target}"
        value = _value(target, kind, source, pl.Schema(schema), place)
        if kind is Type.TIMESTAMP and source.column is not None:
            times.append((source, value, place))
            there = pl.col(source.column).is_not_null()
            value = pl.when(value.is_null() & there).then(UNREADABLE).otherwise(value)
        columns.append(value.alias(target))
    return columns, times


def _plain(frame: pl.DataFrame, sources: Mapping[str, Source]) -> pl.DataFrame:
    """Give the columns that expressions read the types that the rule language has."""
    read = frozenset[str]().union(*(s.reads() for s in sources.values() if s.sql is not None))
    if not read:
        return frame
    casts = []
    for name in sorted(read & set(frame.columns)):
        dtype = frame.schema[name]
        if isinstance(dtype, pl.Categorical | pl.Enum | pl.Null):
            casts.append(pl.col(name).cast(pl.String))
        elif isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
            casts.append(from_zoned(pl.col(name), dtype).alias(name))
    return frame.with_columns(casts)


def _not_all_lost(frame: pl.DataFrame, source: Source, value: pl.Expr, place: str) -> None:
    """Refuse texts that are all times without a zone: that is no single record's fault."""
    if source.timezone is not None or frame.schema.get(str(source.column)) != pl.String:
        return
    if frame.select(value.is_not_null().any()).item():
        return
    if from_text(frame[str(source.column)], "UTC").is_not_null().any():
        what = f"`{source.column}` holds no time with an offset"
        fix = "say in which zone it is written: {column: …, timezone: UTC}"
        raise SchemaError(place, what, fix)


def map_register(
    frame: pl.DataFrame, sources: Mapping[str, Source], kinds: Mapping[str, Type], where: str
) -> pl.DataFrame:
    """Give a register's columns: those that `sources` define, and behind them all others.

    Raises RegisterError for a time that is there and cannot be read, and as `map_columns` does.
    """
    columns: list[pl.Expr] = []
    frame = _plain(frame, sources)
    for target, source in sources.items():
        place = f"{where}.{target}"
        try:
            value = _value(target, kinds[target], source, frame.schema, place)
        except SchemaError as error:
            raise RegisterError(error.where, error.what, error.fix) from None
        if kinds[target] is Type.TIMESTAMP and source.column is not None:
            lost = value.is_null() & pl.col(source.column).is_not_null()
            if (count := frame.select(lost.sum()).item()) > 0:
                raise RegisterError(place, f"{count} times cannot be read", "mend the extract")
        columns.append(value.alias(target))
    others = [name for name in frame.columns if name not in sources]
    return frame.select(*columns, *others)


def _value(target: str, kind: Type, source: Source, schema: pl.Schema, place: str) -> pl.Expr:
    if source.constant is not None:
        value = _constant(target, kind, source.constant)
        return pl.lit(value, dtype=TIMESTAMP if kind is Type.TIMESTAMP else pl.String)
    if source.sql is not None:
        return to_polars(_expression(target, kind, source.sql, schema, place))
    return _column(kind, source, schema, place)


def _column(kind: Type, source: Source, schema: pl.Schema, place: str) -> pl.Expr:
    name = str(source.column)
    if name not in schema:
        raise SchemaError(place, f"there is no column `{name}`", suggest(name, schema))
    if kind is not Type.TIMESTAMP:
        return pl.col(name)
    return _time(name, schema[name], source, place)


def _time(name: str, dtype: pl.DataType, source: Source, place: str) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Null):
        return column.cast(TIMESTAMP)
    if source.unit is not None:
        if not dtype.is_numeric() or dtype.is_decimal():
            raise SchemaError(place, f"`{name}` is {dtype}, not a number", "leave unit out")
        return from_epoch(column, dtype, source.unit)
    if isinstance(dtype, pl.String):
        read = partial(from_text, timezone=source.timezone)
        return column.map_batches(read, return_dtype=TIMESTAMP)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        if source.timezone is not None:
            raise SchemaError(place, "this time has a zone of its own", "leave timezone out")
        return from_zoned(column, dtype)
    if isinstance(dtype, pl.Date | pl.Datetime):
        if source.timezone is None:
            fix = "say which one: {column: …, timezone: America/New_York}"
            raise SchemaError(place, f"{dtype} has no time zone", fix)
        return from_wall_clock(column, dtype, source.timezone)
    fix = "say its unit: {column: …, unit: ms}" if dtype.is_numeric() else "map a time"
    raise SchemaError(place, f"`{name}` is {dtype}, not a time", fix)


def _expression(target: str, kind: Type, sql: str, schema: pl.Schema, place: str) -> p.Node:
    names = {name: known for name, dtype in schema.items() if (known := _type(dtype)) is not None}
    node, faults = parse(sql, Names(names), where=place)
    if node is None:
        raise SchemaError(place, faults[0].what, faults[0].fix)
    if node.type is not kind:
        what = f"gives {node.type.named} where {kind.named} is wanted"
        raise SchemaError(place, what, "change the expression")
    if target == "surface":
        blank = p.assume(node, dict.fromkeys(names))
        if not isinstance(blank, p.Literal) or blank.value in SURFACES:
            what = "gives a known surface for a record of which nothing is known"
            raise SchemaError(place, what, "end it with ELSE 'unknown'")
    return node


def _type(dtype: pl.DataType) -> Type | None:
    if isinstance(dtype, pl.String):
        return Type.STRING
    if dtype.is_integer():
        return Type.INTEGER
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return Type.TIMESTAMP
    return Type.BOOLEAN if isinstance(dtype, pl.Boolean) else None


def _constant(target: str, kind: Type, text: str) -> str | datetime | None:
    """Read a constant; None if the column cannot have it."""
    if target == "license_ends_at" and text == "perpetual":
        return PERPETUAL
    if kind is Type.TIMESTAMP:
        try:
            return parse_time(text)
        except ValueError:
            return None
    if kind is Type.LIST:
        return None
    return text if target != "surface" or text in SURFACES else None


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, pl.exceptions.PolarsError):
        return False
    return True
