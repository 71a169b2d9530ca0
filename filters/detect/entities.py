"""The catalogue: which entities there are, who recognises them, in which languages.

An entity is asked for by name (`US_SSN`), by country (`country:in`: everything that one issues), by
language (`language:de`: everything written for one), or as `default`. `default` also means the
entities of recognisers that a user adds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..document import suggest

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer

PROFILES: Final = ("strict", "presidio")
# What Presidio compiles with unless told otherwise; the module `regex` has the same values.
FLAGS: Final = int(re.DOTALL | re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Entity:
    """What one of Presidio's predefined recognisers finds.

    `languages` are those that Presidio offers it in, empty for all of them. Entities with `default`
    are looked for unless somebody chooses.
    """

    name: str
    recognizer: str
    country: str | None
    languages: tuple[str, ...]
    default: bool


# Entity, recogniser, country, languages, default. A web address, a date or a UUID says nothing
# about a person by itself: by name only. Spanish, Italian and Polish identities are on in texts of
# that language, as they are in Presidio.
_CODE: Final = re.compile(r"[a-z]{2}")
_TABLE: Final = """
CREDIT_CARD                    CreditCardRecognizer                  -   -      default
CRYPTO                         CryptoRecognizer                      -   -      default
DATE_TIME                      DateRecognizer                        -   -      -
EMAIL_ADDRESS                  EmailRecognizer                       -   -      default
IBAN_CODE                      IbanRecognizer                        -   -      default
IP_ADDRESS                     IpRecognizer                          -   -      default
MAC_ADDRESS                    MacAddressRecognizer                  -   -      default
PHONE_NUMBER                   PhoneRecognizer                       -   -      default
URL                            UrlRecognizer                         -   -      -
UUID                           UuidRecognizer                        -   -      -
AU_ABN                         AuAbnRecognizer                       au  en     -
AU_ACN                         AuAcnRecognizer                       au  en     -
AU_MEDICARE                    AuMedicareRecognizer                  au  en     -
AU_TFN                         AuTfnRecognizer                       au  en     -
CA_POSTAL_CODE                 CaPostalCodeRecognizer                ca  en,fr  -
CA_SIN                         CaSinRecognizer                       ca  en,fr  -
DE_BSNR                        DeBsnrRecognizer                      de  de     -
DE_FUEHRERSCHEIN               DeFuehrerscheinRecognizer             de  de     -
DE_HANDELSREGISTER             DeHandelsregisterRecognizer           de  de     -
DE_HEALTH_INSURANCE            DeHealthInsuranceRecognizer           de  de     -
DE_ID_CARD                     DeIdCardRecognizer                    de  de     -
DE_KFZ                         DeKfzRecognizer                       de  de     -
DE_LANR                        DeLanrRecognizer                      de  de     -
DE_PASSPORT                    DePassportRecognizer                  de  de     -
DE_PLZ                         DePlzRecognizer                       de  de     -
DE_SOCIAL_SECURITY             DeSocialSecurityRecognizer            de  de     -
DE_TAX_ID                      DeTaxIdRecognizer                     de  de     -
DE_TAX_NUMBER                  DeTaxNumberRecognizer                 de  de     -
DE_VAT_ID                      DeVatIdRecognizer                     de  de     -
ES_NIE                         EsNieRecognizer                       es  es     default
ES_NIF                         EsNifRecognizer                       es  es     default
ES_PASSPORT                    EsPassportRecognizer                  es  es     -
FI_PERSONAL_IDENTITY_CODE      FiPersonalIdentityCodeRecognizer      fi  fi     -
IN_AADHAAR                     InAadhaarRecognizer                   in  en     -
IN_GSTIN                       InGstinRecognizer                     in  en     -
IN_PAN                         InPanRecognizer                       in  en     -
IN_PASSPORT                    InPassportRecognizer                  in  en     -
IN_VEHICLE_REGISTRATION        InVehicleRegistrationRecognizer       in  en     -
IN_VOTER                       InVoterRecognizer                     in  -      -
IT_DRIVER_LICENSE              ItDriverLicenseRecognizer             it  it     default
IT_FISCAL_CODE                 ItFiscalCodeRecognizer                it  it     default
IT_IDENTITY_CARD               ItIdentityCardRecognizer              it  it     default
IT_PASSPORT                    ItPassportRecognizer                  it  it     default
IT_VAT_CODE                    ItVatCodeRecognizer                   it  it     default
KR_BRN                         KrBrnRecognizer                       kr  ko     -
KR_DRIVER_LICENSE              KrDriverLicenseRecognizer             kr  ko     -
KR_FRN                         KrFrnRecognizer                       kr  ko     -
KR_PASSPORT                    KrPassportRecognizer                  kr  ko,kr  -
KR_RRN                         KrRrnRecognizer                       kr  ko,kr  -
NG_NIN                         NgNinRecognizer                       ng  en     -
NG_VEHICLE_REGISTRATION        NgVehicleRegistrationRecognizer       ng  en     -
PH_PASSPORT                    PhPassportRecognizer                  ph  en     -
PH_TIN                         PhTinRecognizer                       ph  en     -
PH_UMID                        PhUmidRecognizer                      ph  en     -
PL_PESEL                       PlPeselRecognizer                     pl  pl     default
SE_ORGANISATIONSNUMMER         SeOrganisationsnummerRecognizer       se  sv     -
SE_PERSONNUMMER                SePersonnummerRecognizer              se  sv     -
SG_NRIC_FIN                    SgFinRecognizer                       sg  en     -
SG_UEN                         SgUenRecognizer                       sg  en     -
TH_TNIN                        ThTninRecognizer                      th  th     -
TR_LICENSE_PLATE               TrLicensePlateRecognizer              tr  tr     -
TR_NATIONAL_ID                 TrNationalIdRecognizer                tr  tr     -
UK_DRIVING_LICENCE             UkDrivingLicenceRecognizer            uk  en     -
UK_NHS                         NhsRecognizer                         uk  en     default
UK_NINO                        UkNinoRecognizer                      uk  en     -
UK_PASSPORT                    UkPassportRecognizer                  uk  en     -
UK_POSTCODE                    UkPostcodeRecognizer                  uk  en     -
UK_VEHICLE_REGISTRATION        UkVehicleRegistrationRecognizer       uk  en     -
ABA_ROUTING_NUMBER             AbaRoutingRecognizer                  us  en     -
MEDICAL_LICENSE                MedicalLicenseRecognizer              us  -      default
US_BANK_NUMBER                 UsBankRecognizer                      us  en     default
US_CLAIM_NUMBER                UsClaimNumberRecognizer               us  en     -
US_DRIVER_LICENSE              UsLicenseRecognizer                   us  en     default
US_HEALTH_INSURANCE_MEMBER_ID  UsHealthInsuranceMemberIdRecognizer   us  en     -
US_ITIN                        UsItinRecognizer                      us  en     default
US_MBI                         UsMbiRecognizer                       us  en     -
US_NPI                         UsNpiRecognizer                       us  en     -
US_PASSPORT                    UsPassportRecognizer                  us  en     default
US_PRESCRIPTION_NUMBER         UsPrescriptionNumberRecognizer        us  en     -
US_PRIOR_AUTHORIZATION_NUMBER  UsPriorAuthorizationNumberRecognizer  us  en     -
US_PROVIDER_TAX_ID             UsProviderTaxIdRecognizer             us  en     -
US_REFERRAL_NUMBER             UsReferralNumberRecognizer            us  en     -
US_SSN                         UsSsnRecognizer                       us  en     default
ZA_COMPANY_REGISTRATION        ZaCompanyRegistrationRecognizer       za  en     -
ZA_DRIVER_LICENSE              ZaDriverLicenseRecognizer             za  en     -
ZA_ID_NUMBER                   ZaIdNumberRecognizer                  za  en     -
ZA_INCOME_TAX_NUMBER           ZaIncomeTaxNumberRecognizer           za  en     -
ZA_LICENSE_PLATE               ZaLicensePlateRecognizer              za  en     -
ZA_MOBILE_NUMBER               ZaMobileNumberRecognizer              za  en     -
ZA_PASSPORT                    ZaPassportRecognizer                  za  en     -
ZA_TELEPHONE_NUMBER            ZaTelephoneNumberRecognizer           za  en     -
ZA_TRAFFIC_REGISTER_NUMBER     ZaTrafficRegisterNumberRecognizer     za  en     -
ZA_VAT_NUMBER                  ZaVatNumberRecognizer                 za  en     -
"""


def _entity(line: str) -> Entity:
    name, recognizer, country, languages, default = line.split()
    spoken = () if languages == "-" else tuple(languages.split(","))
    return Entity(name, recognizer, None if country == "-" else country, spoken, default != "-")


CATALOGUE: Final = {e.name: e for e in map(_entity, _TABLE.strip().splitlines())}

# Found by recognisers of ours in every profile, by default; Presidio has none.
SECRETS: Final = ("API_KEY", "JSON_WEB_TOKEN", "PRIVATE_KEY", "URL_PASSWORD")
DEFAULT_ENTITIES: Final = (*(e.name for e in CATALOGUE.values() if e.default), *SECRETS)


def recognizers(
    entities: Sequence[str] | None = None,
    languages: Sequence[str] = ("en",),
    profile: str = "strict",
    added: Iterable[Any] = (),
) -> list[EntityRecognizer]:
    """Give the recognisers for the entities asked for, language by language, in a fixed order.

    `added` are a user's own: Presidio's recogniser objects, or dicts in the format of its YAML
    files. In profile `strict` ours replace Presidio's, entity by entity.

    Raises ValueError, which says what to write instead, for anything that cannot be looked for.

    >>> [r.name for r in recognizers(["US_SSN", "country:ng"], profile="presidio")]
    ['NgNinRecognizer', 'NgVehicleRegistrationRecognizer', 'UsSsnRecognizer']
    """
    if profile not in PROFILES:
        raise ValueError(f"profile `{profile}`: {suggest(profile, PROFILES)}")
    if not languages or isinstance(languages, str):
        raise ValueError("languages is a list of at least one code: `languages: [en]`")
    for code in languages:
        if not _CODE.fullmatch(code):
            raise ValueError(f"language `{code}`: write its two letters (ISO 639-1), as in `en`")
    own = [r for item in added for r in _added(item, languages)]
    offered = [r for language in languages for r in [*_offered(language, profile), *own]]
    offered = [*dict.fromkeys(r for r in offered if r.supported_language in languages)]
    wanted = _wanted(["default"] if entities is None else entities, languages, offered, own)
    return sorted(
        (r for r in offered if wanted.intersection(r.supported_entities)),
        key=lambda r: (languages.index(r.supported_language), r.supported_entities, r.name),  # type: ignore[has-type]
    )


def _wanted(
    asked: Iterable[str],
    languages: Sequence[str],
    offered: list[EntityRecognizer],
    own: list[EntityRecognizer],
) -> set[str]:
    """Turn names and selectors into names, and refuse what nobody recognises."""
    known = {name for r in offered for name in r.supported_entities}
    wanted: set[str] = set()
    for word in asked:
        kind, _, what = word.rpartition(":")
        if word == "default":
            found = {*DEFAULT_ENTITIES, *(name for r in own for name in r.supported_entities)}
        elif kind == "country":
            found = {n for r in offered if r.country_code() == what for n in r.supported_entities}
            found |= {e.name for e in CATALOGUE.values() if e.country == what}
        elif kind == "language":
            found = {e.name for e in CATALOGUE.values() if what in e.languages}
        else:
            found = {word} & known
        found &= known
        if not found:
            raise ValueError(_nobody(word, languages, known))
        wanted |= found
    return wanted


def _nobody(word: str, languages: Sequence[str], known: Iterable[str]) -> str:
    """Say why nobody looks for this, and what to write."""
    spoken = ", ".join(languages)
    named = {"": "name", "country": "country"}.get(word.rpartition(":")[0])
    what = word.rpartition(":")[2]
    others = {
        o for e in CATALOGUE.values() for o in e.languages if named and getattr(e, named) == what
    }
    if word.startswith("language:"):
        others = {o for e in CATALOGUE.values() for o in e.languages if o == what}
    if others:
        add = " or ".join(sorted(others))
        return f"entity `{word}` is not looked for in {spoken}: add {add} to languages"
    return f"entity `{word}` is not known in {spoken}: {suggest(word, known)}"


def _offered(language: str, profile: str) -> list[EntityRecognizer]:
    """Give every recogniser there is for a language: Presidio's, ours."""
    from presidio_analyzer import predefined_recognizers

    classes: Any = predefined_recognizers
    ours = _ours(language, profile)
    replaced = {name for r in ours for name in r.supported_entities}
    theirs = [
        getattr(classes, e.recognizer)(supported_language=language)
        for e in CATALOGUE.values()
        if (not e.languages or language in e.languages) and e.name not in replaced
    ]
    for recognizer in theirs:
        if hasattr(recognizer, "global_regex_flags"):
            # As Presidio's registry does, also to the one that asked for others.
            recognizer.global_regex_flags = FLAGS
    return ours + theirs


def _ours(language: str, profile: str) -> list[EntityRecognizer]:
    from ..recognizers.secrets import secret_recognizers
    from ..recognizers.strict import strict_recognizers

    ours: list[EntityRecognizer] = [*secret_recognizers(language)]
    return [*ours, *strict_recognizers(language)] if profile == "strict" else ours


def _added(item: Any, languages: Sequence[str]) -> list[EntityRecognizer]:  # noqa: ANN401
    """Read one recogniser of a user's, or all of a file's, as Presidio's registry does."""
    from presidio_analyzer import EntityRecognizer
    from presidio_analyzer.recognizer_registry.recognizers_loader_utils import RecognizerListLoader

    if isinstance(item, EntityRecognizer):
        return [item]
    entries = item.get("recognizers", [item])
    found = RecognizerListLoader.get(
        recognizers=entries,
        supported_languages=list(languages),
        global_regex_flags=item.get("global_regex_flags", FLAGS),
    )
    return list(found)
