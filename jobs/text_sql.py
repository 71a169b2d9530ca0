"""A job's text paths as DuckDB expressions: all texts of a record as one list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from duckdb.sqltypes import DuckDBPyType

from ..filters.sql.mapping import quoted
from ..filters.sql.provenance import text
from ..filters.texts.paths import TextPath, parse_path

Step = str | None


def texts_sql(paths: Sequence[str], types: Mapping[str, str]) -> str:
    """Give a list of structs of `path` and `text`, over columns of these types; NULLs are left out.

    `types` has the columns' types as DuckDB spells them; a path into none of them gives no text.
    Strings that are JSON are one text each.

    >>> import duckdb
    >>> sql = texts_sql(["m[].c"], {"m": "STRUCT(c VARCHAR)[]"})
    >>> duckdb.sql(f"SELECT {sql} FROM (SELECT [{{'c': 'a'}}, {{'c': NULL}}] AS m)").fetchall()
    [([{'path': 'm[].c', 'text': 'a'}],)]
    """
    parsed = (parse_path(path, list(types)) for path in paths)
    lists = [
        _one(path, DuckDBPyType(types[path.column])) for path in parsed if path.column in types
    ]
    return f"flatten([{', '.join(lists)}])"


def _one(path: TextPath, kind: DuckDBPyType) -> str:
    found = _texts(quoted(path.column), kind, path.steps)
    return (
        f"list_transform(list_filter({found}, lambda t: t IS NOT NULL),"
        f" lambda t: {{'path': {text(path.text)}, 'text': t}})"
    )


def _texts(value: str, kind: DuckDBPyType, steps: Sequence[Step], depth: int = 0) -> str:
    """Follow steps into a value: the strings at their end as one list, NULLs among them."""
    if not steps:
        return f"[CAST({value} AS VARCHAR)]"
    step, *rest = steps
    children = {name: child for name, child in kind.children if isinstance(child, DuckDBPyType)}
    if step is not None:
        return _texts(f"struct_extract({value}, {text(step)})", children[step], rest, depth)
    items, inner = value, children.get("child", kind)
    if kind.id == "map":
        items = f"map_entries({value})"
        inner = DuckDBPyType(f"STRUCT(key {children['key']}, value {children['value']})")
    elif kind.id == "array":
        items = f"CAST({value} AS {inner}[])"
    each = f"i{depth}"
    return (
        f"flatten(list_transform({items}, lambda {each}: {_texts(each, inner, rest, depth + 1)}))"
    )
