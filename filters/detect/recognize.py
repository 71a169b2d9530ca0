"""Presidio's recognisers judge: candidates in, findings out, as Presidio's engine would give them.

A recogniser that is nothing but patterns, the IBAN recogniser and the phone recognisers are done
here, at the candidates (`candidates.py`, `phones.py`); others get whole texts (`opaque.py`). What
the engine does with results follows on values instead of objects: each recogniser's duplicates,
context words, threshold, and duplicates again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from .candidates import Batch, Result, Unit
from .checks import Checks
from .context import Text
from .opaque import Opaque, analyzer
from .phones import PhoneNumbers
from .prefilter import Expression
from .tokens import Tokens

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer

_CONTEXT_RISE: Final = 0.35
_CONTEXT_LEAST: Final = 0.4
_MOST: Final = 1.0


# Presidio writes what it cannot check into its log.
logging.getLogger("presidio-analyzer").addFilter(lambda record: not record.args)


class Judge:
    """The recognisers of one language."""

    def __init__(
        self, recognizers: Sequence[EntityRecognizer], language: str, threshold: float
    ) -> None:
        """Sort the recognisers by what is known of them."""
        self.language = language
        self.threshold = threshold
        self.recognizers = list(recognizers)
        self._words = [tuple(w.lower() for w in r.context or ()) for r in self.recognizers]
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

    def described(self) -> Iterator[dict[str, Any]]:
        """Say of each recogniser all that decides what it finds."""
        for recognizer in self.recognizers:
            patterns = getattr(recognizer, "patterns", ())
            yield {
                "entities": sorted(recognizer.supported_entities),
                "recognizer": recognizer.name,  # type: ignore[has-type]
                "language": recognizer.supported_language,
                "country": recognizer.country_code(),
                "kind": f"{type(recognizer).__module__}.{type(recognizer).__qualname__}",
                "context": list(recognizer.context or ()),
                "flags": int(getattr(recognizer, "global_regex_flags", 0) or 0),
                "patterns": [[p.name, p.regex, p.score] for p in patterns],
            }

    @property
    def guided(self) -> bool:
        """Whether every recogniser looks only where an expression ends."""
        sought = all(unit.expression is not None for unit in self.units)
        return sought and not (self.opaque or self.whole)

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
            if self._plain.issuperset([r.recognizer for r in results]):
                # A result that another contains can be dropped at once, whoever found them.
                enough = [r for r in results if r.score >= self.threshold]
                settled[row] = enough if len(enough) <= 1 else without_duplicates(enough)
                continue
            try:
                settled[row] = self._settled(batch, row, results)
            except Exception:  # noqa: BLE001
                batch.unreadable.add(row)
        return settled

    def _phones(self, number: int, phones: PhoneNumbers, batch: Batch) -> None:
        recognizer = self.recognizers[number]
        entity = recognizer.supported_entities[0]
        known = phones.expression in batch.ends
        for row, _, ends in batch.candidates(phones.expression, 1):
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
    def tokens(self) -> Tokens:
        """How the language is split into words; only context words ask."""
        return Tokens(self.language)

    @cached_property
    def _whole(self) -> Opaque:
        return Opaque(self.recognizers, self.language)

    def _settled(self, batch: Batch, row: int, results: list[Result]) -> list[Result]:
        """Do what Presidio's engine does with its recognisers' results."""
        around = Text(batch.text(row), self.tokens)
        kept = results if len(results) == 1 else self._own_duplicates(results)
        kept = [self._risen(r, around) for r in kept]
        enough = [r for r in kept if r.score >= self._threshold(r)]
        return enough if len(enough) <= 1 else without_duplicates(enough)

    def _own_duplicates(self, results: list[Result]) -> list[Result]:
        by_recognizer: dict[int, list[Result]] = defaultdict(list)
        for result in results:
            by_recognizer[result.recognizer].append(result)
        return [
            r
            for number, own in by_recognizer.items()
            for r in (own if number in self._as_they_are else without_duplicates(own))
        ]

    @cached_property
    def _plain(self) -> set[int]:
        """Give the recognisers of patterns without context words and thresholds of their own."""
        plain = {u.number for u in self.units if not u.groups}
        return {n for n in plain if not self._words[n] and not self._thresholds[n]}

    @cached_property
    def _as_they_are(self) -> set[int]:
        return {u.number for u in self.units if u.groups} | set(self.opaque)

    def _risen(self, result: Result, around: Text) -> Result:
        """Raise the score of a finding that stands near one of its recogniser's context words."""
        words = self._words[result.recognizer]
        if not words or result.enhanced:
            return result
        if result.score == _MOST and around.has_token(result.start):
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
    if len(results) == 1 and results[0].score != 0:
        return results
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
