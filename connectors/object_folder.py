"""A folder in an object store: S3, Google Cloud Storage, Azure.

A file is written to an unnamed one on this machine and uploaded when it is published. Objects
appear whole or not at all; what a run that died had begun to upload, nobody sees.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

from .far_file import FarFile
from .folder import Entry, Folder, RemoteFolder, Spool
from .object_file import ObjectReader
from .stores import CHANGED, Storage, StoreError, open_store, store_errors
from .unnamed_file import UnnamedFile

if TYPE_CHECKING:
    import pyarrow as pa
    from obstore.store import ObjectStore

PART: Final = 16 << 20
ATTEMPTS: Final = 3
"""Times that a whole transfer is tried; each of its requests is tried more often than that."""

_LISTED: Final = 1000
_Got = TypeVar("_Got")


@dataclass(frozen=True)
class ObjectFolder(RemoteFolder):
    """What an object store's bucket holds below a prefix.

    It pickles as its address: credentials are looked for wherever it is used.

    >>> folder = ObjectFolder("s3", "bucket", "corpus").at("web")
    >>> str(folder), folder.show("a.parquet"), folder.remote
    ('s3://bucket/corpus/web', 's3://bucket/corpus/web/a.parquet', True)
    """

    scheme: str
    bucket: str
    prefix: str = ""
    storage: Storage = field(default=Storage(), repr=False)

    @property
    def store(self) -> ObjectStore:
        """The connection, made once a process."""
        return open_store(self.scheme, self.bucket, self.storage)

    def at(self, path: str) -> ObjectFolder:
        """Give a longer prefix."""
        return ObjectFolder(self.scheme, self.bucket, self.key(path), self.storage)

    def show(self, path: str) -> str:
        """Give an object's URI."""
        return f"{self.scheme}://{self.bucket}/{self.key(path)}"

    def holds(self, other: Folder) -> bool:
        """Compare the addresses."""
        return (
            isinstance(other, ObjectFolder)
            and (other.scheme, other.bucket, other.storage.endpoint)
            == (self.scheme, self.bucket, self.storage.endpoint)
            and f"{other.prefix}/".startswith(f"{self.prefix}/" if self.prefix else "")
        )

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open an object; its last bytes come with the first request."""
        return FarFile(ObjectReader(self, path))

    @contextmanager
    def reading(self, path: str) -> Iterator[IO[bytes]]:
        """Download an object into an unnamed file of this machine."""
        import obstore

        with tempfile.TemporaryFile(prefix="corpusgate-") as file:

            def download() -> None:
                file.seek(0)
                file.truncate()
                for piece in obstore.get(self.store, self.key(path)).stream():
                    file.write(piece)

            self.tried(path, download)
            file.seek(0)
            yield file

    def read(self, path: str) -> bytes:
        """Read an object."""
        import obstore

        key = self.key(path)
        return self.tried(path, lambda: bytes(obstore.get(self.store, key).bytes()))

    def entry(self, path: str) -> Entry | None:
        """Look at one object; None if there is none."""
        import obstore

        try:
            with store_errors(self.show(path)):
                return _entry(obstore.head(self.store, self.key(path)), path)
        except FileNotFoundError:
            return None

    def names(self) -> set[str]:
        """List one level."""
        import obstore

        prefix = self.prefix or None
        found = self.tried("", lambda: obstore.list_with_delimiter(self.store, prefix))
        paths = [*found["common_prefixes"], *(each["path"] for each in found["objects"])]
        return {self._below(path).rstrip("/") for path in paths} - {""}

    def files(self, path: str = "") -> Iterator[Entry]:
        """List objects, a thousand a request, with their sizes and ETags."""
        import obstore

        key, last, left = self.key(path), None, ATTEMPTS
        while True:
            try:
                with store_errors(self.show(path)):
                    pages = obstore.list(self.store, key or None, offset=last, chunk_size=_LISTED)
                    for found in chain.from_iterable(pages):
                        last, left = found["path"], ATTEMPTS
                        if last != key:  # an object that stands for the folder
                            yield _entry(found, self._below(last))
            except StoreError as error:  # goes on behind what was listed
                left -= 1
                if not left or error.answered:
                    raise
            else:
                return

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects, a thousand a request."""
        import obstore

        keys = [self.key(path) for path in paths]
        for start in range(0, len(keys), _LISTED):
            some = keys[start : start + _LISTED]
            try:
                self.tried("", partial(obstore.delete, self.store, some))
            except FileNotFoundError:
                for key in some:
                    with suppress(FileNotFoundError):
                        self.tried("", partial(obstore.delete, self.store, key))

    def retain(self, path: str, keep: Collection[str]) -> None:
        """Delete all other objects."""
        good = set(keep)
        self.delete([entry.path for entry in self.files(path) if entry.path not in good])

    def clear(self, name: str) -> None:
        """Delete an object, and all below it."""
        self.delete([name, *(entry.path for entry in self.files(name))])

    def prepare(self, *, private: bool = False) -> None:
        """Do nothing: prefixes need no making, and who may read them is the bucket's policy."""

    def sweep(self) -> None:
        """Do nothing: what is unfinished is not in the bucket."""

    def spool(self, path: str, mode: int) -> Spool:
        """Write to an unnamed file of this machine, which goes with the process."""
        _ = mode  # objects have none
        return _Upload(self, path)

    def create(self, path: str, data: bytes) -> str:
        """Write an object where there is none; give its ETag. Raises FileExistsError."""
        return self._put(path, data, "create")

    def replace(self, path: str, data: bytes, version: str) -> str:
        """Write an object over the one with the ETag `version`. Raises FileExistsError."""
        if self.scheme == "gs":  # which knows no condition on an ETag, only on a generation
            return self._put(path, data, {"version": self._generation(path, version)})
        return self._put(path, data, {"e_tag": version})

    def _generation(self, path: str, version: str) -> str:
        """Give the generation of the object with this ETag. Raises FileExistsError."""
        import obstore

        found = None
        with suppress(FileNotFoundError), store_errors(self.show(path)):
            found = obstore.head(self.store, self.key(path))
        if found is None or found["e_tag"] != version:
            raise FileExistsError(errno.EEXIST, CHANGED, self.show(path))
        return str(found["version"])

    def _put(self, path: str, data: bytes, mode: Any) -> str:  # noqa: ANN401 - obstore's mode
        import obstore

        with store_errors(self.show(path)):
            return str(obstore.put(self.store, self.key(path), data, mode=mode)["e_tag"])

    def key(self, path: str) -> str:
        """Give an object's key in the bucket."""
        return "/".join(part for part in (self.prefix, path) if part)

    def _below(self, key: str) -> str:
        return key[len(self.prefix) + 1 :] if self.prefix else key

    def tried(self, path: str, transfer: Callable[[], _Got]) -> _Got:
        """Transfer an object, and anew where the store breaks off. Raises OSError."""
        for left in reversed(range(ATTEMPTS)):
            try:
                with store_errors(self.show(path)):
                    return transfer()
            except StoreError as error:
                if not left or error.answered or error.errno != errno.EIO:
                    raise
        raise AssertionError  # the last attempt returns or raises


def _entry(found: Any, path: str) -> Entry:  # noqa: ANN401 - obstore's dictionary
    version = str(found["e_tag"] or found["version"] or found["last_modified"].isoformat())
    if found["e_tag"] and not version.startswith(('"', "W/")):
        version = f'"{version}"'  # Azure's listings leave out the quotes that all its headers have
    return Entry(path, int(found["size"]), version, found["last_modified"].timestamp())


class _Upload(UnnamedFile):
    """An unnamed file of this machine that becomes an object."""

    def __init__(self, folder: ObjectFolder, path: str) -> None:
        super().__init__()
        self._folder = folder
        self._path = path

    def publish(self) -> None:
        import obstore

        self._file.flush()

        def upload() -> None:
            self._file.seek(0)
            key = self._folder.key(self._path)
            obstore.put(self._folder.store, key, self._file, chunk_size=PART, max_concurrency=4)

        self._folder.tried(self._path, upload)
        self._file.close()
