"""A second scan that looks around edits alone gives what one of all the text would give."""

import pyarrow as pa
import pytest
from corpusgate.filters.detect.scanner import Scanner
from corpusgate.filters.reduce.operators import parse_operators
from corpusgate.filters.reduce.record_rules import RecordRules
from corpusgate.filters.reduce.reducer import Reducer
from hypothesis import given
from hypothesis import strategies as st
from presidio_analyzer import Pattern, PatternRecognizer
from properties.efforts import efforts
from properties.finder import column_of

LONG = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 7
LABELS = ".".join(letter * 60 for letter in "abc")
VALUES = (
    "ann.lee@example.co.uk",
    '"two words"@example.org',
    f"me@{LABELS}.net.Please",
    "212-867-5309",
    "+44 20 7946 0958",
    "4012 8888 8888 1881",
    "social security number: 536-22-1045",
    "DE89 3704 0044 0532 0130 00",
    "10.1.2.3",
    "00:1A:2B:3C:4D:5E",
    "AKIAQYLPMN5HXRT2VW7K",
    f"?sig={LONG}%3D ",
    "AccountKey=" + "Zq3xT8vL" * 10 + "ab123==",
    "aws_secret_access_key = wJalrXUtnFEMIK7MDENGbPxRfiCYzQ3xT8vLabcd",
    "postgres://me:hunter22hunter@db.example.org/x",
    f"account {'w' * 150} 123456789",
    f"id={'q' * 160};",
)
FILLER = ("", " ", "x", '"', "\u00e9", "7", "lorem ipsum dolor " * 12, "lorem" * 50, "a1-" * 90)
MARK = "#MARK#"
ADDED = [
    PatternRecognizer("MARK", patterns=[Pattern("mark", MARK, 0.9)]),
    PatternRecognizer("ID", patterns=[Pattern("id", r"id=[a-z]+;", 0.9)]),
    PatternRecognizer("PAIRS", patterns=[Pattern("pairs", r"key(?: [a-z]{2}){20}", 0.9)]),
]
PROFILES = {p: Scanner(profile=p, recognizers=ADDED) for p in ("strict", "presidio")}


class Anywhere:
    """A scanner of which nothing is known but what it finds: every edited text is scanned whole."""

    reach = None

    def __init__(self, scanner):
        self.fingerprint = scanner.fingerprint
        self.find = scanner.find


def reduced(finder, operators, column):
    done = Reducer(finder, operators, key=b"k" * 16, rules=RecordRules()).reduce([column], None)
    return done, column.replaced(*done.changed[0])


def agree(profile, operators, texts):
    scanner, chosen = PROFILES[profile], parse_operators(operators)[0]
    column = column_of(pa.array(texts, pa.string()))
    near, out = reduced(scanner, chosen, column)
    whole, same = reduced(Anywhere(scanner), chosen, column)
    assert near.excluded == whole.excluded
    assert near.findings.equals(whole.findings)
    assert out.equals(same)
    return near


@st.composite
def broken(draw):
    """Give a text that lacks a piece of a value, marks where it is and elsewhere, and the piece."""
    value = draw(st.sampled_from(VALUES))
    begin = draw(st.integers(0, min(len(value) - 1, 40)))
    end = draw(st.integers(begin, len(value)))
    before, after = draw(st.sampled_from(FILLER)), draw(st.sampled_from(FILLER))
    others = draw(st.sampled_from(["", MARK, f"{MARK} to {MARK} "]))
    return f"{others}{before}{value[:begin]}{MARK}{value[end:]}{after}", value[begin:end]


@pytest.mark.parametrize("profile", PROFILES)
@efforts(fast=150, slow=1_500)
def test_a_value_that_an_edit_completes_is_found(profile, effort):
    assert PROFILES[profile].reach is not None

    @effort
    @given(broken(), st.sampled_from(["replace", "redact", "mask", "hash", "pseudonym"]))
    def check(case, other):
        text, piece = case
        agree(profile, {"DEFAULT": other, "MARK": {"type": "replace", "new_value": piece}}, [text])

    check()


KEY_NAME = "aws_secret_access_key = "
KEY = "wJalrXUtnFEMIK7MDENGbPxRfiCYzQ3xT8vLabcd"


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        (f"{MARK}{KEY}", KEY_NAME),
        (f"{f'{MARK} ' * 10}{'lorem ' * 50}{MARK}{KEY}", KEY_NAME),
        (f"{MARK}{' ab' * 20}", "key"),
        (f"{MARK}{'q' * 400};", "id="),
        (f"id={'q' * 400}{MARK}", ";"),
        (f"{MARK} is {'w' * 150} {'w' * 150} 123456789", "account"),
    ],
)
def test_what_an_edit_completes_far_away_is_reduced_as_well(text, piece):
    operators = {"DEFAULT": "redact", "MARK": {"type": "replace", "new_value": piece}}
    found = agree("presidio", operators, [text]).findings
    assert len(set(found["entity"].to_pylist())) == 2, "a mark, and what takes its place"


def test_what_may_be_anywhere_has_no_reach():
    class Names:
        entities = ("PERSON",)

    spaced = PatternRecognizer("AB", patterns=[Pattern("ab", r"a.*?b", 0.9)])
    assert Scanner(recognizers=[spaced]).reach is None
    assert Scanner(["PERSON", "US_SSN"], nlp=Names()).reach is None
    assert Scanner(["US_SSN"]).reach.near > len("536-22-1045")
