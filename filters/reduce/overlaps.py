"""One rule for findings that overlap.

Findings that share a character are merged into one range, which is reduced as a whole: nothing of
any of them stays in the text. The range is reduced under the entity of the finding that wins: the
higher score, then the longer, then the earlier start, then the entity's name. Findings that only
touch are two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple


class Finding(NamedTuple):
    """One finding in one text; code points, the end exclusive."""

    start: int
    end: int
    entity: str
    score: float


class Merged(NamedTuple):
    """A range to be reduced, and the finding that says how."""

    start: int
    end: int
    winner: Finding

    @property
    def whole(self) -> bool:
        """Whether the range is the winner's own."""
        return self.winner.start == self.start and self.winner.end == self.end

    @property
    def finding(self) -> Finding:
        """The range as one finding, under the winner's entity."""
        winner = self.winner
        return winner if self.whole else Finding(self.start, self.end, winner.entity, winner.score)


def merge(findings: Sequence[Finding]) -> list[Merged]:
    """Merge overlapping findings; the ranges come in the text's order and do not overlap.

    >>> found = [Finding(0, 12, "PHONE_NUMBER", 0.4), Finding(4, 20, "CREDIT_CARD", 1.0)]
    >>> [(r.start, r.end, r.winner.entity) for r in merge(found)]
    [(0, 20, 'CREDIT_CARD')]
    """
    if len(findings) == 1:  # most often
        [one] = findings
        return [Merged(one.start, one.end, one)]
    ordered = sorted(findings)
    if all(one.end <= other.start for one, other in pairwise(ordered)):
        return [Merged(each.start, each.end, each) for each in ordered]
    ranges: list[Merged] = []
    group: list[Finding] = []
    start = end = -1
    for finding in ordered:
        if group and finding.start >= end:
            ranges.append(Merged(start, end, min(group, key=_rank)))
            group = []
        start, end = (start, max(end, finding.end)) if group else finding[:2]
        group.append(finding)
    if group:
        ranges.append(Merged(start, end, min(group, key=_rank)))
    return ranges


def beyond(places: Iterable[int], ranges: Sequence[Merged], reach: int) -> bool:
    """Say whether a place is farther than `reach` from every range; both ascend.

    >>> beyond([3, 25], merge([Finding(8, 20, "PHONE_NUMBER", 0.4)]), 5)
    False
    """
    at, count = 0, len(ranges)
    for place in places:
        while at < count and ranges[at].end + reach < place:
            at += 1
        if at == count or place < ranges[at].start - reach:
            return True
    return False


def outside(findings: Iterable[Finding], covers: Iterable[Finding]) -> list[Finding]:
    """Drop the findings that lie within one of `covers`; the rest comes in the text's order.

    >>> outside([Finding(2, 5, "PERSON", 0.85), Finding(8, 12, "PERSON", 0.85)],
    ...         [Finding(0, 10, "EMAIL_ADDRESS", 1.0)])
    [Finding(start=8, end=12, entity='PERSON', score=0.85)]
    """
    # Of covers that reach no further than an earlier one, none covers more than that one.
    ranges: list[tuple[int, int]] = []
    for cover in sorted(covers):
        if not ranges or cover.end > ranges[-1][1]:
            ranges.append((cover.start, cover.end))
    left: list[Finding] = []
    at = 0
    for finding in sorted(findings):
        while at + 1 < len(ranges) and ranges[at + 1][0] <= finding.start:
            at += 1
        if not ranges or finding.start < ranges[at][0] or finding.end > ranges[at][1]:
            left.append(finding)
    return left


def _rank(finding: Finding) -> tuple[float, int, int, str]:
    return (-finding.score, finding.start - finding.end, finding.start, finding.entity)
