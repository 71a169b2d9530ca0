"""A place that holds files: a local folder, or one in an object store.

All that a run reads of its corpus and writes of its output goes through here. Paths are relative
to the folder, with slashes; no path leads out of it.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

import pyarrow as pa
from pyarrow import fs

from ..filters.errors import OutputError

PARTIAL: Final = ".partial"
AHEAD: Final = 256 << 10
REMOTE_AHEAD: Final = 8 << 20
SMALL: Final = 1 << 20
"""Files up to this size are held in memory while they are written: many may be open at once."""
_PACKED: Final = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class Entry:
    """A file in a listing: its path below the folder, its size in bytes.

    `version` changes whenever the file does: the modification time in nanoseconds, or an object's
    ETag. `modified` is the time of the last change in seconds since 1970, by the clock of whoever
    keeps the file.
    """

    path: str
    size: int
    version: str
    modified: float


class Opens(Protocol):
    """What a file can be opened from to read any part of it."""

    @property
    def ahead(self) -> int:
        """How many bytes one read had better ask for."""

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open the file `path`. Raises OSError."""


class Spool(Protocol):
    """A file that is being written and stands nowhere yet."""

    def write(self, data: memoryview) -> None:
        """Write so many bytes."""

    def settle(self) -> None:
        """Hand what is held back to the system. Raises OSError."""

    def open_input_file(self) -> pa.NativeFile:
        """Open what was written so far, to read it."""

    def publish(self) -> None:
        """Put it in its place, replacing what was there, whole or not at all."""

    def drop(self) -> None:
        """Forget it, unless it was published."""


class Folder(ABC):
    """A place that holds files. It pickles, and whoever unpickles it connects anew."""

    @property
    @abstractmethod
    def local(self) -> Path:
        """Its path on this machine. Raises OutputError where it is elsewhere."""

    @property
    @abstractmethod
    def remote(self) -> bool:
        """Say whether a request goes over a network, so that many at a time pay."""

    @property
    @abstractmethod
    def ahead(self) -> int:
        """How many bytes one read had better ask for."""

    @abstractmethod
    def __str__(self) -> str:
        """Say where it is, without credentials."""

    @abstractmethod
    def at(self, path: str) -> Folder:
        """Give the folder below this one that is called `path`."""

    @abstractmethod
    def show(self, path: str) -> str:
        """Say where a file of it is, as a person would write it."""

    @abstractmethod
    def holds(self, other: Folder) -> bool:
        """Say whether `other` is this folder, or lies below it."""

    @abstractmethod
    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open a file to read any part of it. Raises OSError."""

    @abstractmethod
    def reading(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Give a file on this machine with the content of one of the folder's. Raises OSError."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Read a whole file. Raises FileNotFoundError, OSError."""

    @abstractmethod
    def names(self) -> set[str]:
        """Name what lies in it, one level down; nothing if there is no such folder."""

    @abstractmethod
    def files(self, path: str = "") -> Iterator[Entry]:
        """List all files below `path`, at any depth, in no order."""

    @abstractmethod
    def delete(self, paths: Iterable[str]) -> None:
        """Remove files; one that is not there is no error."""

    @abstractmethod
    def retain(self, path: str, keep: Collection[str]) -> None:
        """Remove all files below `path` but those of `keep`; and folders left empty."""

    @abstractmethod
    def clear(self, name: str) -> None:
        """Remove the file `name`, or all below it."""

    @abstractmethod
    def prepare(self, *, private: bool = False) -> None:
        """Make the folder where it must be made, for its owner only if `private`."""

    @abstractmethod
    def spool(self, path: str, mode: int) -> Spool:
        """Begin to write what will be the file `path`, with `mode` where files have one."""

    @abstractmethod
    def sweep(self) -> None:
        """Remove what an earlier run left unfinished."""

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """Open a file to read it from its beginning. Raises OSError."""
        return self.open_input_file(path)

    def sizes(self, path: str) -> dict[str, int]:
        """Give the size in bytes of every file below `path`."""
        return {entry.path: entry.size for entry in self.files(path)}


@dataclass(frozen=True)
class LocalFolder(Folder):
    """A folder of this machine's file system.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = LocalFolder(Path(place))
    ...     spool = folder.spool("a/b.txt", 0o600)
    ...     spool.write(memoryview(b"text"))
    ...     before = [entry.path for entry in folder.files()]
    ...     spool.publish()
    ...     before, [(entry.path, entry.size) for entry in folder.files()], folder.read("a/b.txt")
    ([], [('a/b.txt', 4)], b'text')
    """

    path: Path

    @property
    def local(self) -> Path:
        """Its path."""
        return self.path

    @property
    def remote(self) -> bool:
        """No."""
        return False

    @property
    def ahead(self) -> int:
        """Little: what is read stays in the processor's cache."""
        return AHEAD

    def __str__(self) -> str:
        """Give its path."""
        return str(self.path)

    def at(self, path: str) -> LocalFolder:
        """Give a folder below."""
        return LocalFolder(self.path / path)

    def show(self, path: str) -> str:
        """Give a file's path."""
        return str(self.path / path)

    def holds(self, other: Folder) -> bool:
        """Compare the paths."""
        return isinstance(other, LocalFolder) and other.path.is_relative_to(self.path)

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open a file."""
        return fs.LocalFileSystem().open_input_file(str(self.path / path))

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """Open a file; one that is packed is unpacked, as its name says."""
        return fs.LocalFileSystem().open_input_stream(str(self.path / path))

    def reading(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Open the file itself."""
        return (self.path / path).open("rb")

    def read(self, path: str) -> bytes:
        """Read a file."""
        return (self.path / path).read_bytes()

    def names(self) -> set[str]:
        """List the folder."""
        return {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set()

    def files(self, path: str = "") -> Iterator[Entry]:
        """Walk the tree; hidden files that are being written are left out."""
        folders = [str(self.path / path)]
        skip = len(str(self.path)) + 1
        while folders:
            with (
                suppress(FileNotFoundError, NotADirectoryError),
                os.scandir(folders.pop()) as found,
            ):
                for entry in found:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif not entry.name.endswith(PARTIAL):
                        with suppress(FileNotFoundError):
                            facts = entry.stat()
                            name = Path(entry.path[skip:]).as_posix()
                            version = str(facts.st_mtime_ns)
                            yield Entry(name, facts.st_size, version, facts.st_mtime)

    def delete(self, paths: Iterable[str]) -> None:
        """Unlink files."""
        for path in paths:
            (self.path / path).unlink(missing_ok=True)

    def retain(self, path: str, keep: Collection[str]) -> None:
        """Walk the tree; links are taken for files."""
        good = {str(self.path / name) for name in keep}
        if (self.path / path).exists():
            _retain(str(self.path / path), good)

    def clear(self, name: str) -> None:
        """Remove a file or a whole folder."""
        place = self.path / name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

    def prepare(self, *, private: bool = False) -> None:
        """Make the folder and those above."""
        self.path.mkdir(parents=True, exist_ok=True)
        if private:
            self.path.chmod(0o700)

    def spool(self, path: str, mode: int) -> Spool:
        """Write under a hidden name beside the file's place."""
        return _HiddenFile(self.path / path, mode)

    def sweep(self) -> None:
        """Remove hidden files."""
        for partial in self.path.rglob(f".*{PARTIAL}"):
            partial.unlink(missing_ok=True)


def _retain(folder: str, good: Collection[str]) -> bool:
    """Remove files that are not good, and folders left empty; say whether anything is left."""
    left = False
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            kept = entry.path in good
            if not kept:
                Path(entry).unlink(missing_ok=True)
        else:
            kept = _retain(entry.path, good)
            if not kept:
                Path(entry).rmdir()
        left = left or kept
    return left


class _HiddenFile:
    """A hidden file beside the place where it will stand, once it is too large for memory."""

    def __init__(self, target: Path, mode: int) -> None:
        self._target, self._mode = target, mode
        # Two workers of a cluster may write the same file at once, one of them given up for dead.
        self._partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PARTIAL}")
        self._memory = io.BytesIO()
        self._file: IO[bytes] = self._memory
        self._on_disk = False

    def write(self, data: memoryview) -> None:
        self._file.write(data)
        if not self._on_disk and self._file.tell() > SMALL:
            self._to_disk()

    def settle(self) -> None:
        self._file.flush()

    def open_input_file(self) -> pa.NativeFile:
        if not self._on_disk:
            return pa.BufferReader(self._memory.getvalue())
        self._file.flush()
        return pa.OSFile(str(self._partial))

    def publish(self) -> None:
        self._to_disk()
        self._file.close()
        self._partial.replace(self._target)
        self._on_disk = False

    def drop(self) -> None:
        # A full disk can refuse the last flush; the partial file is dropped all the same.
        with suppress(OSError):
            self._file.close()
        if self._on_disk:
            self._partial.unlink(missing_ok=True)

    def _to_disk(self) -> None:
        """Begin the file itself, with what was written so far."""
        if self._on_disk:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            opened = os.open(self._partial, flags, self._mode)
        except FileNotFoundError:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            opened = os.open(self._partial, flags, self._mode)
        self._file = os.fdopen(opened, "wb", buffering=SMALL)
        self._on_disk = True
        self._file.write(self._memory.getbuffer())
        self._memory = io.BytesIO()


def folder_of(place: Folder | Path) -> Folder:
    """Take a local path for the folder it names."""
    return LocalFolder(place) if isinstance(place, Path) else place


HERE: Final = LocalFolder(Path())
"""This process's working folder; an absolute path is found from here as well."""


class RemoteFolder(Folder):
    """A folder of another machine."""

    @property
    def local(self) -> Path:
        """Raise OutputError: it is not on this machine."""
        raise elsewhere(self, "this command")

    @property
    def remote(self) -> bool:
        """Yes."""
        return True

    @property
    def ahead(self) -> int:
        """Much: a request takes as long as some MiB do."""
        return REMOTE_AHEAD

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """Open a file; one that is packed is unpacked, as its name says."""
        stream = pa.BufferedInputStream(self.open_input_file(path), REMOTE_AHEAD)
        codec = next((c for suffix, c in _PACKED.items() if path.endswith(suffix)), None)
        return stream if codec is None else pa.CompressedInputStream(stream, codec)

    def __str__(self) -> str:
        """Give its URI."""
        return self.show("").rstrip("/")


def elsewhere(place: object, who: str) -> OutputError:
    """Make the error of somebody who can use local folders only."""
    return OutputError(str(place), f"{who} reads local files only", "copy it here first")
