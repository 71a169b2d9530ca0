"""Whose records are to be deleted, since when, and what is on hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import numpy as np
import polars as pl

from .timeline import NEVER, Events, Flags, Integers, Rows, Timeline, earliest, flagged

NOT_DELETED: Final = int(np.iinfo(np.int64).max)
"""The request of what nobody wants deleted: after everything."""


@dataclass(frozen=True)
class Deletions:
    """Deletions of one subject kind.

    `always` is each key's earliest request without a scope. `scoped` has the others on a time that
    runs backwards: the last scope at or before a submission, looked at from the end, is the
    nearest that still covers it.
    """

    always: Integers
    scoped: Timeline

    @classmethod
    def prepare(cls, deletions: Events) -> Self:
        """Find each subject's earliest request, and the earliest for each scope."""
        unscoped = deletions.frame.filter(pl.col("scope_until").is_null())
        always = unscoped.select("key", at="requested_at")
        # The scopes that cover a record are those that end at or after it: the nearest of them
        # stands for the earliest request among it and all later ones.
        scoped = (
            deletions.frame.filter(pl.col("scope_until").is_not_null())
            .select("key", "requested_at", at=-pl.col("scope_until").to_physical())
            .sort("at")
            .with_columns(pl.col("requested_at").to_physical().cum_min().over("key"))
            .group_by("key", "at")
            .agg(pl.col("requested_at").min())
        )
        return cls(
            earliest(always, deletions.keys, NOT_DELETED), Timeline.of(scoped, deletions.keys)
        )

    def state(self, rows: Rows, key: Integers) -> tuple[pl.Series, Integers]:
        """Say which records are deleted, NULL where unknown, and since when."""
        always = self.always[key]
        if self.scoped.values.is_empty():
            return pl.Series(always != NOT_DELETED), always
        timed = rows.timed
        backwards = np.where(timed, -rows.at, NEVER)
        scope = self.scoped.values["requested_at"].gather(self.scoped.last(key, backwards))
        at = np.minimum(always, scope.fill_null(NOT_DELETED).to_numpy())
        maybe = ~timed & self.scoped.has(key)
        hit = at != NOT_DELETED
        return flagged(hit, maybe & ~hit), at


def held(holds: Events, as_of: datetime) -> Flags:
    """Say of each key whether a hold on it is in force."""
    until = pl.col("until").is_null() | (pl.col("until") >= as_of)
    in_force = holds.frame.filter((pl.col("from") <= as_of) & until)["key"]
    table = np.zeros(holds.keys + 1, dtype=np.bool_)  # the last stands for NO_KEY
    table[in_force.to_numpy()] = True
    return table
