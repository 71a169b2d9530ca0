"""Rows read from a shard that are not enough for a table yet."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from .parquet_writer import travelled

TABLE_BYTES: Final = 16 << 20
TABLE_ROWS: Final = 1 << 16
"""Survivors come in tables of about this size."""

# Batches of a few rows cost far more memory than their values: so many make one.
_SMALL_BATCHES: Final = 64
_SMALL_BYTES: Final = 256 << 10


class Pending:
    """Rows that are not enough for a table yet.

    >>> pending = Pending(pa.schema({"text": pa.large_string()}))
    >>> batch = pa.record_batch({"text": pa.array(["a", "b"], pa.string_view())})
    >>> pending.add(batch, pa.array([False, True]))
    >>> pending.full, pending.table().to_pydict(), pending.rows
    (False, {'text': ['b']}, 0)
    """

    def __init__(self, schema: pa.Schema) -> None:
        """Begin without any; `schema` has the types in which values travel."""
        self._schema = schema
        self._batches: list[pa.RecordBatch] = []
        self._settled = 0
        self._bytes = 0
        self.rows = 0

    @property
    def full(self) -> bool:
        """Whether they are enough."""
        return self._bytes >= TABLE_BYTES or self.rows >= TABLE_ROWS

    def add(self, batch: pa.RecordBatch, keep: pa.BooleanArray | None) -> None:
        """Take the rows where `keep` is true, all of them for None."""
        columns = map(travelled, batch.columns, self._schema.types)
        batch = pa.RecordBatch.from_arrays(list(columns), schema=self._schema)
        if keep is not None:
            batch = batch.filter(keep)
        self._batches.append(batch)
        self._bytes += batch.nbytes
        self.rows += len(batch)
        fresh = self._batches[self._settled :]
        if len(fresh) == _SMALL_BATCHES:
            if sum(piece.nbytes for piece in fresh) < _SMALL_BYTES:
                self._batches[self._settled :] = [pa.concat_batches(fresh)]
            self._settled = len(self._batches)

    def table(self) -> pa.Table:
        """Give them, and begin anew."""
        table = pa.Table.from_batches(self._batches, self._schema)
        self._batches.clear()
        self._settled = self._bytes = self.rows = 0
        return table
