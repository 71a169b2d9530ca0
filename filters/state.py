"""What the registers say about each record at its time: the derived columns.

Once a run, `States.prepare` settles ties, drops what cannot count (opt-ins after `as_of`, consent
for other purposes) and gives every subject a number, its key. For each unit, `derive` looks up its
subjects' keys, and finds each one's state as of the submission.

Time is settled by three rules. An opt_in counts from the later of `effective_at` and
`recorded_at`, strictly before the submission: its instant is moved one microsecond on, so that
"at or before" says just that. An opt_out counts from the earlier of the two, inclusive. At one
instant the opt_out, and the stricter account, wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

import numpy as np
import polars as pl

from .policy import BoundPolicy
from .provenance import normal_model
from .registers import Register, RegisterSet
from .schema import API_SURFACES, CONSENT_SUBJECTS, DERIVED, SUBJECTS, SURFACES
from .timeline import (
    NEVER,
    NO_KEY,
    Flags,
    Integers,
    Timeline,
    earliest,
    instants,
    latest,
)
from .to_polars import DTYPES, TIMESTAMP

_TICK: Final = timedelta(microseconds=1)
_TRAINABLE, _UNKNOWN, _BUSINESS = 0, 1, 2
_AFTER_ALL: Final = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Rows:
    """What of a unit's records the registers are asked about.

    `at` is the submission, NEVER where unknown; `keys` has, for each column that holds subjects,
    every row's key, NO_KEY where no register names it.
    """

    at: Integers
    surface: pl.Series
    keys: dict[str, Integers]

    @property
    def timed(self) -> Flags:
        """Say where the submission time is known."""
        known: Flags = self.at != NEVER
        return known

    def __len__(self) -> int:
        """Count the records."""
        return len(self.at)


@dataclass(frozen=True)
class Consent:
    """Consent of one subject kind.

    A subject stands in `width` lanes, sets of surfaces between which no event makes a difference:
    lane `l` of subject `s` has the key `s * width + l`. `lanes` maps each surface to its own,
    `other` is the lane of surfaces that nobody knows. `events` has `out`, TRUE for an opt_out;
    `last_out` is the last opt_out of each key.
    """

    events: Timeline
    last_out: Integers
    lanes: dict[str, int]
    other: int

    @property
    def width(self) -> int:
        """Count the lanes."""
        return 1 + max(self.other, *self.lanes.values())


@dataclass(frozen=True)
class Accounts:
    """Accounts by organisation; of each the last instant at which it was something strict."""

    events: Timeline
    business: Integers
    unknown: Integers
    baa: Integers


@dataclass(frozen=True)
class Deletions:
    """Deletions of one subject kind.

    `always` is each key's earliest request without a scope. `scoped` has the others on a time that
    runs backwards: the last scope at or before a submission, looked at from the end, is the
    nearest that still covers it.
    """

    always: Integers
    scoped: Timeline


@dataclass(frozen=True)
class States:
    """All registers of a run, prepared. A register that was not given is None.

    `numbers` has, for each column that holds subjects, the id and key of every subject.
    """

    numbers: dict[str, pl.DataFrame]
    consent: dict[str, Consent] | None
    accounts: Accounts | None
    deletions: dict[str, Deletions] | None
    holds: dict[str, Flags] | None

    @classmethod
    def prepare(cls, registers: RegisterSet, policy: BoundPolicy) -> States:
        """Build the tables that `derive` looks things up in, once a run."""
        events = {
            (name, kind): _of_kind(register, kind)
            for name, register in registers.given().items()
            for kind in sorted(register.kinds())
        }
        numbers = {
            column: _numbered([e for (_, kind), e in events.items() if SUBJECTS[kind] == column])
            for column in {SUBJECTS[kind] for _, kind in events}
        }
        keyed: dict[str, dict[str, _Events]] = {name: {} for name in registers.given()}
        for (name, kind), frame in events.items():
            subjects = numbers[SUBJECTS[kind]]
            rows = frame.join(subjects, on="subject_id").drop("subject_id")
            keyed[name][kind] = _Events(rows, subjects.height)
        consent, accounts = keyed.get("consent"), keyed.get("accounts")
        deletions, holds = keyed.get("deletions"), keyed.get("holds")
        return cls(
            numbers,
            None if consent is None else {k: _consent(v, policy) for k, v in consent.items()},
            None if accounts is None else _accounts(accounts.get("org"), policy),
            None if deletions is None else {k: _deletions(v) for k, v in deletions.items()},
            None if holds is None else {k: _held(v, policy.as_of) for k, v in holds.items()},
        )

    def derive(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give the derived columns of a frame with all provenance columns, row for row.

        Ids that are NULL are no subject. Where no submission time is known, a state is known only
        if it does not depend on it.
        """
        rows = Rows(
            instants(frame["submitted_at"]),
            frame["surface"],
            {column: _lookup(frame[column], table) for column, table in self.numbers.items()},
        )
        derived = pl.DataFrame(
            self._consent(rows) + self._accounts(rows) + self._deletions(rows) + self._holds(rows)
        )
        return derived.select(pl.col(name).cast(DTYPES[kind]) for name, kind in DERIVED.items())

    def _consent(self, rows: Rows) -> list[pl.Series]:
        names = [f"{kind}_consent_at_submission" for kind in CONSENT_SUBJECTS]
        if self.consent is None:
            return [_constant(rows, name, None) for name in (*names, "opted_out_since")]
        states = []
        since = _constant(rows, "opted_out_since", value=False)
        for name, (kind, column) in zip(names, CONSENT_SUBJECTS.items(), strict=True):
            if kind not in self.consent:
                states.append(_constant(rows, name, "none"))
                continue
            state, out_since = _consent_state(rows, rows.keys[column], self.consent[kind])
            states.append(state.alias(name))
            since |= out_since
        return [*states, since]

    def _accounts(self, rows: Rows) -> list[pl.Series]:
        if self.accounts is None or "org_id" not in rows.keys:
            names = ("plan", "zero_retention", "business_plan", "baa")
            return [_constant(rows, name, None) for name in names]
        return _account_state(rows, self.accounts)

    def _deletions(self, rows: Rows) -> list[pl.Series]:
        if self.deletions is None:
            return [_constant(rows, name, None) for name in ("deleted", "deletion_requested_at")]
        deleted = _constant(rows, "deleted", value=False)
        requested = np.full(len(rows), _AFTER_ALL)
        for kind, deletions in self.deletions.items():
            hit, at = _deletion_state(rows, rows.keys[SUBJECTS[kind]], deletions)
            deleted |= hit
            requested = np.minimum(requested, at)
        times = _flagged(requested, requested == _AFTER_ALL).cast(TIMESTAMP)
        return [deleted, times.alias("deletion_requested_at")]

    def _holds(self, rows: Rows) -> list[pl.Series]:
        if self.holds is None:
            return [_constant(rows, "on_hold", None)]
        held = np.zeros(len(rows), dtype=np.bool_)
        for kind, table in self.holds.items():
            held |= table[rows.keys[SUBJECTS[kind]]]
        return [pl.Series("on_hold", held)]


@dataclass(frozen=True)
class _Events:
    """One register's events of one subject kind, with `key`; keys are below `keys`."""

    frame: pl.DataFrame
    keys: int


def _constant(rows: Rows, name: str, value: str | bool | None) -> pl.Series:  # noqa: FBT001
    return pl.repeat(value, len(rows), dtype=DTYPES[DERIVED[name]], eager=True).alias(name)


def _flagged(values: Flags | Integers, unknown: Flags) -> pl.Series:
    """Make a column of values that are NULL where unknown."""
    series = pl.Series(values)
    return series.set(pl.Series(unknown), None) if unknown.any() else series


def _of_kind(register: Register, kind: str) -> pl.DataFrame:
    """Give one kind's events, its subjects in the form that records have them."""
    frame = register.frame
    if register.name == "accounts":
        return frame.rename({"org_id": "subject_id"})
    frame = frame.filter(pl.col("subject_kind") == kind).drop("subject_kind")
    if kind == "model":
        frame = frame.with_columns(normal_model(pl.col("subject_id")))
    return frame


def _numbered(events: list[pl.DataFrame]) -> pl.DataFrame:
    ids = pl.concat([frame.select("subject_id") for frame in events]).unique(maintain_order=True)
    return ids.with_columns(key=pl.int_range(pl.len(), dtype=pl.Int64))


def _lookup(ids: pl.Series, numbers: pl.DataFrame) -> Integers:
    """Give each row its subject's key."""
    rows = ids.alias("subject_id").to_frame()
    if numbers.height > rows.height:
        # Millions of subjects become the few that this unit can meet.
        numbers = numbers.join(rows, on="subject_id", how="semi")
    found = rows.join(numbers, on="subject_id", how="left", maintain_order="left")
    return found["key"].fill_null(NO_KEY).to_numpy()


def _consent(register: _Events, policy: BoundPolicy) -> Consent:
    out = pl.col("choice") == "opt_out"
    times = ("effective_at", "recorded_at")
    events = (
        register.frame.filter(
            pl.col("purposes").is_null() | pl.col("purposes").list.contains(policy.purpose)
        )
        .with_columns(
            out=out,
            at=pl.when(out).then(pl.min_horizontal(times)).otherwise(pl.max_horizontal(times)),
        )
        .filter(pl.col("out") | (pl.col("at") <= policy.as_of))
        .select("key", "surfaces", "at", "out")
    )
    scopes = [frozenset(scope) for scope in events["surfaces"].drop_nulls().unique().to_list()]
    lanes = _lanes(scopes)
    width = 1 + max(lanes.values())
    events = _spread(events, lanes, width)
    once = events.group_by("key", "at").agg(pl.col("out").any())
    moved = once.with_columns(pl.when("out").then("at").otherwise(pl.col("at") + _TICK).alias("at"))
    settled = moved.group_by("key", "at").agg(pl.col("out").any())
    keys = register.keys * width
    last_out = latest(settled.filter("out"), keys)
    known = {surface: lane for surface, lane in lanes.items() if surface}
    return Consent(Timeline.of(settled, keys), last_out, known, lanes[""])


_DEFAULT_IN: Final = frozenset(API_SURFACES)
_DEFAULT_OUT: Final = frozenset({*SURFACES, ""})  # "" stands for the surfaces nobody knows


def _lanes(scopes: list[frozenset[str]]) -> dict[str, int]:
    """Give a number to the sets of surfaces that every scope holds together or not at all."""
    signatures = {
        surface: tuple(surface in scope for scope in (_DEFAULT_IN, _DEFAULT_OUT, *scopes))
        for surface in (*SURFACES, "")
    }
    distinct = list(dict.fromkeys(signatures.values()))
    return {surface: distinct.index(signature) for surface, signature in signatures.items()}


def _spread(events: pl.DataFrame, lanes: Mapping[str, int], width: int) -> pl.DataFrame:
    """Give each event one row per lane in its scope, under the key of subject and lane."""

    def of(scope: frozenset[str]) -> pl.Expr:
        numbers = sorted({lanes[surface] for surface in scope})
        return pl.lit(numbers, dtype=pl.List(pl.Int64))

    named = pl.col("surfaces").list.eval(
        pl.element().replace_strict(lanes, return_dtype=pl.Int64).unique().sort()
    )
    lane = (
        pl.when(pl.col("surfaces").is_not_null())
        .then(named)
        .when("out")
        .then(of(_DEFAULT_OUT))
        .otherwise(of(_DEFAULT_IN))
    )
    spread = events.with_columns(lane=lane).explode("lane")
    return spread.select(pl.col("key") * width + pl.col("lane"), "at", "out")


_CHOICES: Final = pl.Series(["none", "opt_in", "opt_out"])


def _consent_state(rows: Rows, subject: Integers, consent: Consent) -> tuple[pl.Series, pl.Series]:
    lane = rows.surface.replace_strict(
        consent.lanes, default=consent.other, return_dtype=pl.Int64
    ).fill_null(consent.other)
    key = np.where(subject == NO_KEY, NO_KEY, subject * consent.width + lane.to_numpy())
    out = consent.events.values["out"].gather(consent.events.last(key, rows.at))
    choice = (out.cast(pl.Int64) + 1).fill_null(0)
    last_out = consent.last_out[key]
    since: Flags = (last_out != NEVER) & (last_out >= rows.at)
    timed = rows.timed
    if timed.all():
        return _CHOICES.gather(choice), pl.Series(since)
    # At an unknown time nothing is known of a subject that ever chose.
    chose = ~timed & consent.events.has(key)
    state = choice.set(pl.Series(chose), None)
    return _CHOICES.gather(state), _flagged(since, ~timed & (last_out != NEVER))


def _accounts(register: _Events | None, policy: BoundPolicy) -> Accounts | None:
    """Reduce accounts to one row per organisation and instant; the stricter of each wins."""
    if register is None:
        return None
    trainable, business = (
        list(cast("tuple[str, ...]", policy.policy.value(name)))
        for name in ("trainable_plans", "business_plans")
    )
    rank = (
        pl.when(pl.col("plan").is_in(business))
        .then(_BUSINESS)
        .when(pl.col("plan").is_in(trainable))
        .then(_TRAINABLE)
        .otherwise(_UNKNOWN)
    )
    events = (
        register.frame.with_columns(rank.cast(pl.UInt8).alias("rank"))
        .sort("rank", "plan", descending=[True, False])
        .group_by("key", pl.col("effective_at").alias("at"), maintain_order=True)
        .agg(pl.col("rank", "plan").first(), pl.col("zero_retention", "baa").any())
    )
    return Accounts(
        Timeline.of(events, register.keys),
        latest(events.filter(pl.col("rank") == _BUSINESS), register.keys),
        latest(events.filter(pl.col("rank") == _UNKNOWN), register.keys),
        latest(events.filter("baa"), register.keys),
    )


def _account_state(rows: Rows, accounts: Accounts) -> list[pl.Series]:
    key = rows.keys["org_id"]
    events = accounts.events
    account = events.values.select(pl.all().gather(events.last(key, rows.at)))

    def since(last: Integers) -> pl.Series:
        # Without a submission time every event may be a later one.
        return pl.Series(last[key] > rows.at)

    rank = pl.col("rank")
    unknown = rank.is_null() | (rank == _UNKNOWN) | since(accounts.unknown)
    yes, no = pl.lit(value=True), pl.lit(value=False)
    in_force_business = (rank == _BUSINESS).fill_null(value=False)
    in_force_baa = pl.col("baa").fill_null(value=False)
    return account.select(
        "plan",
        "zero_retention",
        business_plan=pl.when(in_force_business | since(accounts.business))
        .then(yes)
        .when(~unknown)
        .then(no),
        baa=pl.when(in_force_baa | since(accounts.baa)).then(yes).when(rank.is_not_null()).then(no),
    ).get_columns()


def _deletions(register: _Events) -> Deletions:
    unscoped = register.frame.filter(pl.col("scope_until").is_null())
    always = unscoped.select("key", at="requested_at")
    # The scopes that cover a record are those that end at or after it: the nearest of them stands
    # for the earliest request among it and all later ones.
    scoped = (
        register.frame.filter(pl.col("scope_until").is_not_null())
        .select("key", "requested_at", at=-pl.col("scope_until").to_physical())
        .sort("at")
        .with_columns(pl.col("requested_at").to_physical().cum_min().over("key"))
        .group_by("key", "at")
        .agg(pl.col("requested_at").min())
    )
    return Deletions(
        earliest(always, register.keys, _AFTER_ALL), Timeline.of(scoped, register.keys)
    )


def _deletion_state(rows: Rows, key: Integers, deletions: Deletions) -> tuple[pl.Series, Integers]:
    """Say which records are deleted, NULL where unknown, and since when, `_AFTER_ALL` if not."""
    always = deletions.always[key]
    if deletions.scoped.values.is_empty():
        return pl.Series(always != _AFTER_ALL), always
    timed = rows.timed
    backwards = np.where(timed, -rows.at, NEVER)
    scope = deletions.scoped.values["requested_at"].gather(deletions.scoped.last(key, backwards))
    at = np.minimum(always, scope.fill_null(_AFTER_ALL).to_numpy())
    maybe = ~timed & deletions.scoped.has(key)
    hit = at != _AFTER_ALL
    return _flagged(hit, maybe & ~hit), at


def _held(register: _Events, as_of: datetime) -> Flags:
    until = pl.col("until").is_null() | (pl.col("until") >= as_of)
    held = register.frame.filter((pl.col("from") <= as_of) & until)["key"]
    table = np.zeros(register.keys + 1, dtype=np.bool_)  # the last stands for NO_KEY
    table[held.to_numpy()] = True
    return table
