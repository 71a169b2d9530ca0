"""Texts in which something was found that is still to be reduced, or to be listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

import numpy as np
import pyarrow as pa

from .operators import Operators
from .overlaps import Finding, Merged, beyond, merge, outside
from .settled import Settled
from .splice import Edit, Origins, around

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..detect.reach import Reach
    from ..found import Found
    from ..texts.leaves import Leaves

    Ints: TypeAlias = NDArray[np.int64]


class Finder(Protocol):
    """What reduction asks of a scanner."""

    @property
    def fingerprint(self) -> str:
        """A digest of everything that decides what is found."""

    @property
    def reach(self) -> Reach | None:
        """How far from a change of a text something can be found that was not tried before.

        None if anything can be found anywhere.
        """

    def find(self, texts: pa.LargeStringArray) -> Found:
        """Give the findings of these texts."""

    def may_hold(self, texts: pa.LargeStringArray) -> NDArray[np.bool_]:
        """Say of each text whether anything in it would be tried, if there is a `reach`."""


@dataclass(slots=True)
class Text:
    """A text on its way through the rounds of reduction.

    `ranges` are to be reduced in `now`; `listed` has what was found so far, at its place in
    `was`; `found` is what the first scan found, winners or not; `loose` says that something was
    tried far from all ranges; `edits` are what the last round put in, `origins` lead back through
    the rounds.
    """

    leaves: int
    number: int
    row: int
    fixed: bool
    was: str
    now: str
    found: list[Finding]
    listed: list[Finding]
    ranges: list[Merged]
    loose: bool
    edits: Sequence[Edit] = ()
    origins: tuple[Origins, ...] = ()

    def find_again(self, findings: Sequence[Finding], operators: Operators) -> None:
        """Take what a scan of the spliced text left to reduce, and list it where it came from."""
        self.ranges = merge(findings)
        if not self.ranges:
            return
        self.origins += (Origins(self.edits),)
        again = []
        for merged in self.ranges:
            start, end = merged.start, merged.end
            for origins in reversed(self.origins):
                start, end = origins.of(start, end)
            again.append(Finding(start, end, merged.winner.entity, merged.winner.score))
        known = [found for found in self.listed if operators.of(found.entity).type != "keep"]
        # What was not covered well enough, as by a mask, is no second finding.
        self.listed += outside(again, known)


def scan_leaves(
    finder: Finder, operators: Operators, leaves: Sequence[Leaves]
) -> tuple[list[Text], set[int]]:
    """Give the texts with findings that are not settled, and the rows that cannot be read."""
    texts: list[Text] = []
    unreadable: set[int] = set()
    reach = finder.reach
    for at, each in enumerate(leaves):
        rows, fixed = each.rows, each.fixed
        for number, value, findings, tried in scan(finder, operators, each.texts):
            row = int(rows[number])
            if value is None:
                unreadable.add(row)
                continue
            kept, reduced = _parted(findings, operators)
            ranges = merge(reduced)
            apart = len(ranges) == len(reduced)
            listed = reduced if apart else [merged.finding for merged in ranges]
            texts.append(
                Text(
                    leaves=at,
                    number=number,
                    row=row,
                    fixed=bool(fixed[number]),
                    was=value,
                    now=value,
                    found=findings,
                    listed=[*listed, *kept],
                    ranges=ranges,
                    loose=reach is None or beyond(tried, ranges, reach.near),
                )
            )
    return texts, unreadable


def rescan(finder: Finder, operators: Operators, texts: Sequence[Text]) -> set[int]:
    """Scan spliced texts for what is left to reduce; give the rows that cannot be read."""
    unreadable: set[int] = set()
    for text in texts:
        text.ranges = []
    reach = finder.reach
    doubtful = texts if reach is None else _doubtful(finder, reach, texts)
    spliced = pa.array([text.now for text in doubtful], pa.large_string())
    for number, value, findings, tried in scan(finder, operators, spliced):
        text = doubtful[number]
        if value is None:
            unreadable.add(text.row)
        else:
            text.find_again(_parted(findings, operators)[1], operators)
            text.loose = reach is None or beyond(tried, text.ranges, reach.near)
    return unreadable


def _doubtful(finder: Finder, reach: Reach, texts: Sequence[Text]) -> list[Text]:
    """Give the spliced texts in which anything can be found.

    What can be found is tried either near an edit, which is looked at here, or where it was tried
    before.
    """
    pieces: list[str] = []
    owners: list[int] = []
    for number, text in enumerate(texts):
        if not text.loose:
            some = around(text.now, text.edits, reach)
            pieces += some
            owners += [number] * len(some)
    held = finder.may_hold(pa.array(pieces, pa.large_string()))
    which = {owners[at] for at in np.flatnonzero(held).tolist()}
    return [text for number, text in enumerate(texts) if text.loose or number in which]


def scan(
    finder: Finder, operators: Operators, texts: pa.LargeStringArray
) -> Iterator[tuple[int, str | None, list[Finding], list[int]]]:
    """Give each text with findings that are not settled.

    Its number, itself, the findings, and the places that were tried. A text that the scanner, or
    Python, cannot read is None.
    """
    found = finder.find(texts)
    for number in found.unreadable.tolist():
        yield number, None, [], []
    settled = Settled(operators, frozenset(found.entities) | frozenset(operators.by_entity))
    names = [found.entities[entity] for entity in found.entity.tolist()]
    findings = list(
        map(Finding, found.start.tolist(), found.end.tolist(), names, found.score.tolist())
    )
    numbers, firsts, counts = np.unique(found.text, return_index=True, return_counts=True)
    values = _decoded(texts, numbers, found)
    # A finding that is no part of its text is a recogniser's failure like any other.
    lengths = np.repeat([len(value or "") for value in values], counts).astype(np.int64)
    astray = (found.start < 0) | (found.start >= found.end) | (found.end > lengths)
    failed = set(found.text[astray].tolist())
    tried = found.tried[:, 1].tolist()
    begins = np.searchsorted(found.tried[:, 0], numbers).tolist()
    ends = np.searchsorted(found.tried[:, 0], numbers, side="right").tolist()
    for number, value, first, count, begin, end in zip(
        numbers.tolist(), values, firsts.tolist(), counts.tolist(), begins, ends, strict=True
    ):
        if value is None or number in failed:
            yield number, None, [], []
        elif left := settled.left(value, findings[first : first + count]):
            yield number, value, left, tried[begin:end]


def _parted(findings: list[Finding], operators: Operators) -> tuple[list[Finding], list[Finding]]:
    """Part the findings to keep from those to reduce."""
    if not operators.keep_some:
        return [], findings
    kept = [found for found in findings if operators.of(found.entity).type == "keep"]
    return kept, [found for found in findings if operators.of(found.entity).type != "keep"]


def _decoded(texts: pa.LargeStringArray, numbers: Ints, found: Found) -> list[str | None]:
    """Give texts as Python's; None for bytes that are no UTF-8, which Arrow may hold."""
    known = [found.decoded.get(number) for number in numbers.tolist()]
    if None not in known:
        return known
    wanted = texts.take(pa.array(numbers))
    try:
        return cast("list[str | None]", wanted.to_pylist())
    except UnicodeDecodeError:
        return [_one(text) for text in wanted]


def _one(text: pa.LargeStringScalar) -> str | None:
    try:
        return cast("str | None", text.as_py())
    except UnicodeDecodeError:
        return None
