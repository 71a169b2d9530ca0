"""One query against a session: what may be asked, what it gives, and what went wrong in words.

DuckDB's messages quote values that it could not read or cast. Only those about the query's own text
and about names are passed on; of all others there is a line that says what sort of error it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from ..filters.document import suggest
from ..filters.errors import SchemaError
from .session import RUN, Session

_ASK: Final = frozenset({"SELECT", "EXPLAIN", "MULTI"})
_OWN: Final = frozenset({"CREATE", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER"})
_WRITE: Final = frozenset({"COPY"})
_EXPLAIN: Final = re.compile(r"\s*explain\s+(?:analyze\s+|\([^)]*\)\s*)?", re.IGNORECASE)
_BATCH: Final = 100_000


@dataclass(frozen=True)
class Rows:
    """The rows of a query, batch by batch as they are read; they are read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def ask(session: Session, sql: str) -> Rows | None:
    """Run statements one after another; give the rows of the last, or None where it has none.

    Statements may read, and make tables, views and macros in memory; files are written only where
    the session allows a folder. Raises SchemaError for what is refused or goes wrong, also while
    rows are read.
    """
    database = session.database
    with _in_words(session):
        statements = database.extract_statements(sql)
        if not statements:
            raise SchemaError("query", "it is empty", "write for example SELECT * FROM decisions")
        for statement in statements:
            _check(session, statement.query, statement.type.name)
        relation = None
        for statement in statements:
            relation = database.sql(statement.query)
            if relation is not None and statement is not statements[-1]:
                relation.fetchall()
        if relation is None:
            return None
        reader = relation.to_arrow_reader(_BATCH)
    return Rows(reader.schema, _batches(session, reader))


def _batches(session: Session, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    while True:
        with _in_words(session):
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
        yield batch


@contextmanager
def _in_words(session: Session) -> Iterator[None]:
    """Turn what DuckDB raises into one line that holds no value."""
    fault: SchemaError | None = None
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        fault = _said(session, error)
    if fault is not None:
        raise fault  # after `except`, so that it keeps no hold of a message that quotes values


def _check(session: Session, sql: str, kind: str) -> None:
    if kind == "EXPLAIN":
        inner = _EXPLAIN.sub("", sql, count=1)
        for statement in session.database.extract_statements(inner):
            _check(session, statement.query, statement.type.name)
        return
    writes = kind in _WRITE or (kind == "MULTI" and re.search(r"\bcopy\b", sql, re.IGNORECASE))
    if writes and not session.allowed:
        raise SchemaError("query", "this session writes no files", "name a folder with --allow")
    secret = kind == "CREATE" and re.search(r"\bsecret\b", sql, re.IGNORECASE)
    if secret or kind not in _ASK | _OWN | _WRITE:
        what = f"{kind.replace('_', ' ')} is not for this session"
        raise SchemaError("query", what, "ask with SELECT; tables and views live in memory")


def _said(session: Session, error: Exception) -> SchemaError:
    message = str(error)
    kind = type(error).__name__
    if isinstance(error, duckdb.ParserException):
        line = re.search(r"^LINE (\d+):", message, re.MULTILINE)
        fix = f"look at line {line[1]} of the query" if line else "write DuckDB's SQL"
        return SchemaError("query", _first_line(message), fix)
    if isinstance(error, duckdb.CatalogException):
        return _unknown_name(session, message)
    if isinstance(error, duckdb.BinderException):
        return _unbound(message)
    for sort, start, what, fix in _SORTS:
        # While rows are read, errors come through Arrow and keep only their texts.
        if isinstance(error, sort) or f"{start} Error:" in message[:100]:
            return SchemaError("query", what, fix)
    return SchemaError("query", f"DuckDB could not finish it ({kind})", "simplify the query")


_SORTS: Final[tuple[tuple[type[duckdb.Error], str, str, str], ...]] = (
    (
        duckdb.PermissionException,
        "Permission",
        "this session reads only what the job names, and no network",
        "name another folder with --allow",
    ),
    (
        duckdb.ConversionException,
        "Conversion",
        "a value cannot be cast as the query wants",
        "use TRY_CAST",
    ),
    (duckdb.TypeMismatchException, "Mismatch Type", "types do not match", "cast one of them"),
    (
        duckdb.OutOfRangeException,
        "Out of Range",
        "a value is out of range",
        "use TRY_CAST, or a larger type",
    ),
    (
        duckdb.OutOfMemoryException,
        "Out of Memory",
        "memory ran out",
        "ask for fewer columns or rows",
    ),
    (
        duckdb.ConstraintException,
        "Constraint",
        "a constraint does not hold",
        "change what is inserted",
    ),
    (duckdb.InterruptException, "INTERRUPT", "it was interrupted", "run it again"),
    (
        duckdb.IOException,
        "IO",
        "a file cannot be read",
        "`corpusgate run` names damaged shards",
    ),
    (
        duckdb.InvalidInputException,
        "Invalid Input",
        "a function refused a value",
        "use TRY(…) around it",
    ),
)


def _first_line(message: str) -> str:
    return message.split("\n", 1)[0].partition(": ")[2] or "it is no SQL"


def _unknown_name(session: Session, message: str) -> SchemaError:
    found = re.search(r"with name \"?([^\"\s]+)\"? does not exist", message)
    name = found[1] if found else ""
    if name.lower() in RUN and not session.finished:
        what = f"`{name}` is there after a finished run"
        return SchemaError("query", what, "run the job first: corpusgate run JOB")
    if "Table" in message.split("\n", 1)[0]:
        there = [str(row[0]) for row in session.database.execute("SHOW TABLES").fetchall()]
        return SchemaError("query", f"there is no relation `{name}`", suggest(name, there))
    return SchemaError("query", _first_line(message).rstrip("!"), "check its name")


def _unbound(message: str) -> SchemaError:
    """Say which name is not known; a binder's message speaks of names and types alone."""
    found = re.search(r'Referenced column "([^"]+)"', message)
    there = re.search(r"Candidate bindings: (.*)", message)
    if found:
        candidates = re.findall(r'"([^"]+)"', there[1]) if there else []
        fix = f"there is {', '.join(candidates[:5])}" if candidates else "DESCRIBE lists columns"
        return SchemaError("query", f"there is no column `{found[1]}`", fix)
    return SchemaError("query", _first_line(message), "see DESCRIBE for columns and types")
