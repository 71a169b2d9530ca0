"""Small files in HDFS that are replaced only if they still are what was seen.

HDFS has no conditional write, but it renames in one step, and can refuse to do so over something.
A cell is a folder with one token in it, whose name says which version is valid, and that version's
content in a file beside it. Who replaces it writes the new content first and then renames the
token: of many who saw the same version, one finds it there.
"""

from __future__ import annotations

import errno
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from .folder import Entry
from .hdfs_client import hdfs_errors, new_file
from .hdfs_file import HdfsReader, hidden_beside
from .hdfs_folder import CELL, HdfsFolder
from .stores import CHANGED, StoreError

_TOKEN: Final = f"{CELL}now-"
_DATA: Final = f"{CELL}is-"
_LOOKS: Final = 5
_SWEPT: Final = (0.05, 0.1, 0.2)  # seconds until another try
_MODE: Final = 0o644


@dataclass(frozen=True)
class HdfsCells:
    """A folder in HDFS in which every small file is a cell.

    >>> str(HdfsCells(HdfsFolder("node:8020", "out")))
    'hdfs://node:8020/out'
    """

    folder: HdfsFolder

    def __str__(self) -> str:
        """Give the folder's URI."""
        return str(self.folder)

    def show(self, path: str) -> str:
        """Give a cell's URI."""
        return self.folder.show(path)

    def names(self) -> set[str]:
        """List cells, and what else is there."""
        return self.folder.names()

    def delete(self, paths: Iterable[str]) -> None:
        """Remove cells; one that is not there is no error."""
        self.folder.delete(paths)

    def create(self, path: str, data: bytes) -> str:
        """Write a cell where there is none; give its version. Raises FileExistsError, OSError.

        It is written aside first. The folder's owner may sweep that away: then it begins again.
        """
        for pause in (*_SWEPT, None):
            version, hidden = uuid.uuid4().hex, hidden_beside(path)
            try:
                self._write(f"{hidden}/{_DATA}{version}", data)
                # Not if it has been swept: there would be a cell without data.
                self._write(f"{hidden}/{_TOKEN}{version}", b"", parents=False)
                self._rename(hidden, path)
            except BaseException as error:
                if self._token(path) == version:  # done, though the answer got lost
                    return version
                with suppress(OSError):
                    self.folder.delete([hidden])
                refused = isinstance(error, StoreError) and error.answered
                if pause is None or not (refused or isinstance(error, FileNotFoundError)):
                    raise
                time.sleep(pause)
            else:
                return version
        raise AssertionError

    def replace(self, path: str, data: bytes, version: str) -> str:
        """Write a cell over its version `version`. Raises FileExistsError, OSError."""
        new = uuid.uuid4().hex
        try:
            # Not if the cell is gone: its folder would be there again, and no token in it.
            self._write(f"{path}/{_DATA}{new}", data, parents=False)
            self._rename(f"{path}/{_TOKEN}{version}", f"{path}/{_TOKEN}{new}")
        except BaseException as error:
            if self._token(path) == new:  # done, though the answer got lost
                return new
            with suppress(OSError):
                self.folder.delete([f"{path}/{_DATA}{new}"])
            if isinstance(error, FileNotFoundError):
                raise FileExistsError(errno.EEXIST, CHANGED, self.show(path)) from None
            raise
        self.folder.delete([f"{path}/{_DATA}{version}"])
        return new

    def read(self, path: str) -> bytes:
        """Read a cell; what is there and is none has no content. Raises FileNotFoundError."""
        for _ in range(_LOOKS):
            version = self._token(path)
            if version is None:
                if self.folder.status(path) is None:
                    raise FileNotFoundError(errno.ENOENT, "no such file", self.show(path))
                return b""
            with suppress(FileNotFoundError):  # replaced since
                return HdfsReader(self.folder, f"{path}/{_DATA}{version}").read()
        return b""

    def entry(self, path: str) -> Entry | None:
        """Look at a cell: its version, and when that was written; None if there is none."""
        for _ in range(_LOOKS):
            version = self._token(path)
            there = self.folder.status(path if version is None else f"{path}/{_DATA}{version}")
            if there is not None:
                size = 0 if version is None else int(there.length)
                return Entry(path, size, version or "", there.modification_time / 1000)
            if version is None:
                return None
        return Entry(path, 0, "", 0.0)

    def _token(self, path: str) -> str | None:
        """Give a cell's version; None where there is none, or something else."""
        with suppress(FileNotFoundError), hdfs_errors(self.show(path)):
            for found in self.folder.client.list_status(self.folder.place(path)):
                name = PurePosixPath(found.path).name
                if name.startswith(_TOKEN):
                    return name.removeprefix(_TOKEN)
        return None

    def _write(self, path: str, data: bytes, *, parents: bool = True) -> None:
        client, place = self.folder.client, self.folder.place(path)
        with (
            hdfs_errors(self.show(path)),
            new_file(client, place, _MODE, parents=parents) as file,
        ):
            if data:
                file.write(data)

    def _rename(self, path: str, new: str) -> None:
        """Rename a file or folder, over nothing. Raises FileExistsError if it cannot be done."""
        try:
            with hdfs_errors(self.show(path)):
                self.folder.client.rename(self.folder.place(path), self.folder.place(new))
        except (FileNotFoundError, FileExistsError):
            raise FileExistsError(errno.EEXIST, CHANGED, self.show(new)) from None
        except StoreError as error:
            if not error.answered or self.folder.status(new) is None:
                raise
            raise FileExistsError(errno.EEXIST, CHANGED, self.show(new)) from None
