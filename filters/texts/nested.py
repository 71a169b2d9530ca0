"""Strings inside an Arrow array, however deep: reaching them, and putting others in their place.

Columns, not rows: offsets of lists are followed level by level, and what lies beside the way stays
the same memory. Strings that no row reaches, as under a NULL list or NULL struct, are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from ..errors import SchemaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ints: TypeAlias = "NDArray[np.int64]"
Bools: TypeAlias = "NDArray[np.bool_]"
Steps: TypeAlias = tuple[int | None, ...]
"""The way to the strings: a struct's field by number, or all items of a list (None)."""

# How far offsets of string, and views of string_view, reach.
_ADDRESSABLE: Final = 2**31 - 1


@dataclass(frozen=True)
class Reached:
    """The strings at the end of the way that are not NULL, in order.

    They stand in `array`, of strings or a dictionary of them, at `slots`. `rows` and `levels` say
    of each in which row, and at which position of each list on the way, it was met.
    """

    array: pa.Array
    slots: Ints
    rows: Ints
    levels: tuple[Ints, ...]

    def texts(self) -> pa.LargeStringArray:
        """Give the strings; without a copy, if they stand side by side."""
        if not pt.is_dictionary(self.array.type):
            return _gathered(self.array.cast(pa.large_string()), self.slots)
        values = self.array.dictionary.cast(pa.large_string())
        return values.take(pa.array(_codes(self.array)[self.slots]))


def reach(array: pa.Array, steps: Steps) -> Reached:
    """Follow the way into an array of its type.

    >>> reach(pa.array([["a", None], None, ["b"]]), (None,)).rows.tolist()
    [0, 2]
    """
    slots: Ints = np.arange(len(array), dtype=np.int64)
    marks = [slots]
    for step in steps:
        array = _stored(array)
        slots, marks = _present(array, slots, marks)
        if step is None:
            lists = _Lists.of(array)
            starts, counts = lists.starts[slots], lists.sizes[slots]
            begins = np.cumsum(counts) - counts
            slots = np.arange(counts.sum())
            within = slots - np.repeat(begins, counts)
            marks = [*(np.repeat(mark, counts) for mark in marks), within]
            if (starts != begins).any():
                slots = within + np.repeat(starts, counts)
            array = lists.values
        else:
            array = array.field(step)
    array = _stored(array)
    slots, (rows, *levels) = _present(array, slots, marks)
    return Reached(array, slots, rows, tuple(levels))


def changed(
    array: pa.Array, steps: Steps, which: Ints, texts: pa.LargeStringArray, where: str
) -> list[pa.Array]:
    """Put `texts` in place of the strings `which`, counted as `reach` gives them.

    The arrays together have the rows and the type of `array`; they are several only where its
    type cannot number so many values or bytes at once. Raises SchemaError, with `where` as its
    place, if that is so within one row.

    >>> new = pa.array(["x"], pa.large_string())
    >>> changed(pa.array([["a"], ["b"]]), (None,), np.array([1]), new, "")[0].to_pylist()
    [['a'], ['x']]
    """
    reached = reach(array, steps)
    try:
        return [_around(array, steps, partial(_replaced, reached.slots, which, texts))]
    except _TooLargeError:
        if len(array) <= 1:
            what = f"the new texts of one row are more than {reached.array.type} can hold"
            raise SchemaError(where, what, "give the column a wider type") from None
    half = len(array) // 2
    cut = int(np.searchsorted(reached.rows, half))
    turn = int(np.searchsorted(which, cut))
    return [
        *changed(array[:half], steps, which[:turn], texts[:turn], where),
        *changed(array[half:], steps, which[turn:] - cut, texts[turn:], where),
    ]


class _TooLargeError(Exception):
    """A type cannot number so many values or bytes."""


@dataclass(frozen=True)
class _Lists:
    """A list array laid open: where each list's items stand in `values`, NULL lists' too.

    No item stands in two lists, and items stand in the order of their lists. `layout` are the
    buffers that say so, `values` has no more than they need.
    """

    array: pa.Array
    values: pa.Array
    starts: Ints
    sizes: Ints
    layout: tuple[NDArray[Any], ...]

    @classmethod
    def of(cls, array: pa.Array) -> _Lists:
        """Lay a list array of any kind open."""
        kind = array.type
        if pt.is_list_view(kind) or pt.is_large_list_view(kind):
            return cls._of_views(array)
        layout: tuple[NDArray[Any], ...] = ()
        if pt.is_fixed_size_list(kind):
            ends = np.arange(len(array) + 1, dtype=np.int64) * kind.list_size
            first = array.offset * kind.list_size
        else:
            offsets = array.offsets.to_numpy()
            first = int(offsets[0])
            layout = (offsets - offsets[0],)
            ends = layout[0].astype(np.int64)
        values = array.values.slice(first, int(ends[-1]))
        return cls(array, values, ends[:-1], np.diff(ends), layout)

    @classmethod
    def _of_views(cls, array: pa.Array) -> _Lists:
        valid = _valid(array)
        offsets, lengths = array.offsets.to_numpy(), array.sizes.to_numpy()
        starts, sizes = offsets.astype(np.int64), lengths.astype(np.int64)
        if valid is not None:
            # What a NULL view looks at is nobody's, and must not count as shared.
            sizes[~valid] = 0
        starts[sizes == 0] = 0
        ends = starts + sizes
        some = np.flatnonzero(sizes)
        values = array.values
        if (starts[some][1:] < ends[some][:-1]).any():
            # Lists that share items, or stand in another order: each gets its own.
            parts = [values.slice(starts[one], sizes[one]) for one in some.tolist()]
            values = pa.concat_arrays(parts)
            starts[some] = np.cumsum(sizes[some]) - sizes[some]
        else:
            first, last = (starts[some[0]], ends[some[-1]]) if len(some) else (0, 0)
            values = values.slice(int(first), int(last - first))
            starts[some] -= first
        layout = starts.astype(offsets.dtype), sizes.astype(lengths.dtype)
        return cls(array, values, starts, sizes, layout)

    def around(self, values: pa.Array) -> pa.Array:
        """Give the lists around other values, as many as before."""
        return _rebuilt(self.array, self.layout, [values])


def _around(array: pa.Array, steps: Steps, replace: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Replace the array at the end of the way, and build again what is around it."""
    if isinstance(array.type, pa.BaseExtensionType):
        return array.type.wrap_array(_around(array.storage, steps, replace))
    if not steps:
        return replace(array)
    step, *rest = steps
    if step is None:
        lists = _Lists.of(array)
        return lists.around(_around(lists.values, tuple(rest), replace))
    fields = [array.field(one) for one in range(array.type.num_fields)]
    fields[step] = _around(fields[step], tuple(rest), replace)
    return _rebuilt(array, (), fields)


def _rebuilt(array: pa.Array, layout: tuple[NDArray[Any], ...], fields: list[pa.Array]) -> pa.Array:
    valid = _valid(array)
    bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [bits, *map(pa.py_buffer, layout)]
    return pa.Array.from_buffers(array.type, len(array), buffers, children=fields)


def _replaced(live: Ints, which: Ints, texts: pa.LargeStringArray, array: pa.Array) -> pa.Array:
    """Put texts in place of those at `live[which]` in an array of strings."""
    if pt.is_dictionary(array.type):
        return _recoded(array, live, which, texts)
    mask = np.zeros(len(array), bool)
    mask[live[which]] = True
    wide = array.cast(pa.large_string())
    return _narrowed(pc.replace_with_mask(wide, pa.array(mask), texts), array.type)


def _recoded(
    array: pa.DictionaryArray, live: Ints, which: Ints, texts: pa.LargeStringArray
) -> pa.DictionaryArray:
    """Put texts in place of those at `live[which]`, and drop the values that no live slot has.

    Those may be what was replaced, or belong to rows that are elsewhere.
    """
    kind = array.type
    codes, valid = _codes(array), _valid(array)
    stay = np.ones(len(live), bool)
    stay[which] = False
    kept = np.unique(codes[live[stay]])
    values = array.dictionary.cast(pa.large_string())
    pool = pa.concat_arrays([values.take(pa.array(kept)), texts]).dictionary_encode()
    index = np.dtype(kind.index_type.to_pandas_dtype())
    if len(pool.dictionary) > np.iinfo(index).max + 1:
        raise _TooLargeError
    places = pool.indices.to_numpy()
    fresh = np.zeros(len(array), index)
    fresh[live[stay]] = places[np.searchsorted(kept, codes[live[stay]])]
    fresh[live[which]] = places[len(kept) :]
    # Slots that no row reaches have no value left; any will do.
    null = np.full(len(array), len(pool.dictionary) == 0) | (valid is not None and ~valid)
    return pa.DictionaryArray.from_arrays(
        pa.array(fresh, kind.index_type, mask=null),
        _narrowed(pool.dictionary, kind.value_type),
        ordered=kind.ordered,
    )


def _narrowed(wide: pa.LargeStringArray, kind: pa.DataType) -> pa.Array:
    """Give the strings their own type back. Raises _TooLargeError."""
    if pt.is_large_string(kind) or _size(wide) <= _ADDRESSABLE:
        return wide.cast(kind)
    if pt.is_string(kind) or len(wide) == 1:
        raise _TooLargeError
    # Views reach as far as one buffer does, and an array of them may have several.
    half = np.arange(len(wide) // 2), np.arange(len(wide) // 2, len(wide))
    return pa.concat_arrays([_narrowed(wide.take(pa.array(part)), kind) for part in half])


def _gathered(wide: pa.LargeStringArray, slots: Ints) -> pa.LargeStringArray:
    """Give the strings at these slots, none of them NULL, in buffers of their own size."""
    offsets = _offsets(wide)
    starts, ends = offsets[:-1], offsets[1:]
    if len(slots) < len(wide):
        starts, ends = starts[slots], ends[slots]
    if len(slots) == 0 or (starts[1:] != ends[:-1]).any():
        return wide.take(pa.array(slots))
    first, last = int(starts[0]), int(ends[-1])
    bounds = np.concatenate([starts, ends[-1:]]) - first
    data = wide.buffers()[2]
    buffers = [None, pa.py_buffer(bounds), data and data.slice(first, last - first)]
    return pa.Array.from_buffers(pa.large_string(), len(slots), buffers)


def _offsets(wide: pa.LargeStringArray) -> Ints:
    buffer = wide.buffers()[1]
    if not len(wide):
        return np.zeros(1, np.int64)
    return np.frombuffer(buffer, np.int64)[wide.offset : wide.offset + len(wide) + 1]


def _size(wide: pa.LargeStringArray) -> int:
    offsets = _offsets(wide)
    return int(offsets[-1] - offsets[0])


def _codes(array: pa.DictionaryArray) -> Ints:
    """Give the number of each slot's value in the dictionary; of NULL slots anything."""
    codes: Ints = array.indices.fill_null(0).to_numpy().astype(np.int64)
    return codes


def _stored(array: pa.Array) -> pa.Array:
    while isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    return array


def _present(array: pa.Array, slots: Ints, marks: list[Ints]) -> tuple[Ints, list[Ints]]:
    """Leave out the slots that are NULL, and what is known of them."""
    valid = _valid(array)
    if valid is None:
        return slots, marks
    present = valid[slots]
    return slots[present], [mark[present] for mark in marks]


def _valid(array: pa.Array) -> Bools | None:
    """Say which slots are not NULL; None where all are."""
    if not pt.is_dictionary(array.type):
        return array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
    valid = _valid(array.indices)
    named = _valid(array.dictionary)
    if named is None:
        return valid
    # A dictionary may have NULL among its values.
    return named[_codes(array)] if valid is None else valid & named[_codes(array)]
