"""Random columns for one shard: the only place where the demo's corpus touches chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

ORGS: Final = 400
ENTERPRISES: Final = 40
USERS: Final = 6_000
USERS_PER_ORG: Final = 12
LANGUAGES: Final = {"en": 46, "es": 11, "de": 10, "fr": 10, "pt": 6, "ja": 7, "zh": 5, "ar": 5}
_POPULARITY: Final = (np.arange(ORGS) + 15.0) ** -0.6


@dataclass(frozen=True)
class Draw:
    """Where one shard's columns come from; every method gives `rows` values.

    `shard` of `shards` is the shard's place in its source: times are dealt out in that order.
    """

    rng: np.random.Generator
    rows: int
    shard: int
    shards: int

    def chance(self, share: float) -> pl.Series:
        """Give booleans of which `share` are true."""
        return pl.Series(self.rng.random(self.rows) < share)

    def pick(self, options: Mapping[str | None, float], rows: int | None = None) -> pl.Series:
        """Give strings (or None) with the given weights."""
        weights = np.cumsum(np.fromiter(options.values(), dtype=np.float64))
        at = np.searchsorted(weights, self.rng.random(rows or self.rows) * weights[-1], "right")
        return pl.Series(list(options), dtype=pl.String).gather(at)

    def integers(self, stop: int, rows: int | None = None) -> pl.Series:
        """Give integers from 0 up to `stop`, without it."""
        return pl.Series(self.rng.integers(0, stop, rows or self.rows))

    def times(self, first: int, last: int, growth: float = 1.0) -> pl.Series:
        """Give ascending times of this shard's slice of first…last; traffic grows if `growth` < 1.

        Whole milliseconds, as most logs have them.
        """
        place = (self.shard + np.sort(self.rng.random(self.rows))) / self.shards
        times = first + (last - first) * place**growth
        return as_time(pl.Series(times.astype(np.int64) // 1000 * 1000))

    def langs(self) -> pl.Series:
        """Give language codes."""
        return self.pick(LANGUAGES)

    def orgs(self, rows: int | None = None) -> pl.Series:
        """Give organisations, a few of them with much of the traffic."""
        weights = np.cumsum(_POPULARITY)
        drawn = self.rng.random(rows or self.rows) * weights[-1]
        return org_ids().gather(np.searchsorted(weights, drawn, "right"))

    def enterprises(self, rows: int | None = None) -> pl.Series:
        """Give organisations that only ever had an enterprise workspace."""
        return enterprise_ids().gather(self.integers(ENTERPRISES, rows))

    def users(self, rows: int | None = None) -> pl.Series:
        """Give people who use the consumer service."""
        return user_ids().gather(self.integers(USERS, rows))

    def members(self, orgs: pl.Series) -> pl.Series:
        """Give a user of each organisation; the busy ones have all the low numbers."""
        number = (self.rng.random(len(orgs)) ** 2 * USERS_PER_ORG).astype(np.int64)
        return pl.select(pl.format("{}-u{}", orgs, pl.Series(number))).to_series()


def as_time(microseconds: pl.Series) -> pl.Series:
    """Read microseconds since 1970 as timestamp[us, UTC]."""
    return microseconds.cast(pl.Int64).cast(pl.Datetime("us", "UTC"))


def org_ids() -> pl.Series:
    """List the organisations that use the API, the busiest first."""
    return _numbered("org-{}", ORGS, 4)


def enterprise_ids() -> pl.Series:
    """List the organisations with an enterprise workspace."""
    return _numbered("org-e{}", ENTERPRISES, 3)


def user_ids() -> pl.Series:
    """List the people who use the consumer service."""
    return _numbered("user-{}", USERS, 5)


def _numbered(form: str, count: int, digits: int) -> pl.Series:
    numbers = pl.int_range(1, count + 1, eager=True).cast(pl.String).str.zfill(digits)
    return pl.select(pl.format(form, numbers)).to_series()
