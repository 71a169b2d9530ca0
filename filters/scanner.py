"""Texts in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from .entities import recognizers as chosen
from .recognize import Judge


@dataclass(frozen=True)
class Found:
    """Findings of a list of texts, in a total order.

    The order: text, start, end descending, score descending, entity. `entity` indexes `entities`;
    `start` and `end` count code points. `unreadable` are the texts on which a recogniser failed or
    timed out; they have no findings here and must not pass as clean.
    """

    entities: tuple[str, ...]
    text: np.ndarray
    entity: np.ndarray
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray
    unreadable: np.ndarray


class Scanner:
    """Finds personal information in texts."""

    def __init__(
        self,
        entities: Sequence[str] | None = None,
        threshold: float = 0.4,
        languages: Sequence[str] = ("en",),
        profile: str = "strict",
        nlp: Any = None,
        recognizers: Iterable[Any] = (),
        *,
        cache: Callable[[str, Callable[[], bytes]], bytes] | None = None,
    ) -> None:
        """Choose what is looked for."""
        chosen_ = chosen(entities, languages, profile, recognizers)
        self.entities = tuple(sorted({n for r in chosen_ for n in r.supported_entities}))
        self.judges = [
            Judge([r for r in chosen_ if r.supported_language == l], l, threshold) for l in languages
        ]

    def find(self, texts: pa.LargeStringArray) -> Found:
        """Give the findings of these texts; a null has none."""
        rows = []
        bad = []
        number = {n: i for i, n in enumerate(self.entities)}
        for i, text in enumerate(texts.to_pylist()):
            try:
                mine = {f for j in self.judges for f in j.find(text or "")}
            except Exception:  # noqa: BLE001
                bad.append(i)
                continue
            rows += [(i, s, -e, -c, number[n]) for s, e, c, n in mine]
        rows.sort()
        table = np.array(rows, dtype=np.float64).reshape(-1, 5)
        return Found(
            self.entities,
            table[:, 0].astype(np.int64),
            table[:, 4].astype(np.int16),
            table[:, 1].astype(np.int64),
            (-table[:, 2]).astype(np.int64),
            -table[:, 3],
            np.array(bad, dtype=np.int64),
        )
