"""Presidio's recognisers judge: from where something may end to findings.

For one pattern on one text, `finditer` gives the leftmost match, goes on from its end, and so
forth. The same comes out when only some starts are tried, in order and each where the one before
ended, if no other start can match. The prefilter says which can: where it reports an end e, a match
may start from `e - back` to `e - fore`, or anywhere in the stretch of characters that the pattern
can hold (`Shape`). Each start is tried once, on the text itself, so that everything before it is
seen as it is; after the last start of a group the text is cut off, but only past what the longest
match from there and its lookaheads can see. A pattern of which all this is not known runs on the
whole text.

What a recogniser does with a match (its check, its score) and what Presidio does with the results
(duplicates, context words, threshold) follows on values instead of objects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import regex

from .context import Context, Text
from .fold import Folded
from .opaque import Opaque, analyzer
from .phones import PhoneNumbers
from .prefilter import Expression
from .shapes import Shape, shape

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer, Pattern

TIMEOUT_SECONDS: Final = 10.0
_CONTEXT_RISE: Final = 0.35
_CONTEXT_LEAST: Final = 0.4
_MOST: Final = 1.0
_SHORT: Final = 16
_FEW_WAYS: Final = 10_000
_REMEMBERED: Final = 100_000
_LONGEST_REMEMBERED: Final = 200


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

    `text` gives the text of a row; `ends` where each expression ends, if that is known.
    """

    folded: Folded
    text: Callable[[int], str]
    ends: dict[Expression, np.ndarray]
    results: dict[int, list[Result]] = field(default_factory=lambda: defaultdict(list))
    unreadable: set[int] = field(default_factory=set)

    def rows(self) -> range:
        """Give the rows."""
        return range(len(self.folded.starts) - 1)

    def data(self, row: int) -> memoryview:
        """Give a row folded."""
        starts = self.folded.starts
        return self.folded.data[int(starts[row]) : int(starts[row + 1]) - 1]

    def candidates(
        self, expression: Expression | None, shift: int = 0
    ) -> Iterator[tuple[int, list[int]]]:
        """Give the rows in which an expression ends, and where; every row if that is not known."""
        if expression not in self.ends:
            yield from ((row, []) for row in self.rows())
            return
        ends = self.ends[expression] - shift
        if not len(ends):
            return
        starts = self.folded.starts
        rows = np.clip(np.searchsorted(starts, ends - 1, side="right") - 1, 0, len(starts) - 2)
        places = (ends - starts[rows]).tolist()
        edges = np.flatnonzero(np.diff(rows, prepend=-1, append=-1)).tolist()
        for low, high in zip(edges, edges[1:], strict=False):
            yield int(rows[low]), places[low:high]


class Checks:
    """A recogniser's own verdict on what a pattern matched, remembered by the text of the match."""

    def __init__(self, recognizer: Any) -> None:  # noqa: ANN401
        from presidio_analyzer import PatternRecognizer

        kind = type(recognizer)
        self._recognizer = recognizer
        self._validate = _validation(recognizer)
        self.indifferent = (
            kind.validate_result is PatternRecognizer.validate_result
            and kind.invalidate_result is PatternRecognizer.invalidate_result
        )
        self._known: dict[str, tuple[bool | None, bool]] = {}

    def score(self, value: str, score: float) -> float:
        """Give the score of a match whose pattern has this one; 0 for none."""
        if self.indifferent:
            return score
        known = self._known.get(value)
        if known is None:
            valid = self._validate(value)
            invalid = self._recognizer.invalidate_result(value)
            known = (None if valid is None else bool(valid), bool(invalid))
            if len(value) <= _LONGEST_REMEMBERED:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[value] = known
        valid, invalid = known
        if invalid:
            return 0
        return score if valid is None else _MOST if valid else 0


def _validation(recognizer: Any) -> Callable[[str], bool | None]:  # noqa: ANN401
    """Give a recogniser's check; one that would ask the network gets the list it would fall back on."""
    from presidio_analyzer.predefined_recognizers import EmailRecognizer

    if type(recognizer).validate_result is not EmailRecognizer.validate_result:
        return recognizer.validate_result  # type: ignore[no-any-return]
    import tldextract

    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    return lambda value: extract(value).fqdn != ""


class Unit:
    """One pattern of a recogniser."""

    def __init__(
        self, number: int, recognizer: Any, pattern: Pattern, checks: Checks, *, groups: bool
    ) -> None:
        """Compile a pattern as its recogniser does; `groups` for the IBAN recogniser's own way."""
        flags = recognizer.global_regex_flags
        self.number = number
        self.entity = recognizer.supported_entities[0]
        self.regex = regex.compile(pattern.regex, flags)
        self.score = pattern.score
        self.checks = checks
        self.groups = groups
        found = shape(pattern.regex, int(flags), getattr(pattern, "anchor", None))
        self.expression: Expression | None = None
        self.shape: Shape | None = None
        if found is not None and found.expression:
            self.expression = Expression(found.expression, found.caseless)
            self.shape = found
            # Watching the clock takes longer than most searches; few ways need no watch.
            self._watched = found.ways > _FEW_WAYS
            held = "".join(f"\\x{c:02x}" for c in sorted(found.holds)).encode()
            self._left = regex.compile(rb"(?r)[" + held + rb"]+")
            self._right = regex.compile(rb"[" + held + rb"]*+")

    def judge(self, batch: Batch) -> None:
        """Add what this pattern finds."""
        known = self.expression in batch.ends
        shift = self.shape.shift if self.shape else 0
        for row, ends in batch.candidates(self.expression, shift):
            if row in batch.unreadable:
                continue
            text = batch.text(row)
            try:
                found = self._tried(text, ends, batch, row) if known else self._all(text)
                batch.results[row] += [r for m in found for r in self._results(m)]
            except Exception:  # noqa: BLE001 - whatever it is, the text was not looked through
                batch.unreadable.add(row)

    def _all(self, text: str) -> Iterator[Any]:
        yield from self.regex.finditer(text, timeout=TIMEOUT_SECONDS)

    def _tried(self, text: str, ends: list[int], batch: Batch, row: int) -> Iterator[Any]:
        """Give the matches whose start the ends allow."""
        known = self.shape
        assert known is not None  # noqa: S101 - only called with one
        done, size, search = 0, len(text), self.regex.search
        reach = None if known.most is None or known.ahead is None else known.most + known.ahead
        watched = self._watched
        base, data, right = int(batch.folded.starts[row]), batch.folded.data, -1
        for end in ends:
            high = end - known.fore
            if high < done:
                continue
            low = done if known.back is None else max(done, end - known.back)
            if end - low > _SHORT:
                run = self._left.match(data, base + low, base + end)
                low = run.start() - base if run else high + 1
            if known.ahead is None:
                stop = size
            elif reach is not None and reach <= _SHORT:
                stop = min(size, high + reach)
            else:
                if right < end:
                    right = self._right.match(data, base + end, base + size).end() - base
                stop = min(size, right + known.ahead, size if reach is None else high + reach)
            while low <= high:
                if watched:
                    match = search(text, low, stop, timeout=TIMEOUT_SECONDS)
                else:
                    match = search(text, low, stop)
                if match is None or match.start() > high:
                    break
                yield match
                low = done = match.end()
            done = max(done, high + 1)

    def _results(self, match: Any) -> Iterator[Result]:  # noqa: ANN401
        start, end = match.span()
        if not self.groups:
            if start < end and (score := self.checks.score(match[0], self.score)) > 0:
                yield Result(self.number, start, end, score, self.entity)
            return
        # As IbanRecognizer does: what its last group adds is taken off until the rest is one.
        for group in range(len(match.groups()), 0, -1):
            shorter = match.end(group)
            stop = shorter if shorter > 0 else end
            value = match.string[start:stop]
            if value and (score := self.checks.score(value, self.score)) > 0:
                yield Result(self.number, start, stop, score, self.entity)
                return


class Judge:
    """The recognisers of one language."""

    def __init__(
        self, recognizers: Sequence[EntityRecognizer], language: str, threshold: float
    ) -> None:
        """Sort the recognisers by what is known of them."""
        self.language = language
        self.threshold = threshold
        self.recognizers = list(recognizers)
        self.context = Context(language)
        self._words = [[w.lower() for w in r.context or ()] for r in self.recognizers]
        self._thresholds = [r.score_thresholds for r in self.recognizers]
        self.units: list[Unit] = []
        self.phones: list[tuple[int, PhoneNumbers]] = []
        self.opaque: list[int] = []
        self.whole = False
        for number, recognizer in enumerate(self.recognizers):
            self._sort(number, recognizer)

    def _sort(self, number: int, recognizer: Any) -> None:  # noqa: ANN401
        from presidio_analyzer import EntityRecognizer, PatternRecognizer
        from presidio_analyzer.predefined_recognizers import IbanRecognizer

        kind = type(recognizer)
        if kind.enhance_using_context is not EntityRecognizer.enhance_using_context:
            self.whole = True
        analyze = getattr(kind, "analyze", None)
        iban = analyze is IbanRecognizer.analyze
        if iban or analyze is PatternRecognizer.analyze:
            checks = Checks(recognizer)
            self.units += [
                Unit(number, recognizer, p, checks, groups=iban) for p in recognizer.patterns
            ]
        elif (phones := PhoneNumbers.of(recognizer)) is not None:
            self.phones.append((number, phones))
        else:
            self.opaque.append(number)

    def expressions(self) -> set[Expression]:
        """Give what the prefilter must look for."""
        sought = {u.expression for u in self.units if u.expression is not None}
        return sought | {phones.expression for _, phones in self.phones}

    def judge(self, batch: Batch) -> dict[int, list[Result]]:
        """Give the findings of each row that has any, duplicates removed."""
        if self.whole:
            return self._by_engine(batch)
        batch.results.clear()
        for unit in self.units:
            unit.judge(batch)
        for number, phones in self.phones:
            self._phones(number, phones, batch)
        for number in self.opaque:
            self._opaque(number, batch)
        settled: dict[int, list[Result]] = {}
        for row, results in batch.results.items():
            if row in batch.unreadable or not results:
                continue
            try:
                settled[row] = self._settled(batch.text(row), results)
            except Exception:  # noqa: BLE001
                batch.unreadable.add(row)
        return settled

    def _phones(self, number: int, phones: PhoneNumbers, batch: Batch) -> None:
        recognizer = self.recognizers[number]
        entity = recognizer.supported_entities[0]
        known = phones.expression in batch.ends
        for row, ends in batch.candidates(phones.expression, 1):
            if row in batch.unreadable:
                continue
            try:
                found = phones.find(batch.text(row), batch.data(row), ends if known else None)
                batch.results[row] += [Result(number, s, e, phones.score, entity) for s, e in found]
            except Exception:  # noqa: BLE001
                batch.unreadable.add(row)

    def _opaque(self, number: int, batch: Batch) -> None:
        """Run a recogniser of which nothing is known on every text."""
        from presidio_analyzer import RecognizerResult

        flag = RecognizerResult.IS_SCORE_ENHANCED_BY_CONTEXT_KEY
        recognizer = self.recognizers[number]
        for row in batch.rows():
            if row in batch.unreadable or not batch.text(row):
                continue
            try:
                batch.results[row] += [
                    Result(number, r.start, r.end, float(r.score), r.entity_type, risen)
                    for r in self._whole.results(recognizer, batch.text(row))
                    for risen in [bool((r.recognition_metadata or {}).get(flag))]
                ]
            except Exception:  # noqa: BLE001
                batch.unreadable.add(row)

    def _by_engine(self, batch: Batch) -> dict[int, list[Result]]:
        """Let Presidio's engine look at every text."""
        engine = analyzer(self.recognizers, self.language, self.threshold)
        found: dict[int, list[Result]] = {}
        for row in batch.rows():
            if row in batch.unreadable or not batch.text(row):
                continue
            try:
                results = engine.analyze(batch.text(row), self.language)
            except Exception:  # noqa: BLE001
                batch.unreadable.add(row)
                continue
            found[row] = [Result(0, r.start, r.end, r.score, r.entity_type) for r in results]
        return found

    @cached_property
    def _whole(self) -> Opaque:
        return Opaque(self.recognizers, self.language)

    def _settled(self, text: str, results: list[Result]) -> list[Result]:
        """Do what Presidio's engine does with its recognisers' results."""
        around = self.context.text(text, len(results))
        alone = len(results) == 1
        kept = results if alone else self._own_duplicates(results)
        risen = [self._risen(r, around) for r in kept]
        enough = [r for r in risen if r.score >= self._threshold(r)]
        return enough if len(enough) < 2 else without_duplicates(enough)

    def _own_duplicates(self, results: list[Result]) -> list[Result]:
        by_recognizer: dict[int, list[Result]] = defaultdict(list)
        for result in results:
            by_recognizer[result.recognizer].append(result)
        return [
            r
            for number, own in by_recognizer.items()
            for r in (own if number in self._as_they_are else without_duplicates(own))
        ]

    @property
    def _as_they_are(self) -> set[int]:
        return {u.number for u in self.units if u.groups} | set(self.opaque)

    def _risen(self, result: Result, around: Text) -> Result:
        """Raise the score of a finding that stands near one of its recogniser's context words."""
        words = self._words[result.recognizer]
        if not words or result.enhanced:
            return result
        if not around.near(result.start, words):
            return result
        score = min(max(result.score + _CONTEXT_RISE, _CONTEXT_LEAST), _MOST)
        return result._replace(score=score)

    def _threshold(self, result: Result) -> float:
        own = self._thresholds[result.recognizer]
        if not own:
            return self.threshold
        return own.get(result.entity, own.get("default", self.threshold))


def without_duplicates(results: list[Result]) -> list[Result]:
    """Drop a result that another of its entity contains with no lower score, as Presidio does."""
    kept: list[Result] = []
    entity = None
    active: list[Result] = []
    unique = {(r.entity, r.start, -r.end, -r.score): r for r in reversed(results)}
    for key in sorted(unique):
        result = unique[key]
        if result.entity != entity:
            entity, active = result.entity, []
        if result.score == 0:
            continue
        active = [a for a in active if a.end >= result.start]
        if not any(a.end >= result.end and a.score >= result.score for a in active):
            kept.append(result)
            active.append(result)
    return kept
