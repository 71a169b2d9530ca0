"""What the registers say about each record at its time: the derived columns.

Once a run, `States.prepare` settles ties and drops what cannot count (opt-ins after `as_of`,
consent for other purposes). For each unit, `derive` narrows those tables to the unit's own
subjects and joins them as of the submission.

Time is settled by three rules. An opt_in counts from the later of `effective_at` and
`recorded_at`, strictly before the submission: its instant is moved one microsecond on, so that
"at or before" says just that. An opt_out counts from the earlier of the two, inclusive. At one
instant the opt_out, and the stricter account, wins.
"""

from __future__ import annotations

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


@dataclass(frozen=True)
class Consent:
    """Consent events of one subject kind, ready to join.

    `events` has subject_id, lane, at, out (TRUE for an opt_out), one row per the first three,
    sorted by `at`. A lane is a set of surfaces for which no event makes a difference; `lanes`
    maps each surface to its own, `other` is the lane of surfaces that nobody knows.
    """

    events: pl.DataFrame
    lanes: dict[str, int]
    other: int


@dataclass(frozen=True)
class States:
    """All registers of a run, prepared. A register that was not given is None."""

    consent: dict[str, Consent] | None
    accounts: pl.DataFrame | None
    deletions: dict[str, pl.DataFrame] | None
    holds: dict[str, pl.DataFrame] | None

    @classmethod
    def prepare(cls, registers: RegisterSet, policy: BoundPolicy) -> States:
        """Build the tables that `derive` joins, once a run."""
        return cls(
            _prepare_consent(registers.consent, policy),
            _prepare_accounts(registers.accounts, policy),
            _prepare_deletions(registers.deletions),
            _prepare_holds(registers.holds, policy.as_of),
        )

    def derive(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give the derived columns of a frame with all provenance columns, row for row.

        Ids that are NULL join nothing. Where no submission time is known, a state is known only
        if it does not depend on it.
        """
        # As-of joins want the left side in order of time; sort once, go back once.
        order = frame["submitted_at"].arg_sort()
        rows = frame.select("surface", *SUBJECTS.values(), at="submitted_at")[order]
        derived = pl.DataFrame(
            self._consent(rows) + self._accounts(rows) + self._deletions(rows) + self._holds(rows)
        )
        back = pl.DataFrame({"order": order}).with_row_index("place").sort("order")["place"]
        return derived[back].select(
            pl.col(name).cast(DTYPES[kind]) for name, kind in DERIVED.items()
        )

    def _consent(self, rows: pl.DataFrame) -> list[pl.Series]:
        if self.consent is None:
            return [_nulls(rows, name) for name in list(DERIVED)[:3]]
        states, since = [], []
        for kind, column in CONSENT_SUBJECTS.items():
            state, out_since = _consent_state(rows, column, self.consent[kind])
            states.append(state.alias(f"{kind}_consent_at_submission"))
            since.append(out_since)
        return [*states, (since[0] | since[1]).alias("opted_out_since")]

    def _accounts(self, rows: pl.DataFrame) -> list[pl.Series]:
        if self.accounts is None:
            return [
                _nulls(rows, name) for name in ("plan", "zero_retention", "business_plan", "baa")
            ]
        return _account_state(rows, self.accounts)

    def _deletions(self, rows: pl.DataFrame) -> list[pl.Series]:
        if self.deletions is None:
            return [_nulls(rows, name) for name in ("deleted", "deletion_requested_at")]
        deleted = pl.repeat(value=False, n=rows.height, eager=True)
        requested = _nulls(rows, "deletion_requested_at")
        for kind, events in self.deletions.items():
            hit, at = _deletion_state(rows, SUBJECTS[kind], events)
            deleted = deleted | hit
            requested = pl.select(pl.min_horizontal(requested, at)).to_series()
        return [deleted.alias("deleted"), requested.alias("deletion_requested_at")]

    def _holds(self, rows: pl.DataFrame) -> list[pl.Series]:
        if self.holds is None:
            return [_nulls(rows, "on_hold")]
        held = pl.repeat(value=False, n=rows.height, eager=True)
        for kind, subjects in self.holds.items():
            held |= (
                rows[SUBJECTS[kind]].is_in(subjects["subject_id"].implode()).fill_null(value=False)
            )
        return [held.alias("on_hold")]


def _nulls(rows: pl.DataFrame, name: str) -> pl.Series:
    return pl.repeat(None, rows.height, dtype=DTYPES[DERIVED[name]], eager=True).alias(name)


def _prepare_consent(register: Register | None, policy: BoundPolicy) -> dict[str, Consent] | None:
    if register is None:
        return None
    out = pl.col("choice") == "opt_out"
    times = ("effective_at", "recorded_at")
    events = (
        register.frame.lazy()
        .filter(pl.col("purposes").is_null() | pl.col("purposes").list.contains(policy.purpose))
        .with_columns(
            out=out,
            at=pl.when(out).then(pl.min_horizontal(times)).otherwise(pl.max_horizontal(times)),
        )
        .filter(pl.col("out") | (pl.col("at") <= policy.as_of))
        .select("subject_kind", "subject_id", "surfaces", "at", "out")
        .collect()
    )
    return {
        kind: _laned(events.filter(pl.col("subject_kind") == kind).drop("subject_kind"))
        for kind in CONSENT_SUBJECTS
    }


def _laned(events: pl.DataFrame) -> Consent:
    """Spread events over lanes and settle what stands at one instant."""
    named = events["surfaces"].drop_nulls().unique().sort().to_list()
    scopes = [frozenset(scope) for scope in named]
    default_in, default_out = frozenset(API_SURFACES), frozenset({*SURFACES, ""})

    def signature(surface: str) -> tuple[bool, ...]:
        return tuple(surface in scope for scope in (default_in, default_out, *scopes))

    signatures = list(dict.fromkeys(signature(surface) for surface in (*SURFACES, "")))
    lanes = {surface: signatures.index(signature(surface)) for surface in (*SURFACES, "")}

    def of(scope: frozenset[str]) -> list[int]:
        return sorted({lanes[surface] for surface in scope})

    lane_type = pl.List(pl.UInt8)
    by_scope = pl.DataFrame(
        {"surfaces": named, "lane": [of(scope) for scope in scopes]},
        schema={"surfaces": pl.List(pl.String), "lane": lane_type},
    )
    default = (
        pl.when("out")
        .then(pl.lit(of(default_out), lane_type))
        .otherwise(pl.lit(of(default_in), lane_type))
    )
    spread = (
        events.join(by_scope, on="surfaces", how="left")
        .with_columns(pl.coalesce("lane", default).alias("lane"))
        .drop("surfaces")
        .explode("lane")
    )
    key = ["subject_id", "lane", "at"]
    once = spread.group_by(key).agg(pl.col("out").any())
    moved = once.with_columns(pl.when("out").then("at").otherwise(pl.col("at") + _TICK).alias("at"))
    settled = moved.group_by(key).agg(pl.col("out").any()).sort("at")
    return Consent(settled, {k: v for k, v in lanes.items() if k}, lanes[""])


def _own(rows: pl.DataFrame, column: str, events: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
    """Give a number to each of the unit's subjects, and keep only their events under it.

    Millions of events become the few that this unit can meet; what follows joins on integers.
    """
    ids = rows.select(pl.col(column).alias("subject_id"))
    numbers = ids.drop_nulls().unique(maintain_order=True)
    numbers = numbers.join(events.select("subject_id"), on="subject_id", how="semi")
    numbers = numbers.with_row_index("subject")
    subject = ids.join(numbers, on="subject_id", how="left", maintain_order="left")["subject"]
    mine = events.join(numbers, on="subject_id", how="inner", maintain_order="left")
    return subject, mine.drop("subject_id")


def _consent_state(
    rows: pl.DataFrame, column: str, consent: Consent
) -> tuple[pl.Series, pl.Series]:
    subject, events = _own(rows, column, consent.events)
    width = len(SURFACES) + 1
    lane = (
        rows["surface"]
        .replace_strict(consent.lanes, default=consent.other, return_dtype=pl.UInt32)
        .fill_null(consent.other)
    )
    left = pl.DataFrame({"at": rows["at"], "key": subject * width + lane})
    events = events.select("at", "out", key=pl.col("subject") * width + pl.col("lane"))
    last_out = events.group_by("key").agg(pl.col("at").filter("out").max().alias("last_out"))
    joined = _as_of(left, events).join(last_out, on="key", how="left", maintain_order="left")
    timed = joined["at"].is_not_null()
    known = pl.col("key").is_in(last_out["key"].implode()).fill_null(value=False)
    result = joined.select(
        state=pl.when(timed | ~known).then(
            pl.when("out")
            .then(pl.lit("opt_out"))
            .when(~pl.col("out"))
            .then(pl.lit("opt_in"))
            .otherwise(pl.lit("none"))
        ),
        since=pl.when(timed)
        .then((pl.col("last_out") >= pl.col("at")).fill_null(value=False))
        .otherwise(pl.when(pl.col("last_out").is_null()).then(pl.lit(value=False))),
    )
    return result["state"], result["since"]


def _as_of(left: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Join each row to the last event of its key at or before it. Both are sorted by `at`."""
    return left.join_asof(events, on="at", by="key", strategy="backward", check_sortedness=False)


def _prepare_accounts(register: Register | None, policy: BoundPolicy) -> pl.DataFrame | None:
    """Reduce accounts to one row per organisation and instant; the stricter of each wins.

    `rank` says how strict a plan is: trainable, unknown, business.
    """
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
    return (
        register.frame.lazy()
        .with_columns(rank.cast(pl.UInt8).alias("rank"))
        .sort("rank", "plan", descending=[True, False])
        .group_by("org_id", "effective_at", maintain_order=True)
        .agg(
            pl.col("rank", "plan").first(),
            pl.col("zero_retention", "baa").any(),
        )
        .rename({"org_id": "subject_id", "effective_at": "at"})
        .sort("at")
        .collect()
    )


def _account_state(rows: pl.DataFrame, accounts: pl.DataFrame) -> list[pl.Series]:
    subject, events = _own(rows, "org_id", accounts)
    left = pl.DataFrame({"at": rows["at"], "key": subject})
    events = events.rename({"subject": "key"})
    last = events.group_by("key").agg(
        pl.col("at").filter(pl.col("rank") == _BUSINESS).max().alias("business_at"),
        pl.col("at").filter(pl.col("rank") == _UNKNOWN).max().alias("unknown_at"),
        pl.col("at").filter("baa").max().alias("baa_at"),
    )
    joined = _as_of(left, events).join(last, on="key", how="left", maintain_order="left")

    def since(column: str) -> pl.Expr:
        # Without a submission time every event may be a later one.
        later = pl.col("at").is_null() | (pl.col(column) > pl.col("at"))
        return (pl.col(column).is_not_null() & later).fill_null(value=False)

    rank = pl.col("rank")
    unknown = rank.is_null() | (rank == _UNKNOWN) | since("unknown_at")
    return joined.select(
        "plan",
        "zero_retention",
        pl.when((rank == _BUSINESS).fill_null(value=False) | since("business_at"))
        .then(pl.lit(value=True))
        .when(~unknown)
        .then(pl.lit(value=False))
        .alias("business_plan"),
        pl.when(pl.col("baa").fill_null(value=False) | since("baa_at"))
        .then(pl.lit(value=True))
        .when(rank.is_not_null())
        .then(pl.lit(value=False))
        .alias("baa"),
    ).get_columns()


def _prepare_deletions(register: Register | None) -> dict[str, pl.DataFrame] | None:
    if register is None:
        return None
    frame = register.frame
    tables = {}
    for kind in sorted(register.kinds()):
        events = frame.filter(pl.col("subject_kind") == kind)
        if kind == "model":
            events = events.with_columns(normal_model(pl.col("subject_id")).alias("subject_id"))
        tables[kind] = (
            events.select("subject_id", pl.col("requested_at", "scope_until"))
            .sort("scope_until", "requested_at", nulls_last=True)
            .rename({"scope_until": "at"})
        )
    return tables


def _deletion_state(
    rows: pl.DataFrame, column: str, deletions: pl.DataFrame
) -> tuple[pl.Series, pl.Series]:
    subject, events = _own(rows, column, deletions)
    left = pl.DataFrame({"at": rows["at"], "key": subject})
    events = events.rename({"subject": "key"})
    always = (
        events.filter(pl.col("at").is_null())
        .group_by("key")
        .agg(pl.col("requested_at").min().alias("always"))
    )
    joined = left.join(always, on="key", how="left", maintain_order="left")
    scoped = events.filter(pl.col("at").is_not_null()).sort("at")
    if scoped.is_empty():
        return joined["always"].is_not_null(), joined["always"]
    # The scopes that cover a record are those ending at or after it: the nearest of them, with
    # the earliest request among it and all later ones.
    earliest = pl.col("requested_at").reverse().cum_min().reverse().over("key", order_by="at")
    scoped = scoped.with_columns(earliest.alias("requested_at"))
    joined = joined.join_asof(scoped, on="at", by="key", strategy="forward", check_sortedness=False)
    maybe = pl.col("at").is_null() & pl.col("key").is_in(scoped["key"].unique().implode())
    covered = pl.when(pl.col("at").is_not_null()).then(pl.col("requested_at"))
    result = joined.select(
        at=pl.min_horizontal("always", covered),
    )
    hit = joined.select(
        pl.when(result["at"].is_not_null())
        .then(pl.lit(value=True))
        .when(~maybe.fill_null(value=False))
        .then(pl.lit(value=False))
    ).to_series()
    return hit, result["at"]


def _prepare_holds(register: Register | None, as_of: datetime) -> dict[str, pl.DataFrame] | None:
    if register is None:
        return None
    open_ = (pl.col("from") <= as_of) & (pl.col("until").is_null() | (pl.col("until") >= as_of))
    tables = {}
    for kind in sorted(register.kinds()):
        held = register.frame.filter(open_ & (pl.col("subject_kind") == kind))
        if kind == "model":
            held = held.with_columns(normal_model(pl.col("subject_id")).alias("subject_id"))
        tables[kind] = held.select("subject_id").unique(maintain_order=True)
    return tables
