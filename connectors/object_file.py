"""An object as a file to be read in parts, each part a request."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

from .far_file import FarReader
from .stores import StoreError

if TYPE_CHECKING:
    from .object_folder import ObjectFolder

TAIL: Final = 64 << 10
"""Bytes that come with the first look at an object: most footers."""


class ObjectReader(FarReader):
    """An object as a file."""

    def __init__(self, folder: ObjectFolder, path: str) -> None:
        """Look at the object, and fetch its last bytes. Raises OSError."""
        self._folder = folder
        self._path = path
        self._key = folder.key(path)
        super().__init__(*self._open())

    def _open(self) -> tuple[int, str | None, bytes]:
        import obstore
        from obstore.exceptions import BaseError

        try:
            last = obstore.get(self._folder.store, self._key, options={"range": {"suffix": TAIL}})
            return int(last.meta["size"]), last.meta["e_tag"], bytes(last.bytes())
        except BaseError:  # no such ranges here, or nothing in it
            found = self._folder.tried(
                self._path, lambda: obstore.head(self._folder.store, self._key)
            )
            return int(found["size"]), found["e_tag"], b""

    def fetch(self, start: int, end: int) -> bytes:
        """Ask the store for these bytes of what was opened. Raises OSError."""
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
