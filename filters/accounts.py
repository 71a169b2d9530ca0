"""What organisations' accounts are, as of each record's submission; the stricter account wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import polars as pl

from .policy import BoundPolicy
from .timeline import Events, Integers, Rows, Timeline, latest

_TRAINABLE, _UNKNOWN, _BUSINESS = 0, 1, 2


@dataclass(frozen=True)
class Accounts:
    """Accounts by organisation; of each the last instant at which it was something strict."""

    events: Timeline
    business: Integers
    unknown: Integers
    baa: Integers

    @classmethod
    def prepare(cls, accounts: Events, policy: BoundPolicy) -> Self:
        """Reduce accounts to one row per organisation and instant; the stricter of each wins."""
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
            accounts.frame.with_columns(rank.cast(pl.UInt8).alias("rank"))
            .sort("rank", "plan", descending=[True, False])
            .group_by("key", pl.col("effective_at").alias("at"), maintain_order=True)
            .agg(pl.col("rank", "plan").first(), pl.col("zero_retention", "baa").any())
        )
        return cls(
            Timeline.of(events, accounts.keys),
            latest(events.filter(pl.col("rank") == _BUSINESS), accounts.keys),
            latest(events.filter(pl.col("rank") == _UNKNOWN), accounts.keys),
            latest(events.filter("baa"), accounts.keys),
        )

    def state(self, rows: Rows) -> list[pl.Series]:
        """Give plan, zero_retention, business_plan and baa of each row's organisation."""
        key = rows.keys["org_id"]
        events = self.events
        account = events.values.select(pl.all().gather(events.last(key, rows.at)))

        def since(last: Integers) -> pl.Series:
            # Without a submission time every event may be a later one.
            return pl.Series(last[key] > rows.at)

        rank = pl.col("rank")
        unknown = rank.is_null() | (rank == _UNKNOWN) | since(self.unknown)
        yes, no = pl.lit(value=True), pl.lit(value=False)
        in_force_business = (rank == _BUSINESS).fill_null(value=False)
        in_force_baa = pl.col("baa").fill_null(value=False)
        return account.select(
            "plan",
            "zero_retention",
            business_plan=pl.when(in_force_business | since(self.business))
            .then(yes)
            .when(~unknown)
            .then(no),
            baa=pl.when(in_force_baa | since(self.baa)).then(yes).when(rank.is_not_null()).then(no),
        ).get_columns()
