"""Rows of two Parquet files side by side, some thousand at a time, whatever their row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from ...connectors.folder import Folder
from ...connectors.parquet_writer import travelled, travelling

if TYPE_CHECKING:
    import numpy as np

_BYTES: Final = 8 << 20
_ROWS: Final = 1 << 14


class Rows:
    """Columns of a Parquet file, read row group by row group. Use as a context manager.

    Dictionaries and views are given as what they stand for.
    """

    def __init__(self, folder: Folder, path: str) -> None:
        """Read the footer. Raises what pyarrow does."""
        opened = folder.open_input_file(path)
        self._file = pq.ParquetFile(opened, pre_buffer=False, buffer_size=folder.ahead)
        metadata = self._file.metadata
        groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
        self._sizes = [group.total_byte_size for group in groups]
        self._counts = [metadata.row_group(at).num_rows for at in range(len(self._sizes))]
        self.count = int(metadata.num_rows)
        self.schema: pa.Schema = self._file.schema_arrow.remove_metadata()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close(force=True)

    def read(
        self, columns: Sequence[str], begin: int, keep: np.ndarray
    ) -> Iterator[pa.RecordBatch]:
        """Give the rows from `begin` on for which `keep` is true; a row group without is skipped.

        The columns come in the file's order.
        """
        wanted = set(columns)
        paths = self._file.reader.column_paths
        leaves = [at for at, (column, *_) in enumerate(paths) if column in wanted]
        first = -begin
        for group, count in enumerate(self._counts):
            mine = keep[max(0, first) : max(0, first + count)]
            if mine.any():
                yield from self._group(group, leaves, mine)
            first += count

    def _group(self, group: int, leaves: list[int], keep: np.ndarray) -> Iterator[pa.RecordBatch]:
        rows = max(1, min(_ROWS, _BYTES * self._counts[group] // max(1, self._sizes[group])))
        done = 0
        for batch in self._file.reader.iter_batches(rows, [group], leaves, use_threads=False):
            mask = keep[done : done + len(batch)]
            done += len(batch)
            if mask.any():
                types = [travelling(kind) for kind in batch.schema.types]
                columns = map(travelled, batch.columns, types)
                plain = pa.RecordBatch.from_arrays(list(columns), batch.schema.names)
                yield plain if mask.all() else plain.filter(pa.array(mask))


def side_by_side(
    ours: Iterator[pa.RecordBatch], theirs: Iterator[pa.RecordBatch]
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Give pairs of equally many rows, until one side has no more.

    >>> batches = [pa.RecordBatch.from_pydict({"a": part}) for part in ([1, 2], [3])]
    >>> whole = [pa.RecordBatch.from_pydict({"a": [1, 2, 3]})]
    >>> [len(one) for one, _ in side_by_side(iter(batches), iter(whole))]
    [2, 1]
    """
    mine, other = next(ours, None), next(theirs, None)
    while mine is not None and other is not None:
        count = min(len(mine), len(other))
        yield mine.slice(0, count), other.slice(0, count)
        mine = mine.slice(count) if count < len(mine) else next(ours, None)
        other = other.slice(count) if count < len(other) else next(theirs, None)


def differing(ours: pa.Array, theirs: pa.Array) -> int:
    """Count the rows in which two columns of one type differ, to the bit.

    >>> differing(pa.array([0.0, float("nan"), 1.0]), pa.array([-0.0, float("nan"), 1.0]))
    1
    """
    if pa.types.is_float32(ours.type) or pa.types.is_float64(ours.type):
        bits = pa.int32() if pa.types.is_float32(ours.type) else pa.int64()
        ours, theirs = ours.view(bits), theirs.view(bits)
    if ours.equals(theirs):
        return 0
    # NaN is not equal to itself, so nested columns that have it are compared value by value.
    pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
    return sum(not same(one, other) for one, other in pairs)


def same(one: object, other: object) -> bool:
    """Say whether two values are equal, and of equal types; NaN is equal to itself.

    >>> same({"a": [float("nan"), None]}, {"a": [float("nan"), None]}), same(1, True)
    (True, False)
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - NaN
