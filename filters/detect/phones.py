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
from typing import Any, Final

import phonenumbers
from phonenumbers import phonenumberutil

from ..recognizers.numbering import surely_valid
from .phone_probe import Matcher, Probe
from .phone_regions import anywhere, dialled, expression, least, metadata_of, valid
from .phone_runs import LEFT, MOST_TRIES, RIGHT, RUNS, cut, is_ordinary, pieces, safe, tried
from .prefilter import Expression

_REMEMBERED: Final = 100_000
_LONGEST_REMEMBERED: Final = 200
_VALID: Final = phonenumbers.Leniency.VALID
_DIGITS: Final = re.compile(r"[0-9]+")
_PLAIN: Final = re.compile(r"[0-9 ().\-/\[\]]+", re.ASCII)
# Fewer letters than three are not read as digits of a telephone's keys.
_EXTENDED: Final = re.compile(r"[0-9 ().-]*(?:[xX][0-9 ().-]*){1,2}", re.ASCII)
_X: Final = re.compile("[xX]")
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
        # Whether what metadata says surely is a number is one for this recogniser.
        self._tells = self._strict and leniency == _VALID and accepts is None
        self.least = min((least(r) for r in self.regions), default=2) if self._strict else 2
        self._somewhere = anywhere(self.regions if self._strict else ())
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
        if ends is None or not safe(data):
            return self._counted(text, data)
        found: list[tuple[int, int]] = []
        done = 0
        parts: Iterator[tuple[int, int]] = iter(())
        low = high = stop = -1
        for end in ends:
            if end <= done or end <= 0:
                continue
            if end > stop:
                left = LEFT.match(data, done, end)
                stop = RIGHT.match(data, end).end()
                parts = pieces(data, left.start() if left else end - 1, stop)
                high = -1
            while high < end:
                low, high = next(parts)
            found += self._spans(text, low, high)
            done = high
        return found

    def _spans(self, text: str, low: int, high: int) -> Iterator[tuple[int, int]]:
        held = cut(text, low, high)
        if held is None:
            return
        at, core, before, after = held
        if not before and not after and self._whole(core):
            # Other regions may find a part of it, which says nothing more.
            yield at, at + len(core)
            return
        if self._strict and self._is_nothing(core, beside=before or after):
            return
        yield from ((at + s, at + e) for s, e in self._run(core, before=before, after=after).spans)

    def _is_nothing(self, core: str, *, beside: bool) -> bool:
        """Say whether no region surely finds anything in a run, with a letter beside it or none."""
        digits = tried(core)
        if digits is None:
            return False
        # A single group with a letter beside it is no number, whatever its digits.
        if beside and core.isdecimal():
            return True
        return not any(self._dialled(each) for each in digits if len(each) >= self.least)

    def _whole(self, core: str) -> bool:
        """Say whether some region surely takes the whole of what numbers can be in for one."""
        if not self._tells or not is_ordinary(core):
            return False
        if core[0] == "+":
            return surely_valid(core)
        digits = "".join(_DIGITS.findall(core))
        return any(valid(region, digits) for region in self._dialled(digits))

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
        abroad: dict[tuple[int, str], Any] = {}
        if probe.abroad and probe.regions:
            found = self._matched(text, next(iter(probe.regions)), MOST_TRIES, before, abroad)
            # Behind a number the matcher goes on where the probe, which takes none, never was.
            outside = list(core)
            for start, end in found[0]:
                outside[start:end] = " " * (end - start)
            if not found[0] or not any(map(str.isdecimal, outside)):
                return _Run(found[0], dict.fromkeys(probe.regions, found), probe.tries)
        regions = {r: self._matched(text, r, MOST_TRIES, before, abroad) for r in probe.regions}
        spans = {span for found, _ in regions.values() for span in found}
        return _Run(tuple(sorted(spans)), regions, probe.tries)

    def _matched(
        self, text: str, region: str, tries: int, before: int, abroad: dict[tuple[int, str], Any]
    ) -> tuple[tuple[tuple[int, int], ...], int]:
        """Let the matcher look for a region's numbers: spans, and the tries it failed."""
        matcher = Matcher(
            text,
            region,
            leniency=self.leniency,
            tries=tries,
            verdict=self._verdict,
            abroad=abroad,
        )
        spans = [
            (m.start - before, m.end - before)
            for m in matcher
            if self._accepts is None or self._accepts(m)
        ]
        return tuple(spans), tries - matcher._max_tries  # noqa: SLF001

    def _verdict(self, region: str, candidate: str) -> bool | None:
        """Say whether a candidate surely is a region's number or none; None if that is not told."""
        if not self._strict:
            return None
        if region not in self._regions(candidate):
            return False
        if not self._tells or not is_ordinary(candidate):
            return None
        if candidate[0] == "+":
            return surely_valid(candidate) or None
        return valid(region, "".join(_DIGITS.findall(candidate))) or None

    def _probe(self, text: str) -> Probe:
        probe = Probe(text, self._regions, alone=self.leniency >= _VALID)
        probe.has_next()
        return probe

    def _regions(self, candidate: str) -> tuple[str, ...]:
        """Give the regions that may have a number here: all that cannot be ruled out."""
        if not self._strict:
            return self.regions
        if _PLAIN.fullmatch(candidate):
            return self._dialled("".join(_DIGITS.findall(candidate)))
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
            somewhere = self._somewhere.fullmatch(digits)
            known = tuple(r for r in self.regions if somewhere and dialled(r, digits))
            if len(self._possible) >= _REMEMBERED:
                self._possible.clear()
            self._possible[digits] = known
        return known

    def _counted(self, text: str, data: memoryview) -> list[tuple[int, int]]:
        """Look at every run in order, until each region's tries are used up."""
        left = dict.fromkeys(self.regions, MOST_TRIES)
        found: set[tuple[int, int]] = set()
        for run in RUNS.finditer(data):
            if not left:
                break
            for low, high in pieces(data, run.start(), run.end()):
                held = cut(text, low, high)
                if held is not None:
                    at, core, before, after = held
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
                spans, used = self._matched(text, region, left[region], before, {})
            found.update(spans)
            left[region] -= used
            if left[region] <= 0:
                del left[region]
        return found
