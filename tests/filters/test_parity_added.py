"""Recognisers that a user adds find what they find in Presidio, whatever their patterns hold."""

import pytest
from corpusgate.filters.detect.scanner import Scanner
from pii import adversarial
from pii.pairs import Pair
from pii.reference import Reference
from presidio_analyzer import Pattern, PatternRecognizer

PATTERNS = (
    r"(?<=id[:=]\s{0,3})\w{4,9}",
    r"(\w)\1{3,}",
    r"(?P<n>a)(?P=n)",
    r"\p{Lu}{3,}\d+",
    r"[[:alpha:]]+@",
    r"(?V1)[\w--\d]{6,}",
    r"(?i:abc)\d+",
    r"(?s-i:THE.)",
    r"^\d{3}$",
    r"\A\w+",
    r"\w+\Z",
    r".{0,5}here$",
    r"\bthe\b(?!\s*way)",
    r"\bit\b.*?\bwe\b",
    r"\m\w+\M",
    r"[^\x00-\x7f]+",
    r"[^\W\d_]{9,}",
    "\u00e9{1,2}",
    "[\u0430-\u044f]{2,}",
    "stra\u00dfe",
    r"\d+(?=\u20ac)",
    r"(?=(\d{3}))\d",
    r"(?<!\d)\d{4}(?!\d)",
    r"(?<=\W)[A-Z]{2}(?=\W)",
    r"\d{2,}(?:[ -]\d+)*?[ -]?x?",
    r"\d++x",
    r"x*",
    r"\K\d",
    r"\R",
    r"\X{3}x",
    r"\h+\d",
    r"\S+",
    r"[\s\S]{40}",
    r"(?:note){e<=1}",
)
TEXTS = (
    "id: abcd1 aaaa ABC12 abc1 123",
    "123\n456\r\n789",
    "the way the end, THE END",
    "stra\u00dfe STRASSE stra\u017fe STRA\u1e9eE",
    "\u0430\u0431 5\u20ac aa",
    "nota nate xote here",
    "Z\u00dcRICH \u03a3\u03a3 we met",
)


def pair(recognizers: list[PatternRecognizer], threshold: float) -> Pair:
    names = sorted({name for each in recognizers for name in each.supported_entities})
    scanner = Scanner(names, threshold, profile="presidio", recognizers=recognizers)
    return Pair(scanner, (Reference(names, threshold, "en", recognizers),))


@pytest.fixture(scope="module")
def texts() -> list[str | None]:
    values = [*adversarial.of_faker(1), *adversarial.examples("en")]
    return [*TEXTS, *adversarial.rows(31, 150, values)]


@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_patterns(texts, threshold):
    recognizers = [
        PatternRecognizer(
            f"ODD_{number}",
            f"Odd {number}",
            patterns=[Pattern("odd", pattern, 0.3)],
            context=["odd", "the", "note"],
        )
        for number, pattern in enumerate(PATTERNS)
    ]
    both = pair(recognizers, threshold)
    if threshold < 0.3:
        found = {f.entity for row in both.expected(texts) for f in row or ()}
        assert found == set(both.scanner.entities), "some pattern matches nothing"
    assert both.differences(texts) == []


def test_several_patterns_of_one_entity(texts):
    """The longest and surest stays of what lies inside one another."""
    patterns = [
        Pattern("digits", r"\d+", 0.3),
        Pattern("number", r"[\d .-]+\d", 0.4),
        Pattern("word", r"\b\w+\b", 0.3),
        Pattern("start", r"^.{10}", 0.9),
    ]
    recognizers = [
        PatternRecognizer("ODD", "Odd", patterns=patterns),
        PatternRecognizer("ODD", "Other", patterns=patterns[1:2], context=["note"]),
        PatternRecognizer("EVEN", "Even", patterns=patterns[:2]),
    ]
    assert pair(recognizers, 0.3).differences(texts) == []


def test_lists_of_words(texts):
    words = ["Z\u00fcrich", "we met", "them", "\u03c3\u03c2", "way.", "o'clock"]
    both = pair([PatternRecognizer("WORD", "Words", deny_list=words)], 0.4)
    assert both.differences(texts) == []
    assert sum(len(row or ()) for row in both.expected(texts)) > 20
