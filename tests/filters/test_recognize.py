"""Matches at candidates, context words and phone runs come out as on whole texts."""

import random
from types import SimpleNamespace

import pyarrow as pa
import pytest
import regex
from corpusgate.filters.detect import candidates
from corpusgate.filters.detect.candidates import Result
from corpusgate.filters.detect.context import SEPARATOR, Text
from corpusgate.filters.detect.fold import folded
from corpusgate.filters.detect.opaque import nlp_engine
from corpusgate.filters.detect.phones import MOST_TRIES, PhoneNumbers
from corpusgate.filters.detect.prefilter import Prefilter
from corpusgate.filters.detect.recognize import without_duplicates
from corpusgate.filters.detect.scanner import Scanner
from corpusgate.filters.detect.tokens import Tokens
from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.predefined_recognizers import (
    PhoneRecognizer,
    ZaMobileNumberRecognizer,
    ZaTelephoneNumberRecognizer,
)

WORDS = [
    *[
        "the",
        "at",
        "to:5",
        "a:b",
        "at:10",
        "(",
        ")",
        "-",
        ":",
        ":)",
        ":D",
        ":D:",
        "-)",
        "(:",
        "card",
        "number",
        "don't",
        "e.g.",
        "i'm",
        "be",
        "U.S.",
    ],
    *[
        "10:52",
        "http://a.b/c:d",
        "1,000",
        "é",
        "İ",
        "to:me",
        "us:1",
        "us",
        ";",
        ".",
        "..",
        "km",
        "5km",
        ",",
        "'",
        "'s",
        "Σ",
    ],
    *("\n", "  ", "\t", "\u00a0", "\x1c", "\u2009", " "),
]
DIGITS = [
    *[
        "0",
        "00",
        "16",
        "164",
        "+49",
        "(0)30",
        "212",
        "555",
        "2368",
        "1234567",
        "20-7946-0958",
        "+44",
        "0800",
        "1111",
        ",",
        ":",
        "::",
        "x12",
    ],
    *[
        ";ext=5",
        "ext.",
        "xx",
        "xxx",
        "#",
        "-",
        "/",
        "(",
        ")",
        "[",
        "]",
        "08:",
        ".",
        "…",
        "%",
        "$",
        "a",
        "é",
        "b",
        "int",
        "anexo",
        "доб",
        "~",
        "1.",
        "=",
        "+1",
        "t",
    ],
    *["\u017f", "\uff17", "٣", "१६", "(415)555-2671", "12:30", "80-186-62-122"],
    *("2012-01-02 08:00", "\n", " ", "  ", "\u00a0", " ext 12", " / x", ",ext 3 int ,", " - "),
]


def mixed(words, seed, count, size):
    rng = random.Random(seed)  # noqa: S311 - the same texts every time
    for _ in range(count):
        length = rng.randint(1, size)
        yield "".join(rng.choice(words) + rng.choice(["", " ", " ", "\n"]) for _ in range(length))


@pytest.mark.parametrize("language", ["en", "de", "tr", "zh"])
def test_context_words(language):
    engine, tokens = nlp_engine(language), Tokens(language)
    enhancer, seen = LemmaContextAwareEnhancer(), set()
    for text in mixed(WORDS, 3, 250, 24):
        whole, ours = engine.process_text(text, language), Text(text, tokens)
        for start in range(0, len(text), 5):
            try:
                words = enhancer._extract_surrounding_words(whole, "", start)
            except ValueError:
                with pytest.raises(ValueError, match="no token"):
                    ours.near(start, ("x",))
                continue
            found = ours._joined(start, certain=True)
            assert set(found.split(SEPARATOR)) - {""} == set(words), (text, start)
            for word in ("card", "us", "b", "10", "qq"):
                near = any(word in w for w in words)
                assert ours.near(start, (word,)) == near, (text, start, word)
                seen.add((word, near))
    assert {("b", True), ("b", False), ("qq", False)} <= seen


def test_context_words_in_long_stretches():
    tokens = Tokens("en")
    assert Text("card " + "x" * 300_000, tokens).near(9, ("card",)) is False
    far = "card " + "to the " * 400 + "5"
    assert Text(far, tokens).near(len(far) - 1, ("card",)) is True


def spans(recognizer, text):
    return sorted((r.start, r.end) for r in recognizer.analyze(text, []))


@pytest.mark.parametrize(
    "recognizer",
    [
        PhoneRecognizer(),
        PhoneRecognizer(leniency=0, supported_regions=("US", "DE")),
        PhoneRecognizer(leniency=3),
        # The library puts an area code before a local number of these islands.
        PhoneRecognizer(supported_regions=("BM", "JE")),
        PhoneRecognizer(supported_regions=("ES",)),
        PhoneRecognizer(supported_regions=("AR", "MG", "NF")),
        ZaMobileNumberRecognizer(),
        ZaTelephoneNumberRecognizer(),
    ],
    ids=[
        "default",
        "possible",
        "exact",
        "islands",
        "spain",
        "lengthened",
        "za-mobile",
        "za-telephone",
    ],
)
def test_phones(recognizer):
    phones = PhoneNumbers.of(recognizer)
    prefilter = Prefilter([phones.expression])
    total = 0
    extra = ["082 123 4567", "+27 11 978 5313", "0800 123 456"]
    beside = ["call +442079460958 020 7946 0959 now", "+12025550123 98 7654 3210"]
    beside += ["441 292 1234 / 871-6406", " +34 612345678 +688-20-123", "50123, 22123"]
    for text in [*mixed([*DIGITS, *extra], 5, 300, 12), *beside]:
        batch = folded(pa.array([text], pa.large_string()))
        data = batch.data[1:-1]
        ends = (prefilter.scan(batch.data)[phones.expression] - 2).tolist()
        wanted = spans(recognizer, text)
        for found in (phones.find(text, data, ends), phones.find(text, data, None)):
            results = [Result(0, s, e, 0.4, "PHONE_NUMBER") for s, e in found]
            assert sorted((r.start, r.end) for r in without_duplicates(results)) == wanted, text
        total += len(wanted)
    assert total > 10


@pytest.mark.slow
def test_phones_after_too_many_failures():
    recognizer = PhoneRecognizer(supported_regions=("US",))
    phones = PhoneNumbers.of(recognizer)
    number = " 212-555-2368 "
    for count in (MOST_TRIES - 1, MOST_TRIES):
        text = "1\n" * count + number
        batch = folded(pa.array([text], pa.large_string()))
        ends = Prefilter([phones.expression]).scan(batch.data)[phones.expression] - 2
        found = phones.find(text, batch.data[1:-1], ends.tolist())
        assert found == spans(recognizer, text)
        assert len(found) == MOST_TRIES - count


def test_phones_of_an_unknown_kind_are_left_alone():
    class Own(PhoneRecognizer):
        pass

    assert PhoneNumbers.of(Own()) is None
    assert PhoneNumbers.of(SimpleNamespace()) is None


@pytest.mark.parametrize("seed", range(20))
def test_duplicates(seed):
    rng = random.Random(seed)  # noqa: S311 - the same results every time
    results = [
        Result(0, start, start + rng.randint(1, 5), rng.choice([0, 0.3, 0.5, 1.0]), entity)
        for start in (rng.randint(0, 8) for _ in range(12))
        for entity in rng.choice(["A", "B"])
    ]
    theirs = EntityRecognizer.remove_duplicates(
        [RecognizerResult(r.entity, r.start, r.end, r.score) for r in results]
    )
    assert sorted((r.entity_type, r.start, r.end, r.score) for r in theirs) == sorted(
        (r.entity, r.start, r.end, r.score) for r in without_duplicates(results)
    )


def one(pattern, **kwargs):
    made = PatternRecognizer("ONE", patterns=[Pattern("one", pattern, 0.5)], **kwargs)
    return Scanner(["ONE"], profile="presidio", recognizers=[made])


@pytest.mark.parametrize(
    "pattern",
    [
        "a{1,3}b",
        "ab?a|b{2}",
        r"\b[ab]{2,4}\b",
        "(?<!a)b[ab]{1,70}a",
        "(?<=a+)b(?=a*-)",
        "[ab]+-[ab]",
        "a(?:-a)+",
        "(?:a|b-)+a?$",
        r"([ab])-\1",
        "b(?!.*b)",
    ],
)
def test_matches_are_those_on_the_whole_text(pattern):
    compiled = regex.compile(pattern, regex.DOTALL | regex.MULTILINE | regex.IGNORECASE)
    texts = [t.replace("\n", "") for t in mixed(["a", "b", "ab", "-", "aab", "B"], 7, 400, 14)]
    texts = [t.replace(" ", "", n % 3) for n, t in enumerate(texts)]
    scanner = one(pattern)
    found = scanner.find(pa.array(texts))
    ours = {*zip(found.text.tolist(), found.start.tolist(), found.end.tolist(), strict=True)}
    theirs = {
        (row, r.start, r.end)
        for row, text in enumerate(texts)
        for r in without_duplicates(
            [Result(0, *m.span(), 0.5, "ONE") for m in compiled.finditer(text)]
        )
    }
    assert ours == theirs
    assert theirs


def test_a_recogniser_that_fails():
    class Broken(PatternRecognizer):
        def validate_result(self, pattern_text):
            raise RuntimeError(pattern_text)

    broken = Broken("ONE", patterns=[Pattern("one", "bad", 0.5)])
    scanner = Scanner(["ONE", "EMAIL_ADDRESS"], recognizers=[broken])
    found = scanner.find(pa.array(["a@example.com", "bad b@example.com", "c@example.com"]))
    assert found.unreadable.tolist() == [1]
    assert found.text.tolist() == [0, 2]


def test_a_pattern_that_takes_too_long(monkeypatch):
    monkeypatch.setattr(candidates, "TIMEOUT_SECONDS", 0.05)
    found = one(r"(?:a|aa)+b(?=c)").find(pa.array(["aab", "a" * 90 + "b", "aabc"]))
    assert found.unreadable.tolist() == [1]
    assert found.text.tolist() == [2]


def test_what_presidio_logs_is_not_text(caplog):
    Scanner(["IBAN_CODE"], profile="presidio").find(pa.array(["DE89370400440532013000\u212a"]))
    assert not caplog.records
