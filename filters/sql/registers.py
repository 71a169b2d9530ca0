# ruff: noqa: S608 - SQL is what this file writes, of names and literals that it quotes
"""A register's own columns as checked columns, as DuckDB SQL that stops at what it cannot rely on.

What `registers.make_register` refuses when a run begins, this refuses when it is read: a missing
subject, an unknown choice, a time that is none. A query never goes on without such a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from ..mapping import Source
from ..registers import FIELDS, Field, field_types
from ..schema import Type
from ..to_duckdb import identifier
from .mapping import mapped, quoted
from .provenance import blank, text

_TRUE: Final = "('true', 't', '1', 'yes')"
_FALSE: Final = "('false', 'f', '0', 'no')"


def checked_register(
    name: str,
    relation: str,
    types: Mapping[str, str],
    sources: Mapping[str, Source],
    *,
    may_be_empty: bool,
) -> str:
    """Write the query that reads a register and checks it.

    `types` has the relation's columns as DuckDB spells their types; `sources` maps the register's
    columns where they are called otherwise. Raises SchemaError for a column of a wrong type.
    """
    fields = FIELDS[name]
    given = {column: Source(column) for column in fields if column in types} | dict(sources)
    kinds = field_types(name)
    plain = {column: source for column, source in given.items() if kinds[column] is not Type.LIST}
    as_text = dict.fromkeys((c for c in plain if kinds[c] is Type.BOOLEAN), Type.STRING)
    values = mapped(plain, types, f"registers.{name}.columns", kinds | as_text)
    for column, source in given.items():
        if kinds[column] is Type.LIST:
            values[column] = _strings(str(source.column), types.get(str(source.column), "VARCHAR"))
    columns = ", ".join(
        f"{_checked(name, column, field, values.get(column), given.get(column))}"
        f" AS {identifier(column)}"
        for column, field in fields.items()
    )
    query = f"SELECT {columns} FROM {relation}"
    if may_be_empty:
        return query
    empty = _error(name, "it is empty", "Mend the extract")
    blanks = ", ".join(f"CAST(NULL AS {_SQL[kinds[column]]})" for column in fields)
    none = f"(SELECT count(*) FROM {relation}) = 0"
    return f"{query} UNION ALL SELECT {blanks} WHERE CASE WHEN {none} THEN {empty} END"


_SQL: Final = {
    Type.STRING: "VARCHAR",
    Type.TIMESTAMP: "TIMESTAMPTZ",
    Type.BOOLEAN: "BOOLEAN",
    Type.LIST: "VARCHAR[]",
}


def _checked(name: str, column: str, field: Field, value: str | None, source: Source | None) -> str:
    if value is None:
        return f"CAST(NULL AS {_SQL[field_types(name)[column]]})"
    bad = _error(name, f"a row of `{column}` cannot be relied on", "Mend the extract")
    if isinstance(field.dtype, pl.List):
        known = ", ".join(map(text, field.known))
        fine = (
            f"(len(v) > 0 AND len(list_filter(v, lambda m: m NOT IN ({known}) OR m IS NULL)) = 0)"
        )
        return (
            f"list_transform([{value}], lambda v: CASE WHEN v IS NULL OR {fine} THEN v"
            f" ELSE {bad} END)[1]"
        )
    if field.dtype == pl.Boolean():
        return _flag(value, bad)
    if field.known:
        known = ", ".join(map(text, field.known))
        return f"CASE WHEN {value} IN ({known}) THEN {value} ELSE {bad} END"
    if field.dtype == pl.String():
        empty = f"({value} IS NULL OR {blank(value)})"
        return value if field.optional else f"CASE WHEN {empty} THEN {bad} ELSE {value} END"
    return _time(value, bad, field, source)


def _time(value: str, bad: str, field: Field, source: Source | None) -> str:
    """Refuse a time that is there and cannot be read; the mapping makes it 1970."""
    missing = "v" if field.optional else bad
    unread = "v = TIMESTAMPTZ '1970-01-01 00:00:00+00:00'"
    if source is None or source.column is None:
        unread = "FALSE"
    return (
        f"list_transform([{value}], lambda v: CASE WHEN v IS NULL THEN {missing}"
        f" WHEN {unread} THEN {bad} ELSE v END)[1]"
    )


def _flag(value: str, bad: str) -> str:
    lower = f"lower({value})"
    return (
        f"CASE WHEN {lower} IN {_TRUE} THEN TRUE WHEN {lower} IN {_FALSE} THEN FALSE ELSE {bad} END"
    )


def _strings(column: str, dtype: str) -> str:
    """Read a list, or a JSON list of strings; what is neither has a member that nobody knows."""
    name = quoted(column)
    if dtype == '"NULL"':
        return "CAST(NULL AS VARCHAR[])"
    if dtype.endswith("[]"):
        return f"CAST({name} AS VARCHAR[])"
    items = f"from_json({name}, '[\"JSON\"]')"
    strings = f"len(list_filter({items}, lambda i: json_type(i) <> 'VARCHAR')) = 0"
    return (
        f"CASE WHEN {name} IS NULL OR {name} = '' THEN NULL"
        f" WHEN json_valid({name}) AND json_type({name}) = 'ARRAY' AND {strings}"
        f" THEN from_json({name}, '[\"VARCHAR\"]') ELSE ['?'] END"
    )


def _error(name: str, what: str, fix: str) -> str:
    return f"error({text(f'corpusgate: registers.{name}: {what}. {fix}')})"
