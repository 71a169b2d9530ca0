"""The catalogue holds all of Presidio's recognisers, and names choose among them."""

import pytest
from corpusgate.filters.detect.entities import (
    CATALOGUE,
    DEFAULT_ENTITIES,
    SECRETS,
    recognizers,
)
from corpusgate.filters.recognizers.secrets import secret_recognizers
from presidio_analyzer import PatternRecognizer, predefined_recognizers
from presidio_analyzer.recognizer_registry import RecognizerRegistry
from presidio_analyzer.recognizer_registry.recognizers_loader_utils import (
    RecognizerConfigurationLoader,
    RecognizerListLoader,
)

WITH_A_MODEL = {"HuggingFaceNerRecognizer", "BasicLangExtractRecognizer"}
CONFIGURED = {
    entry["name"]: entry
    for entry in RecognizerConfigurationLoader.get()["recognizers"]
    if entry["name"] not in WITH_A_MODEL
}


def names(*args, **kwargs):
    return [r.name for r in recognizers(*args, **kwargs)]


def entities(*args, **kwargs):
    return {n for r in recognizers(*args, **kwargs) for n in r.supported_entities}


def test_every_configured_recogniser_is_in_the_catalogue():
    assert {e.recognizer for e in CATALOGUE.values()} == set(CONFIGURED)


@pytest.mark.parametrize("entity", CATALOGUE.values(), ids=lambda e: e.name)
def test_entry(entity):
    made = getattr(predefined_recognizers, entity.recognizer)()
    configured = CONFIGURED[entity.recognizer]
    spoken = RecognizerListLoader._get_recognizer_languages(configured, [])
    assert made.supported_entities == [entity.name]
    assert made.country_code() == entity.country
    if entity.name != "CREDIT_CARD":  # listed for four languages, and at home in all
        assert {s["supported_language"] for s in spoken} == set(entity.languages)


def test_secrets_are_those_recognised():
    assert entities(SECRETS) == set(SECRETS)
    assert {n for r in secret_recognizers("en") for n in r.supported_entities} == set(SECRETS)


@pytest.mark.parametrize("language", ["en", "es", "it", "pl"])
def test_default_is_presidio_s_but_for_three(language):
    registry = RecognizerRegistry(supported_languages=[language])
    registry.load_predefined_recognizers(languages=[language])
    theirs = {n for r in registry.recognizers for n in r.supported_entities}
    theirs = theirs & set(CATALOGUE) - {"DATE_TIME", "URL", "UUID"}
    assert entities(languages=[language], profile="presidio") - set(SECRETS) == theirs


def test_default_names():
    assert entities(profile="strict") <= set(DEFAULT_ENTITIES)
    assert entities(profile="strict") == entities(profile="presidio")
    assert entities(["default", "URL"]) == entities() | {"URL"}


@pytest.mark.parametrize(
    ("asked", "languages", "found"),
    [
        (["country:ng"], ["en"], {"NG_NIN", "NG_VEHICLE_REGISTRATION"}),
        (["country:es"], ["en", "es"], {"ES_NIE", "ES_NIF", "ES_PASSPORT"}),
        (["language:sv"], ["sv"], {"SE_ORGANISATIONSNUMMER", "SE_PERSONNUMMER"}),
        (["UUID", "US_MBI"], ["en", "de"], {"UUID", "US_MBI"}),
        ([], ["en"], set()),
    ],
)
def test_selectors(asked, languages, found):
    assert entities(asked, languages, "presidio") == found


def test_each_language_has_its_own():
    made = recognizers(["EMAIL_ADDRESS"], ["en", "de"], "presidio")
    assert [r.supported_language for r in made] == ["en", "de"]


@pytest.mark.parametrize(
    ("asked", "kwargs", "says"),
    [
        (["DE_TAX_ID"], {}, "add de to languages"),
        (["country:de"], {}, "add de to languages"),
        (["language:de"], {}, "add de to languages"),
        (["EMAIL_ADRESS"], {}, "did you mean `EMAIL_ADDRESS`"),
        (["country:xx"], {}, "not known in en"),
        (None, {"profile": "stirct"}, "did you mean `strict`"),
        (None, {"languages": []}, "languages is a list"),
        (None, {"languages": "en"}, "languages is a list"),
        (None, {"languages": ["en", "english"]}, "language `english`: write its two letters"),
    ],
)
def test_what_nobody_recognises(asked, kwargs, says):
    with pytest.raises(ValueError, match=says):
        recognizers(asked, **kwargs)


def test_added():
    zips = {
        "name": "Zip",
        "supported_entity": "ZIP",
        "patterns": [{"name": "zip", "regex": r"\b\d{5}\b", "score": 0.5}],
    }
    own = PatternRecognizer("PET", deny_list=["cat"])
    file = {"recognizers": [zips]}
    assert {"ZIP", "PET"} <= entities(added=[file, own])
    assert names(["ZIP"], ["en", "de"], added=[file]) == ["Zip", "Zip"]
    assert names(["PET"], ["en", "de"], added=[own]) == ["PatternRecognizer"]
    assert names(["EMAIL_ADDRESS"], profile="presidio", added=[file]) == ["EmailRecognizer"]
