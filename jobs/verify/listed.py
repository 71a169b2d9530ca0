"""A unit's decisions and findings, as the run has listed them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...connectors.audit import UnitResult
from ...connectors.folder import Folder
from ...connectors.staged import Written
from ...filters.reduce.operators import Operators
from ...filters.reduce.scopes import Scope, scope_ids
from ...filters.texts.paths import TextPath
from .replay import Listed
from .verdict import Tally
from .vouched import Vouched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_COLUMNS: Final = ("record_id", "eligible", "reason", "out_row")
_OF_TEXTS: Final = ("reasons", "surface", "user_id", "org_id")
_WHOSE: Final = {"user": "user_id", "organisation": "org_id"}


@dataclass(frozen=True)
class Lists:
    """What the run says of a unit's records, row by row, and of what was found in them."""

    unit: UnitResult
    decisions: pa.Table
    findings: pa.Table | None

    @classmethod
    def read(cls, run: Vouched, unit: UnitResult) -> Lists:
        """Read them; what only findings ask for, where the job looks for some.

        Raises ValueError, OSError and what pyarrow does.
        """
        if unit.decisions is None:
            raise ValueError("no decisions")
        looks = run.job.pii is not None or unit.findings is not None
        decisions = _read(run.audit, unit.decisions, [*_COLUMNS, *(_OF_TEXTS if looks else ())])
        findings = None
        if unit.findings is not None:
            findings = _read(run.audit, unit.findings)
        return cls(unit, decisions.combine_chunks(), findings)

    @cached_property
    def eligible(self) -> Bools:
        """Which records are released."""
        return _flags(self.decisions["eligible"])

    @cached_property
    def scanned_out(self) -> Bools:
        """Which records are excluded for what was found in them, and would be released else."""
        return _flags(pc.starts_with(self.decisions["reason"], "pii:")) & ~self.eligible

    @cached_property
    def rows(self) -> Ints:
        """The row in its unit of each finding."""
        if self.findings is None:
            return np.zeros(0, np.int64)
        return np.asarray(self.findings["row"].to_numpy(), np.int64) - self.unit.row_offset

    def conserve(self, run: Vouched, tally: Tally) -> None:
        """Count rows: in the lists, and in what the run says of them."""
        unit, eligible = self.unit, self.eligible
        counts = (unit.rows, unit.eligible, unit.excluded)
        holds = counts == (len(eligible), int(eligible.sum()), int((~eligible).sum()))
        if unit.purge_list is not None:
            with run.audit.open_input_file(unit.purge_list.path) as file:
                listed = pq.read_metadata(file).num_rows
            holds = holds and unit.purge == listed
        wrong = "the rows listed are not the eligible and the excluded ones counted"
        tally.settle("conservation", unit.shard, wrong=wrong, holds=holds)
        places = self.decisions["out_row"].fill_null(-1).to_numpy()
        expected = np.where(eligible, np.cumsum(eligible) - 1, -1)
        odd = int((places != expected).sum())
        tally.wrong("decisions", unit.shard, "a record's place in what is released differs", odd)

    def of_no_record(self) -> int:
        """Count the findings that are of no record that was looked at."""
        inside = (self.rows >= 0) & (self.rows < len(self.decisions))
        looked = self.eligible | self.scanned_out
        known = inside.copy()
        known[inside] = looked[self.rows[inside]]
        if self.findings is not None and inside.all():
            names = self.decisions["record_id"].take(pa.array(self.rows))
            known &= _flags(pc.equal(names.cast(pa.string()), self.findings["record_id"]))
        return int((~known).sum())

    def found(self) -> Counter[tuple[str, str]]:
        """Count findings by surface and entity."""
        if self.findings is None:
            return Counter()
        surfaces = self.decisions["surface"].take(pa.array(self.rows)).to_pylist()
        entities = self.findings["entity"].to_pylist()
        return Counter(zip((name or "unknown" for name in surfaces), entities, strict=True))

    def foreign(self, operators: Operators, texts: Sequence[str]) -> int:
        """Count findings whose operator or path is none that the job gives them."""
        if self.findings is None:
            return 0
        columns = (self.findings[name].to_pylist() for name in ("entity", "operator", "path"))
        known = Counter(zip(*columns, strict=True))
        return sum(
            count
            for (entity, operator, path), count in known.items()
            if operators.of(entity).type != operator or path not in texts
        )

    def scopes(self, scope: Scope, kept: Bools) -> pa.Array | None:
        """Give the scopes of some records' pseudonyms; None for the scope `run`."""
        some = self.decisions.filter(pa.array(kept))
        whose = _WHOSE.get(scope)
        return scope_ids(scope, some["record_id"], some[whose] if whose else None)


def _read(audit: Folder, file: Written, columns: Sequence[str] | None = None) -> pa.Table:
    with audit.open_input_file(file.path) as opened:
        return pq.ParquetFile(opened).read(columns)


def _flags(column: pa.ChunkedArray) -> Bools:
    filled = pc.fill_null(column, fill_value=False)
    return np.asarray(filled.to_numpy(zero_copy_only=False), np.bool_)


class Replaced:
    """The findings of released records that were replaced, by column and place among them."""

    def __init__(self, lists: Lists, paths: Sequence[TextPath]) -> None:
        """Sort a unit's findings."""
        self._columns: dict[str, tuple[Ints, pa.Table]] = {}
        self._steps = {path.text: path.steps for path in paths}
        if lists.findings is None:
            return
        places = np.cumsum(lists.eligible) - 1
        operator = pc.not_equal(lists.findings["operator"], "keep")
        changed = _flags(operator) & lists.eligible[lists.rows]
        of_path = np.array([path.text for path in paths], dtype=object)
        given = np.asarray(lists.findings["path"].to_numpy(zero_copy_only=False))
        for name in {path.column for path in paths}:
            mine = np.isin(given, of_path[[path.column == name for path in paths]])
            which = np.flatnonzero(changed & mine)
            which = which[np.argsort(lists.rows[which], kind="stable")]
            self._columns[name] = places[lists.rows[which]], lists.findings.take(pa.array(which))

    def of(self, column: str, begin: int, stop: int) -> tuple[Ints, list[Listed]]:
        """Give a column's findings in the released records `begin` to `stop`, and their places."""
        if column not in self._columns:
            return np.zeros(0, np.int64), []
        places, found = self._columns[column]
        first, last = np.searchsorted(places, [begin, stop]).tolist()
        return places[first:last] - begin, _listed(found.slice(first, last - first), self._steps)


def _listed(found: pa.Table, steps: Mapping[str, Any]) -> list[Listed]:
    columns = [found[name].to_pylist() for name in ("path", "index", "pointer", "start", "end")]
    return [
        Listed(steps[path], tuple(index), pointer, start, end, entity)
        for path, index, pointer, start, end, entity in zip(
            *columns, found["entity"].to_pylist(), strict=True
        )
    ]
