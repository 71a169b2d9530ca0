"""JSON lines → Parquet, so that one path serves both."""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO, Final, cast

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


def jsonl_digest(folder: Folder, path: str, name: str) -> str:
    """Digest the whole file: JSON lines have no footer that would stand for it."""
    try:
        with folder.reading(path) as file:
            return hashlib.file_digest(cast("io.BufferedReader", file), "sha256").hexdigest()
    except OSError:
        raise UnitError(name, "cannot be opened", "check its permissions") from None


def jsonl_to_parquet(folder: Folder, path: str, name: str, target: StagedFile) -> None:
    """Write JSON lines as Parquet to `target`, which can then be read.

    Types are those that fit every line. Raises UnitError for a line that is not a JSON object.
    """
    try:
        with folder.reading(path) as file, target.own_errors():
            frame = pl.scan_ndjson(file, infer_schema_length=None)
            frame.sink_parquet(cast("BinaryIO", target), compression="zstd", statistics=False)
    except pl.exceptions.PolarsError:
        what = "a line is not a JSON object, or the compression is broken"
        raise UnitError(name, what, "mend the file, and check it with `jq -c . FILE`") from None
    target.flush()
