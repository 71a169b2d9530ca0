"""Reading and copying real files of three writers: types, codecs, bytes read, faults."""

import errno
import io
import itertools
import struct
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from corpusgate.connectors import parquet, parquet_writer, pending
from corpusgate.connectors.folder import LocalFolder
from corpusgate.connectors.parquet import ParquetShard
from corpusgate.filters.errors import SchemaError, UnitError
from hypothesis import given, settings
from hypothesis import strategies as st

SECRET = "the text of a record"  # noqa: S105
CODECS = ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]


def opened(data):
    """A shard over bytes in memory."""
    return ParquetShard(MemoryFiles(data), "x", "x.parquet")


class MemoryFiles:
    """As much of a folder as a shard asks for, recording every range that is read."""

    ahead = 256 << 10

    def __init__(self, data):
        self.data = bytes(data)
        self.ranges = []

    def open_input_file(self, _):
        return pa.PythonFile(_Recording(self.data, self.ranges), mode="r")


class _Recording(io.BytesIO):
    def __init__(self, data, ranges):
        super().__init__(data)
        self._ranges = ranges

    def read(self, size=-1):
        start = self.tell()
        data = super().read(size)
        self._ranges.append(range(start, start + len(data)))
        return data


def written(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def copy_rows(shard, columns, groups, keep, sink, **options):
    """Copy the rows that are kept; give their number."""
    options = {"without_statistics": [], **options}
    with shard.released_file(columns, groups, sink, **options) as file:
        for table in shard.survivors(columns, groups, keep):
            file.write(table)
    return file.rows


def copied(data, keep, columns=None, groups=None, **options):
    """Copy the rows of a file in memory; give the copy's bytes."""
    sink = io.BytesIO()
    with opened(data) as shard:
        groups = range(len(shard.row_group_rows)) if groups is None else groups
        names = shard.schema.names if columns is None else columns
        rows = copy_rows(shard, names, groups, keep, sink, **options)
    assert rows == sum(bool(kept) for kept in pa.array(keep).to_pylist())
    return sink.getvalue()


def read(data):
    file = pq.ParquetFile(io.BytesIO(data))
    # One by one: pyarrow cannot join dictionaries inside of lists.
    groups = [file.read_row_group(i) for i in range(file.num_row_groups)] or [file.read()]
    return pa.concat_tables(groups).replace_schema_metadata(None)


def leaves(data, group=0):
    chunks = pq.read_metadata(io.BytesIO(data)).row_group(group)
    return {chunks.column(i).path_in_schema: chunks.column(i) for i in range(chunks.num_columns)}


def expected(table, keep):
    """The rows kept, without Arrow's filter, which lacks some types."""
    runs = [table.slice(i, 1) for i, kept in enumerate(pa.array(keep).to_pylist()) if kept]
    return pa.concat_tables(runs) if runs else table.schema.empty_table()


def assert_same(got, want):
    assert got.schema.equals(want.schema, check_metadata=True), (got.schema, want.schema)
    assert str(got.schema) == str(want.schema)  # names inside lists and maps too
    assert len(got) == len(want)
    for name, one, other in zip(want.column_names, got.columns, want.columns, strict=True):
        a, b = (
            pa.concat_arrays(one.chunks or [one.combine_chunks()]),
            pa.concat_arrays(other.chunks or [other.combine_chunks()]),
        )
        assert parquet_writer.travelled(a, parquet_writer.travelling(a.type)).equals(
            parquet_writer.travelled(b, parquet_writer.travelling(b.type))
        ), name


VALUES = [
    (pa.null(), [None]),
    (pa.bool_(), [True, None, False]),
    *((kind, [1, None, 0, 100]) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())),
    *((kind, [1, None, 0, 200]) for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())),
    (pa.uint64(), [2**64 - 1, None]),
    *((kind, [1.5, None, float("inf")]) for kind in (pa.float16(), pa.float32(), pa.float64())),
    *(
        (kind, ["a", None, "", "longer than the twelve bytes of a view"])
        for kind in (pa.string(), pa.large_string(), pa.string_view())
    ),
    *(
        (kind, [b"a", None, b"\xff\x00", b"longer than the twelve bytes of a view"])
        for kind in (pa.binary(), pa.large_binary(), pa.binary_view())
    ),
    (pa.binary(3), [b"abc", None, b"\xff\x00\x01"]),
    *(
        (kind, [Decimal("1.25"), None, Decimal("-3.00")])
        for kind in (
            pa.decimal32(5, 2),
            pa.decimal64(12, 2),
            pa.decimal128(30, 2),
            pa.decimal256(50, 2),
        )
    ),
    (pa.date32(), [1, None]),
    (pa.date64(), [86_400_000, None]),
    *(
        (kind, [1, None, 3600])
        for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))
    ),
    *(
        (pa.timestamp(unit, zone), [1, None, 1_600_000_000])
        for unit, zone in itertools.product(
            ("s", "ms", "us", "ns"), (None, "UTC", "Europe/Berlin", "+05:30")
        )
    ),
    *((pa.duration(unit), [1, None, -5]) for unit in ("s", "ms", "us", "ns")),
    (pa.list_(pa.string()), [["a", None], None, []]),
    (pa.list_(pa.field("own", pa.int32(), nullable=False)), [[1, 2], None, []]),
    (pa.large_list(pa.string_view()), [["a", None], None, []]),
    (pa.list_view(pa.int32()), [[1, None], None, []]),
    (pa.large_list_view(pa.string_view()), [["a", None], None, []]),
    (pa.list_(pa.int32(), 2), [[1, 2], None, [3, None]]),
    (pa.struct([("x", pa.string_view()), ("y", pa.int8())]), [{"x": "a", "y": 1}, None, {}]),
    (pa.map_(pa.string(), pa.int32()), [[("a", 1)], None, [], [("b", None)]]),
    (pa.map_(pa.string(), pa.list_(pa.binary_view())), [[("a", [b"x", None])], None, []]),
    (
        pa.list_(
            pa.struct(
                [
                    pa.field("role", pa.string(), nullable=False),
                    pa.field("content", pa.list_(pa.map_(pa.string(), pa.string_view()))),
                ]
            )
        ),
        [[{"role": "user", "content": [[("a", "b")], None]}], None, []],
    ),
]
# pyarrow writes it only as one row group.
ALONE = [(pa.list_(pa.string_view(), 2), [["a", "b"], None, ["c", None]])]
STORED = [
    (pa.uuid(), [b"a" * 16, None]),
    (pa.json_(), ["{}", None]),
    (pa.json_(pa.large_string()), ["{}", None]),
    (pa.json_(pa.string_view()), ["{}", None]),
    (pa.bool8(), [1, None]),
    (pa.opaque(pa.string_view(), "t", "v"), ["a", None]),
    (pa.fixed_shape_tensor(pa.int32(), [2]), [[1, 2], [3, 4]]),
]


def every_type(rows=21):
    """A table of every type that Parquet can hold, NULLs among the values."""
    columns = {}
    for kind, values in VALUES:
        array = pa.array(list(itertools.islice(itertools.cycle(values), rows)), kind)
        columns[f"{kind}"] = array
    for kind, values in STORED:
        storage = pa.array(list(itertools.islice(itertools.cycle(values), rows)), kind.storage_type)
        columns[f"{kind} of {kind.storage_type}"] = pa.ExtensionArray.from_storage(kind, storage)
    words = pa.array(["a", None, "b"] * (rows // 3))
    columns["dictionary"] = words.dictionary_encode()
    columns["small dictionary"] = words.cast(pa.dictionary(pa.int8(), pa.large_string()))
    columns["ordered"] = pa.DictionaryArray.from_arrays(
        words.dictionary_encode().indices, ["a", "b"], ordered=True
    )
    offsets = pa.array([None, *range(1, rows + 1)], pa.int32())
    columns["list of dictionary"] = pa.ListArray.from_arrays(offsets, words.dictionary_encode())
    columns["struct of dictionary"] = pa.StructArray.from_arrays([words.dictionary_encode()], ["x"])
    return pa.table(columns)


def every_type_three_times(**options):
    """Each time a row group of 21 rows: pyarrow cannot cut some types."""
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, every_type().schema, **options) as writer:
        for _ in range(3):
            writer.write_table(every_type())
    return sink.getvalue()


@pytest.mark.parametrize("keep", ["some", "all", "none"])
@pytest.mark.parametrize("compliant", [True, False])
def test_every_type_survives(keep, compliant):
    data = every_type_three_times(use_compliant_nested_type=compliant)
    keep = [{"some": i % 3 == 1 or i > 50, "all": True, "none": False}[keep] for i in range(63)]
    copy = copied(data, keep)
    assert_same(read(copy), expected(read(data), keep))
    before, after = (pq.ParquetFile(io.BytesIO(x)).schema for x in (data, copy))
    assert str(after).splitlines()[1:] == str(before).splitlines()[1:]  # physical and logical


@pytest.mark.parametrize(("kind", "values"), VALUES + ALONE, ids=str)
def test_each_type_alone(kind, values):
    data = written(pa.table({"x": pa.array(values, kind)}))
    keep = [i % 2 == 0 for i in range(len(values))]
    assert_same(read(copied(data, keep)), expected(read(data), keep))


def by_polars(path, codec):
    """A file with the types that Polars has of its own."""
    codec = {"none": "uncompressed"}.get(codec, codec)
    frame = pl.DataFrame(
        {
            "id": ["a", None, "c"] * 100,
            "bytes": [b"a", None, b"c"] * 100,
            "list": [["a", None], None, []] * 100,
            "messages": [[{"role": "user", "content": "x"}], None, []] * 100,
            "category": pl.Series(["a", None, "c"] * 100, dtype=pl.Categorical),
            "enum": pl.Series(["a", None, "c"] * 100, dtype=pl.Enum(["c", "a"])),
            "at": pl.Series([datetime(2024, 1, 1, tzinfo=UTC), None, None] * 100),
            "time": pl.Series([1, None, 3] * 100).cast(pl.Time),
            "decimal": pl.Series([1, None, 3] * 100).cast(pl.Decimal(10, 2)),
            "array": pl.Series([[1, 2], None, [3, 4]] * 100, dtype=pl.Array(pl.Int8, 2)),
        }
    )
    frame.write_parquet(path, compression=codec, row_group_size=70)


def by_duckdb(path, codec):
    """A file without an Arrow schema; decimals are integers in it, columns can be required."""
    codec = {"none": "uncompressed", "lz4": "lz4_raw"}.get(codec, codec)
    duckdb.sql(
        f"""COPY (
            SELECT i::VARCHAR id, CASE WHEN i % 3 > 0 THEN 'w' || i % 7 END word,
                i::DECIMAL(5, 2) small, i::DECIMAL(18, 2) medium, i::DECIMAL(38, 2) large,
                uuid() u, '[1]'::JSON j, TIME '01:02:03' t, TIMESTAMPTZ '2024-01-01 00:00:00+00' z,
                TIMESTAMP_NS '2024-01-01' ns, [i, NULL] l, {{'a': i, 'b': ['x']}} s,
                MAP {{'k': i}} m,
                'x'::BLOB b, DATE '2024-01-01' d, i::UTINYINT ut, [1, 2]::INT[2] a,
            FROM range(100) AS r(i)
        ) TO '{path}' (FORMAT parquet, COMPRESSION {codec}, ROW_GROUP_SIZE 2048)"""
    )


def by_pyarrow(path, codec):
    """All types, one codec."""
    path.write_bytes(every_type_three_times(compression=codec))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("write", [by_pyarrow, by_polars, by_duckdb])
def test_files_of_three_writers(write, codec, tmp_path):
    path = tmp_path / "x.parquet"
    write(path, codec)
    data = path.read_bytes()
    keep = np.random.default_rng(1).random(pq.read_metadata(path).num_rows) < 0.4
    copy = copied(data, keep)
    assert_same(read(copy), expected(read(data), keep))
    before, after = leaves(data), leaves(copy)
    assert {p: c.compression for p, c in after.items()} == {
        p: c.compression for p, c in before.items()
    }
    assert [c.physical_type for c in after.values()] == [c.physical_type for c in before.values()]
    if write is not by_pyarrow:  # Polars does not know all its types
        assert pl.read_parquet(io.BytesIO(copy)).equals(pl.read_parquet(path).filter(keep))


def test_codec_per_column_and_level():
    table = pa.table({name: ["some words " * 9] * 99 for name in ("a", "b", "c", "d")})
    data = written(
        table, compression=dict(zip("abcd", ["zstd", "gzip", "snappy", "none"], strict=True))
    )
    for level in (None, 19):
        after = leaves(copied(data, [True] * 99, compression_level=level))
        assert [c.compression for c in after.values()] == ["ZSTD", "GZIP", "SNAPPY", "UNCOMPRESSED"]


def test_column_order_and_choice():
    table = pa.table({"b": [1, 2], "a": [3, 4], "c": [5, 6]})
    data = written(table)
    assert read(copied(data, [True, False], ["c", "b"])).to_pydict() == {"b": [1], "c": [5]}
    with opened(data) as shard:
        assert shard.read(["c", "b"], range(1)).to_pydict() == {"c": [5, 6], "b": [1, 2]}
        with pytest.raises(SchemaError, match="no column `d`"):
            shard.read(["d"], range(1))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.booleans() | st.none(), max_size=80),
    group=st.integers(1, 90),
    batch=st.sampled_from([1, 64, 1 << 20]),
    limit=st.sampled_from([1, 300, 64 << 20]),
    small=st.sampled_from([2, 64]),
    data=st.data(),
)
def test_copied_rows_are_the_rows_kept(rows, group, batch, limit, small, data):
    size = len(rows)
    table = pa.table(
        {
            "i": pa.array(range(size), pa.int64()),
            "view": pa.array([f"{i} " * (i % 9) for i in range(size)], pa.string_view()),
            "nested": pa.array([[{"x": f"{i}"}] * (i % 3) for i in range(size)], NESTED),
            "word": pa.array([f"{i % 3}" for i in range(size)]).dictionary_encode(),
        }
    )
    shard = written(table, row_group_size=group)
    count = pq.read_metadata(io.BytesIO(shard)).num_row_groups
    start = data.draw(st.integers(0, count))
    stop = data.draw(st.integers(start, count))
    keep = rows[start * group : stop * group]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "_BATCH_BYTES", batch)
        patch.setattr(parquet, "_STRETCH_BYTES", batch * 4)
        patch.setattr(parquet_writer, "ROW_GROUP_BYTES", limit)
        patch.setattr(pending, "_SMALL_BATCHES", small)
        patch.setattr(pending, "TABLE_BYTES", limit)
        copy = copied(shard, pa.array(keep, pa.bool_()), groups=range(start, stop))
    indices = [start * group + i for i, kept in enumerate(keep) if kept]
    got = read(copy)
    assert got["i"].to_pylist() == indices
    for name in ("view", "nested", "word"):
        assert got[name].to_pylist() == [table[name][i].as_py() for i in indices]
    assert got.schema.equals(read(shard).schema)


NESTED = pa.list_(pa.struct([("x", pa.string())]))


@pytest.mark.parametrize("buffer", [16, 1 << 20])
def test_only_the_chunks_asked_for_are_read(buffer, monkeypatch):
    monkeypatch.setattr(parquet, "_LEAST_BUFFER", buffer)
    table = pa.table(
        {
            "id": range(400),
            "text": ["words " * 30] * 400,
            "n": range(400),
            "m": [[{"x": "y"}]] * 400,
        }
    )
    data = written(table, row_group_size=100)
    metadata = pq.read_metadata(io.BytesIO(data))

    def extent(group, leaf):
        chunk = metadata.row_group(group).column(leaf)
        start = min(chunk.dictionary_page_offset or chunk.data_page_offset, chunk.data_page_offset)
        return range(start, start + chunk.total_compressed_size)

    def touched():
        """The row groups and leaves of which a byte was read since it was last asked."""
        seen = {byte for part in files.ranges for byte in part}
        files.ranges.clear()
        chunks = itertools.product(range(4), range(4))
        return {chunk for chunk in chunks if not seen.isdisjoint(extent(*chunk))}

    files = MemoryFiles(data)
    files.ahead = buffer
    with ParquetShard(files, "x", "x") as shard:
        assert touched() == set()
        shard.read(["id", "n"], range(1, 3))
        assert touched() == {(1, 0), (1, 2), (2, 0), (2, 2)}
        keep = np.isin(np.arange(400), [7, 300, 399])
        copy_rows(shard, ["text", "m"], range(4), keep, io.BytesIO())
        assert touched() == {(0, 1), (0, 3), (3, 1), (3, 3)}
        none = np.zeros(400, bool)
        copy_rows(shard, ["text", "m"], range(4), none, io.BytesIO())
        assert files.ranges == []


def test_statistics_only_where_allowed_and_had():
    table = pa.table(
        {
            "text": [SECRET] * 9,
            "messages": [[{"role": "user", "content": SECRET}]] * 9,
            "n": range(9),
            "bare": range(9),
        }
    )
    data = written(
        table,
        write_statistics=[*leaves(written(table.drop(["bare"])))],
        write_page_index=True,
        bloom_filter_options={"n": True},
        compression="none",
        use_dictionary=False,
    )
    copy = copied(data, [True] * 9, without_statistics={"text", "messages"})
    found = leaves(copy)
    assert {path for path, chunk in found.items() if chunk.is_stats_set} == {"n"}
    assert found["n"].statistics.max == 8
    for chunk in found.values():
        assert not chunk.has_column_index
        assert chunk.bloom_filter_offset is None
    assert copy.count(SECRET.encode()) == 18  # the values themselves, and no copy in any header
    assert data.count(SECRET.encode()) > 18


def test_dotted_names_cannot_smuggle_statistics():
    table = pa.table({"a.b": ["x", "y"], "a": [{"b": SECRET}] * 2})
    data = written(table)
    found = pq.read_metadata(io.BytesIO(copied(data, [True, True], without_statistics={"a"})))
    assert not any(found.row_group(0).column(i).is_stats_set for i in range(2))
    with opened(data) as shard:
        assert shard.read(["a.b"], range(1)).to_pydict() == {"a.b": ["x", "y"]}


def test_excluded_dictionary_values_stay_behind():
    words = pa.array(["kept", SECRET] * 50)
    table = pa.table({"top": words.dictionary_encode(), "s": pa.array([{"x": "y"}] * 100)})
    table = table.append_column(
        "nested", pa.StructArray.from_arrays([words.dictionary_encode()], ["x"])
    )
    data = written(table, compression="none")
    assert SECRET.encode() in data
    copy = copied(data, [True, False] * 50, compression_level=3)
    assert SECRET.encode() not in copy
    assert_same(read(copy), read(written(table.filter(pa.array([True, False] * 50)))))


def test_metadata_of_the_file_stays_behind_and_that_of_fields_comes_along():
    schema = pa.schema(
        [
            pa.field(
                "x",
                pa.string(),
                nullable=False,
                metadata={"unit": "words", "PARQUET:field_id": "7"},
            )
        ],
        metadata={"note": SECRET},
    )
    data = written(pa.table({"x": ["a"]}, schema=schema))
    copy = copied(data, [True])
    assert set(pq.read_metadata(io.BytesIO(copy)).metadata) == {b"ARROW:schema"}
    got = pq.ParquetFile(io.BytesIO(copy))
    assert got.schema_arrow.metadata is None
    assert got.schema_arrow.field(0).metadata == {b"unit": b"words", b"PARQUET:field_id": b"7"}
    assert not got.schema_arrow.field(0).nullable
    assert "field_id=7" in str(got.schema)
    with opened(data) as shard:
        assert shard.schema.metadata is None
        assert shard.read(["x"], range(1)).schema.metadata is None


def test_dictionaries_where_the_input_has_them_in_use():
    words, texts = ["a", "b"] * 3000, [f"{i:x} {i * 7919:x}" * 30 for i in range(6000)]
    table = pa.table({"word": words, "given_up": texts, "plain": texts})
    data = written(table, use_dictionary=["word", "given_up"])
    assert leaves(data)["given_up"].has_dictionary_page
    after = leaves(copied(data, [True] * 6000))
    assert {path for path, chunk in after.items() if chunk.has_dictionary_page} == {"word"}


def test_row_groups_are_merged_and_cut(monkeypatch):
    table = pa.table({"x": range(1000)})
    data = written(table, row_group_size=10)
    keep = [True] * 1000
    assert pq.read_metadata(io.BytesIO(copied(data, keep))).num_row_groups == 1
    monkeypatch.setattr(parquet_writer, "ROW_GROUP_ROWS", 100)
    monkeypatch.setattr(parquet, "_BATCH_ROWS", 32)
    monkeypatch.setattr(pending, "TABLE_ROWS", 32)
    metadata = pq.read_metadata(io.BytesIO(copied(data, keep)))
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [
        *[128] * 7,
        104,
    ]


def test_equal_inputs_give_equal_bytes():
    data = every_type_three_times()
    keep = [i % 4 == 0 for i in range(63)]
    assert (
        copied(data, keep) == copied(data, np.array(keep)) == copied(data, pa.chunked_array([keep]))
    )


def test_nothing_to_copy_gives_the_whole_schema():
    table = every_type()
    for data in (written(table), written(table.slice(0, 0))):
        rows = pq.read_metadata(io.BytesIO(data)).num_rows
        copy = copied(data, np.zeros(rows, bool))
        metadata = pq.read_metadata(io.BytesIO(copy))
        assert (metadata.num_rows, metadata.num_row_groups) == (0, 0)
        assert_same(read(copy), read(data).slice(0, 0))


def test_empty_and_tiny_row_groups():
    sink = io.BytesIO()
    table = pa.table({"i": range(3000), "text": [f"{i}" for i in range(3000)]})
    with pq.ParquetWriter(sink, table.schema) as writer:
        for i in range(3000):
            writer.write_table(table.slice(i, 1))
            if i % 1000 == 0:
                writer.write_table(table.slice(0, 0), row_group_size=1)
    data = sink.getvalue()
    keep = np.random.default_rng(2).random(3000) < 0.5
    assert_same(read(copied(data, keep)), table.filter(pa.array(keep)))


def test_the_footer_in_numbers():
    data = written(pa.table({"x": range(25)}), row_group_size=10)
    with opened(data) as shard:
        assert (shard.rows, shard.row_group_rows, shard.size) == (25, (10, 10, 5), len(data))
        metadata = pq.read_metadata(io.BytesIO(data))
        assert shard.row_group_bytes == tuple(
            metadata.row_group(i).total_byte_size for i in range(3)
        )
        with opened(data) as again:
            assert shard.footer_sha256 == again.footer_sha256
    with opened(written(pa.table({"x": range(26)}))) as other:
        assert shard.footer_sha256 != other.footer_sha256


def test_ten_thousand_columns():
    table = pa.table({f"c{i}": [i] for i in range(10_000)})
    data = written(table, write_statistics=False)
    files = MemoryFiles(data)
    with ParquetShard(files, "x", "x") as shard:
        files.ranges.clear()
        assert shard.read(["c9999", "c0", "c500"], range(1)).to_pylist() == [
            {"c9999": 9999, "c0": 0, "c500": 500}
        ]
        assert len(files.ranges) < 20
    assert read(copied(data, [True], ["c0", "c9999"])).to_pylist() == [{"c0": 0, "c9999": 9999}]


def test_a_wrong_mask_is_a_mistake_of_the_caller():
    data = written(pa.table({"x": range(3)}))
    for keep in ([True], [1, 0, 1]):
        with opened(data) as shard, pytest.raises(ValueError, match="keep is"):
            copy_rows(shard, ["x"], range(1), pa.array(keep), io.BytesIO())


# Faults


def texts(rows=3000, **options):
    words = [f"{SECRET} {i * 7919:x}" for i in range(rows)]
    return written(
        pa.table({"id": range(rows), "text": words}),
        **{"row_group_size": 1000, "use_dictionary": False, **options},
    )


def broken(data, group=1, leaf=1, at=0.5):
    """Flip bits in the middle of a column chunk."""
    chunk = pq.read_metadata(io.BytesIO(data)).row_group(group).column(leaf)
    start = chunk.data_page_offset + int(chunk.total_compressed_size * at)
    return data[:start] + bytes(b ^ 0x5A for b in data[start : start + 9]) + data[start + 9 :]


def encrypted(plaintext_footer):
    class InMemoryKms(pe.KmsClient):
        def __init__(self, _):
            super().__init__()

        def wrap_key(self, key, _):
            return key.hex()

        def unwrap_key(self, wrapped, _):
            return bytes.fromhex(wrapped)

    properties = pe.CryptoFactory(InMemoryKms).file_encryption_properties(
        pe.KmsConnectionConfig(),
        pe.EncryptionConfiguration(
            footer_key="f", column_keys={"c": ["text"]}, plaintext_footer=plaintext_footer
        ),
    )
    return texts(encryption_properties=properties)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not Parquet"),
        (b"PAR1", "not Parquet"),
        (b"{}\n" * 100, "not Parquet"),
        (texts()[:-20], "truncated footer"),
        (texts()[:5000], "truncated footer"),
        (texts()[:-8] + struct.pack("<I", 1 << 30) + b"PAR1", "truncated footer"),
        (b"PAR1" + b"\xff" * 200 + struct.pack("<I", 200) + b"PAR1", "corrupt data"),
        (encrypted(plaintext_footer=False), "encrypted"),
        (encrypted(plaintext_footer=True), "encrypted"),
        (written(pa.table([[1], [2]], names=["x", "x"])), "two columns are named `x`"),
    ],
)
def test_files_that_cannot_be_opened(data, what):
    with pytest.raises(UnitError, match=f"cannot be read as Parquet: .*{what}") as caught:
        opened(data)
    assert caught.value.where == "x.parquet"
    assert caught.value.fix


def test_a_missing_file_names_only_the_shard(tmp_path):
    with pytest.raises(UnitError, match=r"^a\.parquet: .*no such file"):
        ParquetShard(LocalFolder(tmp_path), SECRET, "a.parquet")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("at", [0.0, 0.5])
def test_corrupt_pages_name_the_row_group_and_no_text(codec, at):
    data = broken(texts(compression=codec, write_page_checksum=True), at=at)
    with opened(data) as shard:
        with pytest.raises(UnitError, match=r"x\.parquet: .*: row group 1: ") as caught:
            copy_rows(shard, ["text"], range(3), [True] * 3000, io.BytesIO())
        assert SECRET not in str(caught.value)
        assert caught.value.__suppress_context__
        with pytest.raises(UnitError, match="row group 1: "):
            shard.read(["text"], range(3))
        # What is not asked for is not looked at.
        assert len(shard.read(["id"], range(3))) == 3000
        keep = [i < 1000 or i >= 2000 for i in range(3000)]
        assert copy_rows(shard, ["text"], range(3), keep, io.BytesIO()) == 2000


class FullDisk(io.RawIOBase):
    """A sink with room for so many bytes."""

    def __init__(self, room):
        super().__init__()
        self._room = room

    def writable(self):
        return True

    def write(self, data):
        self._room -= memoryview(data).nbytes
        if self._room < 0:
            raise OSError(errno.ENOSPC, "no space left")
        return memoryview(data).nbytes


@pytest.mark.parametrize("room", [0, 4, 1000, 20_000])
def test_a_full_disk_is_not_the_units_fault(room):
    with opened(texts()) as shard, pytest.raises(OSError, match="no space left") as caught:
        copy_rows(shard, ["text"], range(3), [True] * 3000, FullDisk(room))
    assert caught.value.errno == errno.ENOSPC
