"""What the phone matcher tries in a text, and the regions that may have a number there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

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
        if self._refused(candidate, offset):
            return
        asked = self._ask(candidate)
        self.regions.update(dict.fromkeys(asked))
        self.abroad = self.abroad and (not asked or _with_country_code(candidate))

    def _refused(self, candidate: str, offset: int) -> bool:
        """Say whether the matcher takes this for no number without asking a region."""
        matcher = phonenumbermatcher
        if not matcher._MATCHING_BRACKETS.fullmatch(candidate):  # noqa: SLF001
            return True
        if matcher._PUB_PAGES.search(candidate):  # noqa: SLF001
            return True
        if not self._alone:
            return False
        first, end = self.text[offset - 1 : offset], offset + len(candidate)
        if first and beside(first) and not matcher._LEAD_PATTERN.match(candidate):  # noqa: SLF001
            return True
        return end < len(self.text) and beside(self.text[end])


def _with_country_code(candidate: str) -> bool:
    """Say whether a number begins with a plus sign and a country's code, so no region is asked."""
    first, second = candidate[:1], candidate[1:2]
    if not first or first not in _PLUS or not second.isdecimal() or int(second) == 0:
        return False
    digits = phonenumberutil.normalize_digits_only(candidate[: 1 + _LONGEST_CODE])
    codes = (digits[:size] for size in range(1, len(digits) + 1))
    return any(int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE for code in codes)
