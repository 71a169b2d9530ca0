"""Parquet shards: reading narrow columns, copying the surviving rows.

No byte is read but the footer and the column chunks asked for: nothing is fetched ahead, and no
two ranges are merged over a gap. An error says which row group, never what is in it; pyarrow's
own messages may quote the file, so they are classified and dropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from ..filters.errors import SchemaError, UnitError
from .far_file import FarFile
from .folder import Opens
from .parquet_footer import UNREADABLE, parse_footer, read_footer, reason, unreadable
from .parquet_writer import Leaf, SurvivorsFile, travelled, travelling, travelling_schema
from .pending import Pending
from .stores import StoreError

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np

# Measured: smaller batches cost calls, larger ones leave the processor's cache. A dictionary can
# make values larger than the footer says, hence a limit of rows too.
_BATCH_BYTES: Final = 4 << 20
_BATCH_ROWS: Final = 8192
# So much memory there always is.
_LITTLE: Final = 1 << 20
# What deciding a row takes in memory, about, whatever the row holds.
ROW_BYTES: Final = 1000
# Pages end where a batch of the writer ends: a small one for large rows keeps them near 1 MiB.
_PAGE_BYTES: Final = 1 << 20
_WRITE_BATCH_ROWS: Final = 1024
# Row groups up to this size together are read as one, whatever their rows' sizes.
_STRETCH_BYTES: Final = 8 << 20
_BUFFERS_BYTES: Final = 32 << 20
_LEAST_BUFFER: Final = 16 << 10


class ParquetShard:
    """One Parquet file opened for reading. Use as a context manager; one thread at a time.

    `rows` and the tuples count what the footer says, `row_group_bytes` uncompressed. `schema` has
    the fields' metadata, not the file's, which may hold values of records. `input_sha256` is the
    digest of the footer, unless the file was made from another.

    >>> import tempfile
    >>> from corpusgate.connectors.folder import HERE
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = pa.table({"id": [1, 2, 3], "text": ["a", "b", "c"]})
    ...     pq.write_table(table, f"{folder}/a.parquet")
    ...     with ParquetShard(HERE, f"{folder}/a.parquet", "a.parquet") as shard:
    ...         keep = pa.array([True, None, True])
    ...         shard.rows, [t.to_pydict() for t in shard.survivors(["text"], range(1), keep)]
    (3, [{'text': ['a', 'c']}])
    """

    def __init__(self, folder: Opens, path: str, name: str) -> None:
        """Read the footer. Raises UnitError, with `name` as its place."""
        self._name = name
        self._ahead = folder.ahead
        with self._open_errors():
            self._file = folder.open_input_file(path)
        try:
            with self._open_errors():
                self.size = int(self._file.size())
                footer = read_footer(self._file, name)
                self.input_sha256 = self.footer_sha256 = hashlib.sha256(footer).hexdigest()
                self._metadata = parse_footer(footer, name)
                self.schema = self._checked(self._reader(1))
        except BaseException:
            self._file.close()
            raise

    def _checked(self, reader: pq.ParquetFile) -> pa.Schema:
        """Look at what the footer says, and give its schema."""
        schema = reader.schema_arrow.remove_metadata()
        names = schema.names
        if len(set(names)) < len(names):
            twice = next(name for index, name in enumerate(names) if name in names[:index])
            raise unreadable(
                self._name, f"two columns are named `{twice}`", fix="rename one of them"
            )
        groups = [self._metadata.row_group(i) for i in range(self._metadata.num_row_groups)]
        self.rows = int(self._metadata.num_rows)
        self.row_group_rows = tuple(int(group.num_rows) for group in groups)
        self.row_group_bytes = tuple(int(group.total_byte_size) for group in groups)
        if sum(self.row_group_rows) != self.rows or min(self.row_group_rows, default=0) < 0:
            raise unreadable(self._name, "the footer contradicts itself")
        self._leaves: dict[str, list[int]] = {name: [] for name in names}
        for index, (column, *_) in enumerate(reader.reader.column_paths):
            self._leaves[column].append(index)
        return schema

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, columns: Sequence[str], row_groups: range) -> pa.Table:
        """Read columns, in the order asked for. Raises UnitError, SchemaError.

        Meant for narrow columns: all of it is in memory at once.
        """
        leaves = self._indices(columns)
        rows = sum(self.row_group_rows[group] for group in row_groups)
        reader = self._reader(len(leaves)).reader
        parts = [[group] for group in row_groups]
        if parts and not self._apart(columns):
            parts = [list(row_groups)]
        try:
            if isinstance(self._file, FarFile):
                self._file.hold(
                    self._extent(group, leaf) for group in row_groups for leaf in leaves
                )
            tables = [reader.read_row_groups(part, leaves, use_threads=False) for part in parts]
        except UNREADABLE as error:
            raise self._unreadable(error, row_groups, leaves) from None
        finally:
            self._hold((), ())
        if not tables:
            schema = pa.schema([self.schema.field(name) for name in columns])
            return pa.Table.from_batches([], schema)
        table = pa.concat_tables(tables)
        if columns and len(table) != rows:
            raise self._short(row_groups, len(table), rows)
        return table.select(columns).replace_schema_metadata(None)

    @property
    def row_group_weights(self) -> tuple[int, ...]:
        """What each row group counts where a file is cut: its bytes, more if rows are short."""
        both = zip(self.row_group_bytes, self.row_group_rows, strict=True)
        return tuple(max(size, rows * ROW_BYTES) for size, rows in both)

    def unpacked_bytes(self, columns: Sequence[str], row_groups: range | None = None) -> int:
        """Count the bytes of columns as the footer has them, before compression."""
        leaves = self._indices(columns)
        groups = range(len(self.row_group_rows)) if row_groups is None else row_groups
        return sum(self._size(group, leaves) for group in groups)

    def check_memory(
        self, columns: Sequence[str], row_groups: range, available: Callable[[], int]
    ) -> None:
        """Raise UnitError if columns of row groups, and deciding their rows, want more memory.

        `available` is asked for the bytes that are free, unless very few are wanted.
        """

        def wants(groups: range) -> int:
            rows = sum(self.row_group_rows[group] for group in groups)
            return 2 * self.unpacked_bytes(columns, groups) + rows * ROW_BYTES

        total = wants(row_groups)
        if total <= _LITTLE or total <= (free := available()):
            return
        largest = max(row_groups, key=lambda group: wants(range(group, group + 1)))
        rows, alone = self.row_group_rows[largest], wants(range(largest, largest + 1))
        what = (
            f"row group {largest}: {rows:,} rows want about {alone / 1e9:.1f} GB of memory,"
            f" and {free / 1e9:.1f} GB are free"
        )
        fix = "write the file with smaller row groups, or give the worker more memory"
        raise UnitError(self._name, what, fix)

    def survivors(
        self,
        columns: Sequence[str],
        row_groups: range,
        keep: pa.BooleanArray | np.ndarray[Any, Any],
    ) -> Iterator[pa.Table]:
        """Give the rows where `keep` is true, some 16 MiB at a time, in the types they travel in.

        `keep` has one value for each row of `row_groups`; NULL is not true. Rows and columns keep
        the input's order. Row groups without a survivor are not read. Raises UnitError.
        """
        names = self._in_order(columns)
        leaves = self._indices(names)
        schema = travelling_schema(pa.schema([self.schema.field(name) for name in names]))
        mask = _mask(keep, sum(self.row_group_rows[group] for group in row_groups))
        ends = list(accumulate((self.row_group_rows[group] for group in row_groups), initial=0))
        starts = dict(zip(row_groups, ends, strict=False))
        groups = [
            group
            for group in row_groups
            if mask.slice(starts[group], self.row_group_rows[group]).true_count
        ]
        try:
            sizes = [self._size(group, leaves) for group in groups]
        except UNREADABLE as error:
            raise self._unreadable(error, groups, []) from None
        stretches = _stretches(groups, sizes, self.row_group_rows, apart=self._apart(names))
        pending = Pending(schema)
        for start, batch in self._batches(stretches, starts, leaves):
            kept = mask.slice(start, len(batch))
            survivors = kept.true_count
            if survivors:
                pending.add(batch, None if survivors == len(batch) else kept)
            if pending.full:
                yield pending.table()
        if pending.rows:
            yield pending.table()

    def released_file(
        self,
        columns: Sequence[str],
        row_groups: range,
        sink: pa.NativeFile | BinaryIO,
        *,
        without_statistics: Collection[str],
        compression_level: int | None = None,
        retyped: Mapping[str, pa.DataType] | None = None,
    ) -> SurvivorsFile:
        """Begin a file for survivors: the input's order of columns, types, codecs, dictionaries.

        Columns of `without_statistics` get no statistics, the others what they had; `retyped` names
        columns that get another type. Equal tables written to it give equal bytes. Raises UnitError
        when the input cannot be read. Writing raises OSError when the sink does; what it then holds
        is worthless. The sink is not closed.
        """
        names = self._in_order(columns)
        other = retyped or {}
        fields = [self.schema.field(name) for name in names]
        rows = sum(self.row_group_rows[group] for group in row_groups)
        try:
            stored = self._stored(names, row_groups)
            leaves = self._indices(names)
            size = sum(self._size(group, leaves) for group in row_groups)
        except UNREADABLE as error:
            raise self._unreadable(error, row_groups, []) from None
        typical = _PAGE_BYTES * rows // max(1, size)
        try:
            for field in fields:  # found out before anything is written
                travelled(pa.nulls(0, field.type), travelling(field.type))
            return SurvivorsFile(
                sink,
                pa.schema([field.with_type(other.get(field.name, field.type)) for field in fields]),
                stored,
                without_statistics=without_statistics,
                compression_level=compression_level,
                arrow_schema=b"ARROW:schema" in (self._metadata.metadata or {}),
                write_batch_size=max(1, min(typical, _WRITE_BATCH_ROWS)),
            )
        except pa.ArrowException:
            raise unreadable(
                self._name, "a column's type cannot be copied", fix="leave that column out"
            ) from None

    def _in_order(self, columns: Sequence[str]) -> list[str]:
        self._indices(columns)
        return [name for name in self.schema.names if name in set(columns)]

    def _batches(
        self,
        stretches: Iterable[tuple[list[int], int]],
        starts: dict[int, int],
        leaves: list[int],
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Give batches of at most about 4 MiB, each with the place of its first row in the mask.

        No batch spans a row group that is left out; it may span small ones that are read.
        """
        reader = self._reader(len(leaves)).reader
        for stretch, batch_rows in stretches:
            expected = sum(self.row_group_rows[group] for group in stretch)
            try:
                self._hold(stretch, leaves, _BUFFERS_BYTES)
            except OSError as error:
                raise self._unreadable(error, stretch, leaves) from None
            batches = reader.iter_batches(batch_rows, stretch, leaves, use_threads=False)
            done = 0
            while True:
                try:
                    batch = next(batches, None)
                except UNREADABLE as error:
                    last = min(done + batch_rows, expected) + starts[stretch[0]]
                    here = [
                        group
                        for group in stretch
                        if starts[group] < last
                        and starts[group] + self.row_group_rows[group] > starts[stretch[0]] + done
                    ]
                    raise self._unreadable(error, here, leaves) from None
                if batch is None:
                    break
                yield starts[stretch[0]] + done, batch
                done += len(batch)
            if done != expected:
                raise self._short(stretch, done, expected)
        self._hold((), ())

    def _reader(self, leaves: int) -> pq.ParquetFile:
        """Give a reader over the open file; each of so many leaves gets a buffer."""
        buffer = max(_LEAST_BUFFER, min(self._ahead, _BUFFERS_BYTES // max(1, leaves)))
        return pq.ParquetFile(
            self._file,
            metadata=self._metadata,
            pre_buffer=False,
            buffer_size=buffer,
            page_checksum_verification=True,
        )

    def _indices(self, columns: Sequence[str]) -> list[int]:
        missing = [name for name in columns if name not in self._leaves]
        if missing:
            raise SchemaError(self._name, f"there is no column `{missing[0]}`")
        return [leaf for name in columns for leaf in self._leaves[name]]

    def _apart(self, columns: Sequence[str]) -> bool:
        """Tell whether row groups must be read one by one: pyarrow joins no nested dictionaries."""
        kinds = [self.schema.field(name).type for name in columns]
        return any(pa.types.is_nested(kind) and travelling(kind) != kind for kind in kinds)

    def _size(self, group: int, leaves: list[int]) -> int:
        chunks = self._metadata.row_group(group)
        return sum(int(chunks.column(leaf).total_uncompressed_size) for leaf in leaves)

    def _hold(self, groups: Sequence[int], leaves: Sequence[int], limit: int | None = None) -> None:
        """Fetch column chunks at once where each would be a request, unless they are too large."""
        if isinstance(self._file, FarFile):
            ranges = [self._extent(group, leaf) for group in groups for leaf in leaves]
            fits = limit is None or sum(end - start for start, end in ranges) <= limit
            self._file.hold(ranges if fits else ())

    def _extent(self, group: int, leaf: int) -> tuple[int, int]:
        """Give the first byte of a column chunk, and the first one after it."""
        chunk = self._metadata.row_group(group).column(leaf)
        start = chunk.data_page_offset
        if chunk.dictionary_page_offset:
            start = min(start, chunk.dictionary_page_offset)
        return start, start + chunk.total_compressed_size

    def _stored(self, names: list[str], row_groups: range) -> list[Leaf]:
        """Say how columns are stored; the first row group that has rows speaks for all."""
        model = next((group for group in row_groups if self.row_group_rows[group]), None)
        chunks = None if model is None else self._metadata.row_group(model)
        # Asked for its schema, a footer refers to itself, and stays until Python looks for such.
        kinds = pq.ParquetSchema(self._metadata)
        return [
            Leaf.of(name, kinds.column(leaf), chunks and chunks.column(leaf))
            for name in names
            for leaf in self._leaves[name]
        ]

    @contextmanager
    def _open_errors(self) -> Iterator[None]:
        try:
            yield
        except UNREADABLE as error:
            raise unreadable(self._name, reason(error)) from None

    def _unreadable(
        self, error: BaseException, groups: Sequence[int], leaves: list[int]
    ) -> UnitError:
        """Find the row group that an error is about: the first that cannot be read alone."""
        if isinstance(error, StoreError):  # any of them; and who did not answer is asked no more
            return unreadable(
                self._name, reason(error), fix="run the job again once it can be read"
            )
        for group in groups if len(groups) > 1 and leaves else ():
            try:
                self._reader(len(leaves)).reader.read_row_groups([group], leaves, use_threads=False)
            except UNREADABLE as alone:
                error, groups = alone, [group]
                break
        where = f"row group {groups[0]}: " if groups else ""
        return unreadable(self._name, reason(error), where)

    def _short(self, groups: Sequence[int], found: int, expected: int) -> UnitError:
        what = f"row groups {groups[0]} to {groups[-1]}: {found} rows of {expected}"
        return unreadable(self._name, what)


def _stretches(
    groups: list[int], sizes: list[int], rows: Sequence[int], *, apart: bool
) -> Iterator[tuple[list[int], int]]:
    """Put neighbours together that one batch size suits, and give that size in rows."""
    stretch: list[int] = []
    total = batch_rows = 0
    for group, size in zip(groups, sizes, strict=True):
        fit = rows[group] * _BATCH_BYTES // max(1, size)
        # A power of two, so that row groups of nearly one kind are of one.
        fit = min(_BATCH_ROWS, 1 << max(0, fit.bit_length() - 1))
        follows = bool(stretch) and stretch[-1] + 1 == group and not apart
        if follows and (total + size <= _STRETCH_BYTES or fit == batch_rows):
            stretch.append(group)
            total += size
            continue
        if stretch:
            yield stretch, batch_rows
        stretch, total, batch_rows = [group], size, fit
    if stretch:
        yield stretch, batch_rows


def _mask(keep: Any, rows: int) -> pa.BooleanArray:  # noqa: ANN401 - an array of either kind
    mask = keep if isinstance(keep, (pa.Array, pa.ChunkedArray)) else pa.array(keep)
    if isinstance(mask, pa.ChunkedArray):
        mask = mask.combine_chunks()
    if not pa.types.is_boolean(mask.type) or len(mask) != rows:
        raise ValueError(f"keep is {len(mask)} of {mask.type}, not {rows} of bool")
    return mask.fill_null(pa.scalar(value=False)) if mask.null_count else mask
