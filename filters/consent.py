"""What organisations and users have chosen, as of each record's submission.

An opt_in counts from the later of `effective_at` and `recorded_at`, strictly before the
submission: its instant is moved one microsecond on, so that "at or before" says just that. An
opt_out counts from the earlier of the two, inclusive, and wins at one instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

import numpy as np
import polars as pl

from .policy import BoundPolicy
from .schema import API_SURFACES, SURFACES
from .timeline import NEVER, NO_KEY, Events, Flags, Integers, Rows, Timeline, flagged, latest

_TICK: Final = timedelta(microseconds=1)
_CHOICES: Final = pl.Series(["none", "opt_in", "opt_out"])


@dataclass(frozen=True)
class Consent:
    """Consent of one subject kind.

    A subject stands in `width` lanes, sets of surfaces between which no event makes a difference:
    lane `l` of subject `s` has the key `s * width + l`. `lanes` has the lane of each of SURFACES,
    and at its end that of surfaces nobody knows. `events` has `out`, TRUE for an opt_out;
    `last_out` is the last opt_out of each key.
    """

    events: Timeline
    last_out: Integers
    lanes: Integers

    @property
    def width(self) -> int:
        """Count the lanes."""
        return 1 + int(self.lanes.max())

    @classmethod
    def prepare(cls, consent: Events, policy: BoundPolicy) -> Self:
        """Settle ties and drop what cannot count for this run."""
        out = pl.col("choice") == "opt_out"
        times = ("effective_at", "recorded_at")
        events = (
            consent.frame.filter(
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
        moved = once.with_columns(
            pl.when("out").then("at").otherwise(pl.col("at") + _TICK).alias("at")
        )
        settled = moved.group_by("key", "at").agg(pl.col("out").any())
        keys = consent.keys * width
        last_out = latest(settled.filter("out"), keys)
        return cls(Timeline.of(settled, keys), last_out, np.array(list(lanes.values())))

    def state(self, rows: Rows, subject: Integers) -> tuple[pl.Series, pl.Series]:
        """Give each row's choice at its submission, and whether an opt_out came at it or since."""
        lane = self.lanes[rows.surface]
        key = np.where(subject == NO_KEY, NO_KEY, subject * self.width + lane)
        out = self.events.values["out"].gather(self.events.last(key, rows.at))
        choice = (out.cast(pl.Int64) + 1).fill_null(0)
        last_out = self.last_out[key]
        since: Flags = (last_out != NEVER) & (last_out >= rows.at)
        timed = rows.timed
        if timed.all():
            return _CHOICES.gather(choice), pl.Series(since)
        # At an unknown time nothing is known of a subject that ever chose.
        chose = ~timed & self.events.has(key)
        state = choice.set(pl.Series(chose), None)
        return _CHOICES.gather(state), flagged(since, ~timed & (last_out != NEVER))


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
