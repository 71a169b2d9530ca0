"""Register tables from SQLite, through ADBC.

SQLite has a type for every value, none for a column, and the driver takes a column's type from its
first rows. So a read first asks how many rows there are and which types a column holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pyarrow as pa

from ..filters.errors import RegisterError
from .adbc import RefusedError, driver, quoted, rows

if TYPE_CHECKING:
    from pathlib import Path

_URI = re.compile(r"sqlite:///(?P<path>[^?#]+)(?:#(?P<table>.*))?", re.IGNORECASE | re.DOTALL)
_NUMBERS = frozenset({"integer", "real"})
_LABELS = frozenset({"integer", "text"})


@dataclass(frozen=True)
class _Column:
    """A column, the types of its values, and whether it is a declared BOOLEAN of 0 and 1."""

    name: str
    types: frozenset[str]
    boolean: bool


def read_sqlite(where: str, name: str, uri: str, base: Path) -> tuple[pa.Table, str]:
    """Read one table or view of a SQLite file; return it and the URI that names it.

    A column of integers is int64 (bool if it is declared BOOLEAN and holds only 0 and 1), of
    reals or numbers double, of text or of text and integers string, of blobs binary, of no value
    null. Another mix is refused.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise RegisterError(
            where,
            "a sqlite URI names no file, or has options",
            "write sqlite:///relative.db#table or sqlite:////absolute.db#table; inside a name "
            "`?` is %3F, `#` is %23 and `%` is %25",
        )
    path = base.absolute() / unquote(match["path"])
    fragment = match["table"] or quote(name)
    source = f"sqlite:///{match['path']}#{fragment}"
    if not path.is_file():
        raise RegisterError(where, f"`{source}`: there is no file `{path}`", "correct the path")
    sqlite = driver(where, "adbc_driver_sqlite")
    try:
        with sqlite.connect(f"file:{quote(str(path))}?mode=ro") as connection:
            return _table(connection, unquote(fragment)), source
    except RefusedError as error:
        what, fix = error.what, error.fix
    except Exception:  # noqa: BLE001 - the driver's message may quote a value
        what, fix = "cannot be read as a SQLite database", "check that it is whole and not locked"
    # Raised here, the error keeps no hold of the driver's.
    raise RegisterError(where, f"`{source}` {what}", fix)


def _table(connection: Any, table: str) -> pa.Table:  # noqa: ANN401 - the driver ships no types
    """Read a whole table; both questions stand in the connection's one transaction."""
    count, columns = _columns(connection, table)
    wanted = ", ".join(quoted(column.name) for column in columns)
    # The first batch settles the types, integers giving way to reals or text; so it is all rows.
    options = {"adbc.sqlite.query.batch_rows": max(count, 1)}
    with connection.cursor(adbc_stmt_kwargs=options) as cursor:
        cursor.execute(f"SELECT {wanted} FROM {quoted(table)}")  # noqa: S608 - quoted
        found = cursor.fetch_arrow_table()
    return pa.table(
        [_typed(values, column) for values, column in zip(found.columns, columns, strict=True)],
        names=[column.name for column in columns],
    )


def _columns(connection: Any, table: str) -> tuple[int, list[_Column]]:  # noqa: ANN401
    """Count the rows and describe the columns, in one pass."""
    declared = rows(
        connection, "SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1", table
    )
    if not declared:
        raise RefusedError(f"has no table `{table}`", "name the table after `#`")
    facts = ", ".join(
        f"group_concat(DISTINCT typeof({name})), min({name} IN (0, 1))"
        for name in (quoted(column) for column, _ in declared)
    )
    count, *answers = rows(connection, f"SELECT count(*), {facts} FROM {quoted(table)}")[0]  # noqa: S608 - quoted
    columns = []
    for (name, type_), told, binary in zip(declared, answers[::2], answers[1::2], strict=True):
        types = frozenset((told or "null").split(",")) - {"null"}
        if len(types) > 1 and types not in (_NUMBERS, _LABELS):
            raise RefusedError(
                f"mixes {' and '.join(sorted(types))} in the column `{name}`",
                "store the column as one type",
            )
        boolean = type_.upper() in ("BOOL", "BOOLEAN") and types == {"integer"} and bool(binary)
        columns.append(_Column(name, types, boolean))
    return count, columns


def _typed(values: pa.ChunkedArray, column: _Column) -> pa.ChunkedArray:
    """Give a column the type that its values do not show."""
    if not column.types:
        return pa.chunked_array([pa.nulls(len(values))])
    return values.cast(pa.bool_()) if column.boolean else values
