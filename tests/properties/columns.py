"""Arrow columns of any shape that a text path goes through, and paths into them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

texts = st.text(st.sampled_from("ab\u00e9\u6f22\U0001f600"), max_size=6)
_lengths = st.integers(0, 7)
_KINDS = [pa.string(), pa.large_string(), pa.string_view()]
_INDICES = [pa.int8(), pa.uint16(), pa.int32(), pa.int64()]


class Tagged(pa.ExtensionType):
    """An extension of any storage, as some tool may have left in a file."""

    def __init__(self, storage: pa.DataType) -> None:
        super().__init__(storage, "corpusgate.tests.tagged")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, _: bytes) -> "Tagged":
        return cls(storage)


@dataclass(frozen=True)
class Shape:
    """A way of building arrays of one type, and the path to the texts in them."""

    kind: pa.DataType
    path: str
    build: Callable[[st.DrawFn, int], pa.Array]


@st.composite
def columns(draw: st.DrawFn) -> tuple[pa.Array | pa.ChunkedArray, str]:
    """Draw a column named `c`, sliced or in chunks, and a path into it."""
    shape = draw(_shapes())
    if draw(st.booleans()):
        return _sliced(draw, shape), "c" + shape.path
    chunks = [_sliced(draw, shape) for _ in range(draw(st.integers(0, 3)))]
    return pa.chunked_array(chunks, shape.kind), "c" + shape.path


def _sliced(draw: st.DrawFn, shape: Shape) -> pa.Array:
    array = shape.build(draw, draw(_lengths))
    start = draw(st.integers(0, len(array)))
    return array.slice(start, draw(st.integers(0, len(array) - start)))


def _nulls(draw: st.DrawFn, length: int) -> list[bool]:
    """Draw which slots are NULL: in every third array none."""
    if draw(st.integers(0, 2)) == 0:
        return [False] * length
    return draw(st.lists(st.booleans(), min_size=length, max_size=length))


@st.composite
def _shapes(draw: st.DrawFn) -> Shape:
    shape = draw(st.sampled_from([_strings, _strings, _dictionary]))(draw)
    for _ in range(draw(st.integers(0, 3))):
        wrap = draw(st.sampled_from([_struct, _list, _list, _fixed, _view, _map, _extension]))
        shape = wrap(draw, shape)
    return shape


def _strings(draw: st.DrawFn) -> Shape:
    kind = draw(st.sampled_from(_KINDS))

    def build(draw: st.DrawFn, length: int) -> pa.Array:
        values = draw(st.lists(texts, min_size=length, max_size=length))
        array = pa.array(values, pa.large_string())
        nulls = pa.array(_nulls(draw, length), pa.bool_())
        bits = pa.array([not null.as_py() for null in nulls], pa.bool_()).buffers()[1]
        # NULL slots keep their bytes.
        buffers = [bits, *array.buffers()[1:]]
        return pa.Array.from_buffers(pa.large_string(), length, buffers).cast(kind)

    return Shape(kind, "", build)


def _dictionary(draw: st.DrawFn) -> Shape:
    index, value = draw(st.sampled_from(_INDICES)), draw(st.sampled_from(_KINDS))
    kind = pa.dictionary(index, value, draw(st.booleans()))

    def build(draw: st.DrawFn, length: int) -> pa.Array:
        # With NULL among them, values twice, and values that no row has.
        values = draw(st.lists(st.none() | texts, min_size=1, max_size=4))
        codes = st.integers(0, len(values) - 1)
        drawn = draw(st.lists(codes, min_size=length, max_size=length))
        return pa.DictionaryArray.from_arrays(
            pa.array(drawn, index, mask=_mask(_nulls(draw, length))),
            pa.array(values, value),
            ordered=kind.ordered,
        )

    return Shape(kind, "", build)


def _mask(nulls: list[bool]) -> Any:
    return pa.array(nulls, pa.bool_()).to_numpy(zero_copy_only=False)


def _struct(draw: st.DrawFn, inner: Shape) -> Shape:
    fields = [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("x", inner.kind, metadata={"k": "v"}),
        pa.field("role", pa.string()),
    ]

    def build(draw: st.DrawFn, length: int) -> pa.Array:
        ids = pa.array(range(length), pa.int64())
        roles = pa.array(["user", None] * length, pa.string())[:length]
        children = [ids, inner.build(draw, length), roles]
        mask = pa.array(_nulls(draw, length), pa.bool_())
        return pa.StructArray.from_arrays(children, fields=fields, mask=mask)

    return Shape(pa.struct(fields), ".x" + inner.path, build)


def _list(draw: st.DrawFn, inner: Shape) -> Shape:
    small = draw(st.booleans())
    item = pa.field("item", inner.kind, metadata={"k": "v"})
    kind = pa.list_(item) if small else pa.large_list(item)

    def build(draw: st.DrawFn, length: int) -> pa.Array:
        offsets, items = _offsets(draw, length)
        # NULL lists may have items under them.
        return (pa.ListArray if small else pa.LargeListArray).from_arrays(
            pa.array(offsets, pa.int32() if small else pa.int64()),
            inner.build(draw, items),
            type=kind,
            mask=pa.array(_nulls(draw, length), pa.bool_()),
        )

    return Shape(kind, "[]" + inner.path, build)


def _offsets(draw: st.DrawFn, length: int) -> tuple[list[int], int]:
    """Draw where lists begin and end, and how many items there are; some in no list."""
    edges = draw(st.lists(st.integers(0, 6), min_size=length + 1, max_size=length + 1))
    return sorted(edges), max(edges) + draw(st.integers(0, 2))


def _fixed(draw: st.DrawFn, inner: Shape) -> Shape:
    size = draw(st.integers(0, 3))
    kind = pa.list_(pa.field("item", inner.kind), size)

    def build(draw: st.DrawFn, length: int) -> pa.Array:
        mask = pa.array(_nulls(draw, length), pa.bool_())
        bits = pa.compute.invert(mask).buffers()[1]
        children = [inner.build(draw, length * size)]
        return pa.Array.from_buffers(kind, length, [bits], children=children)

    return Shape(kind, "[]" + inner.path, build)


def _view(draw: st.DrawFn, inner: Shape) -> Shape:
    small = draw(st.booleans())
    kind = pa.list_view(inner.kind) if small else pa.large_list_view(inner.kind)
    width = pa.int32() if small else pa.int64()

    def build(draw: st.DrawFn, length: int) -> pa.Array:
        items = draw(st.integers(0, 8))
        offsets = draw(st.lists(st.integers(0, items), min_size=length, max_size=length))
        if draw(st.booleans()):
            offsets.sort()
        sizes = [draw(st.integers(0, min(3, items - offset))) for offset in offsets]
        return (pa.ListViewArray if small else pa.LargeListViewArray).from_arrays(
            pa.array(offsets, width),
            pa.array(sizes, width),
            inner.build(draw, items),
            type=kind,
            mask=pa.array(_nulls(draw, length), pa.bool_()),
        )

    return Shape(kind, "[]" + inner.path, build)


def _map(draw: st.DrawFn, inner: Shape) -> Shape:
    kind = pa.map_(pa.string(), inner.kind)

    def build(draw: st.DrawFn, length: int) -> pa.Array:
        offsets, items = _offsets(draw, length)
        keys = pa.array([f"k{number}" for number in range(items)], pa.string())
        return pa.MapArray.from_arrays(
            pa.array(offsets, pa.int32()),
            keys,
            inner.build(draw, items),
            mask=pa.array(_nulls(draw, length), pa.bool_()),
        )

    return Shape(kind, "[].value" + inner.path, build)


def _extension(draw: st.DrawFn, inner: Shape) -> Shape:
    if isinstance(inner.kind, Tagged):
        return inner  # pyarrow aborts when it validates an extension of an extension
    kind = Tagged(inner.kind)

    def build(draw: st.DrawFn, length: int) -> pa.Array:
        return pa.ExtensionArray.from_storage(kind, inner.build(draw, length))

    return Shape(kind, inner.path, build)
