"""The texts that detection is measured on are what they are said to be."""

import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import texts


@pytest.mark.parametrize("kind", texts.KINDS)
def test_generated_texts(kind):
    drawn = texts.generate(kind, 200_000)
    assert drawn == texts.generate(kind, 200_000)
    assert drawn != texts.generate(kind, 200_000, seed=4)
    size = sum(map(len, drawn))
    assert 200_000 <= size < 400_000
    assert len(set(drawn)) == len(drawn)


def test_values_are_planted_as_densely_as_said():
    drawn = texts.generate("prose", 1_000_000)
    addresses = sum(len(re.findall(r"write to \S+@", text, re.IGNORECASE)) for text in drawn)
    # Four values of ten are e-mail addresses.
    assert addresses == pytest.approx(0.4 * 1_000_000 / texts.DENSITY["prose"], rel=0.3)
