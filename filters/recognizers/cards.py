"""Payment card numbers by their issuers' ranges and lengths, with the Luhn check digit.

Ranges: ISO/IEC 7812 and what the card networks publish. Numbers of the common ranges, written in
one piece or in their usual groups, stand for themselves. Other lengths (Maestro's are 12 to 19),
ranges and groupings are found after a word that says that a card follows.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from presidio_analyzer import Pattern

from ..digits import digits
from .anchored import AnchoredPattern, AnchoredRecognizer, after

_LEFT: Final = r"(?<![\w.+])(?<!\w[.,/-])(?<![0-9a-f]{4}[^\w\n])(?<![0-9][^\w\n])"
_RIGHT: Final = r"(?![\w])(?![.,/-]\w)(?![^\w\n][0-9a-f]{4}\b)"
# Visa; Mastercard; American Express; Diners Club; JCB; Discover; UnionPay; Maestro.
_COMMON: Final = re.compile(
    r"4[0-9]{15}"
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}"
    r"|(?:30[0-5][0-9]|3095|36[0-9]{2}|3[89][0-9]{2})[0-9]{10}"
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12}"
    r"|(?:62[0-9]{2}|81[0-7][0-9])[0-9]{12}(?:[0-9]{3})?"
    r"|(?:50[0-9]{2}|5[6-8][0-9]{2}|63[0-9]{2}|67[0-9]{2})[0-9]{12}"
)
# Any range that is a payment card's at all; JCB's 15 digits, Visa's 13 and 19, Maestro's.
_ANY: Final = re.compile(
    r"(?=[0-9]{12,19}\Z)(?:(?:4|5[0-8]|6|2[2-7]|3|81)[0-9]*|(?:1800|2131)[0-9]{11}|1[0-9]{14})"
)
_SPACE: Final = r"[^\S\r\n\t]"
_DASH: Final = r"[^\w\s!\"#$%&'()*+,/:;<=>?@\[\\\]^`{|}~]"
_APART: Final = rf"(?:{_SPACE}|{_DASH}){{1,2}}"
# The first digit is that of a common range, or of another script.
_ANCHOR: Final = rf"(?<![\w.+])(?:[2-68]|[^\D0-9])\d{{3}}{_APART}\d{{4,6}}{_APART}\d{{4}}"
_WORD: Final = (
    r"(?:cards?|cc|visa|master ?card|amex|american express|maestro|discover|diners(?: club)?|jcb"
    r"|union ?pay|carte|carta|karte|tarjeta|kort|kaart|cart[aã]o)"
)
# What the digits of a digit's double sum up to.
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")


def luhn(digits: str) -> bool:
    """Check the last of ASCII digits (ISO/IEC 7812-1, annex B).

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    summed = digits[::-2] + digits[-2::-2].translate(_DOUBLED)
    return sum(map(int, summed)) % 10 == 0


def _grouped(name: str, sizes: tuple[int, ...]) -> AnchoredPattern:
    """Give groups of these sizes, between them spaces throughout, or dashes throughout."""
    numbers = [rf"\d{{{size}}}" for size in sizes]
    groups = f"{_SPACE}{{1,2}}".join(numbers) + "|" + _DASH.join(numbers)
    return AnchoredPattern(name, f"{_LEFT}(?:{groups}){_RIGHT}", 0.5, _ANCHOR)


class CardRecognizer(AnchoredRecognizer):
    """Card numbers that stand for themselves."""

    ENTITY: ClassVar[str] = "CREDIT_CARD"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        Pattern("in one piece", rf"{_LEFT}[2-68]\d{{13,18}}{_RIGHT}", 0.5),
        _grouped("4-4-4-4", (4, 4, 4, 4)),
        _grouped("4-6-5", (4, 6, 5)),
        _grouped("4-6-4", (4, 6, 4)),
        _grouped("4-4-4-4-3", (4, 4, 4, 4, 3)),
    )

    def validate_result(self, pattern_text: str) -> bool:
        """Check range, length and check digit."""
        number = digits(pattern_text)
        return _COMMON.fullmatch(number) is not None and luhn(number)


class ToldCardRecognizer(AnchoredRecognizer):
    """Card numbers of any grouping after a word that says so."""

    ENTITY: ClassVar[str] = "CREDIT_CARD"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        after("told", rf"\b{_WORD}\b[^\d]{{0,40}}?", r"\b\d{12,19}(?!\w)(?!\.\d)", 0.4),
        after(
            "told, in groups",
            rf"\b{_WORD}\b[^\d]{{0,40}}?",
            rf"\b\d{{2,7}}(?:(?:{_SPACE}|{_DASH})\d{{2,7}}){{1,7}}(?!\w)(?!\.\d)",
            0.4,
        ),
    )

    def validate_result(self, pattern_text: str) -> bool:
        """Check range, length and check digit."""
        number = digits(pattern_text)
        return _ANY.fullmatch(number) is not None and luhn(number)
