"""A file elsewhere that is read in parts, each part a request."""

from __future__ import annotations

import io
import os
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from .at_once import at_once
from .folder import REMOTE_AHEAD


class FarFile(pa.PythonFile):  # type: ignore[misc]
    """A file elsewhere that is open for reading."""

    def __init__(self, reader: FarReader) -> None:
        """Read by `reader`; the base class has taken it before."""
        super().__init__()
        self._reader = reader

    @property
    def version(self) -> str | None:
        """What its folder's listing gave as its version when it was opened, if known."""
        return self._reader.version

    def hold(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch ranges, many at once, and keep them until the next call; no byte between them."""
        self._reader.hold(ranges)


class FarReader(io.RawIOBase):
    """What Python reads such a file by. What it was when it was opened is all that is read of it.

    `tail` is what of its end came with the first look at it.

    >>> class Letters(FarReader):
    ...     def fetch(self, start, end):
    ...         print("fetch", start, end)
    ...         return b"abcdefgh"[start:end]
    >>> file = Letters(8, "v1", b"gh")
    >>> _ = file.seek(6)
    >>> file.read()
    b'gh'
    >>> file.hold([(0, 2), (2, 4)])
    fetch 0 4
    >>> _ = file.seek(1)
    >>> file.read(2)
    b'bc'
    """

    def __init__(self, size: int, version: str | None, tail: bytes = b"") -> None:
        """Begin at its first byte."""
        super().__init__()
        self.size, self.version = size, version
        self._tail = tail
        self._at = 0
        self._held: list[tuple[int, bytes]] = []

    @abstractmethod
    def fetch(self, start: int, end: int) -> bytes:
        """Ask for these bytes, and get all of them. Raises OSError."""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sought in."""
        return True

    def tell(self) -> int:
        """Give the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read from what is held, or ask for it."""
        start = min(self._at, self.size)
        end = self.size if size < 0 else min(start + size, self.size)
        self._at = end
        before = self.size - len(self._tail)
        if start >= before:
            return self._tail[start - before : end - before]
        for first, data in self._held:
            if first <= start and end <= first + len(data):
                return data[start - first : end - first]
        return self.fetch(start, end) if end > start else b""

    def hold(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch ranges and keep them instead of those before."""
        self._held = []
        before = self.size - len(self._tail)
        wanted = [each for each in _joined(ranges) if each[0] < before]
        pieces = at_once(lambda each: self.fetch(*each), wanted, remote=len(wanted) > 1)
        self._held = [(start, data) for (start, _), data in zip(wanted, pieces, strict=True)]

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - as io.RawIOBase has it
        """Read into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join ranges that touch, up to what is asked for at a time.

    >>> _joined([(4, 6), (0, 2), (2, 4), (8, 9)])
    [(0, 6), (8, 9)]
    """
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and joined[-1][1] == start and end - joined[-1][0] <= REMOTE_AHEAD:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
