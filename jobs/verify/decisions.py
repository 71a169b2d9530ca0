"""A unit's decisions and its purge list, as decided again and as the run has listed them.

Columns are compared as they lie in memory. Only those that differ are looked at value by value, to
count the records. A record that the run excluded for the personal information in it is eligible
here: whether it had to be is asked of a scan (`released.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...connectors.audit import UnitResult
from ...connectors.folder import Folder
from ...connectors.staged import Written
from ...filters.errors import SchemaError
from ...filters.reduce.record_rules import TOO_DENSE
from ...filters.reduce.reducer import UNREADABLE
from ...filters.schema import PARTS, SURFACES
from .verdict import Tally
from .vouched import Vouched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]

_TIME: Final = pa.timestamp("us", "UTC")
_TEXT: Final = pa.large_string()
_TIMES: Final = ("submitted_at", "license_ends_at")
_VOCABULARY: Final = {"surface": SURFACES, "part": PARTS}
FACTS: Final = (*_VOCABULARY, *_TIMES, "org_id", "user_id", "end_user_id", "file_id",
                "conversation_id", "model")  # fmt: skip
ANSWERS: Final = pa.schema(
    {"eligible": pa.bool_(), "reason": _TEXT, "reasons": pa.large_list(_TEXT)}
)
_DECISIONS: Final = pa.schema(
    {
        "record_id": _TEXT,
        **{field.name: field.type for field in ANSWERS},
        "shard": _TEXT,
        "row": pa.int64(),
        **{name: _TIME if name in _TIMES else _TEXT for name in FACTS},
    }
)
DUE: Final = pa.schema({"record_id": _TEXT, "reason": _TEXT, "deadline": _TIME})
_SCANNED: Final = (UNREADABLE, TOO_DENSE)


@dataclass(frozen=True)
class Decided:
    """A unit's records decided again: provenance, the answers beside it, and what is due of them.

    Provenance that is not mapped is not there.
    """

    unit: UnitResult
    records: pa.Table
    answers: pa.Table
    due: pa.Table


@dataclass(frozen=True)
class Listed:
    """What the run has listed of a unit."""

    decisions: pa.Table
    purge: pa.Table

    @classmethod
    def read(cls, run: Vouched, unit: UnitResult) -> Listed:
        """Read it. Raises SchemaError, OSError, ArrowException."""
        return cls(
            _read(run.audit, unit, unit.decisions, _DECISIONS),
            _read(run.audit, unit, unit.purge_list, DUE),
        )

    def reasons(self) -> Counter[tuple[str, str]]:
        """Count records by surface and reason."""
        pairs = self.decisions.select(["surface", "reason"]).group_by(["surface", "reason"])
        counts = pairs.aggregate([([], "count_all")])
        columns = (counts[name].to_pylist() for name in ("surface", "reason", "count_all"))
        return Counter({(s or "unknown", r): count for s, r, count in zip(*columns, strict=True)})


def _read(audit: Folder, unit: UnitResult, file: Written | None, schema: pa.Schema) -> pa.Table:
    if file is None:
        raise SchemaError(unit.shard, "it has no such list")
    with audit.open_input_file(file.path) as opened:
        table = pq.ParquetFile(opened).read(schema.names, use_threads=False)
    return table.select(schema.names).cast(schema)


def compare(decided: Decided, listed: Listed, tally: Tally, *, reduced: bool) -> None:
    """Compare record by record; where the job looks for nothing, nothing is excluded for it."""
    unit, theirs = decided.unit, listed.decisions
    both = min(len(decided.records), len(theirs))
    records, answers = decided.records.slice(0, both), decided.answers.slice(0, both)
    theirs = theirs.slice(0, both)
    every = np.ones(both, np.bool_)
    place = pa.table(
        {
            "row": pa.array(np.arange(unit.row_offset, unit.row_offset + both), pa.int64()),
            "shard": pa.repeat(pa.scalar(unit.shard, _TEXT), both),
        }
    )
    another = _apart(records, theirs, ["record_id"], every)
    asked = ~another
    if reduced:
        asked = asked & ~_scanned_out(answers, theirs)
    eligible = _apart(answers, theirs, ["eligible"], asked)
    reasons = _apart(answers, theirs, ["reason", "reasons"], asked & ~eligible)
    counts = {
        "a record has no decision": len(decided.records) - both,
        "a decision is of no record": len(listed.decisions) - both,
        "a decision stands in the wrong place": _apart(place, theirs, place.column_names, every),
        "a decision is of another record": another,
        "a record's eligibility differs": eligible,
        "a record's reasons differ": reasons,
        "a record's provenance differs": _apart(_facts(records), theirs, FACTS, ~another),
    }
    _count("decisions", unit, counts, (len(decided.records), len(listed.decisions)), tally)
    _compare_purge(decided, listed, tally)


def _compare_purge(decided: Decided, listed: Listed, tally: Tally) -> None:
    """Compare the lists of what is due, line by line."""
    due = decided.due
    both = min(len(due), len(listed.purge))
    ours, theirs = due.slice(0, both), listed.purge.slice(0, both)
    counts = {
        "a record that is due is not listed": len(due) - both,
        "a record that is not due is listed": len(listed.purge) - both,
        "an entry differs": _apart(ours, theirs, DUE.names, np.ones(both, np.bool_)),
    }
    _count("purge", decided.unit, counts, (len(due), len(listed.purge)), tally)


def _count(
    check: str,
    unit: UnitResult,
    kinds: dict[str, int | Any],
    lengths: tuple[int, int],
    tally: Tally,
) -> None:
    wrong = {kind: int(np.sum(which)) for kind, which in kinds.items()}
    for kind, count in wrong.items():
        tally.wrong(check, unit.shard, kind, count)
    tally.right(check, max(0, max(lengths) - max(wrong.values())))


def _apart(ours: pa.Table, theirs: pa.Table, names: Sequence[str], which: Bools) -> Bools:
    """Say which of some rows differ in one of these columns; NULL is a value."""
    apart = np.zeros(len(which), np.bool_)
    rows = np.flatnonzero(which)
    for name in names:
        one, other = ours[name], theirs[name]
        if len(rows) and not one.equals(other):
            some = pa.array(rows)
            pairs = zip(one.take(some).to_pylist(), other.take(some).to_pylist(), strict=True)
            apart[rows] |= np.array([mine != listed for mine, listed in pairs], np.bool_)
    return apart


def _facts(records: pa.Table) -> pa.Table:
    """Give provenance as lists have it: surfaces and parts that nobody knows are left out."""
    columns = {}
    for name in FACTS:
        field = _DECISIONS.field(name)
        if name not in records.column_names:
            columns[name] = pa.nulls(len(records), field.type)
            continue
        columns[name] = records[name]
        if name in _VOCABULARY:
            known = pc.is_in(records[name], pa.array(_VOCABULARY[name], field.type))
            columns[name] = pc.if_else(known, records[name], pa.scalar(None, field.type))
    return pa.table(columns)


def _scanned_out(answers: pa.Table, theirs: pa.Table) -> Bools:
    """Say which records the run excluded for their texts alone, which is no question of SQL."""
    scanned = pc.is_in(theirs["reason"], pa.array(_SCANNED, _TEXT))
    out = pc.and_(scanned, pc.and_(answers["eligible"], pc.invert(theirs["eligible"])))
    rows = np.flatnonzero(np.asarray(out.fill_null(False).to_numpy(zero_copy_only=False)))  # noqa: FBT003
    some = theirs.take(pa.array(rows))
    found = np.zeros(len(theirs), np.bool_)
    found[rows] = [
        bool(reasons) and reasons[0] == reason and set(reasons) <= {*_SCANNED}
        for reason, reasons in zip(
            some["reason"].to_pylist(), some["reasons"].to_pylist(), strict=True
        )
    ]
    return found
