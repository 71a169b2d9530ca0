"""Names of people and places that are ours, and the e-mail addresses and URLs made of them.

Surnames and places are put together from two lists, so that they read like names and hardly
anybody bears them: Larkmead, Osierholt; Lindenhaven. A given name never stands alone, since
given names are real. 51,200 people and 4,480 places; e-mail addresses and URLs (RFC 2606:
example.com, .org, .net) carry digits or letters besides, over 10^8 of either.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from .draw import Draw, Kind, words

_GIVEN: Final = words(
    "Ada Adam Alice Amir Amy Anna Arjun Ben Bianca Carla Carlos Chloe Clara Daniel Diego Dina "
    "Elena Eli Emma Eric Fatima Felix Fiona Grace Hana Hassan Hugo Ida Ines Iris Ivan Jack James "
    "Jana Jonas Julia Kai Karim Kate Lara Leo Lin Louis Lucy Maria Mark Maya Mei Nadia Nina Noah "
    "Olga Omar Paul Peter Priya Rosa Ruth Sam Sara Simon Sofia Tom Yara"
)
_FIRST: Final = words(
    "Alder Amber Briar Cinder Clover Copper Dapple Ember Fennel Finch Flint Garnet Gorse Hazel "
    "Heron Indigo Ivory Juniper Kestrel Lark Linden Marigold Merle Nettle Oriole Osier Pebble "
    "Petrel Plover Quill Rowan Saffron Sedge Sorrel Sparrow Tansy Teasel Thistle Willow Yarrow"
)
_FAMILY: Final = words(
    "acre barrow brink cairn crest dene fen garth glade holt knoll mead pike rill stile tarn "
    "thwaite vane weald wick"
)
_PLACE: Final = words(
    "bourne bridge cliff combe ferry gate harbour haven minster mouth pool port sands stead vale "
    "water"
)
_QUARTERS: Final = ("", "", "North ", "South ", "East ", "West ", "Upper ", "Lower ")
_DOMAINS: Final = ("example.com", "example.org", "example.net")
_SURNAME: Final = rf"(?:{'|'.join(_FIRST)})(?:{'|'.join(_FAMILY)})"
_TOWN: Final = rf"(?:{'|'.join(_FIRST)})(?:{'|'.join(_PLACE)})"
_QUARTER: Final = "|".join(quarter for quarter in _QUARTERS if quarter)
_PERSON: Final = re.compile(rf"(?:(?:{'|'.join(_GIVEN)})\s)?{_SURNAME}", re.IGNORECASE | re.ASCII)
_LOCATION: Final = re.compile(rf"(?:{_QUARTER})?{_TOWN}", re.IGNORECASE | re.ASCII)
_INVENTED: Final = re.compile(
    rf"\b(?:{_PERSON.pattern}|{_LOCATION.pattern})\b", re.IGNORECASE | re.ASCII
)
_LONGEST: Final = 40

# At most four digits: a number that is somebody's does not hide in front of example.com.
_MAIL: Final = re.compile(
    r"(?=(?:\D*\d){0,4}\D*@)[a-z0-9]+(?:[._+-][a-z0-9]+)*@example\.(?:com|org|net)", re.IGNORECASE
)
_LETTERS: Final = "bcdfghjkmnpqrstv"
_WEB: Final = re.compile(
    rf"(?:(?:https?|ftp)://)?(?:www\.)?(?:[{_LETTERS}]{{8}}\.)?example\.(?:com|org|net)/?",
    re.IGNORECASE,
)


def within_invented(text: str, start: int, end: int) -> bool:
    """Say whether a part of a text lies within an invented name.

    >>> within_invented("said Anna Larkmead.", 5, 9), within_invented("said Anna.", 5, 9)
    (True, False)
    """
    if end - start > _LONGEST or not text[start:end].replace(" ", "").isalpha():
        return False
    # `finditer` from a place still sees what stands before it, so that its \b is right.
    names = _INVENTED.finditer(text, max(0, start - _LONGEST), end + _LONGEST)
    return any(name.start() <= start and end <= name.end() for name in names)


def _casefolded(value: str) -> str | None:
    normal = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    return normal or None


def _cased(value: str, name: str) -> str:
    if value.isupper():
        return name.upper()
    return name.lower() if value.islower() else name


def _person(value: str, draw: Draw) -> str:
    """Give a surname for one word, a given name and a surname for more."""
    surname = draw.choose(_FIRST) + draw.choose(_FAMILY)
    name = surname if len(value.split()) < 2 else f"{draw.choose(_GIVEN)} {surname}"  # noqa: PLR2004 - two words
    return _cased(value, name)


def _location(value: str, draw: Draw) -> str:
    return _cased(value, draw.choose(_QUARTERS) + draw.choose(_FIRST) + draw.choose(_PLACE))


def _mail(value: str, draw: Draw) -> str | None:
    """Give `jlarkmead4731@example.com`, or `julia.larkmead4731@…` where the name has a dot."""
    local, at, _ = value.casefold().rpartition("@")
    if not at:
        return None
    given = draw.choose(_GIVEN).lower()
    surname = (draw.choose(_FIRST) + draw.choose(_FAMILY)).lower()
    separator = next((c for c in local if c in "._-"), "")
    name = f"{given}{separator}{surname}" if separator else f"{given[0]}{surname}"
    return f"{name}{draw.below(10_000):04}@{draw.choose(_DOMAINS)}"


def _web(value: str, draw: Draw) -> str:
    """Give a host alone: a path would swallow the comma behind it."""
    start = re.match(r"((?:https?|ftp)://)?(www\.)?", value, re.IGNORECASE)
    host = "".join(draw.choose(_LETTERS) for _ in range(8))
    return f"{start[0] if start else ''}{host}.{draw.choose(_DOMAINS)}"


NAMES: Final = {
    "PERSON": Kind(_casefolded, _person, lambda value: _PERSON.fullmatch(value) is not None),
    "LOCATION": Kind(_casefolded, _location, lambda value: _LOCATION.fullmatch(value) is not None),
    "EMAIL_ADDRESS": Kind(_casefolded, _mail, lambda value: _MAIL.fullmatch(value) is not None),
    "URL": Kind(_casefolded, _web, lambda value: _WEB.fullmatch(value) is not None),
}
