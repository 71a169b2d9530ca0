"""Some common English words, by what they are; names and places are invented."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_LISTS = {
    name: words.split()
    for name, _, words in (
        block.partition(":")
        for block in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split("\n\n")
    )
}

NOUNS: Final = _LISTS["nouns"]
VERBS: Final = _LISTS["verbs"]
ADJECTIVES: Final = _LISTS["adjectives"]
LINKS: Final = _LISTS["links"]
NAMES: Final = _LISTS["names"]
PLACES: Final = _LISTS["places"]
