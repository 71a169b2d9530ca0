"""Register tables from files and databases, as their sources hold them.

Columns keep the source's own names; what they mean is settled elsewhere. No error raised here
carries a cell or a password, nor hangs on to a driver's error that does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..filters.errors import RegisterError
from .register_files import read_files
from .register_postgresql import read_postgresql
from .register_sqlite import read_sqlite
from .storage import scheme_of
from .stores import USUAL, Storage

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

# Taken for a path, it would be shown, password and all.
_MISTAKEN = re.compile(r"(postgres(ql)?|sqlite):|.*\bpassword\s*=", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class RegisterTable:
    """A register as its source holds it.

    `typed` is false where the source knows only text (CSV), so that every column is a string.
    Where it is true, times may yet be text: JSON and SQLite have no type for them. A column
    without a single value may have the type `null`. `source` is the URI without user, password
    and options.
    """

    table: pa.Table
    typed: bool
    source: str


def read_register(name: str, uri: str, base: Path, storage: Storage = USUAL) -> RegisterTable:
    """Read the register `name` from a path or URI; a relative path is relative to `base`.

    - a file, folder or glob, here or in an object store, of Parquet, CSV (`.csv`) or JSON lines
      (`.jsonl`, `.ndjson`); text may be packed (`.gz`, `.zst`). In CSV an empty field is NULL.
    - `sqlite:///relative/path.db#table`, `sqlite:////absolute/path.db#table`
    - `postgresql://user@host:port/db#table` or `#schema.table`; a password comes from the URI or
      from where libpq looks (`PGPASSWORD`, `~/.pgpass`, a service file)

    Without `#table` the table is called like the register. In a URI, characters with a meaning of
    their own (`@ / ? # . %`) are percent-encoded where they are part of a name or password.

    Raises RegisterError when the source cannot be read whole and unambiguously.
    """
    where = f"registers.{name}"
    scheme = scheme_of(uri)
    typed = True
    if scheme == "sqlite":
        table, source = read_sqlite(where, name, uri, base)
    elif scheme in ("postgresql", "postgres"):
        table, source = read_postgresql(where, name, uri)
    elif not scheme and _MISTAKEN.match(uri):
        raise RegisterError(
            where,
            "this is neither a path nor the URI of a database",
            "write postgresql://user@host:port/database#table or sqlite:///path.db#table",
        )
    else:
        table, typed = read_files(where, uri, base, storage)
        source = uri
    return RegisterTable(_checked(where, source, table), typed, source)


def _checked(where: str, source: str, table: pa.Table) -> pa.Table:
    """Refuse a table whose bytes are not what its types say; drop what its writer noted."""
    fault = _invalid_column(table)
    if fault is not None:
        raise RegisterError(
            where,
            f"the column `{fault}` of `{source}` holds values that are not of its type, "
            "most likely text that is not UTF-8",
            "write the text as UTF-8",
        )
    return table.replace_schema_metadata(None)


def _invalid_column(table: pa.Table) -> str | None:
    """Return the first column whose buffers are not what its type promises."""
    for column in table.column_names:
        try:
            table[column].validate(full=True)
        except Exception:  # noqa: BLE001 - the message may quote the value
            return str(column)
    return None
