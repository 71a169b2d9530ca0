"""A model in this process: texts in batches, long ones in pieces, none of them twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

from more_itertools import constrained_batches

from .chunks import Chunk, chunks

if TYPE_CHECKING:
    from .engines import Process

Finding = tuple[int, int, float, str]  # start, end, score, entity
Judged = tuple[Finding, ...] | None  # None: the engine failed on the text

_REMEMBERED: Final = 1 << 16  # texts whose findings a process keeps; some 20 MB


@dataclass
class Loaded:
    """A model in this process, and the findings of the texts that it saw last."""

    process: Process
    batch_size: int
    chunk_size: int
    _known: OrderedDict[bytes, Judged] = field(default_factory=OrderedDict)
    _turn: Lock = field(default_factory=Lock)

    def judge(self, texts: Mapping[bytes, str]) -> dict[bytes, Judged]:
        """Give the findings of each text; only those not seen lately are looked at."""
        with self._turn:
            known = {key: self._known[key] for key in texts if key in self._known}
            for key in known:
                self._known.move_to_end(key)
        new = {key: text for key, text in texts.items() if key not in known}
        pieces = [(key, c) for key, text in new.items() for c in chunks(text, self.chunk_size)]
        found: dict[bytes, list[Finding] | None] = {key: [] for key in new}
        for batch in self._batches(pieces):
            cut = [new[key][chunk.start : chunk.end] for key, chunk in batch]
            for (key, chunk), results in zip(batch, self._results(cut), strict=True):
                mine = found[key]
                if results is None or mine is None:
                    found[key] = None
                else:
                    mine += _owned(results, chunk)
        judged = {key: None if rows is None else _settled(rows) for key, rows in found.items()}
        with self._turn:
            # A failure may be a passing one (memory, say): the next time it is tried again. Texts
            # that take several pieces hardly come twice, and may hold a great many names.
            self._known.update(
                (key, rows)
                for key, rows in judged.items()
                if rows is not None and len(new[key]) <= self.chunk_size
            )
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known | judged

    def _batches(
        self, pieces: Iterable[tuple[bytes, Chunk]]
    ) -> Iterator[list[tuple[bytes, Chunk]]]:
        """Group pieces: at most `batch_size`, and no more text than one longest piece has."""
        groups = constrained_batches(
            pieces,
            self.chunk_size,
            self.batch_size,
            get_len=lambda piece: piece[1].end - piece[1].start,
            strict=False,
        )
        return map(list, groups)

    def _results(self, texts: Sequence[str]) -> list[list[Finding] | None]:
        """Judge a batch; if it fails, each text by itself, so that only the culprit is lost."""
        found = self._attempt(texts)
        if found is not None:
            return list(found)
        if len(texts) == 1:
            return [None]
        return [found[0] if (found := self._attempt([text])) else None for text in texts]

    def _attempt(self, texts: Sequence[str]) -> list[list[Finding]] | None:
        with self._turn:
            try:
                found = self.process(texts)
            except Exception:  # noqa: BLE001 - whatever it is, these texts were not judged
                return None
        return [[(r.start, r.end, float(r.score), str(r.entity_type)) for r in rs] for rs in found]


def _owned(results: Iterable[Finding], chunk: Chunk) -> Iterator[Finding]:
    for start, end, score, entity in results:
        if chunk.owns(start + chunk.start, end + chunk.start):
            yield start + chunk.start, end + chunk.start, score, entity


def _settled(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Drop what Presidio drops: duplicates, score zero, what lies in a better one of its kind."""
    if not found:
        return ()
    from presidio_analyzer import EntityRecognizer, RecognizerResult

    results = [RecognizerResult(entity, start, end, score) for start, end, score, entity in found]
    kept = EntityRecognizer.remove_duplicates(results)
    return tuple((r.start, r.end, r.score, r.entity_type) for r in kept)
