"""Candidates of one pattern become matches, and matches results.

For one pattern on one text, `finditer` gives the leftmost match, goes on from its end, and so
forth. The same comes out when only some starts are tried, in order and each where the one before
ended, if no other start can match. The prefilter says which can: where it reports an end e, a match
may start from `e - back` to `e - fore`, or anywhere in the stretch of characters that the pattern
can hold (`Shape`). Each start is tried once, on the text itself, so that everything before it is
seen as it is; after the last start of a group the text is cut off, but only past what the longest
match from there and its lookaheads can see. A pattern of which all this is not known runs on the
whole text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import regex

from .checks import Checks
from .fold import Folded
from .prefilter import Expression
from .shapes import Shape, shape

if TYPE_CHECKING:
    from presidio_analyzer import Pattern

TIMEOUT_SECONDS: Final = 10.0
_SHORT: Final = 16
_LITTLE_WORK: Final = 1e8
_FARTHEST: Final = 1000
_ONE_BY_ONE: Final = 4
# So few starts too many are tried in less time than an expression takes to compile.
_NEAR: Final = 256


class Result(NamedTuple):
    """What a recogniser says of one text: its number, and a span with a score."""

    recognizer: int
    start: int
    end: int
    score: float
    entity: str
    enhanced: bool = False


@dataclass
class Batch:
    """Texts that were looked through together, and what is found in each.

    `ends` says where each expression ends, if that is known.
    """

    folded: Folded
    texts: pa.LargeStringArray
    ends: dict[Expression, npt.NDArray[np.int64]]
    results: dict[int, list[Result]] = field(default_factory=lambda: defaultdict(list))
    unreadable: set[int] = field(default_factory=set)

    def rows(self) -> range:
        """Give the rows."""
        return range(len(self.folded.starts) - 1)

    def text(self, row: int) -> str:
        """Give the text of a row."""
        known = self._likely.get(row)
        if known is None:
            known = self._likely[row] = self.texts[row].as_py()
        return known

    @cached_property
    def _likely(self) -> dict[int, str]:
        """Give the texts in which any expression ends: much faster all at once."""
        rows = np.unique(self.places[:, 0])
        return dict(zip(rows.tolist(), self.texts.take(pa.array(rows)).to_pylist(), strict=True))

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """Give where any expression ends: pairs of a row and a place in its text, ascending."""
        ends = np.sort(np.concatenate([np.zeros(0, np.int64), *self.ends.values()]))
        rows = self._rows_of(ends)
        return np.stack([rows, ends - self.folded.starts[rows]], axis=1)

    def _rows_of(self, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        starts = self.folded.starts
        rows = starts.searchsorted(ends - 1, side="right") - 1
        return np.maximum(np.minimum(rows, len(starts) - 2), 0)

    def data(self, row: int) -> memoryview:
        """Give a row folded."""
        starts = self.folded.starts
        return self.folded.data[int(starts[row]) : int(starts[row + 1]) - 1]

    def candidates(
        self, expression: Expression | None, shift: int = 0
    ) -> Iterator[tuple[int, int, list[int]]]:
        """Give the rows in which an expression ends, where they start in `folded`, and the ends.

        Gives every row, without ends, if that is not known.
        """
        known = None if expression is None else self.ends.get(expression)
        if known is None:
            yield from zip(self.rows(), self.folded.starts.tolist(), repeat([]))
            return
        if not len(known):
            return
        ends = known - shift
        rows = self._rows_of(ends)
        starts = self.folded.starts[rows]
        places = (ends - starts).tolist()
        edges = np.flatnonzero(rows[1:] != rows[:-1]) + 1
        held, begun = rows.tolist(), starts.tolist()
        for low, high in pairwise([0, *edges.tolist(), len(held)]):
            yield held[low], begun[low], places[low:high]


class Unit:
    """One pattern of a recogniser."""

    def __init__(
        self,
        number: int,
        recognizer: Any,  # noqa: ANN401
        pattern: Pattern,
        checks: Checks,
        *,
        groups: bool,
    ) -> None:
        """Take a pattern of a recogniser; `groups` for the IBAN recogniser's own way."""
        flags = recognizer.global_regex_flags
        self.number = number
        self.entity = recognizer.supported_entities[0]
        self.score = pattern.score
        self.checks = checks
        self.groups = groups
        anchor, before = getattr(pattern, "anchor", None), getattr(pattern, "before", 0)
        found = shape(pattern.regex, int(flags), anchor, before)
        self.expression: Expression | None = None
        self.shape: Shape | None = None
        self._pattern, self._flags = pattern.regex, int(flags)
        if found is not None and found.expression:
            self.expression = Expression(found.expression, found.caseless)
            self.shape = found
            self._fore, self._back, self._ahead = found.fore, found.back, found.ahead
            # Watching the clock takes longer than most searches; little work needs no watch.
            starts = _FARTHEST if found.back is None else found.back - found.fore + 1
            self._watched = found.work * starts > _LITTLE_WORK
            known = found.back is not None and not flags & regex.VERBOSE
            self._skipped = starts - 1 if known and starts <= _FARTHEST + 1 else None
            # How far a match can be seen from its start, where nothing is searched for further on.
            self._reach = None if self._skipped is None else found.reach
            self._held = "".join(f"\\x{c:02x}" for c in sorted(found.holds)).encode()

    @cached_property
    def regex(self) -> Any:  # noqa: ANN401 - a pattern of the module `regex`
        """The pattern, compiled as its recogniser does; few are ever needed."""
        return regex.compile(self._pattern, self._flags)

    @cached_property
    def _match(self) -> Callable[..., Any]:
        return self._timed(self.regex.match)

    @cached_property
    def _search(self) -> Callable[..., Any]:
        """Give what finds the first match from a place on, without trying all starts after `high`.

        Where a match may start is known to within so many characters: they are skipped one by one
        in the expression itself, which drops what was skipped.
        """
        if self._skipped is None or (self._reach is not None and self._reach <= _NEAR):
            return self._timed(self.regex.search)
        if not self._skipped:
            return self._match
        near = rf"(?s:.{{0,{self._skipped}}}?)\K(?:{self._pattern})"
        return self._timed(regex.compile(near, self._flags).match)

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        return partial(method, timeout=TIMEOUT_SECONDS) if self._watched else method

    @cached_property
    def _left(self) -> Callable[..., Any]:
        """Match backwards the characters that a match may hold."""
        return regex.compile(rb"(?r)[" + self._held + rb"]+").match  # type: ignore[no-any-return]

    @cached_property
    def _right(self) -> Callable[..., Any]:
        return regex.compile(rb"[" + self._held + rb"]*+").match  # type: ignore[no-any-return]

    def judge(self, batch: Batch) -> None:
        """Add what this pattern finds."""
        if self.shape is None or self.expression not in batch.ends:
            for row in batch.rows():
                self._judge_row(batch, row, self._all)
            return
        data, tried = batch.folded.data, self._tried
        for row, base, ends in batch.candidates(self.expression, self.shape.shift):
            self._judge_row(batch, row, tried, ends, data, base)

    def _judge_row(
        self, batch: Batch, row: int, find: Callable[..., list[Result]], *where: object
    ) -> None:
        if row in batch.unreadable:
            return
        try:
            if found := find(batch.text(row), *where):
                batch.results[row] += found
        except Exception:  # noqa: BLE001 - whatever it is, the text was not looked through
            batch.unreadable.add(row)

    def _all(self, text: str) -> list[Result]:
        found: list[Result] = []
        for match in self.regex.finditer(text, timeout=TIMEOUT_SECONDS):
            self._add(match, found)
        return found

    def _tried(self, text: str, ends: list[int], data: memoryview, base: int) -> list[Result]:
        """Give the results of the matches whose start the ends allow.

        The text stands in `data` from `base` on.
        """
        found: list[Result] = []
        fore, back, reach = self._fore, self._back, self._reach
        done, size, right = 0, len(text), -1
        for end in ends:
            high = end - fore
            if high < done:
                continue
            low = done if back is None or end - back < done else end - back
            if end - low > _SHORT:
                run = self._left(data, base + low, base + end)
                low = run.start() - base if run else high + 1
            if reach is not None:
                stop = min(size, high + reach)
            else:
                stop, right = self._seen(data, base, end, size, right)
            while low <= high:
                match = self._first(text, low, high, stop)
                if match is None:
                    break
                self._add(match, found)
                low = done = match.end()
            if done <= high:
                done = high + 1
        return found

    def _seen(
        self, data: memoryview, base: int, end: int, size: int, right: int
    ) -> tuple[int, int]:
        """Give how far a match is seen, and where what it may hold ends, known up to `right`."""
        if self._ahead is None:
            return size, right
        if right < end:
            right = self._right(data, base + end, base + size).end() - base
        return min(size, right + self._ahead), right

    def _first(self, text: str, low: int, high: int, stop: int) -> Any:  # noqa: ANN401
        """Give the first match that starts from `low` to `high`, on the text up to `stop`."""
        if high - low < _ONE_BY_ONE:
            match_at = self._match
            for start in range(low, high + 1):
                match = match_at(text, start, stop)
                if match is not None:
                    return match
            return None
        match = self._search(text, low, stop)
        return match if match is not None and match.start() <= high else None

    def _add(self, match: Any, found: list[Result]) -> None:  # noqa: ANN401
        start, end = match.span()
        if not self.groups:
            if start < end and (score := self.checks.score(match[0], self.score)) > 0:
                found.append(Result(self.number, start, end, score, self.entity))
            return
        # As IbanRecognizer does: what its last group adds is taken off until the rest is one.
        for group in range(len(match.groups()), 0, -1):
            shorter = match.end(group)
            stop = shorter if shorter > 0 else end
            value = match.string[start:stop]
            if value and (score := self.checks.score(value, self.score)) > 0:
                found.append(Result(self.number, start, stop, score, self.entity))
                return
