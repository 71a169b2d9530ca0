"""JSON lines as a Parquet file for as long as they are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ...connectors.folder import HERE
from ...connectors.jsonl import jsonl_to_parquet
from ...connectors.staged import OWNER_ONLY, StagedFile
from ...connectors.storage import InputFile
from ..settings import Settings


@contextmanager
def in_parquet(item: InputFile, scratch: Path, settings: Settings) -> Iterator[InputFile]:
    """Give the input file of a Parquet file with the same rows; its name ends in `.parquet`.

    Raises UnitError for lines that a run does not read.
    """
    name = f"{item.name}.parquet"
    path = scratch / name
    try:
        with StagedFile(scratch, name, OWNER_ONLY) as staged:
            jsonl_to_parquet(item.folder, item.path, item.name, staged, settings.blank(item.name))
            staged.publish()
        yield replace(item, path=str(path), name=name, size=path.stat().st_size, folder=HERE)
    finally:
        path.unlink(missing_ok=True)
