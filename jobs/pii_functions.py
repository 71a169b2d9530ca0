"""Personal information in DuckDB: `pii_reduce`, `pii_findings`, `pii_count` and `has_pii`.

DuckDB hands over some 2,048 texts at a time; each different one of them is looked at once. A text
that cannot be judged is never clean: it is one finding from end to end, and reducing it leaves none
of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from ..filters.errors import CorpusgateError, JobError, SchemaError
from ..filters.reduce.findings import findings_table
from ..filters.reduce.operators import Operators, parse_operators
from ..filters.reduce.record_rules import RecordRules
from ..filters.reduce.reducer import UNREADABLE, Reducer
from ..filters.reduce.scanned import Finder, scan_leaves
from ..filters.texts.leaves import leaves
from ..filters.texts.paths import parse_path
from .lean import only_new_garbage

if TYPE_CHECKING:
    import duckdb

    from ..filters.texts.leaves import Leaves

MARK: Final = f"<{UNREADABLE}>"
"""What a text that cannot be judged is reduced to; as a finding its entity is UNREADABLE."""

FINDING: Final = pa.struct(
    {"entity": pa.string(), "start": pa.int32(), "end": pa.int32(), "score": pa.float32()}
)
_RETURNS: Final = {
    "pii_reduce": "VARCHAR",
    "pii_findings": 'STRUCT(entity VARCHAR, "start" INTEGER, "end" INTEGER, score FLOAT)[]',
}
_MACROS: Final = {
    "pii_count": "len(pii_findings(p_text))",
    "has_pii": "len(pii_findings(p_text)) > 0",
}
_PATH: Final = parse_path("text", ["text"])


@dataclass(frozen=True)
class Looking:
    """What looks at texts, and what becomes of findings; the key is read where it is wanted."""

    finder: Finder
    operators: Operators
    key: Callable[[], bytes | None]

    @cached_property
    def reducer(self) -> Reducer:
        """What reduces. Raises JobError where operators want a key and there is none."""
        return Reducer(self.finder, self.operators, key=self.key(), rules=RecordRules())

    def reduced(self, texts: pa.LargeStringArray) -> pa.Array:
        """Give the texts reduced; they have no NULLs."""
        found = leaves(texts, _PATH)
        done = self.reducer.reduce([found], None)
        column = found.replaced(*done.changed[0])
        if done.excluded:
            marked = np.isin(np.arange(len(texts)), list(done.excluded))
            column = pa.compute.if_else(pa.array(marked), MARK, column)
        return column.cast(pa.string())

    def findings(self, texts: pa.LargeStringArray) -> pa.Array:
        """Give a list of findings for each text; they have no NULLs."""
        found = leaves(texts, _PATH)
        some, unreadable = scan_leaves(self.finder, self.operators, [found])
        table = findings_table([found], self.operators, some)
        rows = np.concatenate([table["row"].to_numpy(), np.array(sorted(unreadable), np.int64)])
        columns = [table[field.name].cast(field.type) for field in FINDING]
        every = pa.table(columns, names=FINDING.names)
        if unreadable:
            every = pa.concat_tables([every, _marks(found, sorted(unreadable))])
        every = every.take(pa.array(np.argsort(rows, kind="stable")))
        counts = np.bincount(rows, minlength=len(texts))
        ends = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
        return pa.ListArray.from_arrays(ends, every.to_struct_array().combine_chunks())


def _marks(texts: Leaves, rows: list[int]) -> pa.Table:
    """Give one finding for each of these texts, over all of it."""
    lengths = [pa.compute.utf8_length(texts.texts[row]).as_py() for row in rows]
    columns = [[UNREADABLE] * len(rows), [0] * len(rows), lengths, [None] * len(rows)]
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, FINDING, strict=True)],
        names=FINDING.names,
    )


class PiiFunctions:
    """The functions of one connection; scanner and key are opened when they are first wanted.

    `fault` is what went wrong last, if it was ours: DuckDB passes on no more than its text.
    """

    def __init__(self, open_: Callable[[], Looking]) -> None:
        """Take what opens them."""
        self._open = open_
        self._lock = Lock()
        self._looking: Looking | None = None
        self.fault: CorpusgateError | None = None

    def add(self, database: duckdb.DuckDBPyConnection, what: str = "MACRO") -> None:
        """Add the functions to a connection, in place of those that it has; `what` are the macros.

        NULL gives NULL, and all of them work on the items of lists, too.
        """
        for name, returns in _RETURNS.items():
            _forget(database, name)
            database.create_function(
                name,
                partial(self._column, name),
                ["VARCHAR"],
                returns,
                type=PythonUDFType.ARROW,
                null_handling=FunctionNullHandling.SPECIAL,
            )
        for name, body in _MACROS.items():
            database.execute(f"CREATE OR REPLACE {what} {name}(p_text) AS {body}")

    @only_new_garbage()
    def _column(self, name: str, texts: pa.ChunkedArray) -> pa.Array:
        """Answer for a column. What is raised says nothing of its texts: DuckDB quotes it."""
        try:
            with self._lock:
                self._looking = self._looking or self._open()
            answer = self._looking.reduced if name == "pii_reduce" else self._looking.findings
            if not texts.null_count and pl.Series(texts).n_unique() == len(texts):
                return answer(texts.combine_chunks().cast(pa.large_string()))
            different = pa.compute.dictionary_encode(texts).combine_chunks()
            return answer(different.dictionary.cast(pa.large_string())).take(different.indices)
        except CorpusgateError as error:
            fault: CorpusgateError = error
        except Exception as error:  # noqa: BLE001 - its message may quote a text
            what = f"some texts cannot be looked at: {type(error).__name__}"
            fault = SchemaError(name, what, "report this; leave those texts out to go on")
        self.fault = fault
        raise fault from None


def given_operators(finder: Any, operators: Mapping[str, Any] | None, key: bytes | None) -> Looking:  # noqa: ANN401 - a PiiScanner
    """Take what somebody gives in Python. Raises JobError for operators that are none."""
    parsed, faults = parse_operators(operators or {}, finder.entities)
    if faults:
        raise JobError("register", tuple(faults))
    parsed.checked(key)
    return Looking(finder, parsed, lambda: key)


def _forget(database: duckdb.DuckDBPyConnection, name: str) -> None:
    query = "SELECT count(*) FROM duckdb_functions() WHERE function_name = ?"
    (count,) = database.execute(query, [name]).fetchall()[0]
    if count:
        database.remove_function(name)
