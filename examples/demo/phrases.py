"""Texts for the demo: sentences filled from `words.yaml`, strung together a column at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import yaml

KINDS: Final = ("web", "question", "answer", "contact")
VARIANTS: Final = 80
"""How often each pattern is filled."""
FEWEST: Final = (4, 3, 3, 1)
MOST: Final = (16, 8, 10, 2)
"""How many sentences make a text of each kind."""
_DENSE: Final = ("ja", "zh")
"""Languages whose scripts are short: a few sentences more."""


class Phrasebook:
    """Filled sentences of every kind and language, in one array.

    Those of one kind and language begin at `starts[kind, language]`: each of its `patterns` once,
    then each once more, filled differently.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        """Fill the patterns with words drawn by `rng`."""
        path = Path(__file__).with_name("words.yaml")
        words: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.languages: Final = tuple(words)
        filled = [
            _fill(rng, words[language], kind) for kind in KINDS for language in self.languages
        ]
        self._sentences = pa.array([sentence for part in filled for sentence in part])
        sizes = np.array([len(part) for part in filled])
        self._patterns = (sizes // VARIANTS).reshape(len(KINDS), -1)
        self._starts = (np.cumsum(sizes) - sizes).reshape(len(KINDS), -1)
        self._dense = np.isin(self.languages, _DENSE)

    def compose(
        self, rng: np.random.Generator, kinds: pl.Series, langs: pl.Series, contacts: float
    ) -> pa.Array:
        """Write one text per row, of the row's kind and language.

        The share `contacts` of the texts ends with somebody's contact details.
        """
        kind = _codes(kinds, KINDS)
        lang = _codes(langs, self.languages)
        fewest, most = np.array([FEWEST, MOST])[:, kind]
        counts = rng.integers(fewest, most + 1) + 3 * self._dense[lang]
        ends = np.cumsum(counts)
        each_kind = np.repeat(kind, counts)
        each_kind[ends[rng.random(len(kind)) < contacts] - 1] = KINDS.index("contact")
        group = (each_kind, np.repeat(lang, counts))
        # Patterns take turns, so that a text repeats none before it has used them all.
        turn = np.arange(ends[-1]) + np.repeat(rng.integers(0, 100, len(kind)), counts)
        patterns = self._patterns[group]
        variant = rng.integers(0, VARIANTS, len(turn))
        chosen = self._sentences.take(
            pa.array(self._starts[group] + variant * patterns + turn % patterns)
        )
        offsets = pa.array(np.concatenate([[0], ends]), type=pa.int32())
        joined = pc.binary_join(pa.ListArray.from_arrays(offsets, chosen), "")
        return pc.utf8_rtrim_whitespace(joined)

    def converse(
        self, rng: np.random.Generator, langs: pl.Series, kind: pa.ListType
    ) -> pa.ListArray:
        """Write one chat per row: perhaps a system message, then questions and answers."""
        rows = len(langs)
        system = rng.random(rows) < 0.15
        counts = rng.integers(1, 4, rows) * 2 + system
        ends = np.cumsum(counts)
        place = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        turn = place - np.repeat(system, counts)
        asks = pl.Series(turn % 2 == 0)
        roles = pl.select(
            pl.when(pl.Series(turn < 0))
            .then(pl.lit("system"))
            .when(asks)
            .then(pl.lit("user"))
            .otherwise(pl.lit("assistant"))
        ).to_series()
        kinds = pl.select(
            pl.when(asks).then(pl.lit("question")).otherwise(pl.lit("answer"))
        ).to_series()
        each_lang = langs.gather(np.repeat(np.arange(rows), counts))
        contents = self.compose(rng, kinds, each_lang, contacts=0.04)
        messages = pa.StructArray.from_arrays(
            [roles.to_arrow().cast(pa.string()), contents], fields=list(kind.value_type)
        )
        offsets = pa.array(np.concatenate([[0], ends]), type=pa.int32())
        return pa.ListArray.from_arrays(offsets, messages, type=kind)


def _codes(values: pl.Series, names: tuple[str, ...]) -> np.ndarray:
    return values.replace_strict(list(names), list(range(len(names)))).to_numpy()


def _fill(rng: np.random.Generator, words: dict[str, Any], kind: str) -> list[str]:
    """Fill the patterns of one kind in turn, each VARIANTS times."""
    patterns: list[str] = words[kind]
    numbers = rng.integers(0, 1_000_000, (len(patterns) * VARIANTS, 6)).tolist()
    return [
        patterns[i % len(patterns)].format(
            topic=_one(words["topic"], a),
            place=_one(words["place"], b),
            person=_one(words["person"], c),
            n=3 + d % 97,
            year=1931 + e % 85,
            email=f"{'abcdefghjkm'[d % 11]}.writer{f % 900}@example.{('com', 'org', 'net')[e % 3]}",
            phone=f"+1 {201 + e % 700} 555-01{f % 100:02}",
            address=f"192.0.2.{f % 256}",
        )
        + words["space"]
        for i, (a, b, c, d, e, f) in enumerate(numbers)
    ]


def _one(options: list[str], number: int) -> str:
    return options[number % len(options)]
