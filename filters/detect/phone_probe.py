"""python-phonenumbers' matcher, told by its metadata what it would find out by parsing.

`Probe` says what it tries in a text, and which regions may have a number there; `Matcher` finds a
region's numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import phonenumbers
from phonenumbers import phonenumbermatcher, phonenumberutil

from .phone_runs import MOST_TRIES, beside

_PLUS: Final = "+\uff0b"
_LONGEST_CODE: Final = 3


class Probe(phonenumbers.PhoneNumberMatcher):
    """Goes the matcher's way through a text and takes nothing for a number; notes its regions.

    `abroad` says whether all that may be a number begins with a country code, so that each region
    finds the same.
    """

    def __init__(
        self, text: str, regions: Callable[[str], tuple[str, ...]], *, alone: bool
    ) -> None:
        """Take a text, and who says which regions may have a number; `alone`: no letter beside."""
        super().__init__(text, None, max_tries=MOST_TRIES)
        self._ask = regions
        self.regions: dict[str, None] = {}
        self.abroad = True
        self._alone = alone

    @property
    def tries(self) -> int:
        """How many tries failed."""
        return int(MOST_TRIES - self._max_tries)

    def _parse_and_verify(self, candidate: str, offset: int) -> None:
        if refused(self.text, candidate, offset, alone=self._alone):
            return
        asked = self._ask(candidate)
        self.regions.update(dict.fromkeys(asked))
        self.abroad = self.abroad and (not asked or _with_country_code(candidate))


class Matcher(phonenumbers.PhoneNumberMatcher):
    """The matcher, which parses only what is not told of a candidate without that.

    `verdict` gets region and candidate. Of a number that was not parsed, only the place is known.
    `abroad` keeps what was found of candidates with a country code: it is the same in each region.
    """

    def __init__(
        self,
        text: str,
        region: str,
        *,
        leniency: int,
        tries: int,
        verdict: Callable[[str, str], bool | None],
        abroad: dict[tuple[int, str], Any],
    ) -> None:
        """Take what the matcher takes."""
        super().__init__(text, region, leniency=leniency, max_tries=tries)
        self._region, self._verdict, self._abroad = region, verdict, abroad

    def _parse_and_verify(self, candidate: str, offset: int) -> Any:  # noqa: ANN401
        told = self._verdict(self._region, candidate)
        if told is None:
            if not _with_country_code(candidate):
                return super()._parse_and_verify(candidate, offset)
            place = offset, candidate
            if place not in self._abroad:
                self._abroad[place] = super()._parse_and_verify(candidate, offset)
            return self._abroad[place]
        if not told or refused(self.text, candidate, offset, alone=True):
            return None
        return phonenumbers.PhoneNumberMatch(offset, candidate, phonenumbers.PhoneNumber())


def refused(text: str, candidate: str, offset: int, *, alone: bool) -> bool:
    """Say whether the matcher takes this for no number without asking a region.

    `alone`: it takes none with a letter beside it.
    """
    matcher = phonenumbermatcher
    if not matcher._MATCHING_BRACKETS.fullmatch(candidate):  # noqa: SLF001
        return True
    if matcher._PUB_PAGES.search(candidate):  # noqa: SLF001
        return True
    if not alone:
        return False
    first, end = text[offset - 1 : offset], offset + len(candidate)
    if first and beside(first) and not matcher._LEAD_PATTERN.match(candidate):  # noqa: SLF001
        return True
    return end < len(text) and beside(text[end])


def _with_country_code(candidate: str) -> bool:
    """Say whether a number begins with a plus sign and a country's code, so no region is asked."""
    first, second = candidate[:1], candidate[1:2]
    if not first or first not in _PLUS or not second.isdecimal() or int(second) == 0:
        return False
    digits = phonenumberutil.normalize_digits_only(candidate[: 1 + _LONGEST_CODE])
    codes = (digits[:size] for size in range(1, len(digits) + 1))
    return any(int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE for code in codes)
