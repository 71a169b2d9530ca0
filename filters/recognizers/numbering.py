"""Telephone numbers that python-phonenumbers surely takes, told by its metadata alone.

To parse and judge one number, it works its way through dozens of expressions and all regions of a
country code. For a number as most are written, digits with nothing but spaces, hyphens, full stops
and brackets between them, the same follows from the country code's lengths, and from the
expressions of its first region. A no here says nothing: ask the library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

import phonenumbers

_PLAIN: Final = re.compile(r"\+\(?[1-9][0-9 ().-]{5,24}")
_APART: Final = str.maketrans("", "", "+ ().-")
_LONGEST_CODE: Final = 3
# The library asks for all of them before it says that a number is of no kind; the usual ones first.
_KINDS: Final = (
    "mobile",
    "fixed_line",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)


@dataclass(frozen=True)
class _Form:
    """Numbers of certain lengths that match an expression."""

    lengths: frozenset[int]
    pattern: str

    def takes(self, number: str) -> bool:
        return len(number) in self.lengths and self._expression.fullmatch(number) is not None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        """Compile when first asked: a country has ten, and most numbers need two."""
        return re.compile(self.pattern)


@dataclass(frozen=True)
class _Country:
    """What numbers behind a country code look like: all of them, and those of its first region.

    `prefix` is what the library may take off at their start, which it does not merely take off
    where `rewrites` is true.
    """

    code: str
    prefix: re.Pattern[str]
    rewrites: bool
    general: _Form
    kinds: tuple[_Form, ...]

    def has(self, number: str) -> bool:
        """Say whether a national number is one of its first region's."""
        return self.general.takes(number) and any(kind.takes(number) for kind in self.kinds)


def surely_possible(text: str) -> bool:
    """Say whether a text that starts with `+` surely is as long as its country's numbers.

    >>> surely_possible("+1 (201) 555-0123"), surely_possible("+1 201 55")
    (True, False)
    """
    country, number = _split(text)
    return country is not None and len(number) in country.general.lengths


def surely_valid(text: str) -> bool:
    """Say whether a text that starts with `+` surely is a number of its code's first region.

    >>> surely_valid("+12015550123"), surely_valid("+10015550123")
    (True, False)
    """
    country, number = _split(text)
    return country is not None and country.has(number)


def surely_dialled(region: str, digits: str) -> bool | None:
    """Say whether digits surely are a national number, dialled in the first region of its code.

    None where they are if such a number need not have its national prefix.

    >>> surely_dialled("US", "2015550123"), surely_dialled("DE", "030123456")
    (None, True)
    """
    dialling = _dialling(region)
    if dialling is None:
        return False
    country, abroad = dialling
    if digits.startswith(country.code) or (abroad is not None and abroad.match(digits)):
        return False
    prefix = country.prefix.match(digits)
    if prefix is None:
        return None if country.has(digits) else False
    return not country.rewrites and country.has(digits[prefix.end() :])


@cache
def _dialling(region: str) -> tuple[_Country, re.Pattern[str] | None] | None:
    """Give a region's country, and what is dialled before a number abroad."""
    metadata: Any = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    if metadata is None:
        return None
    country = _country(str(metadata.country_code))
    if country is None or phonenumbers.region_code_for_country_code(int(country.code)) != region:
        return None
    abroad = metadata.international_prefix
    return country, re.compile(abroad) if abroad else None


def _split(text: str) -> tuple[_Country | None, str]:
    """Give country and national number, where nothing has to be taken off or understood."""
    if _PLAIN.fullmatch(text) is None:
        return None, ""
    digits = text.translate(_APART)
    for size in range(1, _LONGEST_CODE + 1):
        country = _country(digits[:size])
        if country is not None:
            number = digits[size:]
            return (country, number) if not country.prefix.match(number) else (None, "")
    return None, ""


@cache
def _country(code: str) -> _Country | None:
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if not regions:
        return None
    metadata: Any = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(
        int(code), regions[0]
    )
    # A region with leading digits is told by them, before its kinds of numbers are asked.
    general = _form(metadata.general_desc)
    if general is None or metadata.leading_digits:
        return None
    prefix = re.compile(metadata.national_prefix_for_parsing or r"(?!)")
    return _Country(
        code,
        prefix,
        bool(metadata.national_prefix_transform_rule or prefix.groups),
        general,
        tuple(dict.fromkeys(_forms(metadata))),
    )


def _forms(metadata: Any) -> Iterator[_Form]:  # noqa: ANN401
    for kind in _KINDS:
        form = _form(getattr(metadata, kind))
        if form is not None and form.lengths:
            yield form


def _form(description: Any) -> _Form | None:  # noqa: ANN401
    if description is None or not description.national_number_pattern:
        return None
    lengths = frozenset(n for n in description.possible_length if n > 0)
    return _Form(lengths, description.national_number_pattern)
