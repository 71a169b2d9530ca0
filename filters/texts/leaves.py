"""A column and a path into it → the texts at its end, and back.

Plain and nested columns are taken as columns (`nested.py`). Strings that are JSON are read one by
one (`json_text.py`), and give a leaf for each string inside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from .json_text import Literals, literals, spliced
from .nested import Bools, Ints, Steps, changed, reach
from .paths import TextPath, storage

# What may be JSON with strings in it: RE2 looks no further than it must.
_MAYBE_JSON: Final = r'^[ \t\r\n]*[\[{"]'


@dataclass(frozen=True)
class Leaves:
    """The texts that a path leads to in a column, n of them, in order of rows and positions.

    Strings that are JSON, where the path says so, give one leaf for each string inside them;
    other strings are a leaf each, and NULL is none. `texts` may share the column's memory.
    """

    path: TextPath
    texts: pa.LargeStringArray
    """The leaves themselves; of JSON, the decoded string values. No NULLs."""
    rows: Ints
    """The row that each leaf is of, ascending."""
    index: pa.ListArray
    """list<int32>: its position in each list on the way."""
    pointer: pa.StringArray
    """Where the value stands inside the string: a JSON pointer in which members of objects are
    numbered, since keys are text; for a key that of its object. NULL where the string is not taken
    for JSON."""
    fixed: Bools
    """May be looked at but not changed: keys of JSON objects."""
    _source: _Source = field(repr=False)

    def replaced(self, which: Ints, texts: pa.LargeStringArray) -> pa.Array | pa.ChunkedArray:
        """Give the column with `texts` as the leaves `which`, and all else as it is.

        `which` ascends. Of JSON, only the changed part of a literal is written anew; see
        `json_text.spliced`. Dictionaries lose the values that no leaf has any more. Where nothing
        changes, it is the same column. A column whose type cannot number so many values, or so
        many bytes, comes back in chunks; SchemaError where one row alone is too large.

        >>> from corpusgate.filters.texts.paths import parse_path
        >>> column = pa.array([["a", "b"], None, ["c"]])
        >>> tags = leaves(column, parse_path("tags[]"))
        >>> tags.replaced(np.array([1]), pa.array(["x"], pa.large_string())).to_pylist()
        [['a', 'x'], None, ['c']]
        """
        which = np.asarray(which, np.int64)
        texts = texts.cast(pa.large_string())
        if self.fixed[which].any():
            raise ValueError("fixed leaves cannot be replaced")
        differ = pc.not_equal(self.texts.take(pa.array(which)), texts)
        if not differ.true_count:
            return self._source.column
        if differ.false_count:
            which, texts = which[differ.to_numpy(zero_copy_only=False)], texts.filter(differ)
        return self._source.replaced(which, texts, f"text path `{self.path.text}`")


def leaves(column: pa.Array | pa.ChunkedArray, path: TextPath) -> Leaves:
    """Take the leaves out of a column. Raises SchemaError where the path does not fit its type.

    >>> from corpusgate.filters.texts.paths import parse_path
    >>> column = pa.array([[{"text": "a"}, {"text": None}], None, [{"text": "b"}]])
    >>> found = leaves(column, parse_path("messages[].text"))
    >>> found.texts.to_pylist(), found.rows.tolist(), found.index.to_pylist()
    (['a', 'b'], [0, 2], [[0], [0]])
    >>> calls = leaves(pa.array(['{"to": "a"}', "b"]), parse_path("calls{}"))
    >>> list(zip(calls.texts.to_pylist(), calls.pointer.to_pylist(), calls.fixed.tolist()))
    [('to', '', True), ('a', '/0', False), ('b', None, False)]
    """
    steps, kind = path.into(column.type)
    chunks = _chunks(column)
    parts = [reach(chunk, steps) for chunk in chunks]
    firsts = [0, *accumulate(len(chunk) for chunk in chunks)][: len(chunks)]
    rows = _joined([part.rows + first for part, first in zip(parts, firsts, strict=True)])
    levels = [_joined([part.levels[at] for part in parts]) for at in range(steps.count(None))]
    texts = _concatenated([part.texts() for part in parts])
    ends = tuple(accumulate(len(part.rows) for part in parts))
    places = _Places.of(texts) if path.json or isinstance(kind, pa.JsonType) else None
    pointer, fixed = pa.nulls(len(texts), pa.string()), np.zeros(len(texts), bool)
    if places is not None:
        texts, pointer, fixed = places.texts(), places.pointers(), places.keys()
        rows, levels = rows[places.slots], [level[places.slots] for level in levels]
    shared = pt.is_dictionary(storage(kind))
    source = _Source(column, steps, ends, places, shared)
    return Leaves(path, texts, rows, _positions(levels, len(rows)), pointer, fixed, source)


@dataclass(frozen=True)
class _Source:
    """Where leaves come from.

    `ends` counts the strings of the chunks up to the end of each; `shared` says that chunks may
    share a dictionary.
    """

    column: pa.Array | pa.ChunkedArray
    steps: Steps
    ends: tuple[int, ...]
    places: _Places | None
    shared: bool

    def replaced(
        self, which: Ints, texts: pa.LargeStringArray, where: str
    ) -> pa.Array | pa.ChunkedArray:
        """Give the column with other leaves."""
        if self.places is not None:
            which, texts = self.places.spliced(which, texts)
        arrays: list[pa.Array] = []
        begin = first = 0
        for chunk, end in zip(_chunks(self.column), self.ends, strict=True):
            stop = int(np.searchsorted(which, end))
            if stop > begin or self.shared:
                ours, fresh = which[begin:stop] - first, texts[begin:stop]
                arrays += changed(chunk, self.steps, ours, fresh, where)
            else:
                arrays.append(chunk)
            begin, first = stop, end
        if len(arrays) == 1 and isinstance(self.column, pa.Array):
            return arrays[0]
        return pa.chunked_array(arrays, self.column.type)


@dataclass(frozen=True)
class _Places:
    """Strings some of which are JSON, and where the leaves stand in them.

    `slots` says of each leaf in which string it is, and `inside` which of `literals` it is, those
    of all strings together; -1 where it is the string itself.
    """

    strings: pa.LargeStringArray
    slots: Ints
    inside: Ints
    literals: Literals

    @classmethod
    def of(cls, strings: pa.LargeStringArray) -> _Places | None:
        """Look into the strings; None where none is JSON."""
        counts = np.ones(len(strings), np.int64)
        read = np.zeros(len(strings), bool)
        every = Literals([], [], [], [], [])
        maybe = pc.indices_nonzero(pc.match_substring_regex(strings, _MAYBE_JSON))
        for slot in maybe.to_pylist():
            found = _literals(strings[slot])
            if found is not None:
                counts[slot], read[slot] = len(found.texts), True
                every.starts.extend(found.starts)
                every.ends.extend(found.ends)
                every.texts.extend(found.texts)
                every.pointers.extend(found.pointers)
                every.keys.extend(found.keys)
        if not read.any():
            return None
        slots = np.repeat(np.arange(len(strings), dtype=np.int64), counts)
        inside = np.full(len(slots), -1)
        inside[read[slots]] = np.arange(len(every.texts))
        return cls(strings, slots, inside, every)

    def texts(self) -> pa.LargeStringArray:
        """Give the leaves."""
        decoded = _texts(self.literals.texts)
        if len(decoded) == len(self.slots):
            return decoded
        both = pa.concat_arrays([decoded, self.strings])
        return both.take(
            pa.array(np.where(self.inside < 0, self.slots + len(decoded), self.inside))
        )

    def pointers(self) -> pa.StringArray:
        """Give the JSON pointer of each leaf, NULL for strings themselves."""
        pointers = pa.array(self.literals.pointers, pa.string())
        return pointers.take(pa.array(self.inside, mask=self.inside < 0))

    def keys(self) -> Bools:
        """Say which leaves are keys."""
        return np.array([*self.literals.keys, False])[self.inside]

    def spliced(self, which: Ints, texts: pa.LargeStringArray) -> tuple[Ints, pa.LargeStringArray]:
        """Turn changed leaves into changed strings."""
        changes: dict[int, list[tuple[int, int, str]]] = {}
        whole: dict[int, str] = {}
        for slot, inside, text in zip(
            self.slots[which].tolist(), self.inside[which].tolist(), texts.to_pylist(), strict=True
        ):
            if inside < 0:
                whole[slot] = text
            else:
                place = self.literals.starts[inside], self.literals.ends[inside]
                changes.setdefault(slot, []).append((*place, text))
        for slot, some in changes.items():
            whole[slot] = spliced(self.strings[slot].as_py(), some)
        slots = sorted(whole)
        return np.array(slots, np.int64), _texts([whole[slot] for slot in slots])


def _literals(string: pa.LargeStringScalar) -> Literals | None:
    try:
        return literals(string.as_py())
    except UnicodeDecodeError:
        return None  # Arrow does not check; whoever reads the bytes as text will say so


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _texts(strings: list[str]) -> pa.LargeStringArray:
    return pa.array(strings, pa.large_string())


def _concatenated(parts: list[pa.LargeStringArray]) -> pa.LargeStringArray:
    # Of one array alone, Arrow would make a copy.
    return parts[0] if len(parts) == 1 else pa.concat_arrays([_texts([]), *parts])


def _joined(parts: list[Ints]) -> Ints:
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int64), *parts])


def _positions(levels: list[Ints], count: int) -> pa.ListArray:
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(len(levels))
    values = np.column_stack(levels).astype(np.int32).ravel() if levels else np.zeros(0, np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
