"""Text columns of a folder of Parquet files, as lists of rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from .adversarial import dice

Rows = list[str | None]


def corpora(folder: Path) -> dict[str, Rows]:
    """Read every `text`, and every `messages[].content`, below a folder."""
    found: dict[str, Rows] = {}
    for path in sorted(folder.rglob("*.parquet")):
        schema = pl.read_parquet_schema(path)
        name = path.relative_to(folder).with_suffix("").as_posix()
        if "text" in schema:
            found[f"{name} text"] = pl.read_parquet(path, columns=["text"])["text"].to_list()
        if "messages" in schema:
            messages = pl.read_parquet(path, columns=["messages"])["messages"]
            contents = messages.explode().struct.field("content").to_list()
            found[f"{name} messages[].content"] = contents
    return found


def sample(rows: Sequence[str | None], characters: int, seed: int = 0) -> Rows:
    """Draw rows until there are about that many characters; rows longer than that are cut.

    Rows are cut into runs of whole lines, so that dense ones are represented too.
    """
    rng = dice(seed)
    drawn: Rows = []
    left = characters
    for number in rng.sample(range(len(rows)), len(rows)):
        row = rows[number]
        if row is not None and len(row) > characters // 8:
            lines = row.splitlines(keepends=True)
            first = rng.randrange(len(lines))
            row = "".join(lines[first:])[: characters // 8]
        drawn.append(row)
        left -= len(row or "")
        if left <= 0:
            break
    return drawn
