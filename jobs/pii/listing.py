"""The list of findings in files, as a Parquet file: where, what, how sure. No text."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ...connectors.staged import OWNER_ONLY, StagedFile

if TYPE_CHECKING:
    from typing import BinaryIO

FOUND: Final[dict[str, Any]] = {
    "column": pl.String,
    "entity": pl.String,
    "start": pl.Int32,
    "end": pl.Int32,
    "score": pl.Float32,
    "operator": pl.String,
    "index": pl.List(pl.Int32),
    "pointer": pl.String,
    "shard": pl.String,
}
"""All columns but `record_id`, whose type is the corpus's own."""

_ARROW: Final = {
    pl.String: pa.string(),
    pl.Int32: pa.int32(),
    pl.Float32: pa.float32(),
    pl.List(pl.Int32): pa.list_(pa.int32()),
}
_ROW_GROUP: Final = 1 << 17


class Listing:
    """A list of findings being written, readable by its owner only. Use as a context manager.

    Findings wait in memory until there are enough of them for a row group. Without `publish`
    nothing stays.
    """

    def __init__(self, path: Path) -> None:
        """Begin to write what will be at `path`."""
        self._file = StagedFile(path.parent, path.name, OWNER_ONLY)
        self._writer: pq.ParquetWriter | None = None
        self._schema = pa.schema({"record_id": pa.string()})
        self._waiting: list[pl.DataFrame] = []
        self._rows = 0

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drop the file, unless it was published."""
        self._file.close()

    def begin(self, record_id: pa.DataType, columns: list[str]) -> None:
        """Settle the columns, in the order of FOUND; without that, the list has the first six."""
        fields = {name: _ARROW[FOUND[name]] for name in FOUND if name in columns}
        self._schema = pa.schema({"record_id": record_id, **fields})

    def add(self, findings: pl.DataFrame) -> None:
        """List findings, which have at least the columns that the list has."""
        if not findings.height:
            return
        self._waiting.append(findings.select(self._schema.names))
        self._rows += findings.height
        if self._rows >= _ROW_GROUP:
            self._flush()

    def publish(self) -> None:
        """Move the file to its place, replacing what was there."""
        if len(self._schema) == 1:
            self.begin(pa.string(), ["column", "entity", "start", "end", "score"])
        self._flush()
        with self._file.own_errors():
            self._open().close()
        self._file.publish()

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            # Statistics would show ids.
            self._writer = pq.ParquetWriter(
                cast("BinaryIO", self._file),
                self._schema,
                compression="zstd",
                write_statistics=False,
            )
        return self._writer

    def _flush(self) -> None:
        with self._file.own_errors():
            writer = self._open()
            if self._waiting:
                table = pl.concat(self._waiting, rechunk=False).to_arrow().cast(self._schema)
                writer.write_table(table.combine_chunks(), row_group_size=_ROW_GROUP)
        self._waiting.clear()
        self._rows = 0
