"""Events by key and instant; the last of them at or before a time, for many rows at once.

Keys are small whole numbers and instants are microseconds, so that finding an event is arithmetic
on whole columns: a binary search that all rows take together, one halving a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

NO_KEY: Final = -1
"""The key of a row whose subject no event names."""

NEVER: Final = int(np.iinfo(np.int64).min)
"""The instant of what has not happened, and of a row whose time is unknown: before everything."""


@dataclass(frozen=True)
class Rows:
    """What of some records the registers are asked about.

    `at` is the submission, NEVER where unknown; `surface` the place of the record's surface in
    SURFACES, one past the last for what is not in it; `keys` has, for each column that holds
    subjects, every row's key, NO_KEY where no register names it.
    """

    at: Integers
    surface: Integers
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
class Events:
    """One register's events of one subject kind: `frame` has `key`, a number below `keys`."""

    frame: pl.DataFrame
    keys: int


@dataclass(frozen=True)
class Timeline:
    """Events sorted by key, then by instant: those of key `k` are `starts[k]:starts[k + 1]`.

    >>> events = pl.DataFrame({"key": [1, 0, 1], "at": [30, 5, 10], "plan": ["b", "x", "a"]})
    >>> timeline = Timeline.of(events, keys=2)
    >>> keys, at = np.array([1, 1, 1, NO_KEY]), np.array([9, 10, 99, 99])
    >>> timeline.values["plan"].gather(timeline.last(keys, at)).to_list()
    [None, 'a', 'b', None]
    """

    starts: Integers
    at: Integers
    values: pl.DataFrame

    @classmethod
    def of(cls, events: pl.DataFrame, keys: int) -> Timeline:
        """Sort events with `key`, `at` and values. One row at most for each key and instant."""
        events = events.sort("key", "at")
        starts = events["key"].search_sorted(pl.int_range(keys + 1, eager=True))
        at = events["at"].to_physical().to_numpy()
        return cls(starts.to_numpy().astype(np.int64), at, events.drop("key", "at"))

    def has(self, keys: Integers) -> Flags:
        """Say of each key whether it has any event."""
        held: Flags = np.append(self.starts[1:] > self.starts[:-1], [False])
        return held[keys]  # NO_KEY is the last

    def last(self, keys: Integers, at: Integers) -> pl.Series:
        """Find for each row the last event of its key at or before its instant: rows of `values`.

        NULL where there is none.
        """
        found = np.full(len(keys), -1, dtype=np.int64)
        rows = np.flatnonzero(self.has(keys))
        if len(rows):
            end = self.starts[keys[rows] + 1]
            place = self.starts[keys[rows]] - 1
            step = 1 << (int(np.diff(self.starts).max()).bit_length() - 1)
            moment, newest = at[rows], len(self.at) - 1
            while step:
                there = place + step
                passed = (there < end) & (self.at[np.minimum(there, newest)] <= moment)
                place += step * passed
                step >>= 1
            found[rows] = np.where(place >= self.starts[keys[rows]], place, -1)
        series = pl.Series(found)
        return series.set(series < 0, None)


def latest(events: pl.DataFrame, keys: int) -> Integers:
    """Give each key its newest instant, NEVER where it has none; one more stands for NO_KEY."""
    return _extreme(np.maximum, NEVER, events, keys)


def earliest(events: pl.DataFrame, keys: int, never: int) -> Integers:
    """Give each key its oldest instant, `never` where it has none; one more stands for NO_KEY."""
    return _extreme(np.minimum, never, events, keys)


def instants(times: pl.Series) -> Integers:
    """Give times as microseconds, NEVER where unknown."""
    return times.to_physical().fill_null(NEVER).to_numpy()


def flagged(values: Flags | Integers, unknown: Flags) -> pl.Series:
    """Make a column of values that are NULL where unknown."""
    series = pl.Series(values)
    return series.set(pl.Series(unknown), None) if unknown.any() else series


def _extreme(pick: Any, never: int, events: pl.DataFrame, keys: int) -> Integers:  # noqa: ANN401
    table = np.full(keys + 1, never, dtype=np.int64)
    pick.at(table, events["key"].to_numpy(), events["at"].to_physical().to_numpy())
    return table
