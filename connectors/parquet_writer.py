"""The file that is released: the input's types and codecs, only the survivors' values.

What pyarrow would do by itself, and is not done here:

- A dictionary column is written with its whole dictionary, the values of excluded records
  included. Here dictionaries are decoded first and built anew from what survives.
- There is no filter for view types. They travel as `large_string` and `large_binary`.

They are the same in Parquet; the Arrow type stands in the footer's `ARROW:schema` only. So that
is written here, from the input's schema, and not derived from the types travelling. Where the
types are read alike without it, it is left out: other readers take the columns as they took the
input's, which had none.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

if TYPE_CHECKING:
    from typing import BinaryIO

ROW_GROUP_BYTES: Final = 64 << 20
ROW_GROUP_ROWS: Final = 1 << 20
EDIT_BYTES: Final = 16 << 20
EDIT_ROWS: Final = 1 << 16

_HIGHEST_LEVEL: Final = {"GZIP": 9, "BROTLI": 11, "ZSTD": 22}
# Batches of a few rows cost far more memory than their values: so many make one.
_SMALL_BATCHES: Final = 64
_SMALL_BYTES: Final = 256 << 10
# A dictionary holds 2^20 bytes and more than 2^5 values a byte saved; its indices never need more.
_INDEX_BYTES: Final = 4
_PAGE_HEADERS: Final = 4096


Edit: TypeAlias = Callable[[pa.Table], pa.Table]
"""Rows of a file → the rows that are written instead, fewer perhaps."""


@dataclass(frozen=True)
class Leaf:
    """How one leaf column of the input is stored; `column` is the top-level column it is of."""

    column: str
    path: str
    codec: str = "SNAPPY"
    dictionary: bool = False
    statistics: bool = False
    integer_decimal: bool = False
    utc_time: bool = False

    @classmethod
    def of(cls, column: str, kind: Any, chunk: Any | None) -> Self:  # noqa: ANN401 - pyarrow has no types
        """Look at a leaf's schema element and, where the file has rows, at one column chunk."""
        logical = str(kind.logical_type)
        decimal = logical.startswith("Decimal") and kind.physical_type in {"INT32", "INT64"}
        utc = logical.startswith("Time(isAdjustedToUTC=true")
        if chunk is None:
            return cls(column, kind.path, integer_decimal=decimal, utc_time=utc)
        codec = {"UNCOMPRESSED": "NONE"}.get(chunk.compression, chunk.compression)
        statistics = bool(chunk.is_stats_set)
        return cls(column, kind.path, codec, _has_dictionary(chunk), statistics, decimal, utc)


def _has_dictionary(chunk: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    """Tell a dictionary in use from one that the writer gave up and went on without.

    Both have the same encodings in the footer; only the size of what follows differs.
    """
    if not {"RLE_DICTIONARY", "PLAIN_DICTIONARY"} & set(chunk.encodings):
        return False
    start = chunk.dictionary_page_offset
    pages = chunk.total_compressed_size - (chunk.data_page_offset - start if start else 0)
    return bool(pages <= _INDEX_BYTES * chunk.num_values + _PAGE_HEADERS)


def travelling(kind: pa.DataType) -> pa.DataType:
    """Give the type in which values travel: no dictionaries, no views, the same in Parquet.

    >>> travelling(pa.list_(pa.dictionary(pa.int8(), pa.string_view())))
    ListType(list<item: large_string>)
    """
    if types.is_dictionary(kind):
        return travelling(kind.value_type)
    if isinstance(kind, pa.JsonType):  # the storage alone would lose the logical type
        return pa.json_(travelling(kind.storage_type))
    if isinstance(kind, pa.BaseExtensionType):
        storage = travelling(kind.storage_type)
        return kind if storage == kind.storage_type else storage
    return _nested(kind) if types.is_nested(kind) else _VIEWS.get(kind.id, kind)


def _nested(kind: pa.DataType) -> pa.DataType:
    fields = [kind.field(index) for index in range(kind.num_fields)]
    if types.is_map(kind):
        fields = [kind.key_field, kind.item_field]
    inner = [field.with_type(travelling(field.type)) for field in fields]
    if inner == fields:
        return kind
    if types.is_struct(kind):
        return pa.struct(inner)
    if types.is_map(kind):
        return pa.map_(*inner, keys_sorted=kind.keys_sorted)
    if types.is_fixed_size_list(kind):
        return pa.list_(inner[0], kind.list_size)
    return _LISTS[kind.id](inner[0])


_VIEWS: Final = {
    pa.string_view().id: pa.large_string(),
    pa.binary_view().id: pa.large_binary(),
}
_LISTS: Final = {
    make(pa.null()).id: make for make in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)
}


def travelled(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Give an array in the type in which its values travel."""
    if array.type == kind:
        return array
    if isinstance(array.type, pa.BaseExtensionType):
        storage = getattr(kind, "storage_type", kind)
        array = travelled(array.storage, storage)
        return array if kind == storage else pa.ExtensionArray.from_storage(kind, array)
    if types.is_list_view(kind) or types.is_large_list_view(kind):  # there is no cast for these
        values = travelled(array.values, kind.value_type)
        nulls = array.is_null() if array.null_count else None
        return type(array).from_arrays(array.offsets, array.sizes, values, kind, mask=nulls)
    return array.cast(kind)


class SurvivorsFile:
    """One Parquet file being written, batch by batch. Use as a context manager.

    `schema` and `leaves` say what the input's columns are and how they are stored. Row groups end
    at about 64 MiB or 1,048,576 rows. Raises pyarrow's ArrowException at once for types that
    cannot be copied, and OSError where the sink does. `arrow_schema` says whether to write one even
    where the types are read alike without it.

    `edit` sees the rows before they are written, some 16 MiB at a time and in their order, and
    gives those that are to be written instead; `edited` is their schema, if it is another.

    >>> import io
    >>> sink, schema = io.BytesIO(), pa.schema([("text", pa.string_view())])
    >>> leaves = [Leaf("text", "text", "ZSTD")]
    >>> with SurvivorsFile(sink, schema, leaves, write_batch_size=1024) as file:
    ...     file.add(pa.record_batch({"text": pa.array(["a", "b"], pa.string_view())}), None)
    >>> pq.read_table(sink).schema.field("text").type, file.rows
    (DataType(string_view), 2)
    """

    def __init__(
        self,
        sink: pa.NativeFile | BinaryIO,
        schema: pa.Schema,
        leaves: Sequence[Leaf],
        *,
        without_statistics: Collection[str] = (),
        compression_level: int | None = None,
        arrow_schema: bool = True,
        write_batch_size: int,
        edit: Edit | None = None,
        edited: pa.Schema | None = None,
    ) -> None:
        """Begin the file; nothing of the input is needed for that but its footer."""
        self._taken = _travelling_schema(schema)
        for field in schema:  # found out before anything is written
            travelled(pa.nulls(0, field.type), travelling(field.type))
        schema = edited or schema
        self._schema = _travelling_schema(schema)
        self._edit = edit
        options = {
            "store_decimal_as_integer": any(leaf.integer_decimal for leaf in leaves),
            "write_time_adjusted_to_utc": any(leaf.utc_time for leaf in leaves),
        }
        # Names inside lists come from the Arrow type, but not those of some extension types.
        for compliant in (True, False):
            options["use_compliant_nested_type"] = compliant
            probe = _probe(self._schema, options)
            paths = [probe.schema.column(index).path for index in range(len(leaves))]
            if paths == [leaf.path for leaf in leaves]:
                break
        # Names with dots can make one path of several leaves; pyarrow's options cannot tell those
        # apart, so they are together here.
        by_path: dict[str, list[Leaf]] = {}
        for path, leaf in zip(paths, leaves, strict=True):
            by_path.setdefault(path, []).append(leaf)
        plain = set(without_statistics)
        levels = {
            path: min(compression_level, _HIGHEST_LEVEL[leaf.codec])
            for path, (leaf, *_) in by_path.items()
            if compression_level is not None and leaf.codec in _HIGHEST_LEVEL
        }
        self._writer = pq.ParquetWriter(
            sink,
            self._schema,
            compression={path: leaf.codec for path, (leaf, *_) in by_path.items()},
            compression_level=levels or None,
            use_dictionary=[path for path, (leaf, *_) in by_path.items() if leaf.dictionary],
            write_statistics=[
                path
                for path, same in by_path.items()
                if all(leaf.statistics and leaf.column not in plain for leaf in same)
            ],
            write_batch_size=write_batch_size,
            store_schema=False,
            **options,
        )
        wanted = schema.remove_metadata()
        if arrow_schema or not probe.schema_arrow.equals(wanted, check_metadata=True):
            encoded = base64.b64encode(wanted.serialize().to_pybytes())
            self._writer.add_key_value_metadata({b"ARROW:schema": encoded})
        self._pending: list[pa.RecordBatch] = []
        self._edited: list[pa.Table] = []
        self._edited_bytes = self._edited_rows = 0
        self._settled = 0
        self._bytes = 0
        self._rows = 0
        self.rows = 0

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Write what is left and the footer; after an error the sink's content is worthless."""
        try:
            if kind is None:
                self._flush()
        finally:
            self._writer.close()

    def add(self, batch: pa.RecordBatch, keep: pa.BooleanArray | None) -> None:
        """Take the rows where `keep` is true, all of them for None."""
        batch = self._travelling(batch)
        if keep is not None:
            batch = batch.filter(keep)
        self._pending.append(batch)
        self._bytes += batch.nbytes
        self._rows += len(batch)
        fresh = self._pending[self._settled :]
        if len(fresh) == _SMALL_BATCHES:
            if sum(piece.nbytes for piece in fresh) < _SMALL_BYTES:
                self._pending[self._settled :] = [pa.concat_batches(fresh)]
            self._settled = len(self._pending)
        if self._edit is not None and (self._bytes >= EDIT_BYTES or self._rows >= EDIT_ROWS):
            self._edit_pending(self._edit)
        held, rows = self._bytes + self._edited_bytes, self._rows + self._edited_rows
        if held >= ROW_GROUP_BYTES or rows >= ROW_GROUP_ROWS:
            self._flush()

    def _travelling(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = map(travelled, batch.columns, self._taken.types)
        return pa.RecordBatch.from_arrays(list(columns), schema=self._taken)

    def _edit_pending(self, edit: Edit) -> None:
        if self._rows:
            table = edit(pa.Table.from_batches(self._pending, self._taken))
            self._edited.append(table)
            self._edited_bytes += table.nbytes
            self._edited_rows += len(table)
        self._pending.clear()
        self._settled = self._bytes = self._rows = 0

    def _flush(self) -> None:
        if self._edit is None:
            table = pa.Table.from_batches(self._pending, self._schema)
        else:
            self._edit_pending(self._edit)
            table = pa.concat_tables([pa.Table.from_batches([], self._schema), *self._edited])
        if len(table):
            self._writer.write_table(table, row_group_size=len(table))
        self.rows += len(table)
        self._pending.clear()
        self._edited.clear()
        self._settled = self._bytes = self._rows = 0
        self._edited_bytes = self._edited_rows = 0


def _travelling_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_type(travelling(field.type)) for field in schema])


def _probe(schema: pa.Schema, options: dict[str, Any]) -> pq.ParquetFile:
    """Write and open a file without rows and without an Arrow schema."""
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, schema, store_schema=False, **options).close()
    return pq.ParquetFile(pa.BufferReader(sink.getvalue()))
