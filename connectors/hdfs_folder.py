"""A folder in HDFS.

A file is written to an unnamed one on this machine; when it is published, it is written to HDFS
under a hidden name and renamed, over what was there: it appears whole or not at all.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Final, TypeVar

from more_itertools import consume

from .at_once import at_once
from .far_file import FarFile
from .folder import PARTIAL, REMOTE_AHEAD, Entry, Folder, RemoteFolder, Spool
from .hdfs_client import hdfs_errors, open_hdfs
from .hdfs_file import HdfsReader, HdfsUpload, version_of
from .stores import StoreError

if TYPE_CHECKING:
    import pyarrow as pa
    from hdfs_native import Client, FileStatus

CELL: Final = ".cell-"
"""Begins the names of the files that a cell is made of, see hdfs_cells.py."""
PAUSES: Final = (2.0, 8.0, 30.0, 60.0)
"""Seconds until something is tried again that HDFS broke off, or could not do yet."""
_PRIVATE, _USUAL = 0o700, 0o755
_Got = TypeVar("_Got")
_silent: Final[set[tuple[str, bool]]] = set()
"""Servers that were waited for in vain, for data or for names: until they answer, nobody waits."""


@dataclass(frozen=True)
class HdfsFolder(RemoteFolder):
    """What HDFS holds below a path. It pickles as its address.

    >>> folder = HdfsFolder("node:8020", "data").at("web")
    >>> str(folder), folder.show("a.parquet")
    ('hdfs://node:8020/data/web', 'hdfs://node:8020/data/web/a.parquet')
    """

    server: str
    path: str = ""

    @property
    def client(self) -> Client:
        """The connection, made once a process."""
        return open_hdfs(self.server)

    def at(self, path: str) -> HdfsFolder:
        """Give a folder below."""
        return HdfsFolder(self.server, self.key(path))

    def show(self, path: str) -> str:
        """Give a file's URI."""
        return f"hdfs://{self.server}/{self.key(path)}"

    def key(self, path: str) -> str:
        """Give a file's path, without the slash before it."""
        return "/".join(part for part in (self.path, path) if part)

    def place(self, path: str) -> str:
        """Give a file's path as HDFS has it."""
        return f"/{self.key(path)}"

    def holds(self, other: Folder) -> bool:
        """Compare the addresses."""
        alike = isinstance(other, HdfsFolder) and other.server == self.server
        return alike and f"{other}/".startswith(f"{self}/")

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open a file."""
        return FarFile(self.tried(path, lambda: HdfsReader(self, path)))

    @contextmanager
    def reading(self, path: str) -> Iterator[IO[bytes]]:
        """Copy a file into an unnamed one of this machine."""
        with tempfile.TemporaryFile(prefix="corpusgate-") as file:

            def copy() -> None:
                file.seek(0)
                file.truncate()
                source = HdfsReader(self, path)
                while piece := source.read(REMOTE_AHEAD):
                    file.write(piece)

            self.tried(path, copy, data=True)
            file.seek(0)
            yield file

    def read(self, path: str) -> bytes:
        """Read a file."""
        return self.tried(path, lambda: HdfsReader(self, path).read(), data=True)

    def status(self, path: str) -> FileStatus | None:
        """Look at a file or folder; None if there is none."""
        try:
            return self.tried(path, lambda: self.client.get_file_info(self.place(path)))
        except FileNotFoundError:
            return None

    def entry(self, path: str) -> Entry | None:
        """Look at one file; None if there is none."""
        found = self.status(path)
        return None if found is None or found.isdir else self._entry(found)

    def names(self) -> set[str]:
        """List one level."""
        return {PurePosixPath(found.path).name for found in self.listed("", recursive=False)}

    def files(self, path: str = "") -> Iterator[Entry]:
        """List all files below; those that are being written, and cells, are left out."""
        for found in self.listed(path, recursive=True):
            if not (found.isdir or any(map(_unseen, PurePosixPath(found.path).parts))):
                yield self._entry(found)

    def delete(self, paths: Iterable[str]) -> None:
        """Delete files, many at once."""
        todo = list(paths)
        consume(at_once(self._delete, todo, remote=len(todo) > 1))

    def retain(self, path: str, keep: Collection[str]) -> None:
        """Delete all other files, and each folder that would be left empty."""
        full = {str(above) for name in keep for above in PurePosixPath(name).parents}
        gone: list[str] = []
        for found in sorted(self.listed(path, recursive=True), key=lambda found: found.path):
            name = self._below(found)
            kept = name in (full if found.isdir else keep)
            if not (kept or (gone and name.startswith(f"{gone[-1]}/"))):
                gone.append(name)
        self.delete(gone)

    def clear(self, name: str) -> None:
        """Delete a file, or a folder with all below it."""
        self._delete(name)

    def prepare(self, *, private: bool = False) -> None:
        """Make the folder and those above."""
        mode = _PRIVATE if private else _USUAL

        def make() -> None:
            self.client.mkdirs(self.place(""), mode, create_parent=True)
            if private:
                self.client.set_permission(self.place(""), mode)

        self.tried("", make)

    def spool(self, path: str, mode: int) -> Spool:
        """Write to an unnamed file of this machine, which goes with the process."""
        return HdfsUpload(self, path, mode)

    def sweep(self) -> None:
        """Delete hidden files and folders."""
        found = [self._below(found) for found in self.listed("", recursive=True)]
        self.delete([name for name in found if name.endswith(PARTIAL)])

    def listed(self, path: str, *, recursive: bool) -> list[FileStatus]:
        """List files and folders below a folder; nothing if there is none."""
        place = self.place(path)

        def everything() -> list[FileStatus]:
            return list(self.client.list_status(place, recursive))

        try:
            found = self.tried(path, everything)
        except FileNotFoundError:
            return []
        return [each for each in found if each.path != place]  # a file is listed as itself

    def tried(self, path: str, work: Callable[[], _Got], *, data: bool = False) -> _Got:
        """Do something, and anew where HDFS breaks off. Raises OSError.

        With `data`, it is done with data nodes; they can be away although the name node is there.
        """
        asked = self.server, data
        for pause in (*PAUSES, None):
            try:
                with hdfs_errors(self.show(path)):
                    got = work()
            except StoreError as error:
                if error.answered:
                    raise
                if pause is None or asked in _silent:
                    _silent.add(asked)
                    raise
                time.sleep(pause)
            else:
                break
        _silent.discard(asked)
        return got

    def _delete(self, path: str) -> None:
        self.tried(path, lambda: self.client.delete(self.place(path), recursive=True))

    def _entry(self, found: FileStatus) -> Entry:
        seconds = found.modification_time / 1000
        return Entry(self._below(found), int(found.length), version_of(found), seconds)

    def _below(self, found: FileStatus) -> str:
        return found.path.lstrip("/")[len(self.path) :].lstrip("/")


def _unseen(name: str) -> bool:
    return name.endswith(PARTIAL) or name.startswith(CELL)
