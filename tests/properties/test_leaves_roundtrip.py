"""Leaves of a column, and the column with other leaves, against plain walks over Python lists."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from corpusgate.filters.leaves import Leaves, leaves
from corpusgate.filters.paths import parse_path
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.columns import columns, texts
from properties.efforts import efforts


def by_walking(value: Any, steps: tuple[str | None, ...]) -> Iterator[tuple[list[int], str]]:
    """Give the texts in a row, and their places."""
    if value is None:
        return
    if not steps:
        yield [], value
    elif steps[0] is None:
        for position, item in enumerate(value):
            for index, text in by_walking(item, steps[1:]):
                yield [position, *index], text
    elif isinstance(value, tuple):
        yield from by_walking(value[("key", "value").index(steps[0])], steps[1:])
    else:
        yield from by_walking(value[steps[0]], steps[1:])


def with_others(value: Any, steps: tuple[str | None, ...], fresh: Iterator[str]) -> Any:
    """Give the row with its texts taken from `fresh`."""
    if value is None:
        return None
    if not steps:
        return next(fresh)
    if steps[0] is None:
        return [with_others(item, steps[1:], fresh) for item in value]
    if isinstance(value, tuple):
        place = ("key", "value").index(steps[0])
        return tuple(
            with_others(part, steps[1:], fresh) if at == place else part
            for at, part in enumerate(value)
        )
    return {
        name: with_others(part, steps[1:], fresh) if name == steps[0] else part
        for name, part in value.items()
    }


def some_others(data: st.DataObject, found: Leaves) -> tuple[np.ndarray, pa.LargeStringArray]:
    count = len(found.texts)
    chosen = data.draw(st.sets(st.integers(0, count - 1))) if count else set()
    fresh = data.draw(st.lists(texts, min_size=len(chosen), max_size=len(chosen)))
    return np.array(sorted(chosen), np.int64), pa.array(fresh, pa.large_string())


@efforts(fast=400, slow=5000)
def test_leaves_are_what_a_walk_finds(effort: settings) -> None:
    @effort
    @given(columns())
    def check(drawn: tuple[pa.Array, str]) -> None:
        column, text = drawn
        path = parse_path(text)
        found = leaves(column, path)
        expected = [
            (row, index, text)
            for row, value in enumerate(column.to_pylist())
            for index, text in by_walking(value, path.steps)
        ]
        met = zip(
            found.rows.tolist(), found.index.to_pylist(), found.texts.to_pylist(), strict=True
        )
        assert list(met) == expected
        assert found.texts.type == pa.large_string()
        assert found.index.type == pa.list_(pa.int32())
        assert found.pointer.null_count == len(found.pointer) == len(expected)
        assert found.fixed.tolist() == [False] * len(expected)
        for part in (found.texts, found.index, found.pointer):
            part.validate(full=True)

    check()


@efforts(fast=500, slow=8000)
def test_others_stand_where_they_were_put_and_nothing_else_moves(effort: settings) -> None:
    @effort
    @given(columns(), st.data())
    def check(drawn: tuple[pa.Array, str], data: st.DataObject) -> None:
        column, text = drawn
        path = parse_path(text)
        found = leaves(column, path)
        which, fresh = some_others(data, found)
        after = found.replaced(which, fresh)
        after.validate(full=True)
        expected = found.texts.to_pylist()
        for at, new in zip(which.tolist(), fresh.to_pylist(), strict=True):
            expected[at] = new
        assert after.type == column.type
        others = iter(expected)
        assert after.to_pylist() == [
            with_others(value, path.steps, others) for value in column.to_pylist()
        ]
        again = leaves(after, path)
        assert again.texts.to_pylist() == expected
        assert again.rows.tolist() == found.rows.tolist()
        assert again.index.equals(found.index)
        if expected == found.texts.to_pylist():
            assert after is column
        # And back: what a dictionary has lost it may have back in another order.
        back = again.replaced(which, found.texts.take(pa.array(which)))
        assert back.to_pylist() == column.to_pylist()
        assert "dictionary" in str(column.type) or back.equals(column)

    check()
