"""A Parquet file's footer, and what is wrong with a file in words that quote nothing of it."""

from __future__ import annotations

import os
import struct
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from ..filters.errors import UnitError
from .stores import StoreError

# What pyarrow raises on broken files, UnicodeDecodeError for names included.
UNREADABLE: Final = (OSError, MemoryError, RuntimeError, ValueError, pa.ArrowException)

_MAGIC: Final = b"PAR1"
_TAIL: Final = 8  # the footer's length and the magic
_SIGNATURE: Final = 28  # a nonce of 12 bytes and a tag of 16
_ENCRYPTED: Final = "encrypted"
_UNCHECKED: Final = "not Parquet"
_WORDS: Final = (
    (("crypt",), _ENCRYPTED),
    (("crc", "checksum"), "the checksum of a page is wrong"),
    (("ompress", "zlib", "zstd", "snappy", "lz4", "brotli"), "data that does not decompress"),
)
_FIXES: Final = {_ENCRYPTED: "decrypt it first", _UNCHECKED: "take it out of the input"}


def read_footer(file: pa.NativeFile, name: str) -> bytes:
    """Read the footer without its length and magic, and nothing else. Raises UnitError.

    >>> read_footer(pa.BufferReader(b"PAR1 and no more"), "a.parquet")
    Traceback (most recent call last):
    corpusgate.filters.errors.UnitError: a.parquet: cannot be read as Parquet: truncated footer...
    """
    size = file.size()
    if size < _TAIL + len(_MAGIC):
        raise unreadable(name, _UNCHECKED)
    tail = file.read_at(_TAIL, size - _TAIL)
    if tail[4:] == b"PARE":
        raise unreadable(name, _ENCRYPTED)
    if tail[4:] != _MAGIC and file.read_at(len(_MAGIC), 0) != _MAGIC:
        raise unreadable(name, _UNCHECKED)
    length = struct.unpack("<I", tail[:4])[0]
    if tail[4:] != _MAGIC or length > size - _TAIL - len(_MAGIC):
        raise unreadable(name, "truncated footer")
    return bytes(file.read_at(length, size - _TAIL - length))


def parse_footer(footer: bytes, name: str) -> pq.FileMetaData:
    """Parse what `read_footer` gave. Raises UnitError, and what pyarrow does.

    A readable footer of a file with encrypted columns ends with a signature. Such a file is
    refused here, since pyarrow aborts the process when it is asked about an encrypted column.
    """
    file = _MAGIC + footer + struct.pack("<I", len(footer)) + _MAGIC
    metadata = pq.read_metadata(pa.BufferReader(file))
    if len(footer) - metadata.serialized_size == _SIGNATURE:
        raise unreadable(name, _ENCRYPTED)
    return metadata


def unreadable(name: str, what: str, where: str = "", fix: str = "") -> UnitError:
    """Make the error of a file that cannot be read."""
    fix = fix or _FIXES.get(what, "write the file again, or take it out of the input")
    return UnitError(name, f"cannot be read as Parquet: {where}{what}", fix)


def reason(error: BaseException) -> str:
    """Say what went wrong without pyarrow's words, which may quote the file.

    >>> reason(OSError("Corrupt snappy compressed data: quoted")), reason(ValueError("quoted"))
    ('data that does not decompress', 'corrupt data')
    """
    if isinstance(error, StoreError):
        return str(error.strerror)
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    if isinstance(error, UnicodeError):
        return "a column name is not UTF-8"
    if isinstance(error, pa.ArrowNotImplementedError):
        return "a type, codec or encoding that is not supported"
    text = str(error).lower()
    return next(
        (what for words, what in _WORDS if any(word in text for word in words)), "corrupt data"
    )
