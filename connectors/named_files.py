"""Files in object stores under names of our own, for DuckDB, which reads parts of them as it asks.

Only what was named is there: no other object exists, and nothing can be written.
"""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fsspec import AbstractFileSystem

from .far_file import FarFile
from .stores import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

    from .folder import Folder

SCHEME: Final = "corpusgate"


class NamedFiles(AbstractFileSystem):  # type: ignore[misc]
    """The files that were named, as a file system that DuckDB can read."""

    protocol = SCHEME
    cachable = False

    def __init__(self) -> None:
        """Begin without any."""
        super().__init__()
        self._files: dict[str, tuple[Folder, str, int, str | None]] = {}

    def add(self, folder: Folder, path: str, size: int, version: str | None) -> str:
        """Name a file. If `version` is given, it must still be that when it is opened."""
        name = f"{SCHEME}://{folder.show(path)}"
        self._files[name] = folder, path, size, version
        return name

    def open(self, path: str, mode: str = "rb", **_: Any) -> pa.NativeFile:  # noqa: ANN401
        """Open a file to read any part of it. Raises OSError."""
        if mode != "rb" or path not in self._files:
            raise PermissionError(errno.EACCES, "it is not for this session", path)
        folder, below, _size, version = self._files[path]
        file = folder.open_input_file(below)
        if isinstance(file, FarFile) and version not in (None, file.version):
            what = "the object has been replaced since it was listed"
            raise StoreError(errno.ESTALE, what, folder.show(below))
        return file

    def info(self, path: str, **_: Any) -> dict[str, Any]:  # noqa: ANN401
        """Give a file's size."""
        if path not in self._files:
            raise FileNotFoundError(errno.ENOENT, "there is no such file", path)
        return {"name": path, "size": self._files[path][2], "type": "file"}

    def modified(self, _: str) -> datetime:
        """Give one time for all: what has changed is not opened."""
        return datetime.fromtimestamp(0, UTC)

    def glob(self, path: str, **_: Any) -> list[str]:  # noqa: ANN401
        """Take a name for what it says: no character of it is a pattern."""
        return [path] if path in self._files else []
