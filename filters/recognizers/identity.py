"""Numbers of persons: social security, taxpayer, passport, driver licence, NHS, DEA.

Only a social security or taxpayer number with hyphens has a form of its own. All others are digits
and need a word in front of them that says what they are.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from presidio_analyzer import Pattern

from .anchored import FLAGS, AnchoredRecognizer, after

_MIN_DIGITS: Final = 5
_LEFT: Final = r"(?<![\w.])(?<!\w[-/])"
_RIGHT: Final = r"(?![\w])(?![-./]\w)"
_END: Final = r"(?!\w)(?![-.]\d)"


class StrictUsSsnRecognizer(AnchoredRecognizer):
    """Social security numbers that the Social Security Administration may have issued."""

    ENTITY: ClassVar[str] = "US_SSN"
    COUNTRY_CODE: ClassVar[str | None] = "us"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        Pattern("hyphens", rf"{_LEFT}[0-8][0-9]{{2}}-[0-9]{{2}}-[0-9]{{4}}{_RIGHT}", 0.6),
        after(
            "told",
            r"(?:\bssns?\b|\bss\s?\#|\bsocial[ _-]security\b|\bsoc[. ]{1,2}sec\b)[^\d\n]{0,25}?",
            rf"\b[0-8][0-9]{{2}}[-. ]?[0-9]{{2}}[-. ]?[0-9]{{4}}{_END}",
            0.8,
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Say whether it was never issued (Social Security Administration) or is a sample."""
        digits = re.sub(r"\D", "", pattern_text)
        return (
            digits[:3] in {"000", "666"}
            or digits[3:5] == "00"
            or digits[5:] == "0000"
            or len(set(digits)) == 1
            or digits in {"123456789", "078051120", "219099999"}
        )


_ITIN: Final = r"9[0-9]{2}%s(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])%s[0-9]{4}"


class StrictUsItinRecognizer(AnchoredRecognizer):
    """Individual taxpayer identification numbers (Internal Revenue Service)."""

    ENTITY: ClassVar[str] = "US_ITIN"
    COUNTRY_CODE: ClassVar[str | None] = "us"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        Pattern("hyphens", _LEFT + _ITIN % ("-", "-") + _RIGHT, 0.6),
        after(
            "told",
            r"\b(?:itin|taxpayer|tax[ _-]?(?:id|payer)|tin)s?\b[^\d\n]{0,35}?",
            r"\b" + _ITIN % ("[- ]?", "[- ]?") + _END,
            0.8,
        ),
    )


class StrictUsPassportRecognizer(AnchoredRecognizer):
    """United States passport numbers: nine digits, or a letter and eight."""

    ENTITY: ClassVar[str] = "US_PASSPORT"
    COUNTRY_CODE: ClassVar[str | None] = "us"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        after(
            "told", r"\bpassports?\b[^\d\n]{0,40}?", rf"\b(?:[A-Z][0-9]{{8}}|[0-9]{{9}}){_END}", 0.7
        ),
    )


class StrictUsDriverLicenseRecognizer(AnchoredRecognizer):
    """Driver licence numbers; every state has its own form, so the word in front decides."""

    ENTITY: ClassVar[str] = "US_DRIVER_LICENSE"
    COUNTRY_CODE: ClassVar[str | None] = "us"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        after(
            "told",
            r"(?:\b(?:driv(?:er|ing)(?:[^\w\s]?s)?)[ _-]{0,2}(?:licen[cs]e|permit|lic)s?\b"
            r"|\bc?dl\s?(?:\#|no\b|num|nbr))[^\d\n]{0,35}?",
            r"(?<![\w-])(?:[A-Z]{0,3}[0-9]{4,14}[A-Z]{0,2}[0-9]{0,3}"
            rf"|[A-Z]?[0-9]{{2,5}}(?:[ -][0-9]{{2,6}}){{1,4}}(?:-[0-9])?){_END}",
            0.6,
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Say whether it is too short, or a date or year."""
        digits = sum(c.isdecimal() for c in pattern_text)
        return (
            digits < _MIN_DIGITS
            or re.fullmatch(r"(?:19|20)\d\d-\d\d-\d\d", pattern_text) is not None
        )


class StrictNhsRecognizer(AnchoredRecognizer):
    """NHS numbers (England, Wales): ten digits, the last a check digit modulo 11."""

    ENTITY: ClassVar[str] = "UK_NHS"
    COUNTRY_CODE: ClassVar[str | None] = "uk"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        after(
            "told",
            r"\b(?:nhs|national health service)\b[^\d\n]{0,40}?",
            rf"\b[0-9]{{3}}[- ]?[0-9]{{3}}[- ]?[0-9]{{4}}{_END}",
            0.6,
        ),
    )

    def validate_result(self, pattern_text: str) -> bool:
        """Check the last digit."""
        digits = [int(c) for c in pattern_text if c.isdecimal()]
        total = sum(digit * weight for digit, weight in zip(digits, range(10, 0, -1), strict=True))
        return total % 11 == 0 and len(set(digits)) > 1


class StrictMedicalLicenseRecognizer(AnchoredRecognizer):
    """DEA registration numbers (21 CFR 1301): two letters, six digits, a check digit."""

    ENTITY: ClassVar[str] = "MEDICAL_LICENSE"
    COUNTRY_CODE: ClassVar[str | None] = "us"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        after(
            "told",
            r"\b(?:dea|medical|prescri\w{1,6}|physicians?|doctors?|practitioners?|pharmac\w{1,6}|dr"
            r"|registration|certificate|licen[cs]e)\b[^\n]{0,60}?",
            r"(?<![\w-])(?-i:[A-HJ-MP-UX][A-Z9])[0-9]{7}(?![\w-])",
            0.6,
            # From the second character on: from the first, all of Hyperscan's scan takes longer.
            anchor=r"[A-Z9][0-9]{7}\b",
            before=1,
        ),
    )
    CASE: ClassVar[int] = FLAGS

    def validate_result(self, pattern_text: str) -> bool:
        """Check the last digit."""
        a, b, c, d, e, f, last = (int(digit) for digit in pattern_text[2:])
        return (a + c + e + 2 * (b + d + f)) % 10 == last
