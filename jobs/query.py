"""One query against a session: what may be asked, what it gives, and what went wrong in words.

DuckDB's messages quote values that it could not read or cast. Only those about the query's own text
and about names are passed on; of all others there is a line that says what sort of error it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import duckdb
import pyarrow as pa

from ..filters.document import suggest
from ..filters.errors import CorpusgateError, SchemaError
from ..filters.sql.record import STRANGE, TOLD
from .finished import RUN
from .session import Session

_ASK: Final = frozenset({"SELECT", "EXPLAIN", "MULTI"})
_OWN: Final = frozenset({"CREATE", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER"})
_WRITE: Final = frozenset({"COPY"})
_Result = TypeVar("_Result")
_BATCH: Final = 100_000
_MOMENT: Final = 0.1  # seconds


@dataclass(frozen=True)
class Rows:
    """The rows of a query, batch by batch as they are read; they are read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def ask(session: Session, sql: str) -> Rows | None:
    """Run statements one after another; give the rows of the last, or None where it has none.

    Statements may read, and make tables, views and macros in memory; files are written only where
    the session allows a folder. Raises SchemaError for what is refused or goes wrong, also while
    rows are read; KeyboardInterrupt ends the query, and the session goes on.
    """
    statements = _in_words(session, lambda: session.database.extract_statements(sql))
    if not statements:
        raise SchemaError("query", "it is empty", "write for example SELECT * FROM decisions")
    for statement in statements:
        _check(session, statement.query, statement.type.name)
    answer = None
    for statement in statements:
        if answer is not None:
            for _ in answer.batches:
                pass
        answer = _in_words(session, partial(_run, session, statement.query))
    return answer


def _run(session: Session, sql: str) -> Rows | None:
    relation = session.database.sql(sql)
    if relation is None:
        return None
    reader = relation.to_arrow_reader(_BATCH)
    return Rows(reader.schema, _batches(session, reader))


def _batches(session: Session, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    def read() -> pa.RecordBatch | None:
        return next(reader, None)

    while (batch := _in_words(session, read)) is not None:
        yield batch


def _in_words(session: Session, action: Callable[[], _Result]) -> _Result:
    """Turn what DuckDB raises into one line that holds no value.

    A function, no context manager: raised behind `except`, the error keeps no hold of the one that
    quotes values.
    """
    try:
        return _aside(session.database, action)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        fault = _said(session, error)
    raise fault


def _aside(database: duckdb.DuckDBPyConnection, action: Callable[[], _Result]) -> _Result:
    """Run it in another thread, so that Ctrl-C is heard at once, and by no function of a query."""
    with ThreadPoolExecutor(1) as thread:
        going = thread.submit(action)
        try:
            while not going.done():  # beside Polars, whoever waits without an end hears nothing
                wait([going], _MOMENT)
        except KeyboardInterrupt:
            while not going.done():  # DuckDB forgets it where the query only begins
                database.interrupt()
                wait([going], _MOMENT)
            raise
        return going.result()


def _check(session: Session, sql: str, kind: str) -> None:
    # PIVOT, and EXPLAIN ANALYZE, which runs what it explains, may stand around a COPY.
    around = kind == "MULTI" or (kind == "EXPLAIN" and re.search(r"analyze", sql, re.IGNORECASE))
    hidden = around and re.search(r"\bcopy\b", sql, re.IGNORECASE)
    if (kind in _WRITE or hidden) and not session.allowed:
        raise SchemaError("query", "this session writes no files", "name a folder with --allow")
    # DuckDB would let a query overwrite whatever it may read.
    target = None if hidden or re.search(r"--|/\*", sql) else _TARGET.search(sql)
    if hidden or (kind in _WRITE and not (target and _inside(session, target[1]))):
        fix = "end with COPY … TO 'FILE', by itself and without comments, in a folder of --allow"
        raise SchemaError("query", "it would write elsewhere, or nobody can tell where", fix)
    secret = kind == "CREATE" and re.search(r"\bsecret\b", sql, re.IGNORECASE)
    if secret or kind not in _ASK | _OWN | _WRITE:
        what = f"{kind.replace('_', ' ')} is not for this session"
        raise SchemaError("query", what, "ask with SELECT; tables and views live in memory")


_TARGET: Final = re.compile(
    r"\bto\s+'((?:[^']|'')*)'\s*(?:\([^()']*(?:'[^']*'[^()']*)*\))?\s*;?\s*\Z", re.IGNORECASE
)
"""Where a COPY writes: the literal that it ends with, options behind it."""


def _inside(session: Session, target: str) -> bool:
    path = Path(target.replace("''", "'")).resolve()
    return any(path.is_relative_to(folder) for folder in session.allowed)


def _said(session: Session, error: Exception) -> CorpusgateError:
    message = str(error)
    ours, session.pii.fault = session.pii.fault, None
    if ours is not None and str(ours).partition("\n")[0] in message:
        return ours
    kind = type(error).__name__
    if any(told in message for told in (TOLD, *_NO_STRUCT)):
        return SchemaError(STRANGE.where, STRANGE.what, STRANGE.fix)
    if isinstance(error, duckdb.ParserException):
        line = re.search(r"^LINE (\d+):", message, re.MULTILINE)
        fix = f"look at line {line[1]} of the query" if line else "write DuckDB's SQL"
        return SchemaError("query", _first_line(message), fix)
    if isinstance(error, duckdb.CatalogException):
        return _unknown_name(session, message)
    if isinstance(error, duckdb.BinderException):
        return _unbound(message)
    if _FILE.search(message):
        return SchemaError("query", *_UNREADABLE)
    for sort, start, what, fix in _SORTS:
        # While rows are read, errors come through Arrow and keep only their texts.
        if isinstance(error, sort) or f"{start} Error:" in message[:100]:
            return SchemaError("query", what, fix)
    return SchemaError("query", f"DuckDB could not finish it ({kind})", "simplify the query")


_NO_STRUCT: Final = ("struct_keys() expects", "struct_concat: Argument")
"""What DuckDB says where `eligibility_reason` is given something else."""

_UNREADABLE: Final = (
    "a file cannot be read",
    "`corpusgate run` names damaged shards, `corpusgate verify` what is damaged of a run's output",
)

_FILE: Final = re.compile(r"\A[^'\"]* (?:in|of|Parquet) file ['\"]")
"""How DuckDB speaks of a damaged file, whatever sort of error it is."""

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
    (duckdb.IOException, "IO", *_UNREADABLE),
    (
        duckdb.InvalidInputException,
        "Invalid Input",
        "a function refused a value",
        "use TRY(…) around it",
    ),
)


def _first_line(message: str) -> str:
    return message.split("\n", 1)[0].partition(": ")[2].rstrip("!. ") or "it is no SQL"


def _unknown_name(session: Session, message: str) -> SchemaError:
    found = re.search(r"with name \"?([^\"\s]+)\"? does not exist", message)
    name = found[1] if found else ""
    if fault := session.run.left_out.get(name.lower()):
        return SchemaError(fault.where, fault.what, fault.fix)
    if name.lower() in RUN and not session.run.there:
        what = f"`{name}` is there after a finished run"
        return SchemaError("query", what, "run the job first: corpusgate run JOB")
    if "Table" in message.split("\n", 1)[0]:
        there = [str(row[0]) for row in session.database.execute("SHOW TABLES").fetchall()]
        return SchemaError("query", f"there is no relation `{name}`", suggest(name, there))
    return SchemaError("query", _first_line(message), "check its name")


def _unbound(message: str) -> SchemaError:
    """Say which name is not known; a binder's message speaks of names and types alone."""
    found = re.search(r'Referenced column "([^"]+)"', message)
    there = re.search(r"Candidate bindings: (.*)", message)
    if found:
        candidates = re.findall(r'"([^"]+)"', there[1]) if there else []
        fix = f"there is {', '.join(candidates[:5])}" if candidates else "DESCRIBE lists columns"
        return SchemaError("query", f"there is no column `{found[1]}`", fix)
    return SchemaError("query", _first_line(message), "see DESCRIBE for columns and types")
