"""Texts in, findings out: the prefilter says where to look, Presidio's recognisers judge.

A batch of texts is folded and scanned in one pass (`fold.py`, `prefilter.py`); then, language by
language, each pattern is tried where the pass found that it may match (`recognize.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..found import Found, Row
from .candidates import Batch, Result
from .entities import recognizers as chosen
from .fold import folded
from .prefilter import Cache, Expression, Prefilter
from .reach import Reach, reach
from .recognize import Judge, without_duplicates

_BATCH_BYTES: Final = 4 << 20
_BATCH_ROWS: Final = 1 << 16

FINDINGS: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("path", pa.string()),
        ("index", pa.list_(pa.int32())),
        ("pointer", pa.string()),
        ("entity", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("score", pa.float32()),
    ]
)


def judges(
    entities: tuple[str, ...] | None,
    languages: tuple[str, ...],
    profile: str,
    threshold: float,
    added: tuple[Any, ...] = (),
) -> tuple[Judge, ...]:
    """Make the recognisers of each language; see `entities.recognizers` for what is asked for."""
    made = chosen(entities, languages, profile, added)
    return tuple(
        Judge([r for r in made if r.supported_language == code], code, threshold)
        for code in languages
    )


usual_judges = lru_cache(maxsize=4)(judges)
"""The same, once a process: making them takes most of a second, and threads may share them."""
usual_prefilter = lru_cache(maxsize=16)(Prefilter)
"""The prefilter of these expressions, opened once a process."""


class Scanner:
    """Finds personal information in texts.

    Threads may share one; pickling keeps the compiled database.

    >>> found = Scanner(["US_SSN", "EMAIL_ADDRESS"]).find(pa.array(["", "mail ann@example.com"]))
    >>> [found.entities[e] for e in found.entity], found.text.tolist(), found.start.tolist()
    (['EMAIL_ADDRESS'], [1], [5])
    """

    def __init__(
        self,
        entities: Sequence[str] | None = None,
        threshold: float = 0.4,
        languages: Sequence[str] = ("en",),
        profile: str = "strict",
        *,
        nlp: Any = None,  # noqa: ANN401 - whatever has `find`
        recognizers: Iterable[Any] = (),
        cache: Cache | None = None,
    ) -> None:
        """Choose what is looked for; see `entities.recognizers` for names, profiles and errors.

        A finding with a lower score than `threshold` is none. `nlp` finds names and places.
        `recognizers` are a user's own, as Presidio's objects or its YAML format parsed. `cache`
        gets the name of a compiled database and what makes it, and gives the database.
        """
        self.profile = profile
        self.threshold = threshold
        self.languages = tuple(languages)
        self.nlp = nlp
        self._asked = None if entities is None else tuple(entities)
        self._added = tuple(recognizers)
        self._prefilter: Prefilter | None = None
        self._start(cache)

    def _start(self, cache: Cache | None = None) -> None:
        """Make the recognisers; what a pickled scanner left behind."""
        asked, elsewhere = self._asked, frozenset(getattr(self.nlp, "entities", ()))
        own = asked if asked is None else [name for name in asked if name not in elsewhere]
        self._names = elsewhere
        if asked is not None and "default" not in asked:
            self._names = elsewhere.intersection(asked)
        wanted = (None if own is None else tuple(own), self.languages, self.profile, self.threshold)
        self._judges = judges(*wanted, self._added) if self._added else usual_judges(*wanted)
        names = {
            n for judge in self._judges for r in judge.recognizers for n in r.supported_entities
        }
        self.entities = tuple(sorted(names | self._names))
        if self._prefilter is None:
            expressions: set[Expression] = set()
            for judge in self._judges:
                expressions |= judge.expressions()
            self._prefilter = usual_prefilter(tuple(sorted(expressions)), cache)

    def __getstate__(self) -> dict[str, Any]:
        """Travel as what was asked for, and the compiled database."""
        made = ("_judges", "entities", "_names", "reach")
        return {name: value for name, value in self.__dict__.items() if name not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the recognisers again."""
        self.__dict__.update(state)
        self._start()

    def find(self, texts: pa.LargeStringArray | pa.StringArray) -> Found:
        """Give the findings of these texts; a null has none."""
        texts = texts.cast(pa.large_string())
        if texts.null_count:  # filling copies
            texts = texts.fill_null("")
        rows: list[Row] = []
        number = {name: i for i, name in enumerate(self.entities)}
        names, unreadable = self._named(texts, number)
        decoded: dict[int, str] = {}
        tried: list[np.ndarray] = []
        for start, some in _batches(texts):
            batch = self._looked_through(some)
            found = self._judged(batch)
            unreadable.update(start + row for row in batch.unreadable)
            decoded.update((start + row, batch.text(row)) for row in found)
            tried.append(batch.places + np.array([start, 0]))
            rows += [
                (start + row, r.start, -r.end, -r.score, number.setdefault(r.entity, len(number)))
                for row, results in found.items()
                for r in results
            ]
        rows = [*{*rows, *names}]
        if unreadable:
            rows = [row for row in rows if row[0] not in unreadable]
        entities = tuple(sorted(number))
        if entities != self.entities:
            # A recogniser of unknown code may name an entity that it did not declare.
            place = {number[name]: i for i, name in enumerate(entities)}
            rows = [(*row[:4], place[row[4]]) for row in rows]
        places = np.concatenate(tried) if tried else None
        return Found.of(entities, rows, unreadable, decoded, places)

    @cached_property
    def reach(self) -> Reach | None:
        """How far from a change of a text something can be found that was not tried before.

        None if anything can be found anywhere.
        """
        assert self._prefilter is not None  # noqa: S101 - made with the recognisers
        expressions = self._prefilter.expressions
        if self._names or not all(judge.guided for judge in self._judges):
            return None
        if len(self._prefilter.scan(memoryview(b"\n"))) < len(expressions):
            return None
        return reach(expressions)

    def may_hold(self, texts: pa.LargeStringArray) -> np.ndarray:
        """Say of each text whether anything in it would be tried, if the scanner has a `reach`.

        >>> scanner = Scanner(["EMAIL_ADDRESS"])
        >>> scanner.may_hold(pa.array(["a@b", "a or b"], pa.large_string())).tolist()
        [True, False]
        """
        held = np.zeros(len(texts), bool)
        for start, some in _batches(texts):
            held[start + self._looked_through(some).places[:, 0]] = True
        return held

    def _named(
        self, texts: pa.LargeStringArray, number: dict[str, int]
    ) -> tuple[list[Row], set[int]]:
        """Give what the NLP engine finds, and the texts on which it failed."""
        if not self._names:
            return [], set()
        found = self.nlp.find(texts, self.threshold)
        columns = (found.text, found.entity, found.start, found.end, found.score)
        rows = [
            (t, s, -e, -c, number[found.entities[n]])
            for t, n, s, e, c in zip(*(column.tolist() for column in columns), strict=True)
            if found.entities[n] in self._names
        ]
        return rows, set(found.unreadable.tolist())

    def scan(self, column: Any, path: str = "text") -> pa.Table:  # noqa: ANN401
        """Give the findings in an Arrow or Polars column as a table with the columns of FINDINGS.

        `path` says where in the column text stands, as in `messages[].content`. A text that could
        not be judged, because a recogniser failed or timed out on it, is one row without entity.

        >>> chats = pa.array([[{"content": "hi"}, {"content": "mail ann@example.com"}]])
        >>> Scanner(["EMAIL_ADDRESS"]).scan(chats, "messages[].content").to_pylist()[0]["index"]
        [1]
        """
        from ..texts.leaves import leaves
        from ..texts.paths import parse_path

        if not isinstance(column, (pa.Array, pa.ChunkedArray)):
            column = column.to_arrow()
        texts = leaves(column, parse_path(path))
        found = self.find(texts.texts)
        which = np.concatenate([found.text, found.unreadable])
        order = np.argsort(which, kind="stable")
        at = which[order]
        blank = np.zeros(len(found.unreadable))

        def filled(known: np.ndarray, kind: pa.DataType) -> pa.Array:
            missing = np.concatenate([np.zeros(len(known), bool), np.ones(len(blank), bool)])
            return pa.array(np.concatenate([known, blank])[order], kind, mask=missing[order])

        names = pa.array(found.entities, pa.string())
        return pa.table(
            [
                pa.array(texts.rows[at], pa.int64()),
                pa.array([path] * len(at), pa.string()),
                texts.index.take(pa.array(at)),
                texts.pointer.take(pa.array(at)),
                names.take(filled(found.entity, pa.int16())),
                filled(found.start, pa.int32()),
                filled(found.end, pa.int32()),
                filled(found.score, pa.float32()),
            ],
            schema=FINDINGS,
        )

    def _looked_through(self, texts: pa.LargeStringArray) -> Batch:
        bytes_ = folded(texts)
        assert self._prefilter is not None  # noqa: S101 - made with the recognisers
        return Batch(bytes_, texts, self._prefilter.scan(bytes_.data))

    def _judged(self, batch: Batch) -> dict[int, list[Result]]:
        """Give the findings of each text that has any; those not to be judged are unreadable."""
        findings = [judge.judge(batch) for judge in self._judges]
        merged = findings[0]
        for other in findings[1:]:
            for row, results in other.items():
                merged[row] = without_duplicates([*merged.get(row, []), *results])
        for row in batch.unreadable:
            merged.pop(row, None)
        return merged

    @property
    def fingerprint(self) -> str:
        """Name all that decides what is found, recognisers, settings and versions."""
        from importlib.metadata import version

        packages = ("presidio-analyzer", "phonenumbers", "spacy", "regex", "tldextract")
        parts = [
            self.threshold,
            self.languages,
            [each for judge in self._judges for each in judge.described()],
            {name: version(name) for name in packages},
            getattr(self.nlp, "fingerprint", None),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def describe(self) -> list[dict[str, Any]]:
        """Say what is looked for: entities, recogniser, language and country, one entry each."""
        keys = ("entities", "recognizer", "language", "country")
        every = (entry for judge in self._judges for entry in judge.described())
        return [{key: entry[key] for key in keys} for entry in every]


def _batches(texts: pa.LargeStringArray) -> Iterator[tuple[int, pa.LargeStringArray]]:
    """Cut texts into batches of some megabytes; one long text is a batch by itself.

    What is left at the end and makes less than half a batch joins the one before.
    """
    sizes = np.cumsum(pc.binary_length(texts).to_numpy(zero_copy_only=False))
    start = 0
    while start < len(texts):
        before = int(sizes[start - 1]) if start else 0
        left = int(sizes[-1]) - before
        size = left if left <= _BATCH_BYTES * 3 // 2 else _BATCH_BYTES
        stop = int(np.searchsorted(sizes, before + size, side="right"))
        stop = min(max(stop, start + 1), start + _BATCH_ROWS)
        yield start, texts.slice(start, stop - start)
        start = stop
