"""The stretches of a text, between white space, that have a colon in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate


class Colons:
    """The different stretches of a text that have a colon in them."""

    def __init__(self, stretches: Iterable[str]) -> None:
        """Put them into one text, in lower case, to look through at once."""
        self.stretches = sorted(stretches)
        lowered = [stretch.lower() for stretch in self.stretches]
        self._lower = "\n".join(lowered)
        self._starts = [0, *accumulate(len(each) + 1 for each in lowered)]

    def holding(self, part: str) -> Iterator[str]:
        """Give the stretches in which a part stands, in lower case."""
        at = self._lower.find(part)
        while at >= 0:
            number = bisect_right(self._starts, at) - 1
            yield self.stretches[number]
            at = self._lower.find(part, self._starts[number + 1])
