"""What the registers say about each record at its time: the derived columns.

Once a run, `States.prepare` settles ties, drops what cannot count (opt-ins after `as_of`, consent
for other purposes) and gives every subject a number. For each unit, `derive` looks up its subjects'
numbers, narrows the tables to them, and joins as of the submission.

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

import polars as pl

from .policy import BoundPolicy
from .provenance import normal_model
from .registers import Register, RegisterSet
from .schema import API_SURFACES, CONSENT_SUBJECTS, DERIVED, SUBJECTS, SURFACES
from .to_polars import DTYPES

_TICK: Final = timedelta(microseconds=1)
_TRAINABLE, _UNKNOWN, _BUSINESS = 0, 1, 2
_LANES: Final = len(SURFACES) + 1


@dataclass(frozen=True)
class Consent:
    """Consent of one subject kind, ready to join.

    `events` has key, at, out (TRUE for an opt_out), one row per key and instant, sorted by `at`;
    `last` has the last opt_out of each key. A key is a subject in a lane: a set of surfaces
    between which no event makes a difference. `lanes` maps each surface to its own, `other` is
    the lane of surfaces that nobody knows.
    """

    events: pl.DataFrame
    last: pl.DataFrame
    lanes: dict[str, int]
    other: int


@dataclass(frozen=True)
class Accounts:
    """Accounts, ready to join: `events` sorted by `at`, `last` with the last strict instants."""

    events: pl.DataFrame
    last: pl.DataFrame


@dataclass(frozen=True)
class Deletions:
    """Deletions of one subject kind: `always` without a scope, `scoped` sorted by its end."""

    always: pl.DataFrame
    scoped: pl.DataFrame


@dataclass(frozen=True)
class States:
    """All registers of a run, prepared. A register that was not given is None.

    `numbers` has, for each column that holds subjects, the id and number of every subject.
    """

    numbers: dict[str, pl.DataFrame]
    consent: dict[str, Consent] | None
    accounts: Accounts | None
    deletions: dict[str, Deletions] | None
    holds: dict[str, pl.Series] | None

    @classmethod
    def prepare(cls, registers: RegisterSet, policy: BoundPolicy) -> States:
        """Build the tables that `derive` joins, once a run."""
        events = {
            (name, kind): _of_kind(register, kind)
            for name, register in registers.given().items()
            for kind in sorted(register.kinds())
        }
        numbers = {
            column: _numbered([e for (_, kind), e in events.items() if SUBJECTS[kind] == column])
            for column in {SUBJECTS[kind] for _, kind in events}
        }
        keyed: dict[str, dict[str, pl.DataFrame]] = {name: {} for name in registers.given()}
        for (name, kind), frame in events.items():
            keyed[name][kind] = frame.join(numbers[SUBJECTS[kind]], on="subject_id").drop(
                "subject_id"
            )
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

        Ids that are NULL join nothing. Where no submission time is known, a state is known only
        if it does not depend on it.
        """
        # As-of joins want the left side in order of time; sort once, go back once.
        order = frame["submitted_at"].arg_sort()
        rows = pl.DataFrame(
            [frame["submitted_at"].alias("at"), frame["surface"]]
            + [_lookup(frame[column], table) for column, table in self.numbers.items()]
        )[order]
        derived = pl.DataFrame(
            self._consent(rows) + self._accounts(rows) + self._deletions(rows) + self._holds(rows)
        )
        return derived[order.arg_sort()].select(
            pl.col(name).cast(DTYPES[kind]) for name, kind in DERIVED.items()
        )

    def _consent(self, rows: pl.DataFrame) -> list[pl.Series]:
        names = [f"{kind}_consent_at_submission" for kind in CONSENT_SUBJECTS]
        if self.consent is None:
            return [_constant(rows, name, None) for name in (*names, "opted_out_since")]
        states = []
        since = _constant(rows, "opted_out_since", value=False)
        for name, (kind, column) in zip(names, CONSENT_SUBJECTS.items(), strict=True):
            if kind not in self.consent:
                states.append(_constant(rows, name, "none"))
                continue
            state, out_since = _consent_state(rows, rows[column], self.consent[kind])
            states.append(state.alias(name))
            since |= out_since
        return [*states, since]

    def _accounts(self, rows: pl.DataFrame) -> list[pl.Series]:
        if self.accounts is None or "org_id" not in rows.columns:
            names = ("plan", "zero_retention", "business_plan", "baa")
            return [_constant(rows, name, None) for name in names]
        return _account_state(rows, self.accounts)

    def _deletions(self, rows: pl.DataFrame) -> list[pl.Series]:
        if self.deletions is None:
            return [_constant(rows, name, None) for name in ("deleted", "deletion_requested_at")]
        deleted = _constant(rows, "deleted", value=False)
        requested = _constant(rows, "deletion_requested_at", None)
        for kind, deletions in self.deletions.items():
            hit, at = _deletion_state(rows, rows[SUBJECTS[kind]], deletions)
            deleted |= hit
            earliest = pl.min_horizontal(requested, at)
            requested = pl.select(earliest.alias("deletion_requested_at")).to_series()
        return [deleted, requested]

    def _holds(self, rows: pl.DataFrame) -> list[pl.Series]:
        if self.holds is None:
            return [_constant(rows, "on_hold", None)]
        held = _constant(rows, "on_hold", value=False)
        for kind, keys in self.holds.items():
            held |= rows[SUBJECTS[kind]].is_in(keys.implode()).fill_null(value=False)
        return [held]


def _constant(rows: pl.DataFrame, name: str, value: str | bool | None) -> pl.Series:  # noqa: FBT001
    return pl.repeat(value, rows.height, dtype=DTYPES[DERIVED[name]], eager=True).alias(name)


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
    return ids.with_columns(key=pl.int_range(pl.len(), dtype=pl.UInt64))


def _lookup(ids: pl.Series, numbers: pl.DataFrame) -> pl.Series:
    """Give each row its subject's number, NULL where no register names it."""
    rows = ids.alias("subject_id").to_frame()
    if numbers.height > rows.height:
        # Millions of subjects become the few that this unit can meet.
        numbers = numbers.join(rows, on="subject_id", how="semi")
    found = rows.join(numbers, on="subject_id", how="left", maintain_order="left")
    return found["key"].alias(ids.name)


def _narrow(table: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Keep of a keyed table what the rows can meet, in order, where that pays."""
    if table.height <= rows.height:
        return table
    return table.join(rows, on="key", how="semi", maintain_order="left")


def _as_of(left: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Join each row to the last event of its key at or before it. Both are sorted by `at`."""
    return left.join_asof(
        _narrow(events, left), on="at", by="key", strategy="backward", check_sortedness=False
    )


def _beside(left: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Join each row to the one row of its key."""
    return left.join(_narrow(table, left), on="key", how="left", maintain_order="left")


def _consent(frame: pl.DataFrame, policy: BoundPolicy) -> Consent:
    out = pl.col("choice") == "opt_out"
    times = ("effective_at", "recorded_at")
    events = (
        frame.filter(
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
    events = _spread(events, lanes)
    once = events.group_by("key", "at").agg(pl.col("out").any())
    moved = once.with_columns(pl.when("out").then("at").otherwise(pl.col("at") + _TICK).alias("at"))
    settled = moved.group_by("key", "at").agg(pl.col("out").any()).sort("at")
    last = settled.group_by("key").agg(pl.col("at").filter("out").max().alias("last_out"))
    return Consent(settled, last, {k: v for k, v in lanes.items() if k}, lanes[""])


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


def _spread(events: pl.DataFrame, lanes: Mapping[str, int]) -> pl.DataFrame:
    """Give each event one row per lane in its scope, under the key of subject and lane."""

    def of(scope: frozenset[str]) -> pl.Expr:
        numbers = sorted({lanes[surface] for surface in scope})
        return pl.lit(numbers, dtype=pl.List(pl.UInt64))

    named = pl.col("surfaces").list.eval(
        pl.element().replace_strict(lanes, return_dtype=pl.UInt64).unique().sort()
    )
    lane = (
        pl.when(pl.col("surfaces").is_not_null())
        .then(named)
        .when("out")
        .then(of(_DEFAULT_OUT))
        .otherwise(of(_DEFAULT_IN))
    )
    spread = events.with_columns(lane=lane).explode("lane")
    return spread.select(_lane_key(pl.col("key"), pl.col("lane")), "at", "out")


def _lane_key(subject: pl.Expr, lane: pl.Expr) -> pl.Expr:
    return (subject * _LANES + lane).alias("key")


def _consent_state(
    rows: pl.DataFrame, subject: pl.Series, consent: Consent
) -> tuple[pl.Series, pl.Series]:
    lane = pl.col("surface").replace_strict(
        consent.lanes, default=consent.other, return_dtype=pl.UInt64
    )
    left = rows.select("at", _lane_key(pl.lit(subject), lane.fill_null(consent.other)))
    joined = _beside(_as_of(left, consent.events), consent.last)
    timed = pl.col("at").is_not_null()
    known = pl.col("key").is_in(_narrow(consent.last, left)["key"].implode())
    state = (
        pl.when("out")
        .then(pl.lit("opt_out"))
        .when(~pl.col("out"))
        .then(pl.lit("opt_in"))
        .otherwise(pl.lit("none"))
    )
    since = (pl.col("last_out") >= pl.col("at")).fill_null(value=False)
    result = joined.select(
        state=pl.when(timed | ~known.fill_null(value=False)).then(state),
        since=pl.when(timed | pl.col("last_out").is_null()).then(since),
    )
    return result["state"], result["since"]


def _accounts(frame: pl.DataFrame | None, policy: BoundPolicy) -> Accounts | None:
    """Reduce accounts to one row per organisation and instant; the stricter of each wins."""
    if frame is None:
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
        frame.with_columns(rank.cast(pl.UInt8).alias("rank"))
        .sort("rank", "plan", descending=[True, False])
        .group_by("key", pl.col("effective_at").alias("at"), maintain_order=True)
        .agg(pl.col("rank", "plan").first(), pl.col("zero_retention", "baa").any())
        .sort("at")
    )
    last = events.group_by("key").agg(
        pl.col("at").filter(pl.col("rank") == _BUSINESS).max().alias("business_at"),
        pl.col("at").filter(pl.col("rank") == _UNKNOWN).max().alias("unknown_at"),
        pl.col("at").filter("baa").max().alias("baa_at"),
    )
    return Accounts(events, last)


def _account_state(rows: pl.DataFrame, accounts: Accounts) -> list[pl.Series]:
    left = rows.select("at", key="org_id")
    joined = _beside(_as_of(left, accounts.events), accounts.last)

    def since(column: str) -> pl.Expr:
        # Without a submission time every event may be a later one.
        later = pl.col("at").is_null() | (pl.col(column) > pl.col("at"))
        return (pl.col(column).is_not_null() & later).fill_null(value=False)

    rank = pl.col("rank")
    unknown = rank.is_null() | (rank == _UNKNOWN) | since("unknown_at")
    yes, no = pl.lit(value=True), pl.lit(value=False)
    in_force_business = (rank == _BUSINESS).fill_null(value=False)
    in_force_baa = pl.col("baa").fill_null(value=False)
    return joined.select(
        "plan",
        "zero_retention",
        business_plan=pl.when(in_force_business | since("business_at"))
        .then(yes)
        .when(~unknown)
        .then(no),
        baa=pl.when(in_force_baa | since("baa_at")).then(yes).when(rank.is_not_null()).then(no),
    ).get_columns()


def _deletions(frame: pl.DataFrame) -> Deletions:
    unscoped = frame.filter(pl.col("scope_until").is_null())
    always = unscoped.group_by("key").agg(pl.col("requested_at").min().alias("always"))
    # The scopes that cover a record are those that end at or after it: the nearest of them stands
    # for the earliest request among it and all later ones.
    scoped = (
        frame.filter(pl.col("scope_until").is_not_null())
        .select("key", "requested_at", at="scope_until")
        .sort("at", descending=True)
        .with_columns(pl.col("requested_at").cum_min().over("key"))
        .group_by("key", "at")
        .agg(pl.col("requested_at").min())
        .sort("at")
    )
    return Deletions(always, scoped)


def _deletion_state(
    rows: pl.DataFrame, subject: pl.Series, deletions: Deletions
) -> tuple[pl.Series, pl.Series]:
    left = rows.select("at", key=subject)
    joined = _beside(left, deletions.always)
    if deletions.scoped.is_empty():
        return joined["always"].is_not_null(), joined["always"]
    scoped = _narrow(deletions.scoped, left)
    joined = joined.join_asof(scoped, on="at", by="key", strategy="forward", check_sortedness=False)
    timed = pl.col("at").is_not_null()
    maybe = ~timed & pl.col("key").is_in(scoped["key"].unique().implode())
    at = pl.min_horizontal("always", pl.when(timed).then("requested_at"))
    yes, no = pl.lit(value=True), pl.lit(value=False)
    hit = pl.when(at.is_not_null()).then(yes).when(~maybe.fill_null(value=False)).then(no)
    result = joined.select(at=at, hit=hit)
    return result["hit"], result["at"]


def _held(frame: pl.DataFrame, as_of: datetime) -> pl.Series:
    until = pl.col("until").is_null() | (pl.col("until") >= as_of)
    return frame.filter((pl.col("from") <= as_of) & until)["key"].unique()
