"""Telephone numbers, told from times, dates, versions, decimals, hex dumps and ids.

Four recognisers, from what says most to what says least: numbers with a country code; North
American numbers in their usual form; numbers with a trunk prefix in groups, or a number that is
the whole text; numbers after a word. The form is settled by the pattern, cheaply; what is left is
judged by python-phonenumbers, once for each text.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache, lru_cache
from typing import ClassVar, Final

import phonenumbers
from presidio_analyzer import Pattern

from ..digits import digits
from .anchored import AnchoredPattern, AnchoredRecognizer, after
from .numbering import surely_possible, surely_valid

# A space, a full stop, a hyphen; also their kin outside ASCII.
_SEP: Final = r"[^\w\t\r\n\f\v!\"#$%&'()*+,:;<=>?@\[\\\]^`{|}~/]"
_SPACE: Final = r"[^\S\t\r\n\f\v]"
_HARD: Final = rf"(?!\s)(?:{_SEP}|/)"
_EXT: Final = r"(?:\s{0,2}(?:x|ext\.?|extension)\s{0,2}\d{1,6})?"
_LEFT: Final = r"(?<![\w+])(?<![\w+)][.,:/-])"
_RIGHT: Final = r"(?!\w)(?![.,:/-]\w)(?![^\w\r\n]\d{3})"
_DAY: Final = re.compile(
    r"(?:19|20)\d\d\D(?:0?[1-9]|1[0-2])\D(?:0?[1-9]|[12]\d|3[01])(?:\D.*)?"
    r"|(?:0?[1-9]|[12]\d|3[01])\D(?:0?[1-9]|[12]\d|3[01])\D(?:19|20)?\d\d"
)
# Years, decimals, code points, social security numbers, postal codes, cards.
_NEITHER: Final = re.compile(
    r"(?:19|20)\d\d\D(?:19|20)\d\d|\d+\.\d+|0\d{3} \d{4}|\d{3}-\d{2}-\d{4}|\d{5}-\d{4}"
    r"|\d{4}(?:\D\d{4}){3}|(?:19|20)\d\d(?:0[1-9]|1[0-2])\d\d"
)
_EXTENSION: Final = re.compile(r"\s*(?:x|ext\.?|extension)\s*\d+$", re.IGNORECASE)
_MIN, _MAX = 7, 15
_MIN_KINDS: Final = 3
_MIN_GROUPS: Final = 2
_TELLING: Final = 9
_TEN: Final = 10
_DOTS: Final = 3


@lru_cache(maxsize=1 << 16)
def _is_international(text: str, *, possible: bool) -> bool:
    """Say whether a text that starts with `+` is a number some country has.

    Where `possible`, the right length is enough: new ranges are valid nowhere, nor those for films.
    """
    if surely_possible(text) if possible else surely_valid(text):
        return True
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return False
    if possible and phonenumbers.is_possible_number(number):
        return True
    return phonenumbers.is_valid_number(number)


@cache
def _regions() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Give region, expression of its national numbers, and its trunk prefix; North America once."""
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        if metadata is None or (metadata.country_code == 1 and region != "US"):
            continue
        general = metadata.general_desc
        if general and general.national_number_pattern:
            pattern = re.compile(general.national_number_pattern)
            found.append((region, pattern, metadata.national_prefix or ""))
    return tuple(found)


@lru_cache(maxsize=1 << 16)
def _is_national(text: str) -> bool:
    """Say whether some region has this number and writes it in these groups.

    Nine digits after a trunk prefix tell enough by themselves: people group them as they like.
    """
    groups = re.findall(r"\d+", text)
    sizes, dialled = tuple(map(len, groups)), digits(text)
    if not _MIN <= len(dialled) <= _MAX or len(set(dialled)) < _MIN_KINDS:
        return False
    if len(groups) > 1 and all(group[0] == "0" for group in groups):
        return False
    own_groups = dialled[0] != "0" or len(dialled) <= _TELLING or "." in text
    for region, pattern, prefix in _regions():
        body = dialled.removeprefix(prefix)
        if not (pattern.fullmatch(body) or pattern.fullmatch(dialled)):
            continue
        try:
            number = phonenumbers.parse(dialled, region)
        except phonenumbers.NumberParseException:
            continue
        if not phonenumbers.is_valid_number_for_region(number, region):
            continue
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        if not own_groups or tuple(map(len, re.findall(r"\d+", written))) == sizes:
            return True
    return False


@lru_cache(maxsize=1 << 16)
def _is_north_american(digits: str) -> bool:
    if len(digits) == _TEN and surely_valid(f"+1{digits}"):
        return True
    number = phonenumbers.parse(digits, "US")
    return phonenumbers.is_valid_number(number)


def _without_extension(text: str) -> str:
    # Every way to write one has an x in it, and most numbers have none.
    return _EXTENSION.sub("", text) if "x" in text.lower() else text


def _is_something_else(text: str) -> bool:
    """Say whether it is a date, an IP address, a social security number, a postal code, a card."""
    if _DAY.fullmatch(text) or _NEITHER.fullmatch(text):
        return True
    dots = text.count(".")
    if dots and "(" not in text and re.search(r"[\s-]", text):
        return True
    if dots != _DOTS:
        return False
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


class InternationalPhoneRecognizer(AnchoredRecognizer):
    """Numbers with a country code: `+44 20 7946 0958`, `0049 30 123456`, `tel:+1-201-555-0123`."""

    ENTITY: ClassVar[str] = "PHONE_NUMBER"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        AnchoredPattern(
            "plus",
            rf"(?<![\w+])\+\(?[1-9](?:(?:{_SEP}{{1,2}}|[()/]|{_SEP}\(|\){_SEP}|{_SEP}?\(0\){_SEP}?)?\d){{6,14}}{_EXT}(?!\w)(?![.,]\d)",
            0.75,
            r"\+\(?[1-9](?:[^\w\r\n]{0,3}\d){5}[^\w\r\n]{0,3}\d",
        ),
        # No further than ten digits: another number may follow.
        Pattern(
            "plus one",
            rf"(?<![\w+])\+1{_SEP}?\(?[2-9]\d\d\)?{_SEP}{{0,2}}[2-9]\d\d{_SEP}?\d{{4}}(?!\d)",
            0.75,
        ),
        Pattern(
            "double zero",
            rf"{_LEFT}00[1-9]\d{{0,2}}{_SEP}(?:\(0\){_SEP}?)?\d{{1,4}}(?:{_SEP}\d{{2,8}}){{1,4}}{_EXT}{_RIGHT}",
            0.6,
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Ask whether the country has such numbers."""
        text = _without_extension(pattern_text)
        if text.startswith("00"):
            return not _is_international("+" + text[2:], possible=False)
        return not _is_international(text, possible=len(re.findall(r"\d+", text)) >= _MIN_GROUPS)


class NorthAmericanPhoneRecognizer(AnchoredRecognizer):
    """Ten digits in groups of three, three and four: `(201) 555-0123`, `201.555.0123 x12`."""

    ENTITY: ClassVar[str] = "PHONE_NUMBER"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        Pattern(
            "3-3-4",
            rf"(?<![\w+])(?<![\w)][.,-])(?:1{_SEP})?"
            rf"(?:\([2-9]\d\d\){_SEP}{{0,2}}[2-9]\d\d{_SEP}|[2-9]\d\d{_HARD}[2-9]\d\d{_HARD})\d{{4}}"
            rf"{_EXT}(?!\w)(?![.,-]\d)",
            0.7,
        ),
        Pattern(
            "3 3 4",
            rf"(?<![\w+])(?<![\w)][.,-])(?<!\d[ /])(?:1{_SEP})?"
            rf"[2-9]\d\d{_SPACE}[2-9]\d\d{_SEP}\d{{4}}"
            rf"{_EXT}(?!\w)(?![.,-]\d)(?!{_SEP}\d{{3,4}}(?!\d))",
            0.6,
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Ask for the area code where only spaces stand between the groups."""
        text = _without_extension(pattern_text)
        if _is_something_else(text):
            return True
        return not re.search(r"[^\d\s]", text) and not _is_north_american(digits(text))


class NationalPhoneRecognizer(AnchoredRecognizer):
    """Numbers as their country writes them, with the trunk prefix, or alone in a text."""

    ENTITY: ClassVar[str] = "PHONE_NUMBER"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        AnchoredPattern(
            "trunk prefix",
            rf"(?=\(?0){_LEFT}(?<![0-9a-f]{{2}}{_SEP})(?=(?:[^\w\r\n]{{0,2}}\d){{8}})"
            rf"(?:\(0\d{{1,4}}\){_SEP}?|0[1-9]\d{{0,4}}(?:{_SEP}|/))\d{{2,8}}"
            rf"(?:{_SEP}\d{{2,5}}){{0,4}}{_RIGHT}(?!{_SEP}[0-9a-f]{{2}}\b)",
            0.5,
            rf"(?<![\w+])(?:\(0\d|0[1-9])(?:(?:{_SEP}|[)/]){{0,2}}\d){{6}}",
        ),
        AnchoredPattern(
            "the whole text",
            rf"(?<![\s\S])(?:\(?\d{{1,5}}\)?(?:{_SEP}\d{{2,8}}){{1,5}}|0[1-9]\d{{8,9}})(?![\s\S])",
            0.5,
            rf"^(?:\(?\d{{1,5}}\)?(?:{_SEP}\d{{2,8}}){{1,5}}|0[1-9]\d{{8,9}})$",
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Ask whether some country writes a number in these groups."""
        return _is_something_else(pattern_text) or not _is_national(pattern_text)


_GAP: Final = r"[^\d]{0,30}?"
# A few characters, or the end of a line; not both, as between the entries of a table.
_STEP: Final = r"(?:[^\d\n]{0,15}?|:?[ \t\r]{0,3}\n[ \t]{0,8})"
_DEVICE: Final = (
    r"(?:tel(?:e(?:phone|fono|fon|foon)|\.)?|phones?|t[eé]l[eé]phone|mobiles?|mobil|m[oó]vil"
    r"|cell ?phone|cellular|fax|whats ?app|pager|hot ?line|help ?line|land ?line|ph)"
)
_ACT: Final = (
    r"(?:call(?:s|ed|ing)?|dial(?:ed|ing)?|ring (?:me|us|him|her|them)|text(?:ed|ing)?"
    r"|sms|messages? to|reach(?:ed)?|contact(?:ed)?|answering(?: at)?|registered"
    r"|(?:my|his|her|our|your|their|new) (?:new |other )?numbers?)"
)
_PLACE: Final = r"(?:office|desk|direct|home|work|cell)[^\w\n]{1,5}"

# What can only be followed by a number, or by another word.
_REQUEST: Final = (
    r"(?:(?:call|dial|ring|text|sms|reach|contact|message) (?:me|us|him|her|them) (?:back )?"
    r"(?:at |on )|answering at |messages? to |my registered |(?:my|his|her|our) number(?: is|:) )"
)


class ToldPhoneRecognizer(AnchoredRecognizer):
    """Numbers in no certain form, after a word that says that one follows."""

    ENTITY: ClassVar[str] = "PHONE_NUMBER"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        after(
            "told, in groups",
            rf"\b(?:(?:{_DEVICE}|{_ACT})\b{_GAP}|{_PLACE})",
            rf"(?<![\w.+])(?<!\w-)(?:[178]{_SEP}?(?=\())?(?:\(\d{{2,5}}\){_SEP}{{0,2}}|\d{{2,5}}(?:{_SEP}{{1,2}}|/))\d{{2,8}}(?:{_SEP}\d{{2,8}}){{0,5}}{_EXT}(?!\w)(?![.,:/]\d)",
            0.6,
        ),
        after(
            "told, in one piece",
            rf"\b(?:{_DEVICE}\b{_STEP}|{_PLACE}(?<=[:.].?)|{_REQUEST})",
            rf"(?<![\w.])\d{{8,12}}{_EXT}(?!\w)(?![.,:/-]\d)",
            0.5,
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Say whether it is too short, too long, or something else."""
        text = _without_extension(pattern_text)
        return not _MIN <= len(digits(text)) <= _MAX or _is_something_else(text)
