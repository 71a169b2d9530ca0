"""Writing shards the way different teams do: three writers, four codecs, several row groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES: Final = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
TIME: Final = pa.timestamp("us", tz="UTC")
SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("created_at", TIME),
        ("org", pa.string()),
        ("user", pa.string()),
        ("end_user", pa.string()),
        ("endpoint", pa.string()),
        ("model", pa.string()),
        ("part", pa.string()),
        ("file", pa.string()),
        ("conversation", pa.string()),
        ("parents", pa.list_(pa.string())),
        ("license_ends_at", TIME),
        ("region", pa.string()),
        ("lang", pa.string()),
        ("text", pa.string()),
        ("messages", MESSAGES),
    ]
)
"""One schema for every folder: `text` is null in chats, `messages` everywhere else."""
GROUPS: Final = 16
"""Row groups per shard (DuckDB rounds their size up to a multiple of 2048 rows)."""


def write(table: pa.Table, path: Path, folder: str, shard: int, shards: int) -> None:
    """Write one shard; the last of the web comes from Polars, the last of the API from DuckDB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = max(1, -(-table.num_rows // GROUPS))
    last = shard == shards - 1
    if last and folder == "web":
        pl.from_arrow(table).write_parquet(path, compression="zstd", row_group_size=size)
    elif last and folder == "api":
        _write_with_duckdb(table, path, size)
    else:
        codec = ("zstd", "snappy", "zstd", "lz4", "snappy")[shard % 5]
        pq.write_table(table, path, row_group_size=size, compression=codec)


def _write_with_duckdb(table: pa.Table, path: Path, size: int) -> None:
    # One thread: the order of rows, and so the bytes, stay the same.
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("shard", table)
        size = -(-size // 2048) * 2048
        connection.execute(
            f"COPY shard TO '{path.as_posix().replace(chr(39), chr(39) * 2)}' "
            f"(FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {size})"
        )
