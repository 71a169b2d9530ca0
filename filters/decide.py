"""Decide records: which may be used for a purpose, and why or why not.

    frame ─▶ conform ─▶ derive (as-of state) ─▶ evaluate each rule ─▶ reasons

No I/O and no clock; the order of rows is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

from .document import suggest
from .errors import Fault, PolicyError, SchemaError
from .parse import parse_time
from .policy import BoundPolicy, BoundRule, Policy
from .predicate import FALSE
from .provenance import conform, id_kinds
from .registers import RegisterSet
from .schema import PROVENANCE, PURPOSES
from .state import States
from .to_polars import TIMESTAMP, to_polars

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame, pa.Table)

VERDICT: Final = {"eligible": pl.Boolean(), "reason": pl.String(), "reasons": pl.List(pl.String())}
NO_PERMIT: Final = "no-permit"

_BITS: Final = 62  # labels that one Int64 can carry without its sign


def decide(
    frame: Frame,
    policy: Policy,
    registers: RegisterSet,
    *,
    purpose: str,
    as_of: datetime | str,
    for_org: str | None = None,
) -> Frame:
    """Decide every record of a frame with provenance columns under a policy.

    Takes a Polars DataFrame or LazyFrame, or an Arrow table, and gives the same kind back: all
    its rows and columns in order, and behind them `eligible` (bool), `reason` (string) and
    `reasons` (list of strings). A provenance column that the frame lacks is NULL for every
    record: unknown. Record ids must be unique within the frame.

    Raises PolicyError for an unknown purpose, SchemaError for a column that cannot be read, and
    RegisterError for a register that rules read and that is not there.

    >>> from corpusgate import Registers, load_policy
    >>> frame = pl.DataFrame({"record_id": ["1", "2"], "surface": ["public_web", "enterprise"]})
    >>> nothing = Registers(empty=["consent", "accounts", "deletions", "holds"])
    >>> decided = decide(frame, load_policy("openai-api-data"), nothing,
    ...                  purpose="pretraining", as_of="2023-08-01T00:00:00Z")
    >>> decided["reason"].to_list()
    ['public', 'enterprise-surface']
    """
    bound = bind(policy, purpose=purpose, as_of=as_of, for_org=for_org)
    judge = Judge.prepare(bound, registers)
    if isinstance(frame, pl.LazyFrame):
        schema = frame.collect_schema()
        _no_clash(schema.names())
        registers.match_ids(id_kinds(schema))
        return frame.map_batches(
            lambda rows: rows.hstack(judge(rows).select(*VERDICT)),
            schema=pl.Schema({**schema, **VERDICT}),
            projection_pushdown=False,
            slice_pushdown=False,
        )
    if isinstance(frame, pa.Table):
        _no_clash(frame.column_names)
        narrow = pl.DataFrame(frame.select([n for n in frame.column_names if n in PROVENANCE]))
        registers.match_ids(id_kinds(narrow.schema))
        verdict = judge(narrow).select(*VERDICT).to_arrow()
        table: pa.Table = frame
        for name in VERDICT:
            table = table.append_column(name, verdict[name])
        return table  # type: ignore[no-any-return]
    _no_clash(frame.columns)
    registers.match_ids(id_kinds(frame.schema))
    decided: pl.DataFrame = frame.hstack(judge(frame).select(*VERDICT))
    return decided


def bind(
    policy: Policy, *, purpose: str, as_of: datetime | str, for_org: str | None = None
) -> BoundPolicy:
    """Settle what a run decides for. Raises PolicyError where that makes no sense."""
    faults = []
    if purpose not in PURPOSES:
        faults.append(Fault("purpose", f"unknown purpose `{purpose}`", suggest(purpose, PURPOSES)))
    if (purpose == "custom_model") != (for_org is not None):
        what = "goes with purpose custom_model, and only with it"
        faults.append(Fault("for_org", what, "name the one organisation whose model it is"))
    if for_org is not None and not for_org.strip():
        faults.append(Fault("for_org", "it is blank", "name the one organisation"))
    moment = datetime.min.replace(tzinfo=UTC)
    try:
        moment = parse_time(as_of if isinstance(as_of, str) else as_of.isoformat())
    except ValueError:
        fix = "write 2023-08-01T00:00:00Z"
        faults.append(Fault("as_of", "no time with an offset", fix))
    if faults:
        raise PolicyError(policy.name, tuple(faults))
    return policy.bind(purpose=purpose, as_of=moment, for_org=for_org)


@dataclass(frozen=True)
class Label:
    """One thing that can hold for a record, with its reason and whether it excludes."""

    reason: str
    excludes: bool
    holds: pl.Expr


@dataclass(frozen=True)
class Judge:
    """A policy and its registers, ready to decide one frame after another."""

    policy: BoundPolicy
    states: States
    labels: tuple[Label, ...]

    @classmethod
    def prepare(cls, policy: BoundPolicy, registers: RegisterSet) -> Judge:
        """Prepare once a run. Raises RegisterError if rules read a register that is not there."""
        registers.require(policy.registers())
        return cls(policy, States.prepare(registers, policy), tuple(_labels(policy)))

    def __call__(self, frame: pl.DataFrame, duplicates: pl.Series | None = None) -> pl.DataFrame:
        """Decide a frame of provenance columns, row for row.

        `duplicates` names record ids that are known to stand elsewhere, too. Gives `eligible`,
        `reason`, `reasons`, and `purge_reason` and `purge_deadline`, NULL where nothing is due.
        """
        return self.verdict(self.facts(self.records([frame], duplicates)))

    def records(
        self, units: Sequence[pl.DataFrame], duplicates: pl.Series | None = None
    ) -> pl.DataFrame:
        """Give the provenance of units' records, one unit after the other.

        Says which of their ids stand twice in their unit. Raises SchemaError, see `require_types`.
        """
        alike = (list(same) for _, same in groupby(units, key=lambda frame: frame.schema))
        records = pl.concat([conform(pl.concat(frames)) for frames in alike])
        ids = records["record_id"]
        again = _repeated(ids, [frame.height for frame in units])
        if duplicates is not None:
            again |= ids.is_in(duplicates.implode()).fill_null(value=False)
        return records.with_columns(again.alias("duplicate_id"))

    def facts(self, records: pl.DataFrame) -> pl.DataFrame:
        """Give everything that rules read about records, of one unit or several together."""
        return records.hstack(self.states.derive(records))

    def truths(self, facts: pl.DataFrame) -> pl.LazyFrame:
        """Evaluate every rule behind the facts: columns `0`, `1`, …, in the order of `rules`."""
        return facts.lazy().with_columns(
            to_polars(bound.condition).alias(str(index))
            for index, bound in enumerate(self.policy.rules)
        )

    def verdict(self, facts: pl.DataFrame) -> pl.DataFrame:
        """Turn facts into decisions."""
        truths = self.truths(facts).collect()
        held = truths.select(label.holds.alias(str(i)) for i, label in enumerate(self.labels))
        # Of all that could hold, a unit meets little.
        met = [index for index in range(len(self.labels)) if held[str(index)].any()]
        words = [met[start : start + _BITS] for start in range(0, len(met), _BITS)] or [[]]
        names = [f"mask{index}" for index in range(len(words))]
        decided = held.with_columns(
            _mask(word).alias(name) for name, word in zip(names, words, strict=True)
        ).select(names)
        meanings = self._meanings(decided.unique(maintain_order=True), words)
        due = (
            truths.lazy()
            .with_row_index()
            .filter(self._is_due())
            .select("index", *self._purge())
            .collect()
        )
        return (
            decided.with_row_index()
            .join(meanings, on=names, how="left", maintain_order="left")
            .join(due, on="index", how="left", maintain_order="left")
            .drop(*names, "index")
        )

    def _meanings(self, masks: pl.DataFrame, words: list[list[int]]) -> pl.DataFrame:
        """Spell out each combination of labels that occurs: some hundred, not one per record."""
        rows = []
        for mask in masks.iter_rows():
            held = [
                self.labels[index]
                for bits, word in zip(mask, words, strict=True)
                for bit, index in enumerate(word)
                if bits >> bit & 1
            ]
            excluding = [label.reason for label in held if label.excludes]
            reasons = excluding or [label.reason for label in held]
            rows.append((*mask, not excluding, reasons[0], reasons))
        return pl.DataFrame(rows, schema={**masks.schema, **VERDICT}, orient="row")

    def _purging(self) -> list[tuple[BoundRule, pl.Expr]]:
        """List the forbids that purge, each with where it is TRUE."""
        first = len(self.policy.inputs)
        return [
            (bound, pl.col(str(first + index)).fill_null(value=False))
            for index, bound in enumerate(self.policy.forbids)
            if bound.deadline is not None and bound.condition != FALSE
        ]

    def _is_due(self) -> pl.Expr:
        """Say which records are due to be deleted: an unknown hold counts as held."""
        held = pl.col("on_hold").fill_null(value=True)
        purging = [true for _, true in self._purging()]
        return pl.any_horizontal(purging) & ~held if purging else pl.lit(value=False)

    def _purge(self) -> list[pl.Expr]:
        """Find the earliest deadline of a due record, then the first rule that gives it."""
        due = [
            (bound.rule.id, true, to_polars(bound.deadline))
            for bound, true in self._purging()
            if bound.deadline is not None
        ]
        if not due:
            return [pl.lit(None, pl.String).alias("purge_reason"), _NO_TIME.alias("purge_deadline")]
        earliest = pl.min_horizontal(pl.when(true).then(deadline) for _, true, deadline in due)
        reason = pl.coalesce(
            pl.when(true & deadline.eq_missing(earliest)).then(pl.lit(name))
            for name, true, deadline in due
        )
        return [reason.alias("purge_reason"), earliest.alias("purge_deadline")]


def _mask(word: list[int]) -> pl.Expr:
    """Put up to `_BITS` truths into one number."""
    zero = pl.lit(0, dtype=pl.Int64)
    bits = (
        pl.when(str(index)).then(pl.lit(1 << bit, dtype=pl.Int64)).otherwise(zero)
        for bit, index in enumerate(word)
    )
    return pl.sum_horizontal(zero, *bits)


_NO_TIME: Final = pl.lit(None, dtype=TIMESTAMP)


def _labels(policy: BoundPolicy) -> list[Label]:
    """List what can hold, in the order of reasons. A forbid holds when TRUE or NULL."""
    labels: list[Label] = []
    permits: list[pl.Expr] = []
    for index, bound in enumerate(policy.rules):
        truth = pl.col(str(index))
        true = truth.fill_null(value=False)
        if bound.condition == FALSE:
            continue  # this run cannot reach it
        if bound.rule.effect == "permit":
            permits.append(true)
            continue
        labels.append(Label(bound.reason, excludes=True, holds=true))
        if bound.rule.effect == "forbid":
            labels.append(Label(f"{bound.reason}?", excludes=True, holds=truth.is_null()))
    reached = [bound for bound in policy.permits if bound.condition != FALSE]
    none = ~pl.any_horizontal(permits) if permits else pl.lit(value=True)
    labels.append(Label(NO_PERMIT, excludes=True, holds=none))
    for bound, true in zip(reached, permits, strict=True):
        labels.append(Label(bound.reason, excludes=False, holds=true))
    return labels


def _repeated(ids: pl.Series, sizes: Sequence[int]) -> pl.Series:
    """Say which ids stand more than once in their unit, of so many rows; NULL never does."""
    # Equal ids have equal hashes: as many hashes as rows means that all differ.
    if ids.hash().n_unique() == len(ids):
        return pl.repeat(value=False, n=len(ids), eager=True)
    if len(sizes) == 1:
        return ids.is_duplicated() & ids.is_not_null()
    unit = pl.Series("unit", np.repeat(np.arange(len(sizes)), sizes))
    return pl.DataFrame([unit, ids]).is_duplicated() & ids.is_not_null()


def _no_clash(names: list[str]) -> None:
    for name in VERDICT:
        if name in names:
            raise SchemaError(f"column `{name}`", "the frame has one already", "rename or drop it")
