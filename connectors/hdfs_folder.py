"""A folder in HDFS, for reading: a corpus, registers. Hadoop's own client does the work."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EIO
from functools import lru_cache
from pathlib import Path
from typing import IO, NoReturn

import pyarrow as pa
from pyarrow import fs

from ..filters.errors import OutputError, SchemaError
from .folder import REMOTE_AHEAD, Entry, Folder, RemoteFolder, Spool
from .stores import StoreError


@lru_cache(maxsize=8)
def open_hdfs(server: str) -> fs.FileSystem:
    """Connect to a name node, by default that of Hadoop's own configuration. Raises SchemaError."""
    host, _, port = server.partition(":")
    try:
        return fs.HadoopFileSystem(host or "default", int(port or 0))
    except (OSError, ValueError):
        what = "HDFS cannot be reached with Hadoop's client on this machine"
        fix = "set JAVA_HOME, HADOOP_HOME, CLASSPATH and ARROW_LIBHDFS_DIR, and check the address"
        raise SchemaError(f"hdfs://{server}", what, fix) from None


@dataclass(frozen=True)
class HdfsFolder(RemoteFolder):
    """What HDFS holds below a path.

    >>> folder = HdfsFolder("node:8020", "data").at("web")
    >>> str(folder), folder.show("a.parquet")
    ('hdfs://node:8020/data/web', 'hdfs://node:8020/data/web/a.parquet')
    """

    server: str
    path: str = ""

    def at(self, path: str) -> HdfsFolder:
        """Give a folder below."""
        return HdfsFolder(self.server, self.key(path))

    def show(self, path: str) -> str:
        """Give a file's URI."""
        return f"hdfs://{self.server}/{self.key(path)}"

    def key(self, path: str) -> str:
        """Give a file's path, without the slash before it."""
        return "/".join(part for part in (self.path, path) if part)

    def holds(self, other: Folder) -> bool:
        """Compare the addresses."""
        alike = isinstance(other, HdfsFolder) and other.server == self.server
        return alike and f"{other}/".startswith(f"{self}/")

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open a file."""
        with self._errors(path):
            return open_hdfs(self.server).open_input_file(f"/{self.key(path)}")

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """Open a file; one that is packed is unpacked, as its name says."""
        with self._errors(path):
            return open_hdfs(self.server).open_input_stream(f"/{self.key(path)}")

    @contextmanager
    def reading(self, path: str) -> Iterator[IO[bytes]]:
        """Copy a file into an unnamed one of this machine."""
        with tempfile.TemporaryFile(prefix="corpusgate-") as file:
            with self._errors(path), self.open_input_file(path) as source:
                while piece := source.read(REMOTE_AHEAD):
                    file.write(piece)
            file.seek(0)
            yield file

    def read(self, path: str) -> bytes:
        """Read a file."""
        with self._errors(path), self.open_input_file(path) as source:
            return bytes(source.read())

    def entry(self, path: str) -> Entry | None:
        """Look at one file; None if there is none."""
        with self._errors(path):
            found = open_hdfs(self.server).get_file_info(f"/{self.key(path)}")
        return self._entry(found) if found.type == fs.FileType.File else None

    def names(self) -> set[str]:
        """List one level."""
        return {Path(info.path).name for info in self._infos("", recursive=False)}

    def files(self, path: str = "") -> Iterator[Entry]:
        """List all files below."""
        for info in self._infos(path, recursive=True):
            if info.type == fs.FileType.File:
                yield self._entry(info)

    def delete(self, paths: Iterable[str]) -> None:
        """Raise OutputError."""
        self._refuse(paths)

    def retain(self, path: str, keep: Collection[str]) -> None:
        """Raise OutputError."""
        self._refuse(path, keep)

    def clear(self, name: str) -> None:
        """Raise OutputError."""
        self._refuse(name)

    def prepare(self, *, private: bool = False) -> None:
        """Raise OutputError."""
        self._refuse(private)

    def spool(self, path: str, mode: int) -> Spool:
        """Raise OutputError."""
        self._refuse(path, mode)

    def sweep(self) -> None:
        """Raise OutputError."""
        self._refuse()

    def _infos(self, path: str, *, recursive: bool) -> list[fs.FileInfo]:
        place = f"/{self.key(path)}"
        selector = fs.FileSelector(place, allow_not_found=True, recursive=recursive)
        with self._errors(path):
            return list(open_hdfs(self.server).get_file_info(selector))

    def _entry(self, info: fs.FileInfo) -> Entry:
        below = info.path.lstrip("/")[len(self.path) :].lstrip("/")
        return Entry(below, int(info.size), str(info.mtime_ns), (info.mtime_ns or 0) / 1e9)

    def _refuse(self, *_: object) -> NoReturn:
        fix = "write to a local folder or to an object store"
        raise OutputError(str(self), "HDFS is read, not written", fix)

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        """Keep Java's own words out of what is shown."""
        failed = False
        try:
            yield
        except (FileNotFoundError, StoreError):
            raise
        except OSError:
            failed = True
        if failed:
            raise StoreError(EIO, "HDFS did not answer, or has no such part", self.show(path))
