"""Accounts: IBAN, United States bank accounts, Bitcoin wallets."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from typing import ClassVar, Final

from presidio_analyzer import Pattern

from .anchored import CASED, AnchoredPattern, AnchoredRecognizer, after

# SWIFT, "IBAN registry" (ISO 13616): what follows the country and the two check digits. n: digits,
# a: capital letters, c: both.
IBAN_FORMS: Final[dict[str, str]] = {
    "AD": "8n12c", "AE": "19n", "AL": "8n16c", "AT": "16n", "AZ": "4a20c", "BA": "16n",
    "BE": "12n", "BG": "4a6n8c", "BH": "4a14c", "BI": "23n", "BR": "23n1a1c", "BY": "4c4n16c",
    "CH": "5n12c", "CR": "18n", "CY": "8n16c", "CZ": "20n", "DE": "18n", "DJ": "23n", "DK": "14n",
    "DO": "4c20n", "EE": "16n", "EG": "25n", "ES": "20n", "FI": "14n", "FK": "2a12n", "FO": "14n",
    "FR": "10n11c2n", "GB": "4a14n", "GE": "2a16n", "GI": "4a15c", "GL": "14n", "GR": "7n16c",
    "GT": "20c", "HN": "4a20n", "HR": "17n", "HU": "24n", "IE": "4a14n", "IL": "19n", "IQ": "4a15n",
    "IS": "22n", "IT": "1a10n12c", "JO": "4a4n18c", "KW": "4a22c", "KZ": "3n13c", "LB": "4n20c",
    "LC": "4a24c", "LI": "5n12c", "LT": "16n", "LU": "3n13c", "LV": "4a13c", "LY": "21n",
    "MC": "10n11c2n", "MD": "2c18c", "ME": "18n", "MK": "3n10c2n", "MN": "16n", "MR": "23n",
    "MT": "4a5n18c", "MU": "4a19n3a", "NI": "4a20n", "NL": "4a10n", "NO": "11n", "OM": "3n16c",
    "PK": "4a16c", "PL": "24n", "PS": "4a21c", "PT": "21n", "QA": "4a21c", "RO": "4a16c",
    "RS": "18n", "RU": "14n15c", "SA": "2n18c", "SC": "4a20n3a", "SD": "14n", "SE": "20n",
    "SI": "15n", "SK": "20n", "SM": "1a10n12c", "SO": "19n", "ST": "21n", "SV": "4a20n",
    "TL": "19n", "TN": "20n", "TR": "5n17c", "UA": "6n19c", "VA": "18n", "VG": "4a16n", "XK": "16n",
    "YE": "4a4n18c",
}  # fmt: skip
_KINDS: Final = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}
_PART: Final = re.compile(r"([0-9]+)([nac])")


def _forms() -> re.Pattern[str]:
    """Give the expression of every country's IBAN, in capitals and without spaces."""
    bodies = (
        country + "[0-9]{2}" + "".join(f"{_KINDS[k]}{{{n}}}" for n, k in _PART.findall(form))
        for country, form in IBAN_FORMS.items()
    )
    return re.compile("|".join(bodies))


def _by_length() -> str:
    """Give one loose expression for each length: a longer one would read the words that follow."""
    lengths: defaultdict[int, list[str]] = defaultdict(list)
    for country, form in IBAN_FORMS.items():
        lengths[sum(int(n) for n, _ in _PART.findall(form))].append(country)
    return "|".join(
        rf"(?:{'|'.join(countries)})[0-9]{{2}}(?:[ -]?[A-Z0-9]){{{length}}}"
        for length, countries in lengths.items()
    )


_IBAN: Final = _forms()


class StrictIbanRecognizer(AnchoredRecognizer):
    """International bank account numbers: form of the country, check digits (ISO 7064, 97-10)."""

    ENTITY: ClassVar[str] = "IBAN_CODE"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        AnchoredPattern(
            "IBAN",
            # The lookahead spares trying a hundred countries where none begins.
            rf"(?<![\w+/=])(?<!\w-)(?=[A-Z]{{2}}[0-9])(?:{_by_length()})(?![\w+/=])(?!-\w)",
            0.5,
            # Any two letters: more than a hundred pairs to look for cost more than they spare.
            r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){10}[ -]?[A-Z0-9]",
        ),
    )

    def validate_result(self, pattern_text: str) -> bool:
        """Check form and check digits; letters are all capital or all small."""
        code = re.sub(r"[ -]", "", pattern_text)
        if not (code.isupper() or code.islower()) or not _IBAN.fullmatch(code.upper()):
            return False
        moved = code[4:] + code[:4]
        return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


_MIN_KINDS: Final = 3


class StrictUsBankRecognizer(AnchoredRecognizer):
    """United States bank account numbers, which have no form of their own: told by a word."""

    ENTITY: ClassVar[str] = "US_BANK_NUMBER"
    COUNTRY_CODE: ClassVar[str | None] = "us"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        after(
            "told",
            r"\b(?:(?:bank|checking|savings?|deposit|debit)[ _-](?:account|acct)"
            r"|(?:account|acct|a/c)[ _-]{0,2}(?:number|num|nbr|no|nr|\#))[^\d\n]{0,25}?",
            r"\b[0-9]{8,17}(?![\w])(?!\.\d)",
            0.6,
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Say whether the digits only fill the place."""
        return len(set(pattern_text)) < _MIN_KINDS or pattern_text in "12345678901234567890"


_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ADDRESS: Final = 25  # bytes: version, hash, checksum
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_SUMS: Final = (1, 0x2BC830A3)  # BIP 173, BIP 350
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


class StrictCryptoRecognizer(AnchoredRecognizer):
    """Bitcoin addresses with their checksum: base58check and bech32."""

    ENTITY: ClassVar[str] = "CRYPTO"
    CASE: ClassVar[int] = CASED
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        Pattern("base58", r"(?<![\w+/=])[13][1-9A-HJ-NP-Za-km-z]{25,34}(?![\w+/=])", 0.5),
        Pattern(
            "bech32", r"(?<!\w)(?:bc1[02-9ac-hj-np-z]{11,71}|BC1[02-9AC-HJ-NP-Z]{11,71})(?!\w)", 0.5
        ),
    )

    def validate_result(self, pattern_text: str) -> bool:
        """Check the checksum."""
        if pattern_text[:3].lower() == "bc1":
            return _bech32(pattern_text.lower()[3:])
        number = 0
        for character in pattern_text:
            number = number * 58 + _BASE58.index(character)
        if number >> 8 * _ADDRESS:
            return False
        raw = number.to_bytes(_ADDRESS, "big")
        return hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def _bech32(data: str) -> bool:
    """Check what follows `bc1`."""
    values = [3, 3, 0, 2, 3, *(_BECH32.index(c) for c in data)]  # the human-readable part, "bc"
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check in _BECH32_SUMS
