"""One unit's survivors on their way into the released file: texts reduced, ids keyed.

Rows come in order, some thousand at a time. What was found is kept until the unit is done: which
records are excluded after all, and the list of findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from ..filters.errors import CorpusgateError, Fault, JobError, UnitError
from ..filters.reduce.reducer import Reducer
from ..filters.reduce.scopes import scope_ids
from ..filters.texts.leaves import leaves
from ..filters.texts.paths import TextPath
from .reduction import Reduction

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

_SCOPES: Final = {"user": "user_id", "organisation": "org_id"}


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
        self._reduction = reduction
        self._shard = shard
        self._paths = paths
        self._facts = facts
        self._id_column = id_column
        self._seen = 0
        self._findings: list[pl.DataFrame] = []
        self.excluded: dict[int, tuple[str, ...]] = {}
        """Survivors that are not released after all, by their place among them: the reasons."""

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Name the columns that get another type: keyed ids are strings."""
        return {self._id_column: pa.string()} if self._reduction.ids else {}

    def __call__(self, table: pa.Table) -> pa.Table:
        """Give the next rows as they are released.

        Raises UnitError where that fails, without a word of theirs, and JobError for ids that
        are personal information.
        """
        try:
            return self._released(table)
        except CorpusgateError:
            raise
        except Exception as error:  # noqa: BLE001 - its message may quote a text
            what = f"its text cannot be reduced: {type(error).__name__}"
            fix = "report this with the columns' types; leave a column out to go on"
            raise UnitError(self._shard, what, fix) from None

    def findings(self) -> pl.DataFrame:
        """Give all findings, with the places of survivors as `row`."""
        return pl.concat([pl.DataFrame(schema=FINDINGS), *self._findings])

    def _released(self, table: pa.Table) -> pa.Table:
        begin, self._seen = self._seen, self._seen + len(table)
        facts = self._facts.slice(begin, len(table))
        if self._reduction.telling is not None:
            self._check_ids(facts["record_id"])
        keep = np.ones(len(table), dtype=np.bool_)
        if self._reduction.reducer is not None:
            table, excluded = self._reduced(self._reduction.reducer, table, facts, begin)
            keep[list(excluded)] = False
            self.excluded |= {begin + row: reasons for row, reasons in excluded.items()}
        if self._reduction.ids is not None:
            table = self._with_keyed_ids(table, facts["record_id"])
        return table if keep.all() else table.filter(pa.array(keep))

    def _reduced(
        self, reducer: Reducer, table: pa.Table, facts: pl.DataFrame, begin: int
    ) -> tuple[pa.Table, dict[int, tuple[str, ...]]]:
        scope = self._reduction.scope
        whose = _SCOPES.get(scope)
        scopes = scope_ids(
            scope, facts["record_id"].to_arrow(), facts[whose].to_arrow() if whose else None
        )
        taken = [leaves(table[path.column], path) for path in self._paths]
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
        if len(found.findings):
            rows = pl.DataFrame(found.findings)
            own = {
                "record_id": pl.lit(facts["record_id"]).gather(pl.col("row")),
                "shard": pl.lit(self._shard),
                "row": pl.col("row") + begin,
            }
            self._findings.append(
                rows.select(
                    own.get(name, pl.col(name)).cast(dtype).alias(name)
                    for name, dtype in FINDINGS.items()
                )
            )
        return table, found.excluded

    def _check_ids(self, ids: pl.Series) -> None:
        scanner = self._reduction.telling
        if scanner is None or not len(scanner.find(ids.to_arrow()).text):
            return
        what = f"record ids in {self._shard} are personal information themselves"
        fix = "release keyed ids instead: `record_ids: hmac`, with a key"
        raise JobError("job", (Fault("input.columns.record_id", what, fix),))

    def _with_keyed_ids(self, table: pa.Table, ids: pl.Series) -> pa.Table:
        key = self._reduction.ids
        keyed = [key.digest(each.encode()).hex() for each in ids.to_list()] if key else []
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
