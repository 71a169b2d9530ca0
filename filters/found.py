"""Findings of a list of texts, as columns: what every scanner gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeAlias

import numpy as np

Row: TypeAlias = tuple[int, int, int, float, int]
"""Text, start, minus end, minus score, number of the entity: so rows sort into Found's order."""


def _no_places() -> np.ndarray:
    return np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class Found:
    """Findings of a list of texts, in a total order.

    The order: text, start, end descending, score descending, entity. `entity` indexes `entities`;
    `start` and `end` count code points. `unreadable` are the texts that could not be judged,
    ascending; they have no findings here and must not pass as clean.

    >>> found = Found.of(("EMAIL_ADDRESS",), [(0, 5, -21, -1.0, 0)], unreadable=[1])
    >>> int(found.start[0]), int(found.end[0]), float(found.score[0]), found.unreadable.tolist()
    (5, 21, 1.0, [1])
    """

    entities: tuple[str, ...]
    text: np.ndarray
    entity: np.ndarray
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray
    unreadable: np.ndarray
    decoded: Mapping[int, str] = field(default_factory=dict, repr=False, compare=False)
    """Of texts with findings, those that were turned into Python's on the way."""
    tried: np.ndarray = field(default_factory=_no_places, repr=False, compare=False)
    """Pairs of text and place, ascending: where a scanner that has a `reach` tried to find."""

    @classmethod
    def of(
        cls,
        entities: tuple[str, ...],
        rows: Iterable[Row],
        unreadable: Iterable[int],
        decoded: Mapping[int, str] | None = None,
        tried: np.ndarray | None = None,
    ) -> Self:
        """Put rows in order, as columns."""
        ordered = sorted(rows)
        text, start, end, score, entity = zip(*ordered, strict=True) if ordered else ((),) * 5
        return cls(
            entities,
            np.array(text, dtype=np.int64),
            np.array(entity, dtype=np.int16),
            np.array(start, dtype=np.int64),
            -np.array(end, dtype=np.int64),
            -np.array(score, dtype=np.float64),
            np.array(sorted(unreadable), dtype=np.int64),
            decoded or {},
            _no_places() if tried is None else tried,
        )
