"""Recognisers of the profile `strict`, which stand in for Presidio's, entity by entity.

| entity | what differs from Presidio's |
| --- | --- |
| `EMAIL_ADDRESS` | domains that exist; quoted and international local parts; no decorators |
| `PHONE_NUMBER` | all countries; no times, dates, versions or ids; weak forms after a word only |
| `CREDIT_CARD` | issuers' ranges and lengths up to 19 digits; odd groupings after a word |
| `US_SSN`, `US_ITIN` | hyphens, or a word in front |
| `IBAN_CODE` | every country's form; not inside base64 |
| `IP_ADDRESS`, `MAC_ADDRESS` | no versions, sections, times; nobody's addresses left out |
| `US_PASSPORT`, `US_DRIVER_LICENSE`, `US_BANK_NUMBER` | a word in front |
| `UK_NHS`, `MEDICAL_LICENSE` | a word in front |
| `CRYPTO` | not inside base64 |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accounts import StrictCryptoRecognizer, StrictIbanRecognizer, StrictUsBankRecognizer
from .cards import CardRecognizer, ToldCardRecognizer
from .email import StrictEmailRecognizer
from .identity import (
    StrictMedicalLicenseRecognizer,
    StrictNhsRecognizer,
    StrictUsDriverLicenseRecognizer,
    StrictUsItinRecognizer,
    StrictUsPassportRecognizer,
    StrictUsSsnRecognizer,
)
from .network import StrictIpRecognizer, StrictMacRecognizer
from .phones import (
    InternationalPhoneRecognizer,
    NationalPhoneRecognizer,
    NorthAmericanPhoneRecognizer,
    ToldPhoneRecognizer,
)

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer


def strict_recognizers(language: str = "en") -> list[PatternRecognizer]:
    """Give the recognisers that replace Presidio's of the same entities, for one language.

    >>> entities = {r.supported_entities[0] for r in strict_recognizers()}
    >>> len(entities), "PHONE_NUMBER" in entities
    (14, True)
    """
    kinds = (
        StrictEmailRecognizer,
        InternationalPhoneRecognizer,
        NorthAmericanPhoneRecognizer,
        NationalPhoneRecognizer,
        ToldPhoneRecognizer,
        CardRecognizer,
        ToldCardRecognizer,
        StrictUsSsnRecognizer,
        StrictUsItinRecognizer,
        StrictUsPassportRecognizer,
        StrictUsDriverLicenseRecognizer,
        StrictUsBankRecognizer,
        StrictIbanRecognizer,
        StrictNhsRecognizer,
        StrictMedicalLicenseRecognizer,
        StrictCryptoRecognizer,
        StrictIpRecognizer,
        StrictMacRecognizer,
    )
    return [kind(supported_language=language) for kind in kinds]
