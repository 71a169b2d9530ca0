"""The records of units once it is settled which are released: the lists of them, and counts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from ..filters.schema import PARTS, SURFACES
from .plan import Unit
from .reducing import Reducing, after_reduction

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

RECHECK: Final = (
    "surface",
    "part",
    "submitted_at",
    "license_ends_at",
    "org_id",
    "user_id",
    "end_user_id",
    "file_id",
    "conversation_id",
    "model",
)
"""What a later look at the registers needs to find a record again."""


class Records:
    """The records of some units, one unit after the other.

    `facts` and `verdicts` have a unit's records row for row, and `reducing` what reduction came to:
    what it excluded is no longer eligible here.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        facts: Sequence[pl.DataFrame],
        verdicts: Sequence[pl.DataFrame],
        reducing: Sequence[Reducing],
    ) -> None:
        """Put them together: a frame of many rows costs little more than one of few."""
        self._units = units
        self._looked_at = any(each.reduction.reducer is not None for each in reducing)
        self._facts = pl.concat(facts)
        rows = [frame.height for frame in facts]
        self._unit = np.repeat(np.arange(len(units)), rows)
        starts = np.cumsum([0, *rows])[:-1]
        self._offsets = np.array([unit.row_offset for unit in units]) - starts
        verdict = pl.concat(verdicts)
        survivors = verdict["eligible"].arg_true().to_numpy().astype(np.int64)
        # The place of each unit's first survivor among all of them.
        firsts = np.searchsorted(survivors, starts)
        excluded = {
            first + place: reasons
            for first, each in zip(firsts.tolist(), reducing, strict=True)
            for place, reasons in each.excluded.items()
        }
        self._verdict = after_reduction(verdict, excluded)
        self._eligible = self._verdict["eligible"].to_numpy()
        self._due = np.flatnonzero(self._verdict["purge_reason"].is_not_null())
        findings = [each.findings() for each in reducing]
        self._findings = pl.concat(findings)
        self._found_in = np.repeat(np.arange(len(units)), [frame.height for frame in findings])
        places = self._findings["row"].to_numpy() + firsts[self._found_in]
        self._found_at = survivors[places]

    def lists(self) -> Iterator[dict[str, pa.Table]]:
        """Give the lists of each unit: `decisions`, `purge`, and `findings` if they were sought."""
        lists = {
            "decisions": self._apart(self._decisions(), self._unit),
            "purge": self._apart(self._purge(), self._unit[self._due]),
        }
        if self._looked_at:
            row = pl.Series("row", self._found_at + self._offsets[self._found_in])
            lists["findings"] = self._apart(self._findings.with_columns(row), self._found_in)
        for tables in zip(*lists.values(), strict=True):
            yield dict(zip(lists, tables, strict=True))

    def counts(self) -> Iterator[dict[str, Any]]:
        """Count the records of each unit, as UnitResult has it."""
        surface = _known(self._facts["surface"], SURFACES).fill_null("unknown")
        verdict = [self._verdict["eligible"], self._verdict["reason"]]
        counts = self._counted(self._unit, surface, *verdict)
        found = self._counted(
            self._found_in, self._facts["surface"].gather(self._found_at), self._findings["entity"]
        )
        rows = self._sizes(self._unit)
        eligible = self._sizes(self._unit[self._eligible])
        purge = self._sizes(self._unit[self._due])
        for n in range(len(self._units)):
            yield {
                "rows": rows[n],
                "eligible": eligible[n],
                "excluded": rows[n] - eligible[n],
                "purge": purge[n],
                "counts": counts[n],
                "found": found[n],
            }

    def _decisions(self) -> pl.DataFrame:
        released = np.cumsum([0, *self._sizes(self._unit[self._eligible])])[self._unit]
        names = pl.Series([unit.name for unit in self._units], dtype=pl.String)
        known = {"surface": SURFACES, "part": PARTS}
        return pl.DataFrame(
            [
                self._facts["record_id"],
                *(self._verdict[name] for name in ("eligible", "reason", "reasons")),
                names.gather(self._unit).alias("shard"),
                pl.Series("row", np.arange(len(self._unit)) + self._offsets[self._unit]),
                pl.Series("out_row", np.cumsum(self._eligible) - 1 - released).set(
                    ~self._verdict["eligible"], None
                ),
                # What is in no vocabulary may be anything, text included: it stays behind.
                *(
                    _known(self._facts[name], known[name]) if name in known else self._facts[name]
                    for name in RECHECK
                ),
            ]
        )

    def _purge(self) -> pl.DataFrame:
        columns = {
            "record_id": self._facts["record_id"],
            "reason": self._verdict["purge_reason"],
            "deadline": self._verdict["purge_deadline"],
        }
        return pl.DataFrame([column.alias(name) for name, column in columns.items()])[self._due]

    def _sizes(self, unit: Ints) -> list[int]:
        """Count what each unit has; `unit` says of what there is whose it is."""
        sizes: list[int] = np.bincount(unit, minlength=len(self._units)).tolist()
        return sizes

    def _apart(self, frame: pl.DataFrame, unit: Ints) -> Iterator[pa.Table]:
        """Cut a frame into that of each unit."""
        # One chunk a column: which other units there were must not show in the files.
        table, start = frame.rechunk().to_arrow().combine_chunks(), 0
        for size in self._sizes(unit):
            yield table.slice(start, size)
            start += size

    def _counted(self, unit: Ints, *columns: pl.Series) -> list[tuple[Any, ...]]:
        """Count what each unit has by the values of columns."""
        frame = pl.LazyFrame([pl.Series("unit", unit), *columns])
        names = ["unit", *(column.name for column in columns)]
        apart: list[list[Any]] = [[] for _ in self._units]
        for which, *row in frame.group_by(names).len().sort(names).collect().rows():
            apart[which].append(tuple(row))
        return [tuple(rows) for rows in apart]


def _known(column: pl.Series, vocabulary: Collection[str]) -> pl.Series:
    """Give the values that are in a vocabulary; all others are NULL."""
    return column.set(~column.is_in(list(vocabulary)).fill_null(value=True), None)
