"""Which digits, dialled in a region, may be a valid phone number: python-phonenumbers' metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

import phonenumbers
from phonenumbers import PhoneMetadata, phonenumberutil

from ..recognizers.numbering import surely_dialled

_BETWEEN: Final = r"[\x01_ ()\x2d.\[\]/~x]{0,4}"
_TYPES: Final = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)
_PREFIXED: Final = 8
# Digits of the shortest numbers there are with their country code; up to how many digits a run is
# judged by the first ones, by how many of those, and by how many such beginnings at most.
_SHORTEST: Final = 6
_FEW: Final = 5
_FIRST: Final = 3
_MANY: Final = 32


def expression(regions: Sequence[str], fewest: int, *, strict: bool) -> str:
    """Write what a run must hold to be looked at, as an expression over folded text.

    So many digits, not far apart; fewer only with first digits that so short a number has. An
    `x` is punctuation, but three of them are read as digits, as on a telephone's keys.
    """
    found = [_digits("", max(fewest, _FEW + 1) if strict else fewest)]
    for region in regions if strict else ():
        for count in range(least(region), _FEW + 1):
            tails = [str(n).zfill(count - _FIRST) for n in range(10 ** (count - _FIRST))]
            for first in range(10**_FIRST):
                lead = str(first).zfill(_FIRST)
                if any(dialled(region, lead + tail) for tail in tails):
                    found.append(_digits(lead, count))
    if len(found) > _MANY:
        found = [_digits("", fewest)]
    return f"(?:{'|'.join(dict.fromkeys(found))})[^0-9]"


def _digits(lead: str, count: int) -> str:
    """Write a run of digits with what may stand between them.

    A digit of another script is folded to 0, so a given one may also be that.
    """
    given = [f"[0{d}]" for d in lead] or ["[0-9]"]
    left = count - len(given)
    middle = f"(?:{_BETWEEN}[0-9x]){{{left - 1}}}" if left > 1 else ""
    return _BETWEEN.join(given) + middle + f"{_BETWEEN}[0-9]"


def metadata_of(region: str) -> Any:  # noqa: ANN401
    """Give what is known of a region, None if nothing is."""
    return PhoneMetadata.metadata_for_region(region, None)


def _descriptions(region: str) -> Iterator[Any]:
    """Give the kinds of numbers of a region and of those that share its country code."""
    for sharing in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[metadata_of(region).country_code]:
        for kind in _TYPES:
            found = getattr(metadata_of(sharing), kind)
            if found is not None and found.national_number_pattern:
                yield found


def least(region: str) -> int:
    """Give the digits of the shortest number that can be dialled in a region, abroad included."""
    own = [int(n) for d in _descriptions(region) for n in d.possible_length if n > 0]
    local = metadata_of(region).general_desc.possible_length_local_only
    return min([_SHORTEST, *own, *(int(n) for n in local if n > 0 and _is_lengthened(region))])


def _is_lengthened(region: str) -> bool:
    """Say whether the library puts digits before what is dialled, such as an area code."""
    rule = metadata_of(region).national_prefix_transform_rule
    return rule is not None and re.search(r"(?<!\\)[0-9]", rule) is not None


def dialled(region: str, digits: str) -> bool:
    """Say whether digits, dialled in a region, may be a valid number; a few more are than should.

    A number without its national prefix is none where it is always written with it.
    """
    prefixed, bare = _numbers(region)
    if prefixed.fullmatch(digits):
        return True
    return bare.fullmatch(digits) is not None and not _wants_prefix(region, digits)


def anywhere(regions: Sequence[str]) -> re.Pattern[str]:
    """Match all digits that may be a valid number when dialled in one of these regions."""
    both = {pattern.pattern for region in regions for pattern in _numbers(region)}
    return re.compile("|".join(sorted(both)) or r"(?!)")


def valid(region: str, digits: str) -> bool:
    """Say whether the matcher surely takes digits, dialled in a region, for a valid number."""
    sure = surely_dialled(region, digits)
    return not _wants_prefix(region, digits) if sure is None else sure


def _wants_prefix(region: str, digits: str) -> bool:
    """Say whether the matcher takes this number only with its national prefix."""
    for leading, pattern, wants in _formats(region):
        if (leading is None or leading.match(digits)) and pattern.fullmatch(digits):
            return wants
    return False


@cache
def _formats(region: str) -> list[tuple[re.Pattern[str] | None, re.Pattern[str], bool]]:
    """Give how numbers are written: with which first digits, which digits, whether with a prefix.

    In the library's order; the first that fits is taken.
    """
    main = phonenumberutil.region_code_for_country_code(metadata_of(region).country_code)
    found = []
    for written in metadata_of(main).number_format:
        leading = written.leading_digits_pattern
        rule = written.national_prefix_formatting_rule
        wants = bool(rule) and not (
            written.national_prefix_optional_when_formatting
            or phonenumberutil._formatting_rule_has_first_group_only(rule)  # noqa: SLF001
        )
        first = re.compile(leading[-1]) if leading else None
        found.append((first, re.compile(written.pattern), wants))
    # What wants none, behind the last that does, need not be asked.
    while found and not found[-1][2]:
        found.pop()
    return found


@cache
def _numbers(region: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Match what may be dialled: with something before the number, and the number alone.

    Before it: the international prefix, and then anything; the country code, the national prefix,
    or both; where the prefix has carrier codes in it, anything. Where the library puts digits of
    its own in the prefix's place, anything may follow it.
    """
    metadata = metadata_of(region)
    kinds = "|".join(sorted({d.national_number_pattern for d in _descriptions(region)}))
    prefix = metadata.national_prefix_for_parsing
    if metadata.national_prefix_transform_rule:
        lead = rf"\d{{1,{_PREFIXED}}}"
    elif prefix:
        lead = rf"(?:{metadata.country_code}(?:{prefix}){{0,2}}|(?:{prefix}){{1,2}})"
    else:
        lead = str(metadata.country_code)
    abroad = metadata.international_prefix
    dialled = rf"(?:{abroad})[1-9]\d{{{_SHORTEST - 1},}}|" if abroad else ""
    if _is_lengthened(region):
        dialled += rf"(?:{metadata.country_code})?(?:{prefix})\d*|"
    return re.compile(rf"{dialled}{lead}(?:{kinds})"), re.compile(kinds)
