"""What the database connectors share: finding a driver, asking a question, refusing a table."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..filters.errors import RegisterError

_INSTALL = 'pip install "corpusgate[databases]"'


class RefusedError(Exception):
    """Why a table is not read, in words that hold no value of it: what, and what to do."""

    def __init__(self, what: str, fix: str) -> None:
        """Keep both parts."""
        super().__init__(what, fix)
        self.what = what
        self.fix = fix


def driver(where: str, module: str) -> Any:  # noqa: ANN401 - the drivers ship no types
    """Import an ADBC driver, only now that a register needs it."""
    try:
        return import_module(f"{module}.dbapi")
    except ImportError:
        pass
    raise RegisterError(where, f"the driver `{module}` is not installed", _INSTALL)


def quoted(identifier: str) -> str:
    """Quote an identifier as standard SQL does.

    >>> print(quoted('my "own" table'))
    "my ""own"" table"
    """
    return '"' + identifier.replace('"', '""') + '"'


def rows(connection: Any, query: str, *parameters: str) -> list[tuple[Any, ...]]:  # noqa: ANN401
    """Run a query that answers with few rows."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return list(cursor.fetchall())
