"""Walks over plain words come through the same keywords as walks over anything."""

import random

import pytest
from corpusgate.filters.detect.context import Text
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


def drawn(rng, words):
    text = "".join(rng.choice(WORDS) + rng.choice(GAPS) for _ in range(words))
    return rng.choice(["", " "]) + text + rng.choice(["", "end"])


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("words", [8, 20, 150])
def test_plain_walks_are_walks(tokens, words, certain):
    rng = random.Random(words)  # noqa: S311
    walked = 0
    for _ in range(120):
        value = drawn(rng, words)
        text = Text.of(value, tokens)
        start = rng.randrange(len(value))
        plain = PlainWindow(text, start, certain=certain).walk()
        if plain is not None:
            walked += 1
            low, high = max(0, start - 4 * AROUND), min(len(value), start + 2 * AROUND)
            window = Window(text, low, high, start, certain=certain)
            assert window.walk() == plain, (value, start)
    assert walked > 9


def test_words_that_a_window_cuts_off_stop_a_walk(tokens):
    for value in ("x" * 500, "a " + "x" * 400, "a " * 3 + "x" * 200):
        text = Text.of(value, tokens)
        assert PlainWindow(text, len(value) - 150, certain=True).walk() is None
