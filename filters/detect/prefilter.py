"""One pass over a batch of texts says where which expression ends.

Expressions become one Hyperscan database. It serialises, so it is built once, kept by whoever gives
`cache`, and travels to workers as bytes. Where Hyperscan cannot be imported, `scan` knows nothing,
and every text is looked at whole: the same findings, slowly.
"""

from __future__ import annotations

import hashlib
import json
import threading
import warnings
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

Cache = Callable[[str, Callable[[], bytes]], bytes]

_FORMAT: Final = "1"
_NOWHERE: Final = np.zeros(0, dtype=np.int64)
_warned = False


class Expression(NamedTuple):
    """An expression over folded text, and whether case counts in it."""

    text: str
    caseless: bool


class Prefilter:
    """Finds where expressions end. Safe to use from several threads; pickles with its database."""

    def __init__(self, expressions: Sequence[Expression], cache: Cache | None = None) -> None:
        """Take the expressions, in any order; the database is made, or fetched, when first needed.

        `expressions` are then sorted by their endings: Hyperscan merges neighbours, and is fastest
        with these.
        """
        self.expressions = tuple(sorted(expressions, key=lambda e: (e.text[::-1], e.caseless)))
        self._cache = cache
        self._serialized: bytes | None = None
        self._start()

    def _start(self) -> None:
        self._database: Any = None
        self._taken: Any = None
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

    def scan(self, data: memoryview) -> dict[Expression, np.ndarray]:
        """Give, for each expression, where it ends in the data, ascending.

        An expression that nothing is known of, because Hyperscan refuses it or is not there, is
        left out.

        >>> found = Prefilter([Expression("[0-9]{3}", False)]).scan(memoryview(b"a 1234 b"))
        >>> [ends.tolist() for ends in found.values()]
        [[5, 6]]
        """
        if not self.expressions or _hyperscan() is None:
            return {}
        database = self._open()
        if database is None:
            return {}
        found = [array("Q") for _ in self._taken]
        database.scan(
            data,
            match_event_handler=_note,
            context=[ends.append for ends in found],
            scratch=self._scratch(database),
        )
        columns = (
            np.frombuffer(ends, dtype=np.uint64).astype(np.int64) if ends else _NOWHERE
            for ends in found
        )
        return dict(zip(self._taken, columns, strict=True))

    def _scratch(self, database: Any) -> Any:  # noqa: ANN401
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = _hyperscan().Scratch(database)
        return scratch

    def _open(self) -> Any:  # noqa: ANN401
        """Give the database: as it was, from bytes, or built; None if it would be empty."""
        with self._lock:
            if self._taken is None:
                if self._serialized is None:
                    make = self._build
                    self._serialized = self._cache(self.key, make) if self._cache else make()
                try:
                    self._load(self._serialized)
                except (ValueError, _hyperscan().error):
                    # Kept by another version or machine, or not whole.
                    self._serialized = self._build()
                    self._load(self._serialized)
        return self._database

    def _load(self, serialized: bytes) -> None:
        """Read what `_build` wrote: which expressions were taken, and the database."""
        hyperscan = _hyperscan()
        head, _, body = serialized.partition(b"\n")
        refused = set(json.loads(head))
        taken = [e for i, e in enumerate(self.expressions) if i not in refused]
        self._database = hyperscan.loadb(body, hyperscan.HS_MODE_BLOCK) if taken else None
        self._taken = taken

    def _build(self) -> bytes:
        hyperscan = _hyperscan()
        try:
            return b"[]\n" + _compiled(self.expressions)
        except hyperscan.error:
            refused = [i for i, e in enumerate(self.expressions) if not _compiles(e)]
            taken = [e for i, e in enumerate(self.expressions) if i not in refused]
            return json.dumps(refused).encode() + b"\n" + (_compiled(taken) if taken else b"")


def _compiled(expressions: Sequence[Expression]) -> bytes:
    hyperscan = _hyperscan()
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    common = hyperscan.HS_FLAG_DOTALL | hyperscan.HS_FLAG_MULTILINE
    database.compile(
        expressions=[e.text.encode("ascii") for e in expressions],
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=[common | hyperscan.HS_FLAG_CASELESS * e.caseless for e in expressions],
    )
    return bytes(hyperscan.dumpb(database))


def _compiles(expression: Expression) -> bool:
    try:
        _compiled([expression])
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
