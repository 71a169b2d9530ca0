"""Walks over plain words come through the same keywords as walks over anything."""

import random
from collections import Counter

import pytest
from corpusgate.filters.detect.context import SEPARATOR, Text
from corpusgate.filters.detect.tokens import Tokens
from corpusgate.filters.detect.windows import AROUND, PlainWindow, Window

ODD = [
    *("phone,", "the;", "a:", "(b)", "don't", "e.g.", ":)", ":-(", "x:y", "5pm", "is's", "12-34"),
    *("\u00e9t\u00e9.", "...", "o.O", "do", "n't", "I", "'m", "do", "n't"),
]
WORDS = ["call", "my", "of", "number", "the", "at", "desk"] * 8 + ODD
GAPS = [" "] * 80 + ["  ", "\n", "\t", " \n"]


@pytest.fixture(scope="module")
def tokens():
    return Tokens("en")


ALL_DIFFERENT = [
    *("alpha", "bravo", "charlie", "delta", "echo", "foxtrot"),
    *("golf", "hotel", "india", "juliett", "kilo", "lima"),
]
MANY = [*ALL_DIFFERENT * 3, *["call", "the", "at"] * 5, *ODD, "call:2", "at:5", "cannot", "12km"]


def drawn(rng, words, of=WORDS):
    text = "".join(rng.choice(of) + rng.choice(GAPS) for _ in range(words))
    return rng.choice(["", " "]) + text + rng.choice(["", "end"])


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("words", [8, 20, 150])
def test_plain_walks_are_walks(tokens, words, certain):
    rng = random.Random(words)  # noqa: S311
    walked = 0
    for _ in range(120):
        value = drawn(rng, words)
        text = Text(value, tokens)
        start = rng.randrange(len(value))
        plain = PlainWindow(text, start, certain=certain).walk()
        if plain is not None:
            walked += 1
            low, high = max(0, start - 4 * AROUND), min(len(value), start + 2 * AROUND)
            window = Window(text, low, high, start, certain=certain)
            assert window.walk() == plain, (value, start)
    assert walked > 9


class Walked(Text):
    """A text of which nothing is told before its tokens are walked through."""

    def _told(self, *_):
        return None


@pytest.mark.parametrize("seed", [1, 20])
@pytest.mark.parametrize("words", [3, 8, 20, 60, 150])
def test_what_is_told_without_a_walk_is_what_a_walk_tells(tokens, words, seed):
    """Context words stand near enough or just too far; some are stop words, but beside a colon."""
    rng = random.Random(1_000 * words + seed)  # noqa: S311
    sought = [*((word,) for word in ALL_DIFFERENT), ("call",), ("the", "at"), ("nowhere", "ov")]
    told = Counter()
    for _ in range(150):
        value = drawn(rng, words, MANY)
        if rng.random() < 0.5:
            value = value.replace(":", "")
        start = rng.randrange(len(value))
        quick, slow = Text(value, tokens), Walked(value, tokens)
        if not quick.has_token(start):
            continue
        for some in sought:
            expected = slow.near(start, some)
            assert quick.near(start, some) == expected, (value, start, some)
            told[expected, quick._told(start, some)] += 1
    assert told[True, True], "nothing was told to be there"
    assert told[False, False], "nothing was told not to be there"


@pytest.mark.parametrize(
    "text", ["123456789," * 5_000, 'x:"123456789",' * 4_000, "a:b: of " * 9_000]
)
def test_where_no_word_is_no_walk_looks_for_one(tokens, text, monkeypatch):
    """Text without spaces, or of stop words alone, tells nothing around a finding."""
    monkeypatch.setattr(Text, "_joined", lambda *_, **__: pytest.fail("a walk"))
    looked = Text(text, tokens)
    assert not any(looked.near(start, ("passport", "ssn")) for start in range(1, len(text) - 9, 97))


def test_words_that_a_window_cuts_off_stop_a_walk(tokens):
    for value in ("x" * 500, "a " + "x" * 400, "a " * 3 + "x" * 200):
        text = Text(value, tokens)
        assert PlainWindow(text, len(value) - 150, certain=True).walk() is None


@pytest.mark.parametrize("certain", [True, False])
def test_walks_in_a_stretch_of_thousands_are_walks_over_the_whole_text(tokens, certain):
    rng = random.Random(11)  # noqa: S311
    for _ in range(4):
        parts = [rng.choice(["the", "at:", "phone", "12-34", '{"x":', "call"]) for _ in range(900)]
        value = "of my " + rng.choice(",;/").join(parts) + " end of it"
        text, whole = Text(value, tokens), Text(value, tokens)
        for start in sorted(rng.sample(range(len(value) - 9), 60)):
            expected = whole._flat(whole._all, start, certain=certain).words
            assert text._joined(start, certain=certain).split(SEPARATOR) == expected, start
