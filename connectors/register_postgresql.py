"""Register tables from PostgreSQL, through ADBC.

A read takes all rows of one state of the table or fails. Three things would otherwise pass
unnoticed: rows that row-level security hides, times that the driver wraps round (infinity becomes
one long past), and types that only the server can write out.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pyarrow as pa

from ..filters.errors import RegisterError
from .adbc import RefusedError, driver, quoted, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

# Stricter than libpq on purpose: an `@`, `/`, `?` or `#` that stands unencoded in a password would
# shift the rest of it into the host, the database or the table, and from there into messages.
_URI = re.compile(
    r"""(?P<server>
        postgres(?:ql)?://
        (?:[^@/?\#]*@)?
        (?P<hosts>(?:\[[0-9A-Fa-f:.%]+\]|[\w.,~%-]|:\d+(?=[,/?\#]|$))*)
        (?:/(?P<database>[^@/?\#]*))?
        (?:\?(?P<options>[^@?\#]*))?
        )
        (?:\#(?P<table>[^@]*))?""",
    re.VERBOSE | re.IGNORECASE,
)
_SHOWN_OPTIONS = ("host", "port", "dbname")
_CONNECT_SECONDS = 15

_SETTINGS = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET LOCAL row_security = off",  # hidden rows are an error now, not absent
    "SET LOCAL client_encoding = 'UTF8'",
    "SET LOCAL TimeZone = 'UTC'",
)

# What libpq and the server say, in our words: theirs may quote rows and passwords.
_REFUSALS = (
    ("password authentication failed", "refuses the user or the password"),
    ("no password supplied", "wants a password"),
    ("connection refused", "does not answer: nothing listens there"),
    ("could not translate host name", "cannot be found by that host name"),
    ("timeout expired", "does not answer in time"),
    ("does not exist", "does not know the user or the database"),
)
_STATES = {
    "42P01": ("has no table {table}", "name it after `#`, as in #schema.table"),
    "42501": (
        "does not let this user read every row of {table}",
        "grant SELECT, and BYPASSRLS where row-level security would hide rows: opt-outs, say",
    ),
    "57014": ("stops before all of {table} is read", "raise statement_timeout for this user"),
}
_UNKNOWN_STATE = ("fails while {table} is read", "see the server's log")


def read_postgresql(where: str, name: str, uri: str) -> tuple[pa.Table, str]:
    """Read one table or view of a PostgreSQL database; return it and the URI without secrets.

    Types are the server's; what Arrow has no plain type for (uuid, numeric, json, char(n), …)
    comes as text.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise RegisterError(
            where,
            "a postgresql URI cannot be taken apart without doubt",
            "write postgresql://user@host:port/database#table, and percent-encode `@ / ? # %` "
            "inside names and passwords",
        )
    fragment = match["table"] or quote(name)
    parts = [unquote(part) for part in fragment.split(".")]
    postgresql = driver(where, "adbc_driver_postgresql")
    try:
        with _connected(postgresql, match) as connection:
            return _table(connection, ".".join(map(quoted, parts))), _source(match, fragment)
    except RefusedError as error:
        what, fix = error.what, error.fix
    except Exception as error:  # noqa: BLE001 - the driver's message may quote a value
        what, fix = _STATES.get(getattr(error, "sqlstate", None) or "", _UNKNOWN_STATE)
        what = what.format(table=f"`{'.'.join(parts)}`")
    # Raised here, the error keeps no hold of the driver's.
    raise RegisterError(where, f"`{_source(match, fragment)}` {what}", fix)


def _source(match: re.Match[str], fragment: str) -> str:
    """Write a URI without user, password and all options but those that say where."""
    options = "&".join(
        option
        for option in (match["options"] or "").split("&")
        if option.partition("=")[0] in _SHOWN_OPTIONS
    )
    database = "" if match["database"] is None else f"/{match['database']}"
    return f"postgresql://{match['hosts']}{database}{'?' if options else ''}{options}#{fragment}"


@contextmanager
def _connected(postgresql: Any, match: re.Match[str]) -> Iterator[Any]:  # noqa: ANN401 - no types
    """Connect to the server, within a time limit unless one is set."""
    server = match["server"]
    if "connect_timeout=" not in server and "PGCONNECT_TIMEOUT" not in os.environ:
        mark = "?" if match["options"] is None else "&"
        server += f"{mark if match['options'] != '' else ''}connect_timeout={_CONNECT_SECONDS}"
    try:
        connection = postgresql.connect(server)
    except Exception as error:  # noqa: BLE001 - the driver's message may quote the URI
        said = str(error).casefold()
        why = next((ours for theirs, ours in _REFUSALS if theirs in said), "cannot be reached")
        raise RefusedError(why, "check host, port, database, user and password") from None
    with connection:
        yield connection


def _table(connection: Any, table: str) -> pa.Table:  # noqa: ANN401
    """Read a whole table, all questions in one transaction."""
    with connection.cursor() as cursor:
        for setting in _SETTINGS:
            cursor.execute(setting)
        schema = cursor.adbc_execute_schema(f"SELECT * FROM {table}")  # noqa: S608 - quoted
        _check_times(connection, table, schema)
        wanted = ", ".join(_readable(field) for field in schema)
        cursor.execute(f"SELECT {wanted} FROM {table}")  # noqa: S608 - quoted
        found = cursor.fetch_arrow_table()
    # Made anew: the driver's notes on the fields say nothing that their types do not.
    return pa.table(found.columns, names=found.column_names)


def _check_times(connection: Any, table: str, schema: pa.Schema) -> None:  # noqa: ANN401
    """Refuse times that do not survive the way here, infinity above all."""
    for field in schema:
        if not (pa.types.is_timestamp(field.type) or pa.types.is_date(field.type)):
            continue
        column = quoted(field.name)
        query = (
            f"SELECT EXISTS (SELECT FROM {table} "  # noqa: S608 - quoted
            f"WHERE {column} < '0001-01-01' OR {column} >= '10000-01-01')"
        )
        if rows(connection, query)[0][0]:
            raise RefusedError(
                f"holds infinity, or a year outside 1 to 9999, in the column `{field.name}`",
                "store NULL or a real time",
            )


def _readable(field: pa.Field) -> str:
    """Select a column, as text where that is the only form that others read."""
    column = quoted(field.name)
    if _only_text(field):
        return f"{column}::text AS {column}"
    if pa.types.is_list(field.type) and _only_text(field.type.value_field):
        return f"{column}::text[] AS {column}"
    return column


def _only_text(field: pa.Field) -> bool:
    """Say whether a value is read as text: it has no plain Arrow type, or is padded char(n)."""
    told = (field.metadata or {}).get(b"POSTGRESQL:type")
    return isinstance(field.type, pa.BaseExtensionType) or told == b"bpchar"
