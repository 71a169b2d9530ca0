"""An object as a file to be read in parts, each part a request."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from .at_once import at_once
from .folder import REMOTE_AHEAD
from .stores import StoreError

if TYPE_CHECKING:
    from .object_folder import ObjectFolder

TAIL: Final = 64 << 10
"""Bytes that come with the first look at an object: most footers."""


class ObjectFile(pa.PythonFile):  # type: ignore[misc]
    """An object that is open for reading."""

    def __init__(self, reader: ObjectReader) -> None:
        """Read by `reader`; the base class has taken it before."""
        super().__init__()
        self._reader = reader

    @property
    def version(self) -> str | None:
        """The object's ETag, where the store has one."""
        return self._reader.version

    def hold(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch ranges, many at once, and keep them until the next call; no byte between them."""
        self._reader.hold(ranges)


class ObjectReader(io.RawIOBase):
    """An object as a file. What it was when it was opened is all that is read of it."""

    def __init__(self, folder: ObjectFolder, path: str) -> None:
        """Look at the object, and fetch its last bytes. Raises OSError."""
        super().__init__()
        self._folder = folder
        self._path = path
        self._key = folder.key(path)
        self._at = 0
        self._tail = b""
        self._held: list[tuple[int, bytes]] = []
        self._size, self.version = self._open()

    def _open(self) -> tuple[int, str | None]:
        import obstore
        from obstore.exceptions import BaseError

        try:
            last = obstore.get(self._folder.store, self._key, options={"range": {"suffix": TAIL}})
            self._tail = bytes(last.bytes())
            return int(last.meta["size"]), last.meta["e_tag"]
        except BaseError:  # no such ranges here, or nothing in it
            found = self._folder.tried(
                self._path, lambda: obstore.head(self._folder.store, self._key)
            )
            return int(found["size"]), found["e_tag"]

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
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read from what is held, or ask the store."""
        start = min(self._at, self._size)
        end = self._size if size < 0 else min(start + size, self._size)
        self._at = end
        before = self._size - len(self._tail)
        if start >= before:
            return self._tail[start - before : end - before]
        for first, data in self._held:
            if first <= start and end <= first + len(data):
                return data[start - first : end - first]
        return self._range(start, end) if end > start else b""

    def hold(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch ranges and keep them instead of those before."""
        self._held = []
        before = self._size - len(self._tail)
        wanted = [each for each in _joined(ranges) if each[0] < before]
        pieces = at_once(lambda each: self._range(*each), wanted, remote=len(wanted) > 1)
        self._held = [(start, data) for (start, _), data in zip(wanted, pieces, strict=True)]

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - as io.RawIOBase has it
        """Read into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _range(self, start: int, end: int) -> bytes:
        import obstore

        options: Any = {"range": (start, end)}
        if self.version:
            options["if_match"] = self.version

        def some() -> bytes:
            return bytes(obstore.get(self._folder.store, self._key, options=options).bytes())

        place = self._folder.show(self._path)
        try:
            data = self._folder.tried(self._path, some)
        except FileExistsError:
            what = "the object has been replaced since it was opened"
            raise StoreError(errno.ESTALE, what, place) from None
        if len(data) != end - start:
            raise StoreError(errno.EIO, "the object store sent less than was asked for", place)
        return data


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
