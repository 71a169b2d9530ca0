"""Files that appear whole or not at all.

A staged file is written where nobody reads it and put in its place when its unit is complete. A
run that dies leaves hidden local files only; the next one sweeps them away.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .folder import AHEAD, Folder, folder_of

if TYPE_CHECKING:
    import pyarrow as pa

OWNER_ONLY: Final = 0o600


@dataclass(frozen=True)
class Written:
    """A file that was written: where, relative to its root; its size in bytes; its SHA-256."""

    path: str
    bytes: int
    sha256: str


class StagedFile(io.RawIOBase):
    """A file being written where nobody reads it, digested as it goes.

    Use as a context manager; without `publish` nothing stays.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, StagedFile(Path(folder), "a/b") as file:
    ...     _ = file.write(b"x")
    ...     before = (Path(folder) / "a/b").exists()
    ...     (before, file.publish().bytes, (Path(folder) / "a/b").exists())
    (False, 1, True)
    """

    def __init__(self, root: Folder | Path, path: str, mode: int = 0o666) -> None:
        """Begin to write what will be the file `path` of the folder `root`."""
        super().__init__()
        self._path = path
        self._spool = folder_of(root).spool(path, mode)
        self._digest = hashlib.sha256()
        self._size = 0
        self._failure: OSError | None = None

    @property
    def ahead(self) -> int:
        """Little: until it is published it is on this machine."""
        return AHEAD

    def open_input_file(self, _: str = "") -> pa.NativeFile:
        """Open what was written so far, to read it."""
        return self._spool.open_input_file()

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer, as io.RawIOBase has it
        """Write and digest a buffer."""
        view = memoryview(data).cast("B")
        try:
            self._spool.write(view)
        except OSError as error:
            self._failure = error
            raise
        self._digest.update(view)
        self._size += view.nbytes
        return view.nbytes

    def settle(self) -> None:
        """Hand what is held back to the system, so that opening it cannot fail for want of room."""
        self._spool.settle()

    @contextmanager
    def own_errors(self) -> Iterator[None]:
        """Give back the OSError of a failed write, where a library has made another of it."""
        try:
            yield
        except Exception:
            if self._failure is not None:
                raise self._failure from None
            raise

    def tell(self) -> int:
        """Give the number of bytes written."""
        return self._size

    def publish(self) -> Written:
        """Put the file in its place, replacing what was there."""
        self._spool.publish()
        return self.written()

    def written(self) -> Written:
        """Describe what was written so far."""
        return Written(self._path, self._size, self._digest.hexdigest())

    def close(self) -> None:
        """Drop the file, unless it was published."""
        if not self.closed:
            self._spool.drop()
        super().close()


def publish_json(
    root: Folder | Path, path: str, data: Mapping[str, Any], mode: int = 0o666
) -> Written:
    """Write one JSON file: sorted keys, two spaces, a final line feed."""
    text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    with StagedFile(root, path, mode) as file:
        file.write(text.encode())
        return file.publish()
