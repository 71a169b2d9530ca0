"""One pass over a batch of texts says where which expression ends.

Expressions become one Hyperscan database. It serialises, so it is built once, kept by whoever gives
`cache`, and travels to workers as bytes. Where Hyperscan cannot be imported, `scan` says nothing,
and every text is looked at whole: the same findings, slowly.
"""

from __future__ import annotations

import hashlib
import json
import threading
import warnings
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Cache = Callable[[str, Callable[[], bytes]], bytes]

_FORMAT: Final = "1"
_warned = False


@dataclass(frozen=True, order=True)
class Expression:
    """An expression over folded text, and whether case counts in it."""

    text: str
    caseless: bool


class Prefilter:
    """Finds where expressions end. Safe to use from several threads; pickles with its database."""

    def __init__(self, expressions: Sequence[Expression], cache: Cache | None = None) -> None:
        """Take the expressions; the database is made, or fetched, when first needed."""
        self.expressions = tuple(expressions)
        self._cache = cache
        self._serialized: bytes | None = None
        self._start()

    def _start(self) -> None:
        self._database: Any = None
        self._lock = threading.Lock()
        self._local = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        """Travel with the database as bytes, without the cache."""
        if self._serialized is None and self.expressions and _hyperscan() is not None:
            self._open()
        return {"expressions": self.expressions, "_serialized": self._serialized, "_cache": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Wait with opening the database until it is needed."""
        self.__dict__.update(state)
        self._start()

    @property
    def key(self) -> str:
        """Name the database: what it is made of, and the version that makes it."""
        module = _hyperscan()
        parts = [
            _FORMAT,
            getattr(module, "__version__", ""),
            [[e.text, e.caseless] for e in self.expressions],
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def scan(self, data: memoryview) -> list[np.ndarray] | None:
        """Give, for each expression, where it ends in the data, ascending; None without Hyperscan.

        >>> found = Prefilter([Expression("[0-9]{3}", False)]).scan(memoryview(b"a 1234 b"))
        >>> None if found is None else found[0].tolist()
        [5, 6]
        """
        if _hyperscan() is None:
            return None
        if not self.expressions:
            return []
        database = self._open()
        found = [array("Q") for _ in self.expressions]
        database.scan(
            data,
            match_event_handler=_note,
            context=[ends.append for ends in found],
            scratch=self._scratch(database),
        )
        return [np.frombuffer(ends, dtype=np.uint64).astype(np.int64) for ends in found]

    def _scratch(self, database: Any) -> Any:  # noqa: ANN401
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = _hyperscan().Scratch(database)
        return scratch

    def _open(self) -> Any:  # noqa: ANN401
        """Give the database: as it was, from bytes, or built."""
        if self._database is not None:
            return self._database
        with self._lock:
            if self._database is None:
                if self._serialized is None:
                    self._serialized = (
                        self._cache(self.key, self._build) if self._cache else self._build()
                    )
                self._database = self._loaded(self._serialized)
        return self._database

    def _loaded(self, serialized: bytes) -> Any:  # noqa: ANN401
        """Open a serialised database; build anew what this machine cannot use."""
        hyperscan = _hyperscan()
        try:
            return hyperscan.loadb(serialized, hyperscan.HS_MODE_BLOCK)
        except hyperscan.error:
            self._serialized = self._build()
            return hyperscan.loadb(self._serialized, hyperscan.HS_MODE_BLOCK)

    def _build(self) -> bytes:
        hyperscan = _hyperscan()
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        common = hyperscan.HS_FLAG_DOTALL | hyperscan.HS_FLAG_MULTILINE
        database.compile(
            expressions=[e.text.encode("ascii") for e in self.expressions],
            ids=list(range(len(self.expressions))),
            elements=len(self.expressions),
            flags=[common | hyperscan.HS_FLAG_CASELESS * e.caseless for e in self.expressions],
        )
        return bytes(hyperscan.dumpb(database))


def compiles(expression: Expression) -> bool:
    """Say whether Hyperscan takes an expression, or is not there to say."""
    if _hyperscan() is None:
        return True
    try:
        Prefilter([expression])._open()  # noqa: SLF001
    except _hyperscan().error:
        return False
    return True


def _note(
    number: int, _start: int, end: int, _flags: int, append: list[Callable[[int], None]]
) -> None:
    append[number](end)


def _hyperscan() -> Any:  # noqa: ANN401
    """Give the module, or None after one warning."""
    global _warned  # noqa: PLW0603
    try:
        import hyperscan
    except ImportError:
        if not _warned:
            _warned = True
            warnings.warn(
                "hyperscan cannot be imported: the same findings take a hundred times as long. "
                "Install it with `pip install hyperscan`",
                RuntimeWarning,
                stacklevel=2,
            )
        return None
    return hyperscan
