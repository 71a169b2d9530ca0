"""A file in HDFS, to be read in parts or written whole."""

from __future__ import annotations

import errno
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from .far_file import FarReader
from .folder import PARTIAL, REMOTE_AHEAD
from .hdfs_client import hdfs_errors, new_file
from .stores import StoreError
from .unnamed_file import UnnamedFile

if TYPE_CHECKING:
    from hdfs_native import FileReader, FileStatus

    from .hdfs_folder import HdfsFolder

_LOOKS: Final = 3
_MASK: Final = 0o022
"""What Hadoop takes from a file's permissions by default."""


def version_of(status: FileStatus) -> str:
    """Name a file's content: files in HDFS are written once, so its time in nanoseconds does."""
    return str(status.modification_time * 1_000_000)


class HdfsReader(FarReader):
    """A file in HDFS as a file: its blocks, which are gone once it is replaced."""

    def __init__(self, folder: HdfsFolder, path: str) -> None:
        """Find its blocks. Raises OSError."""
        self._folder, self._path = folder, path
        self._file, status = self._open()
        super().__init__(status.length, version_of(status))

    def _open(self) -> tuple[FileReader, FileStatus]:
        """Open it, and see that it was not replaced at that moment."""
        client, at = self._folder.client, self._folder.place(self._path)
        with hdfs_errors(self._folder.show(self._path)):
            for _ in range(_LOOKS):
                status = client.get_file_info(at)
                if status.isdir:
                    break
                file = client.read(at)
                if version_of(client.get_file_info(at)) == version_of(status):
                    return file, status
        what = "it is a folder, not a file" if status.isdir else "the file changes all the time"
        raise _failure(errno.EISDIR, what, self._folder.show(self._path))

    def fetch(self, start: int, end: int) -> bytes:
        """Read these bytes. Raises OSError."""
        return self._folder.tried(self._path, lambda: self._fetch(start, end), data=True)

    def _fetch(self, start: int, end: int) -> bytes:
        place = self._folder.show(self._path)
        try:
            with hdfs_errors(place):
                data = bytes(self._file.read_range(start, end - start))
        except OSError:
            # Its blocks may lie elsewhere by now. They are gone if it was replaced.
            self._file, status = self._open()
            if version_of(status) == self.version:
                raise
            what = "the file has been replaced since it was opened"
            raise _failure(errno.ESTALE, what, place) from None
        if len(data) != end - start:
            raise StoreError(errno.EIO, "HDFS sent less than was asked for", place)
        return data


def _failure(number: int, what: str, place: str) -> StoreError:
    """Make an error of what another try would not mend."""
    failure = StoreError(number, what, place)
    failure.answered = True
    return failure


class HdfsUpload(UnnamedFile):
    """An unnamed file of this machine that becomes a file in HDFS.

    It is written under a hidden name beside its place, and takes that in one step.
    """

    def __init__(self, folder: HdfsFolder, path: str, mode: int) -> None:
        """Begin what will be the file `path`."""
        super().__init__()
        self._folder, self._path, self._mode = folder, path, mode & ~_MASK

    def publish(self) -> None:
        """Write it there, and rename it over what was there."""
        self._file.flush()
        self._folder.tried(self._path, self._send, data=True)
        self._file.close()

    def _send(self) -> None:
        client, hidden = self._folder.client, self._folder.place(hidden_beside(self._path))
        self._file.seek(0)
        begun = False
        try:
            with new_file(client, hidden, self._mode) as there:
                begun = True
                while piece := self._file.read(REMOTE_AHEAD):
                    there.write(piece)
            client.rename(hidden, self._folder.place(self._path), overwrite=True)
        except BaseException:
            with suppress(OSError, RuntimeError):
                if begun:
                    client.delete(hidden)
            raise


def hidden_beside(path: str) -> str:
    """Make up a name for what is not yet to be seen at a path.

    >>> import re
    >>> re.sub("[0-9a-f]{8}", "…", hidden_beside("a/b.parquet"))
    'a/.b.parquet.….partial'
    """
    above, slash, name = path.rpartition("/")
    return f"{above}{slash}.{name}.{secrets.token_hex(4)}{PARTIAL}"
