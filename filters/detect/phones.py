r"""Phone numbers as python-phonenumbers' matcher finds them, where digits stand.

The matcher goes through a text from number-like stretch to number-like stretch (`_PATTERN` there),
tries each as a whole and then its parts, and goes on behind it. Such a stretch consists of few
kinds of characters, so where a run of them ends no stretch goes on, and a run can be looked at by
itself. Of what stands beside it the matcher asks only whether it is a Latin letter, a percent sign
or a currency symbol. Within a run everything is the matcher's own work, for every region that can
have a number there; most digits are ruled out for all regions by their count and first digits.

The matcher gives up on a text after 65,535 failed tries a region. Where that is possible, every run
of the text is looked at in order, and tries are counted as the matcher counts them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import phonenumbers
import regex
from phonenumbers import phonenumbermatcher, phonenumberutil

from ..recognizers.numbering import surely_valid
from .phone_regions import dialled, expression, least, metadata_of, valid
from .prefilter import Expression

MOST_TRIES: Final = 65_535
_REMEMBERED: Final = 100_000
_LONGEST_REMEMBERED: Final = 200
_VALID: Final = phonenumbers.Leniency.VALID
# Folded: digits, brackets, plus signs and other punctuation of numbers, and what "ext.", "int",
# "anexo", "доб" and their like are written with.
_RUN: Final = rb"[0-9 \t\x01_()\[\].,;:#=/~+x\-XeEtTnNsSiIoOaAdD]"
_LEFT: Final = regex.compile(rb"(?r)" + _RUN + rb"+")
_RIGHT: Final = regex.compile(_RUN + rb"*+")
_RUNS: Final = regex.compile(_RUN + rb"*?[0-9]" + _RUN + rb"*+")
# A comma between numbers, not beside a word such as "ext."; a colon with a digit before it, not
# such a word, and not a date with an hour, of which the matcher asks whether minutes follow.
_CUTS: Final = regex.compile(
    rb"(?<=[0-9)]),(?=[ \t,]*+[0-9(\[+])"
    rb"|(?<=[0-9])(?<![12][0-9]{3}[-/]?[01][0-9][-/]?[0-3][0-9] {1,40}[0-2][0-9]):"
)
# A number as most are written: nothing in it that the matcher asks more of than its digits.
_LONGEST_ORDINARY: Final = 64
_ORDINARY: Final = re.compile(r"[+(\[]?[ ]?[0-9][0-9 ().-]*", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]+")
# Fewer letters than three are not read as digits of a telephone's keys.
_EXTENDED: Final = re.compile(r"[0-9 ().-]*(?:[xX][0-9 ().-]*){1,2}", re.ASCII)
_X: Final = re.compile("[xX]")
_LAST_DIGIT: Final = re.compile(r".*\d#?", re.DOTALL)
_IS_MARK: Final = np.isin(np.arange(256), np.frombuffer(b"/(.- \x01", dtype=np.uint8))
_PLUS: Final = "+\uff0b"
_LONGEST_CODE: Final = 3
_SIGNS: Final = "+#~\uff0b\uff03\uff5e\u223c\u2053"


@dataclass(frozen=True)
class _Run:
    """What a run holds: the spans found for any region; for each, its own and its failed tries.

    A region that is not listed finds nothing, in `tries` tries.
    """

    spans: tuple[tuple[int, int], ...]
    regions: dict[str, tuple[tuple[tuple[int, int], ...], int]]
    tries: int


class PhoneNumbers:
    """Does the work of one of Presidio's phone recognisers."""

    def __init__(
        self,
        regions: Iterable[str],
        leniency: int,
        score: float,
        accepts: Callable[[Any], bool] | None = None,
    ) -> None:
        """Take what the recogniser was made with; `accepts` says which matches it keeps."""
        self.regions = tuple(regions)
        self.leniency = leniency
        self.score = score
        self._accepts = accepts
        self._known: dict[tuple[str, bool, bool], _Run] = {}
        self._possible: dict[str, tuple[str, ...]] = {}
        self._strict = leniency >= _VALID and all(metadata_of(r) for r in self.regions)
        self.least = min((least(r) for r in self.regions), default=2) if self._strict else 2
        self.expression = Expression(
            expression(self.regions, self.least, strict=self._strict), caseless=True
        )

    @classmethod
    def of(cls, recognizer: Any) -> PhoneNumbers | None:  # noqa: ANN401
        """Read a recogniser; None if it is none of Presidio's, or does more than they do."""
        from presidio_analyzer.predefined_recognizers import PhoneRecognizer
        from presidio_analyzer.predefined_recognizers.country_specific.south_africa import (
            za_phone_number_recognizer as za,
        )

        kind = type(recognizer)
        if kind is PhoneRecognizer:
            return cls(recognizer.supported_regions, recognizer.leniency, recognizer.SCORE)
        if kind not in {za.ZaMobileNumberRecognizer, za.ZaTelephoneNumberRecognizer}:
            return None

        def accepts(match: Any) -> bool:  # noqa: ANN401
            if phonenumbers.region_code_for_number(match.number) != recognizer.REGION:
                return False
            return bool(recognizer._classify(match.number) == recognizer.target_classification)  # noqa: SLF001

        return cls((recognizer.REGION,), recognizer.leniency, recognizer.SCORE, accepts)

    def find(self, text: str, data: memoryview, ends: list[int] | None) -> list[tuple[int, int]]:
        """Give the spans in a text, folded in `data`; `ends`: where digits end that may count."""
        if ends is None or not _safe(data):
            return self._counted(text, data)
        found: list[tuple[int, int]] = []
        done = 0
        pieces: Iterator[tuple[int, int]] = iter(())
        low = high = stop = -1
        for end in ends:
            if end <= done or end <= 0:
                continue
            if end > stop:
                left = _LEFT.match(data, done, end)
                stop = _RIGHT.match(data, end).end()
                pieces = _pieces(data, left.start() if left else end - 1, stop)
                high = -1
            while high < end:
                low, high = next(pieces)
            found += self._spans(text, low, high)
            done = high
        return found

    def _spans(self, text: str, low: int, high: int) -> Iterator[tuple[int, int]]:
        cut = _cut(text, low, high)
        if cut is not None:
            at, core, before, after = cut
            if not before and not after and self._whole(core):
                # Other regions may find a part of it, which says nothing more.
                yield at, at + len(core)
                return
            yield from (
                (at + s, at + e) for s, e in self._run(core, before=before, after=after).spans
            )

    def _whole(self, core: str) -> bool:
        """Say whether some region surely takes the whole of what numbers can be in for one."""
        if not self._strict or self.leniency != _VALID or self._accepts is not None:
            return False
        if not _is_ordinary(core):
            return False
        if core[0] == "+":
            return surely_valid(core)
        digits = "".join(_DIGITS.findall(core))
        return any(valid(region, digits) for region in self.regions)

    def _run(self, core: str, *, before: bool, after: bool) -> _Run:
        """Look at one run, once."""
        key = (core, before, after)
        known = self._known.get(key)
        if known is None:
            known = self._looked(core, before=before, after=after)
            if len(core) <= _LONGEST_REMEMBERED:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[key] = known
        return known

    def _looked(self, core: str, *, before: bool, after: bool) -> _Run:
        text = "a" * before + core + "a" * after
        probe = self._probe(text)
        if probe.abroad and probe.regions:
            found = self._matched(text, next(iter(probe.regions)), MOST_TRIES, before)
            # Behind a number the matcher goes on where the probe, which takes none, never was.
            outside = list(core)
            for start, end in found[0]:
                outside[start:end] = " " * (end - start)
            if not found[0] or not any(map(str.isdecimal, outside)):
                return _Run(found[0], dict.fromkeys(probe.regions, found), probe.tries)
        regions = {r: self._matched(text, r, MOST_TRIES, before) for r in probe.regions}
        spans = {span for found, _ in regions.values() for span in found}
        return _Run(tuple(sorted(spans)), regions, probe.tries)

    def _matched(
        self, text: str, region: str, tries: int, before: int
    ) -> tuple[tuple[tuple[int, int], ...], int]:
        """Let the matcher look for a region's numbers: spans, and the tries it failed."""
        matcher = phonenumbers.PhoneNumberMatcher(
            text, region, leniency=self.leniency, max_tries=tries
        )
        spans = [
            (m.start - before, m.end - before)
            for m in matcher
            if self._accepts is None or self._accepts(m)
        ]
        return tuple(spans), tries - matcher._max_tries  # noqa: SLF001

    def _probe(self, text: str) -> _Probe:
        probe = _Probe(text, self._regions)
        probe.has_next()
        return probe

    def _regions(self, candidate: str) -> tuple[str, ...]:
        """Give the regions that may have a number here: all that cannot be ruled out."""
        if not self._strict:
            return self.regions
        digits = phonenumberutil.normalize_digits_only(candidate)
        letters = sum(c.isalpha() for c in candidate)
        if len(digits) + letters < self.least:
            return ()
        if letters or any(c in _SIGNS for c in candidate):
            return self._extended(candidate) if _EXTENDED.fullmatch(candidate) else self.regions
        return self._dialled(digits)

    def _extended(self, candidate: str) -> tuple[str, ...]:
        """Give the regions of a candidate with an `x`: all of it is dialled, or what is before."""
        parts = _X.split(candidate)
        heads = ["".join(_DIGITS.findall("".join(parts[: n + 1]))) for n in range(len(parts))]
        found = {region for head in heads for region in self._dialled(head)}
        return tuple(region for region in self.regions if region in found)

    def _dialled(self, digits: str) -> tuple[str, ...]:
        """Give the regions in which digits may be a valid number."""
        known = self._possible.get(digits)
        if known is None:
            known = tuple(r for r in self.regions if dialled(r, digits))
            if len(self._possible) >= _REMEMBERED:
                self._possible.clear()
            self._possible[digits] = known
        return known

    def _counted(self, text: str, data: memoryview) -> list[tuple[int, int]]:
        """Look at every run in order, until each region's tries are used up."""
        left = dict.fromkeys(self.regions, MOST_TRIES)
        found: set[tuple[int, int]] = set()
        for run in _RUNS.finditer(data):
            if not left:
                break
            for low, high in _pieces(data, run.start(), run.end()):
                cut = _cut(text, low, high)
                if cut is not None:
                    at, core, before, after = cut
                    spans = self._count(core, left, before=before, after=after)
                    found.update((at + s, at + e) for s, e in spans)
        return sorted(found)

    def _count(
        self, core: str, left: dict[str, int], *, before: bool, after: bool
    ) -> set[tuple[int, int]]:
        """Look at one run with the tries that are left, and take off those it uses."""
        text = "a" * before + core + "a" * after
        known: dict[str, tuple[tuple[tuple[int, int], ...], int]] = {}
        if len(core) <= _LONGEST_REMEMBERED:
            run = self._run(core, before=before, after=after)
            known, tries = run.regions, run.tries
        else:
            probe = self._probe(text)
            known = dict.fromkeys(probe.regions, ((), MOST_TRIES))
            tries = probe.tries
        found: set[tuple[int, int]] = set()
        for region in list(left):
            spans, used = known.get(region, ((), tries))
            if region in known and used >= left[region]:
                spans, used = self._matched(text, region, left[region], before)
            found.update(spans)
            left[region] -= used
            if left[region] <= 0:
                del left[region]
        return found


class _Probe(phonenumbers.PhoneNumberMatcher):
    """Goes the matcher's way through a text and takes nothing for a number; notes its regions.

    `abroad` says whether all that may be a number begins with a country code, so that each region
    finds the same.
    """

    def __init__(self, text: str, regions: Callable[[str], tuple[str, ...]]) -> None:
        super().__init__(text, None, max_tries=MOST_TRIES)
        self._ask = regions
        self.regions: dict[str, None] = {}
        self.abroad = True

    @property
    def tries(self) -> int:
        return int(MOST_TRIES - self._max_tries)

    def _parse_and_verify(self, candidate: str, _offset: int) -> None:
        asked = self._ask(candidate)
        self.regions.update(dict.fromkeys(asked))
        self.abroad = self.abroad and (not asked or _with_country_code(candidate))


def _with_country_code(candidate: str) -> bool:
    """Say whether a number begins with a plus sign and a country's code, so no region is asked."""
    first, second = candidate[:1], candidate[1:2]
    if not first or first not in _PLUS or not second.isdecimal() or int(second) == 0:
        return False
    digits = phonenumberutil.normalize_digits_only(candidate[: 1 + _LONGEST_CODE])
    codes = (digits[:size] for size in range(1, len(digits) + 1))
    return any(int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE for code in codes)


def _pieces(data: memoryview, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Cut a run where no number goes on: at commas and colons that are in no extension."""
    for cut in _CUTS.finditer(data, low, high):
        yield low, cut.start()
        low = cut.end()
    yield low, high


def _cut(text: str, low: int, high: int) -> tuple[int, str, bool, bool] | None:
    """Give what of a run numbers can be in: where, what, whether a letter is before or after."""
    run = text[low:high]
    first = phonenumbermatcher._PATTERN.search(run)  # noqa: SLF001
    if first is None:
        return None
    last = _LAST_DIGIT.match(run)
    start, end = first.start(), max(first.end(), last.end() if last else 0)
    before = low + start > 0 and _beside(text[low + start - 1])
    after = low + end < len(text) and _beside(text[low + end])
    return low + start, run[start:end], before, after


@cache
def _beside(char: str) -> bool:
    """Say whether a number that stands directly beside this is none."""
    kind = phonenumbers.PhoneNumberMatcher
    return bool(kind._is_invalid_punctuation_symbol(char) or kind._is_latin_letter(char))  # noqa: SLF001


def _is_ordinary(core: str) -> bool:
    """Say whether the matcher takes all of it at once for a candidate, and asks for its digits."""
    matcher = phonenumbermatcher
    if len(core) > _LONGEST_ORDINARY:  # the matcher's patterns take the square of a length
        return False
    if _ORDINARY.fullmatch(core) is None or matcher._PATTERN.fullmatch(core) is None:  # noqa: SLF001
        return False
    if matcher._MATCHING_BRACKETS.fullmatch(core) is None:  # noqa: SLF001
        return False
    return not (matcher._PUB_PAGES.search(core) or matcher._TIME_STAMPS.search(core))  # noqa: SLF001


def _safe(data: memoryview) -> bool:
    """Say whether a text is too short, or has too few digits, to use up the tries.

    A stretch begins at a run of digits, or twenty digits on in one. It fails once itself, and
    for each punctuation mark at most twice, and once more for each kind of mark in it. Marks of a
    stretch stand before some of its digits: at most 24 characters before.
    """
    if len(data) * 3 < MOST_TRIES:
        return True
    codes = np.frombuffer(data, dtype=np.uint8)
    digits = (codes >= 48) & (codes <= 57)  # noqa: PLR2004 - ASCII's 0 and 9
    total = np.concatenate(([0], np.cumsum(digits, dtype=np.int32)))
    stretches = np.count_nonzero(digits[1:] & ~digits[:-1]) + 1 + int(total[-1]) // 20
    marks = _IS_MARK[codes]
    near = total[np.minimum(np.arange(len(codes)) + 25, len(codes))] > total[:-1]
    return int(stretches) + 3 * int(np.count_nonzero(marks & near)) < MOST_TRIES
