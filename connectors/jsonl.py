"""JSON lines → Parquet, so that one path serves both."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO, Any, BinaryIO, Final, cast

import polars as pl
import pyarrow as pa

from ..filters.errors import UnitError
from .folder import Folder
from .staged import StagedFile

SUFFIXES: Final = tuple(
    f"{kind}{packed}" for kind in (".jsonl", ".ndjson") for packed in ("", ".gz", ".zst")
)
_PACKED: Final = {".gz": "gzip", ".zst": "zstd"}
_BEGINNINGS: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    **dict.fromkeys((b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), "zlib"),
}
"""By these Polars knows that a file is packed, and how, whatever its name says."""

_BLOCK: Final = 1 << 20
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_MEND: Final = "mend the file, and check it with `jq -c . FILE`"


def is_jsonl(name: str) -> bool:
    """Say whether a file's name is one of JSON lines.

    >>> is_jsonl("a.jsonl.gz"), is_jsonl("a.parquet")
    (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def jsonl_digest(folder: Folder, path: str, name: str) -> str | None:
    """Digest the whole file: JSON lines have no footer that would stand for it.

    None where that would fetch the file over a network only to fetch it again later.
    """
    if folder.remote:
        return None
    try:
        with folder.reading(path) as file:
            return _digest(file)
    except OSError:
        raise UnitError(name, "cannot be opened", "check its permissions") from None


def jsonl_to_parquet(
    folder: Folder,
    path: str,
    name: str,
    target: StagedFile,
    blank: Mapping[str, pl.DataType] | None = None,
) -> str:
    """Write JSON lines as Parquet to `target`, which can then be read; give the lines' digest.

    Types are those that fit every line; a file without any gets the columns `blank`. Raises
    UnitError for a file that cannot be fetched, for one without lines if there is no `blank`, for a
    line that is not a JSON object, for what is no Unicode, and for a number that no type holds.
    """
    with _fetched(folder, path, name) as file:
        frame = _scan(file, name)
        if frame is None and not blank:
            raise UnitError(name, "it is empty", "leave it out")
        if frame is None:
            frame = pl.LazyFrame(schema=blank)
        with _parsing(name), target.own_errors():
            frame.sink_parquet(cast("BinaryIO", target), compression="zstd", statistics=False)
        target.settle()
        return _digest(file)


def jsonl_schema(folder: Folder, path: str, name: str, read: Collection[str]) -> pl.Schema | None:
    """Find the types that fit every line, as they would be written; None if there is no line.

    Raises UnitError as `jsonl_to_parquet` does; values that fit no type are found in the columns
    `read` alone.
    """
    with _fetched(folder, path, name) as file:
        frame = _scan(file, name)
        if frame is None:
            return None
        schema = frame.collect_schema()
        # Beside integers, true is no value to Polars; others would take it for 1.
        numbers = [column for column in schema if column in read and schema[column].is_integer()]
        if numbers:
            with _parsing(name):
                frame.select(pl.col(numbers).count()).collect()
        return schema


def _scan(file: IO[bytes], name: str) -> pl.LazyFrame | None:
    """Give the rows, in types that fit every line; None if there is no line."""
    if not _has_lines(file, name):
        return None
    file.seek(0)
    with _parsing(name):
        frame = pl.scan_ndjson(file, infer_schema_length=None)
        schema = frame.collect_schema()
    for column, dtype in schema.items():
        if _beyond(dtype):
            what = f"a number in `{column}` is too large for 64 bits"
            raise UnitError(name, what, "write such numbers as strings")
    return frame


@contextmanager
def _fetched(folder: Folder, path: str, name: str) -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(folder.reading(path))
        except OSError as error:
            if not folder.remote:
                raise
            what = f"cannot be fetched: {error.strerror}"
            raise UnitError(name, what, "run the job again once it can be read") from None
        yield file


@contextmanager
def _parsing(name: str) -> Iterator[None]:
    """Raise UnitError for what Polars says of lines, in words that quote nothing of them."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        said = str(error)
        what = next((ours for theirs, ours in _FAULTS.items() if theirs in said), _FAULTS[""])
        raise UnitError(name, what, _MEND) from None


_FAULTS: Final = {
    "valid UTF-8": "it is not UTF-8",
    "InvalidNumber": "a number in it cannot be read",
    "": "a line is not a JSON object, or values of one key are of types that do not go together",
}
"""What is wrong with a file, by what Polars' message has in it."""


def _has_lines(file: IO[bytes], name: str) -> bool:
    """Look at the bytes for what Polars would not tell; say whether a line is not blank.

    It makes U+0000 of half a surrogate pair, and two ids one with it. Raises UnitError.
    """
    packing, found, before = None, False, 0
    try:
        packing = _packing(file, name)
        with _unpacked(file, packing) as lines:
            while block := lines.read(_BLOCK) + lines.readline():
                if not before and block.startswith(_BYTE_ORDER_MARK):
                    what = "it begins with a byte order mark"
                    raise UnitError(name, what, "write it in UTF-8 without one")
                if (place := _half(block)) is not None:
                    line = before + block.count(b"\n", 0, place) + 1
                    what = f"line {line:,} has half of a surrogate pair, which is no Unicode"
                    raise UnitError(name, what, "write the whole character, or none")
                found = found or not block.isspace()
                before += block.count(b"\n")
    except (OSError, pa.ArrowException):
        what = "its compression is broken" if packing else "it cannot be read to its end"
        raise UnitError(name, what, "write it again") from None
    return found


def _packing(file: IO[bytes], name: str) -> str | None:
    """Say how a file is packed. Raises UnitError where its name says otherwise."""
    start = file.read(max(map(len, _BEGINNINGS)))
    file.seek(0)
    packing = next((kind for magic, kind in _BEGINNINGS.items() if start.startswith(magic)), None)
    named = next((kind for end, kind in _PACKED.items() if name.lower().endswith(end)), None)
    if packing != named:
        what = f"its name says {named or 'plain text'}, and its first bytes do not"
        raise UnitError(name, what, "rename it, or write it again")
    return packing


@contextmanager
def _unpacked(file: IO[bytes], packing: str | None) -> Iterator[IO[bytes]]:
    if packing is None:
        yield file
        return
    with pa.PythonFile(_Lent(file), mode="r") as packed:
        yield io.BufferedReader(pa.CompressedInputStream(packed, packing))


class _Lent(io.RawIOBase):
    """A file in the hands of somebody who would close it."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any buffer, as io.RawIOBase has it
        view = memoryview(buffer)
        piece = self._file.read(len(view))
        view[: len(piece)] = piece
        return len(piece)


def _half(lines: bytes) -> int | None:
    r"""Say where JSON text has half of a surrogate pair; None for nowhere.

    >>> _half(rb'["\ud83d\ude00", "\\ud83d"]'), _half(rb'["\ud83d"]'), _half(rb'["\ude00"]')
    (None, 2, 2)
    """
    if rb"\ud" not in lines and rb"\uD" not in lines:
        return None
    # A backslash that stands behind an escaped one begins an escape, the escaped one none.
    found = _HALF.search(lines.replace(rb"\\", b"--"))
    return None if found is None else found.start()


_HALF: Final = re.compile(
    rb"\\u[dD]"
    rb"(?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F])"
)
"""A first half with no second one behind it, or a second one with no first before it."""


def _beyond(dtype: pl.DataType) -> bool:
    """Say whether integers of more than 64 bits are in a type, which Parquet has none for."""
    if isinstance(dtype, pl.List):
        return _beyond(cast("pl.DataType", dtype.inner))
    if isinstance(dtype, pl.Struct):
        return any(_beyond(cast("pl.DataType", field.dtype)) for field in dtype.fields)
    return isinstance(dtype, pl.Int128)


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(cast("io.BufferedReader", file), "sha256").hexdigest()
