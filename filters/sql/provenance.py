r"""Provenance columns in the one form that rules and registers compare, as DuckDB SQL.

What `provenance` says of a frame, said again for another engine: only what can forbid more is
normalised. DuckDB's `\s` and `lower` are not Unicode's and not ASCII's, so white space is spelled
out and letters are translated.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Final

from ..schema import PROVENANCE, SUBJECTS, TIMES, Type
from ..times import FIRST, LAST
from ..to_duckdb import identifier

WHITE: Final = (
    r"\t\n\v\f\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
)
"""Unicode's white space, as the inside of a bracket of a regular expression."""

SQL_TYPES: Final = {
    Type.STRING: "VARCHAR",
    Type.TIMESTAMP: "TIMESTAMPTZ",
    Type.LIST: "VARCHAR[]",
}

MOST_REMOTE: Final = "TIMESTAMPTZ '9999-12-31 23:59:59.999999+00:00'"
UNREADABLE: Final = "TIMESTAMPTZ '1970-01-01 00:00:00+00:00'"
"""What a time becomes that is there and cannot be read."""

_IDS: Final = frozenset(SUBJECTS.values()) - {"model"}


def text(value: str) -> str:
    """Write a string literal.

    >>> text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def conformed(columns: Mapping[str, str]) -> dict[str, str]:
    """Give an expression for every provenance column, from expressions of the wanted types.

    One that is not mapped is NULL; `parent_ids` becomes `has_parents`. Those of NORMAL are left
    as they are: a corpus has few of their values and millions of records, so values are brought
    into form one by one, and records look them up.
    """
    return dict(
        _conformed(name, kind, columns[name]) if name in columns else _missing(name, kind)
        for name, kind in PROVENANCE.items()
    )


def _conformed(name: str, kind: Type, value: str) -> tuple[str, str]:
    if kind is Type.LIST:
        return "has_parents", f"coalesce(len({value}) > 0, FALSE)"
    if name in TIMES:
        return name, value
    return name, normal_id(value) if name in _IDS else value


def _missing(name: str, kind: Type) -> tuple[str, str]:
    if kind is Type.LIST:
        return "has_parents", "FALSE"
    return name, f"CAST(NULL AS {SQL_TYPES[kind]})"


def normal_id(value: str) -> str:
    """Empty an id of nothing but white space.

    Nearly all ids begin with a visible ASCII character, which is a comparison of bytes.
    """
    return (
        f"(CASE WHEN {value} BETWEEN '!' AND '~' THEN {value}"
        f" WHEN {blank(value)} THEN '' ELSE {value} END)"
    )


def blank(value: str) -> str:
    """Say whether a string holds nothing but white space; NULL of NULL."""
    return rf"(NOT regexp_matches({value}, '[^{WHITE}]'))"


def normal_model(value: str) -> str:
    """Trim, lower ASCII letters; nothing left is NULL."""
    return f"nullif({_lower(_trim(value))}, '')"


def normal_endpoint(value: str) -> str:
    """Reduce an endpoint to its path, lower case; nothing left is NULL."""
    path = _lower(_trim(value))
    for pattern, by, options in _ENDPOINT:
        path = f"regexp_replace({path}, {text(pattern)}, {text(by)}{options})"
    return f"nullif({path}, '')"


_ENDPOINT: Final = (
    (rf"^(?:get|post|put|patch|delete|head|options|connect|trace)[{WHITE}]+", "", ""),
    (rf"[{WHITE}]+http/[0-9.]+$", "", ""),
    (r"^[a-z][a-z0-9+.-]*://[^/?#]*", "", ""),
    (r"^(?://)?(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\p{Nd}+)?(/|$)", r"\1", ""),
    (r"(?s)[?#].*$", "", ""),
    (r"/+", "/", ", 'g'"),
    (rf"[/{WHITE}]+$", "", ""),
    (r"^([^/])", r"/\1", ""),
)


NORMAL: Final[Mapping[str, Callable[[str], str]]] = {
    "endpoint": normal_endpoint,
    "model": normal_model,
}
"""How columns of few values are brought into the form that rules compare."""


def _trim(value: str) -> str:
    return rf"regexp_replace({value}, '^[{WHITE}]+|[{WHITE}]+$', '', 'g')"


def _lower(value: str) -> str:
    return f"translate({value}, '{string.ascii_uppercase}', '{string.ascii_lowercase}')"


def instant(micros: str) -> str:
    """Turn microseconds since 1970 into a time, NULL outside the years 1 to 9999."""
    return f"(CASE WHEN {micros} BETWEEN {FIRST} AND {LAST} THEN make_timestamptz({micros}) END)"


def listing(columns: Mapping[str, str]) -> str:
    """Write columns as the list of a SELECT.

    >>> listing({"plan": "lower(x)", "select": "1"})
    'lower(x) AS plan, 1 AS "select"'
    """
    return ", ".join(
        value if value == identifier(name) else f"{value} AS {identifier(name)}"
        for name, value in columns.items()
    )
