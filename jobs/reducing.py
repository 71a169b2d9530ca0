"""Units' survivors on their way into the released file: texts reduced, ids keyed.

Rows come in order, some thousand at a time, small units' rows together. What was found is kept
until its unit is done: which records are excluded after all, and the list of findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from ..filters.errors import CorpusgateError, Fault, JobError, UnitError
from ..filters.reduce.pseudonyms import Key
from ..filters.reduce.reducer import Reducer
from ..filters.reduce.scopes import scope_ids
from ..filters.texts.leaves import leaves
from ..filters.texts.paths import TextPath
from .reduction import Reduction

if TYPE_CHECKING:
    from ..filters.detect.scanner import Scanner

FINDINGS: Final[dict[str, Any]] = {
    "record_id": pl.String,
    "shard": pl.String,
    "row": pl.Int64,
    "path": pl.String,
    "index": pl.List(pl.Int32),
    "pointer": pl.String,
    "entity": pl.String,
    "start": pl.Int32,
    "end": pl.Int32,
    "score": pl.Float32,
    "operator": pl.String,
}
"""Columns of the list of findings: where, what, how sure, what became of it. No text."""

_NOTHING: Final = pl.DataFrame(schema=FINDINGS)
_SCOPES: Final = {"user": "user_id", "organisation": "org_id"}
SCOPED: Final = ("record_id", *_SCOPES.values())
"""The facts about records that reduction asks for."""


class Reducing:
    """Reduces the survivors of one unit; `facts` are theirs, row for row."""

    def __init__(
        self,
        reduction: Reduction,
        shard: str,
        paths: Sequence[TextPath],
        facts: pl.DataFrame,
        id_column: str,
    ) -> None:
        """Begin before the unit's first row."""
        self.reduction = reduction
        self.shard = shard
        self.paths = paths
        self.id_column = id_column
        self._facts = facts
        self._seen = 0
        self._findings: list[pl.DataFrame] = []
        self.excluded: dict[int, tuple[str, ...]] = {}
        """Survivors that are not released after all, by their place among them: the reasons."""

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Name the columns that get another type: keyed ids are strings."""
        return {self.id_column: pa.string()} if self.reduction.ids else {}

    def __call__(self, table: pa.Table) -> pa.Table:
        """Give the next rows as they are released, see `reduce_together`."""
        return reduce_together([(self, table)])[0]

    def findings(self) -> pl.DataFrame:
        """Give all findings, with the places of survivors as `row`."""
        return pl.concat(self._findings) if self._findings else _NOTHING

    def advance(self, count: int) -> tuple[int, pl.DataFrame]:
        """Give the next rows' place and facts, and count them as seen."""
        begin, self._seen = self._seen, self._seen + count
        return begin, self._facts.slice(begin, count)

    def note(self, findings: pl.DataFrame, excluded: dict[int, tuple[str, ...]]) -> None:
        """Take what was found in its rows, and which of them are excluded for it."""
        if findings.height:
            self._findings.append(findings)
        self.excluded |= excluded


def reduce_together(parts: Sequence[tuple[Reducing, pa.Table]]) -> list[pa.Table]:
    """Give the next rows of units as they are released: of one, or of several that look alike.

    Units look alike if their tables have one schema; text paths are the same then. Which units are
    reduced together changes nothing. Raises UnitError where that fails, without a word of theirs,
    and JobError for ids that are personal information.
    """
    try:
        return _Together(parts).released()
    except CorpusgateError:
        raise
    except Exception as error:  # noqa: BLE001 - its message may quote a text
        what = f"its text cannot be reduced: {type(error).__name__}"
        fix = "report this with the columns' types; leave a column out to go on"
        raise UnitError(parts[0][0].shard, what, fix) from None


class _Together:
    """Some rows of units, one unit after the other."""

    def __init__(self, parts: Sequence[tuple[Reducing, pa.Table]]) -> None:
        self._units = [unit for unit, _ in parts]
        self._reduction = self._units[0].reduction
        self._id_column = self._units[0].id_column
        tables = [table for _, table in parts]
        # One chunk a column: what is written of a slice is what is written of its unit alone.
        self._table = pa.concat_tables(tables).combine_chunks()
        nexts = [unit.advance(len(table)) for unit, table in parts]
        self._facts = pl.concat([facts for _, facts in nexts])
        self._begins = np.array([begin for begin, _ in nexts], np.int64)
        self._ends = np.cumsum([len(table) for table in tables])
        self._starts = self._ends - [len(table) for table in tables]

    def released(self) -> list[pa.Table]:
        """Give each unit's rows as they are released."""
        if self._reduction.telling is not None:
            self._check_ids(self._reduction.telling)
        table = self._table
        keep = np.ones(len(table), dtype=np.bool_)
        if self._reduction.reducer is not None:
            table, excluded = self._reduced(self._reduction.reducer, table)
            keep[list(excluded)] = False
        if self._reduction.ids is not None:
            table = self._with_keyed_ids(self._reduction.ids, table)
        parts = []
        for start, end in zip(self._starts.tolist(), self._ends.tolist(), strict=True):
            kept = keep[start:end]
            part = table.slice(start, end - start)
            parts.append(part if kept.all() else part.filter(pa.array(kept)))
        return parts

    def _reduced(
        self, reducer: Reducer, table: pa.Table
    ) -> tuple[pa.Table, dict[int, tuple[str, ...]]]:
        scope = self._reduction.scope
        whose = _SCOPES.get(scope)
        ids = self._facts["record_id"].to_arrow()
        scopes = scope_ids(scope, ids, self._facts[whose].to_arrow() if whose else None)
        taken = [leaves(table[path.column], path) for path in self._units[0].paths]
        found = reducer.reduce(taken, scopes)
        changed = set()
        for mine, (which, texts) in zip(taken, found.changed, strict=True):
            if not len(which):
                continue
            name = mine.path.column
            place = table.schema.get_field_index(name)
            # Two paths may lead into one column: each change builds on the one before.
            now = leaves(table.column(place), mine.path) if name in changed else mine
            column = now.replaced(which, texts)
            table = table.set_column(place, table.schema.field(place), column)
            changed.add(name)
        self._hand_out(pl.DataFrame(found.findings), found.excluded)
        return table, found.excluded

    def _hand_out(self, findings: pl.DataFrame, excluded: dict[int, tuple[str, ...]]) -> None:
        """Give each unit what was found in its rows, with their places among its survivors."""
        rows = findings["row"].to_numpy()
        unit = np.searchsorted(self._ends, rows, side="right")
        own = {
            "record_id": self._facts["record_id"].gather(rows),
            "shard": pl.Series([each.shard for each in self._units], dtype=pl.String).gather(unit),
            "row": pl.Series(rows - self._starts[unit] + self._begins[unit]),
        }
        listed = findings.select(
            pl.lit(own[name] if name in own else findings[name]).cast(dtype).alias(name)
            for name, dtype in FINDINGS.items()
        )
        counts = np.bincount(unit, minlength=len(self._units)).tolist()
        apart: list[dict[int, tuple[str, ...]]] = [{} for _ in self._units]
        for row, reasons in excluded.items():
            at = int(np.searchsorted(self._ends, row, side="right"))
            apart[at][row - int(self._starts[at]) + int(self._begins[at])] = reasons
        first = 0
        for each, count, mine in zip(self._units, counts, apart, strict=True):
            each.note(listed.slice(first, count), mine)
            first += count

    def _check_ids(self, scanner: Scanner) -> None:
        found = scanner.find(self._facts["record_id"].to_arrow()).text
        if not len(found):
            return
        unit = self._units[int(np.searchsorted(self._ends, found[0], side="right"))]
        what = f"record ids in {unit.shard} are personal information themselves"
        fix = "release keyed ids instead: `record_ids: hmac`, with a key"
        raise JobError("job", (Fault("input.columns.record_id", what, fix),))

    def _with_keyed_ids(self, key: Key, table: pa.Table) -> pa.Table:
        keyed = [key.digest(each.encode()).hex() for each in self._facts["record_id"].to_list()]
        place = table.schema.get_field_index(self._id_column)
        field = table.schema.field(place).with_type(pa.string())
        return table.set_column(place, field, pa.array(keyed, pa.string()))


def after_reduction(verdict: pl.DataFrame, excluded: dict[int, tuple[str, ...]]) -> pl.DataFrame:
    """Exclude the survivors that reduction could not release: `excluded` counts among them."""
    if not excluded:
        return verdict
    rows = verdict["eligible"].arg_true().gather(list(excluded))
    changes = pl.DataFrame(
        {
            "row": rows,
            "eligible": False,
            "reason": [reasons[0] for reasons in excluded.values()],
            "reasons": [list(reasons) for reasons in excluded.values()],
        },
        schema_overrides={"row": pl.UInt32},
    )
    return verdict.with_row_index("row").update(changes, on="row").drop("row")
