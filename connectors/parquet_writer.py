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
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

if TYPE_CHECKING:
    from typing import BinaryIO

ROW_GROUP_BYTES: Final = 64 << 20
ROW_GROUP_ROWS: Final = 1 << 20
_HIGHEST_LEVEL: Final = {"GZIP": 9, "BROTLI": 11, "ZSTD": 22}
# A dictionary holds 2^20 bytes and more than 2^5 values a byte saved; its indices never need more.
_INDEX_BYTES: Final = 4
_PAGE_HEADERS: Final = 4096
_BUFFER: Final = 64 << 10


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
    """One Parquet file being written, table by table. Use as a context manager.

    `schema` and `leaves` say what its columns are and how those of the input are stored. Row groups
    end at about 64 MiB or 1,048,576 rows. Raises pyarrow's ArrowException at once for types that
    cannot be copied, and OSError where the sink does. `arrow_schema` says whether to write one even
    where the types are read alike without it.

    >>> import io
    >>> sink, schema = io.BytesIO(), pa.schema([("text", pa.string_view())])
    >>> leaves = [Leaf("text", "text", "ZSTD")]
    >>> with SurvivorsFile(sink, schema, leaves, write_batch_size=1024) as file:
    ...     file.write(pa.table({"text": pa.array(["a", "b"], pa.large_string())}))
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
    ) -> None:
        """Begin the file; nothing of the input is needed for that but its footer."""
        self._schema = travelling_schema(schema)
        adjusted = any(leaf.utc_time for leaf in leaves)
        decimal = any(leaf.integer_decimal for leaf in leaves)
        # Names inside lists come from the Arrow type, but not those of some extension types.
        for compliant in (True, False):
            options = (
                ("store_decimal_as_integer", decimal),
                ("write_time_adjusted_to_utc", adjusted),
                ("use_compliant_nested_type", compliant),
            )
            paths, read_as = _probe(self._schema, self._schema.serialize().to_pybytes(), options)
            if paths == tuple(leaf.path for leaf in leaves):
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
        # Pages can be small, and each of them is several writes.
        raw = sink if isinstance(sink, pa.NativeFile) else pa.PythonFile(sink, mode="w")
        self._sink = pa.BufferedOutputStream(raw, _BUFFER)
        self._writer = pq.ParquetWriter(
            self._sink,
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
            **dict(options),
        )
        wanted = schema.remove_metadata()
        if arrow_schema or not read_as.equals(wanted, check_metadata=True):
            encoded = base64.b64encode(wanted.serialize().to_pybytes())
            self._writer.add_key_value_metadata({b"ARROW:schema": encoded})
        self._pending: list[pa.Table] = []
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
            self._sink.detach()

    def write(self, table: pa.Table, size: int | None = None) -> None:
        """Take rows, in the types in which values travel; they count for `size` bytes.

        What a slice takes in memory depends on what it is a slice of, and equal rows must give
        equal row groups: so whoever cuts slices says what their rows took before.
        """
        self._pending.append(table)
        self._bytes += table.nbytes if size is None else size
        self._rows += len(table)
        if self._bytes >= ROW_GROUP_BYTES or self._rows >= ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            table = pa.concat_tables(self._pending)
            self._writer.write_table(table, row_group_size=len(table))
        self.rows += self._rows
        self._pending.clear()
        self._bytes = self._rows = 0


def travelling_schema(schema: pa.Schema) -> pa.Schema:
    """Give the schema in which a file's values travel."""
    return pa.schema([field.with_type(travelling(field.type)) for field in schema])


@lru_cache(maxsize=64)
def _probe(
    schema: pa.Schema,
    exactly: bytes,  # noqa: ARG001 - equal schemas may differ in metadata, equal bytes do not
    options: tuple[tuple[str, bool], ...],
) -> tuple[tuple[str, ...], pa.Schema]:
    """Say how a file names its leaves, and as what it is read without an Arrow schema."""
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, schema, store_schema=False, **dict(options)).close()
    file = pq.ParquetFile(pa.BufferReader(sink.getvalue()))
    leaves = file.schema
    return tuple(leaves.column(i).path for i in range(len(leaves))), file.schema_arrow
