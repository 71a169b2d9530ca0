"""Predicate → DuckDB SQL, one small function per node.

Everything compound is bracketed, so that no precedence rule has to be remembered. An unbound
parameter stays `$name`, which DuckDB takes as a prepared statement's parameter.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import singledispatch

from .predicate import (
    Add,
    And,
    Case,
    Coalesce,
    Column,
    Compare,
    In,
    Is,
    IsNull,
    Like,
    Literal,
    Node,
    Not,
    Or,
    Parameter,
)
from .schema import Type

_SQL_TYPES = {
    Type.STRING: "VARCHAR",
    Type.INTEGER: "BIGINT",
    Type.BOOLEAN: "BOOLEAN",
    Type.TIMESTAMP: "TIMESTAMPTZ",
    Type.DURATION: "INTERVAL",
    Type.LIST: "VARCHAR[]",
}


@singledispatch
def to_duckdb(node: Node) -> str:
    """Translate a predicate.

    >>> to_duckdb(Compare("=", Column("plan", Type.STRING), Literal("it's", Type.STRING)))
    "(plan = 'it''s')"
    """
    message = f"no DuckDB translation for {type(node).__name__}"
    raise TypeError(message)


def identifier(name: str) -> str:
    r"""Quote a name where it needs it.

    >>> identifier("org_id"), identifier("select")
    ('org_id', '"select"')
    """
    plain = name.isascii() and name.isidentifier() and name.islower() and name not in _RESERVED
    return name if plain else '"' + name.replace('"', '""') + '"'


_RESERVED = frozenset(
    """
    all and any array as asc both case cast check collate column constraint create default desc
    distinct do else end except false fetch for foreign from grant group having in initially
    intersect into lambda leading limit not null offset on only or order pivot placing primary
    qualify references returning select show some summarize symmetric table then to trailing true
    union unique unpivot using variadic when where window with
    """.split()  # noqa: SIM905 - a list of this length is easier to read as words
)


@to_duckdb.register
def _(node: Column) -> str:
    return identifier(node.name)


@to_duckdb.register
def _(node: Parameter) -> str:
    return f"${node.name}"


@to_duckdb.register
def _(node: Literal) -> str:
    match node.value:
        case None:
            return f"CAST(NULL AS {_SQL_TYPES[node.type]})"
        case bool():
            return "TRUE" if node.value else "FALSE"
        case int():
            return str(node.value) if node.value >= 0 else f"({node.value})"
        case datetime():
            return f"TIMESTAMPTZ '{node.value.astimezone(UTC).isoformat(sep=' ')}'"
        case timedelta():
            return f"INTERVAL '{_duration(node.value)}'"
        case str():
            return "'" + node.value.replace("'", "''") + "'"
        case values:
            return f"({', '.join(to_duckdb(Literal(v, Type.STRING)) for v in values)})"


def _duration(value: timedelta) -> str:
    # Never in days: to DuckDB a day has 23 or 25 hours where clocks change.
    hours, rest = divmod(value, timedelta(hours=1))
    return f"{hours} hours" if not rest else f"{value // timedelta(microseconds=1)} microseconds"


@to_duckdb.register
def _(node: Add) -> str:
    return f"({to_duckdb(node.time)} + {to_duckdb(node.duration)})"


@to_duckdb.register
def _(node: Compare) -> str:
    return f"({to_duckdb(node.left)} {node.op} {to_duckdb(node.right)})"


@to_duckdb.register
def _(node: And) -> str:
    return f"({' AND '.join(map(to_duckdb, node.items))})"


@to_duckdb.register
def _(node: Or) -> str:
    return f"({' OR '.join(map(to_duckdb, node.items))})"


@to_duckdb.register
def _(node: Not) -> str:
    return f"(NOT {to_duckdb(node.item)})"


@to_duckdb.register
def _(node: In) -> str:
    choices = ", ".join(map(to_duckdb, node.choices))
    listed = len(node.choices) == 1 and node.choices[0].type is Type.LIST
    return f"({to_duckdb(node.item)} IN {choices if listed else f'({choices})'})"


@to_duckdb.register
def _(node: Like) -> str:
    return f"({to_duckdb(node.item)} LIKE {to_duckdb(node.pattern)})"


@to_duckdb.register
def _(node: IsNull) -> str:
    return f"({to_duckdb(node.item)} IS NULL)"


@to_duckdb.register
def _(node: Is) -> str:
    return f"({to_duckdb(node.item)} IS {'TRUE' if node.value else 'FALSE'})"


@to_duckdb.register
def _(node: Coalesce) -> str:
    return f"COALESCE({', '.join(map(to_duckdb, node.items))})"


@to_duckdb.register
def _(node: Case) -> str:
    branches = " ".join(
        f"WHEN {to_duckdb(condition)} THEN {to_duckdb(result)}"
        for condition, result in node.branches
    )
    return f"(CASE {branches} ELSE {to_duckdb(node.default)} END)"
