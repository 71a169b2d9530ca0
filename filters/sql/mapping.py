r"""A corpus's own columns as provenance columns, as DuckDB SQL.

What `mapping` says of a frame, said again for another engine, from the types that DuckDB sees.
Times become microseconds before they become times: DuckDB rounds nanoseconds where we cut them off,
and what lies outside the years 1 to 9999 must not wrap round.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ..document import suggest
from ..errors import SchemaError
from ..mapping import PERPETUAL, Source
from ..parse import Names, parse, parse_time
from ..predicate import Literal
from ..schema import PROVENANCE, SUBJECTS, Type
from ..times import FIRST, LAST, UNITS
from ..to_duckdb import to_duckdb
from .provenance import UNREADABLE, WHITE, instant, text

_INTEGERS: Final = frozenset(
    f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "", "BIG", "HUGE")
) | {"INTEGER", "UINTEGER"}
_FLOATS: Final = frozenset({"FLOAT", "DOUBLE"})
ZONED: Final = {"TIMESTAMP WITH TIME ZONE": "us", "TIMESTAMPTZ_NS": "ns"}
_COARSE: Final = frozenset({"TIMESTAMP_S", "TIMESTAMP_MS", "DATE"})
_NAIVE: Final = {"TIMESTAMP": "us", "TIMESTAMP_NS": "ns"} | dict.fromkeys(_COARSE, "us")
_NULL: Final = '"NULL"'
_IDS: Final = frozenset(SUBJECTS.values())
_DAY: Final = 86_400_000_000


def quoted(name: str) -> str:
    """Quote a column's name, whatever it is.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def mapped(
    sources: Mapping[str, Source],
    types: Mapping[str, str],
    where: str,
    kinds: Mapping[str, Type] = PROVENANCE,
) -> dict[str, str]:
    """Give an expression for each column that `sources` define, over a relation of these types.

    `types` has the relation's columns as DuckDB spells their types. Raises SchemaError, saying
    `where`, for a column that is not there or cannot become the wanted one.

    >>> mapped({"record_id": Source("id")}, {"id": "BIGINT"}, "input.columns")
    {'record_id': 'CAST("id" AS VARCHAR)'}
    """
    return {
        target: _value(target, kinds[target], source, types, f"{where}.{target}")
        for target, source in sources.items()
    }


def require_types(sources: Mapping[str, Source], types: Mapping[str, str]) -> None:
    """Refuse what `provenance.require_types` refuses, of columns that can be cast to strings.

    >>> require_types({"record_id": Source("id")}, {"id": "DOUBLE"})
    Traceback (most recent call last):
        ...
    corpusgate.filters.errors.SchemaError: column `record_id`: DOUBLE is not a string. \
Map a string column
    """
    for target, source in sources.items():
        if source.column is None or PROVENANCE[target] is not Type.STRING:
            continue
        dtype = types[source.column]
        kind = id_kind(dtype)
        if dtype != _NULL and (kind is None or (target not in _IDS and kind != "string")):
            what = f"{dtype} is not a string"
            raise SchemaError(f"column `{target}`", what, "map a string column")


def _value(target: str, kind: Type, source: Source, types: Mapping[str, str], place: str) -> str:
    if source.constant is not None:
        return _constant(target, kind, source.constant)
    if source.sql is not None:
        return _expression(kind, source.sql, types, place)
    name = str(source.column)
    if name not in types:
        raise SchemaError(place, f"there is no column `{name}`", suggest(name, types))
    column, dtype = quoted(name), types[name]
    if kind is Type.TIMESTAMP:
        if dtype == _NULL:
            return "CAST(NULL AS TIMESTAMPTZ)"
        time = _time(name, dtype, source, place)
        return f"(CASE WHEN {column} IS NULL THEN NULL ELSE coalesce({time}, {UNREADABLE}) END)"
    if kind is Type.LIST:
        if dtype != _NULL and not dtype.endswith("[]"):
            raise SchemaError(place, f"{dtype} is not a list", "map a list of record ids")
        return f"CAST({column} AS VARCHAR[])"
    return column if dtype == "VARCHAR" else f"CAST({column} AS VARCHAR)"


def _constant(target: str, kind: Type, constant: str) -> str:
    if kind is not Type.TIMESTAMP:
        return text(constant)
    perpetual = target == "license_ends_at" and constant == "perpetual"
    return literal(PERPETUAL if perpetual else parse_time(constant))


def literal(moment: datetime) -> str:
    """Write a time.

    >>> from datetime import UTC
    >>> literal(datetime(2023, 3, 1, tzinfo=UTC))
    "TIMESTAMPTZ '2023-03-01 00:00:00+00:00'"
    """
    return to_duckdb(Literal(moment, Type.TIMESTAMP))


def _expression(kind: Type, sql: str, types: Mapping[str, str], place: str) -> str:
    names = {name: known for name, dtype in types.items() if (known := _type(dtype)) is not None}
    node, faults = parse(sql, Names(names), where=place)
    if node is None:
        raise SchemaError(place, faults[0].what, faults[0].fix)
    if node.type is not kind:
        what = f"gives {node.type.named} where {kind.named} is wanted"
        raise SchemaError(place, what, "change the expression")
    return to_duckdb(node)


def _type(dtype: str) -> Type | None:
    if dtype in ("VARCHAR", _NULL) or dtype.startswith("ENUM("):
        return Type.STRING
    if dtype in _INTEGERS:
        return Type.INTEGER
    if dtype in ZONED:
        return Type.TIMESTAMP
    return Type.BOOLEAN if dtype == "BOOLEAN" else None


def _time(name: str, dtype: str, source: Source, place: str) -> str:
    column = quoted(name)
    if source.unit is not None:
        if dtype in _FLOATS:
            return instant(_from_float(column, source.unit))
        if dtype not in _INTEGERS:
            raise SchemaError(place, f"`{name}` is {dtype}, not a number", "leave unit out")
        return instant(_from_integer(column, source.unit))
    if dtype == "VARCHAR":
        return from_text(column, source.timezone)
    if dtype in ZONED:
        if source.timezone is not None:
            raise SchemaError(place, "this time has a zone of its own", "leave timezone out")
        return instant(micros(column, ZONED[dtype]))
    if dtype in _NAIVE:
        if source.timezone is None:
            fix = "say which one: {column: …, timezone: America/New_York}"
            raise SchemaError(place, f"{dtype} has no time zone", fix)
        if dtype in _COARSE:  # farther from 1970 than microseconds can count is no time
            column = f"try_cast({column} AS TIMESTAMP)"
        return from_wall_clock(micros(column, _NAIVE[dtype]), source.timezone)
    number = dtype in _INTEGERS or dtype in _FLOATS
    fix = "say its unit: {column: …, unit: ms}" if number else "map a time"
    raise SchemaError(place, f"`{name}` is {dtype}, not a time", fix)


def micros(time: str, unit: str) -> str:
    """Count microseconds since 1970; nanoseconds are cut off, also before it."""
    if unit == "us":
        return f"epoch_us({time})"
    return f"(epoch_ns({time}) // 1000 - CAST(epoch_ns({time}) % 1000 < 0 AS BIGINT))"


def _from_integer(number: str, unit: str) -> str:
    factor = UNITS[unit]
    last, by = (LAST // factor, f"* {factor}") if factor else (2**63 - 1, "// 1000")
    return f"(CASE WHEN {number} BETWEEN 0 AND {last} THEN CAST({number} AS BIGINT) {by} END)"


def _from_float(number: str, unit: str) -> str:
    micros = f"(CAST({number} AS DOUBLE) * CAST({UNITS[unit] or 0.001} AS DOUBLE))"
    inside = f"{micros} BETWEEN 0 AND CAST({float(LAST)!r} AS DOUBLE)"
    return f"(CASE WHEN {inside} THEN CAST(floor({micros}) AS BIGINT) END)"


def from_wall_clock(micros: str, timezone: str) -> str:
    """Read what a clock in a zone shows, given as if it were UTC.

    An instant is right if the clock shows just that at it. The offsets of a day before and a day
    after give the candidates; the hour that a clock shows twice has two, the one that it never
    shows has none, and both are NULL.
    """
    zone = text(timezone)

    def shown(at: str) -> str:
        return f"epoch_us(timezone({zone}, make_timestamptz({at})))"

    candidates = ", ".join(
        f"u - ({shown(near)} - ({near}))" for near in (f"u - {_DAY}", f"u + {_DAY}")
    )
    right = f"list_distinct(list_filter([{candidates}], lambda c: {shown('c')} = u))"
    only = (
        f"list_transform([{right}], lambda r: CASE WHEN len(r) = 1 THEN {instant('r[1]')} END)[1]"
    )
    inside = f"CASE WHEN {micros} BETWEEN {FIRST} AND {LAST} THEN {micros} END"
    return f"list_transform([{inside}], lambda u: CASE WHEN u IS NOT NULL THEN {only} END)[1]"


_PARTS: Final = (
    "date",
    "year",
    "month",
    "day",
    "gap",
    "hour",
    "minute",
    "second",
    "fraction",
    "offset",
)
_SPACE: Final = f"[{WHITE}]*"
_TEXT: Final = (
    r"^(((?:\+0*)?[0-9]{1,4})"
    rf"-{_SPACE}([0-9]{{1,2}})-{_SPACE}([0-9]{{1,2}}))"
    rf"(?:(T| ){_SPACE}([0-9]{{1,2}}):{_SPACE}([0-9]{{1,2}})(?::{_SPACE}([0-9]{{1,2}})(\.[0-9]+)?)?"
    rf"(?:{_SPACE}([zZ]|[+-][0-9]{{2}}(?::?[0-9]{{2}})?))?)?$"
)


def from_text(value: str, timezone: str | None = None) -> str:
    """Read ISO 8601 strings that state their offset; in a zone, also those that do not.

    It takes and refuses what `times.from_text` does: single digits and a second 60 are taken, a
    blank in place of the T only where the date has all its digits.
    """
    trimmed = rf"regexp_replace({value}, '^[{WHITE}]+|[{WHITE}]+$', '', 'g')"
    parts = f"regexp_extract({trimmed}, {text(_TEXT)}, [{', '.join(map(text, _PARTS))}])"
    zoned = instant("(w - o)")
    bare = "NULL" if timezone is None else from_wall_clock("w", timezone)
    read = (
        f"list_transform([{_wall_micros('p')}], lambda w:"
        f" list_transform([{_offset_micros('p')}], lambda o:"
        f" CASE WHEN w IS NULL THEN NULL WHEN p.offset <> '' THEN {zoned} ELSE {bare} END)[1])[1]"
    )
    return f"list_transform([{parts}], lambda p: {read})[1]"


def _wall_micros(p: str) -> str:
    """Count the microseconds of what is written, as if it were UTC; NULL for no time."""
    date = (
        f"try_cast(lpad(ltrim({p}.year, '+0'), 4, '0') || '-' || lpad({p}.month, 2, '0')"
        f" || '-' || lpad({p}.day, 2, '0') AS DATE)"
    )
    hour, minute, second = (
        f"coalesce(try_cast({p}.{part} AS BIGINT), 0)" for part in ("hour", "minute", "second")
    )
    fraction = f"CAST(rpad(left(ltrim({p}.fraction, '.'), 6), 6, '0') AS BIGINT)"
    full = " AND ".join(
        f"len({p}.{part}) = {size}" for part, size in (("date", 10), ("month", 2), ("day", 2))
    )
    gap = f"({p}.gap <> ' ' OR ({full} AND {p}.year[1] <> '+'))"
    return (
        f"CASE WHEN {hour} < 24 AND {minute} < 60 AND {second} <= 60 AND {gap}"
        f" THEN epoch_us(CAST({date} AS TIMESTAMP))"
        f" + (({hour} * 60 + {minute}) * 60 + {second}) * 1000000 + {fraction} END"
    )


def _offset_micros(p: str) -> str:
    """Count the microseconds of an offset; NULL for one that is none."""
    hours = f"CAST(substr({p}.offset, 2, 2) AS BIGINT)"
    minutes = f"coalesce(try_cast(right({p}.offset, 2) AS BIGINT), 0)"
    minutes = f"(CASE WHEN len({p}.offset) > 3 THEN {minutes} ELSE 0 END)"
    sign = f"(CASE WHEN {p}.offset[1] = '-' THEN -1 ELSE 1 END)"
    return (
        f"CASE WHEN len({p}.offset) < 2 THEN 0 WHEN {hours} < 24 AND {minutes} < 60"
        f" THEN {sign} * ({hours} * 60 + {minutes}) * 60000000 END"
    )


def id_kind(dtype: str) -> str | None:
    """Say what ids a column of this type stores: `string`, `integer`, or None for none.

    >>> id_kind("UBIGINT"), id_kind("VARCHAR"), id_kind('"NULL"')
    ('integer', 'string', None)
    """
    if dtype in _INTEGERS:
        return "integer"
    return "string" if dtype == "VARCHAR" or dtype.startswith("ENUM(") else None
