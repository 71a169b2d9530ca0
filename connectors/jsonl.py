"""JSON lines → Parquet, so that one path serves both."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, BinaryIO, Final, cast

import polars as pl

from ..filters.errors import UnitError
from .folder import Folder
from .staged import StagedFile

SUFFIXES: Final = tuple(
    f"{kind}{packed}" for kind in (".jsonl", ".ndjson") for packed in ("", ".gz", ".zst")
)


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


def jsonl_to_parquet(folder: Folder, path: str, name: str, target: StagedFile) -> str:
    """Write JSON lines as Parquet to `target`, which can then be read; give the lines' digest.

    Types are those that fit every line. Raises UnitError for a line that is not a JSON object, and
    for a file that cannot be fetched.
    """
    with _fetched(folder, path, name) as file:
        try:
            with target.own_errors():
                frame = pl.scan_ndjson(file, infer_schema_length=None)
                frame.sink_parquet(cast("BinaryIO", target), compression="zstd", statistics=False)
        except pl.exceptions.PolarsError:
            what = "a line is not a JSON object, or the compression is broken"
            fix = "mend the file, and check it with `jq -c . FILE`"
            raise UnitError(name, what, fix) from None
        target.settle()
        return _digest(file)


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


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(cast("io.BufferedReader", file), "sha256").hexdigest()
