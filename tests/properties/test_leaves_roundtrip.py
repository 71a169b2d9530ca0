"""Leaves of a column, and the column with other leaves, against plain walks over Python lists."""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from corpusgate.filters.texts.json_text import literals, spliced
from corpusgate.filters.texts.leaves import Leaves, leaves
from corpusgate.filters.texts.paths import parse_path, storage
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.columns import columns, texts
from properties.efforts import efforts
from properties.json_texts import json_texts, nearly_json

Json = Any


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


@efforts(fast=125, slow=1500)
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


@efforts(fast=150, slow=700)
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
        strings = storage(path.into(column.type)[1])
        assert pa.types.is_dictionary(strings) or back.equals(column)

    check()


class Pairs(list):
    """A JSON object, its keys as often as they stand there."""


def parsed(text: str) -> Json:
    return json.loads(text, object_pairs_hook=Pairs)


def strings_in(value: Json, pointer: str = "") -> Iterator[tuple[str, str, bool]]:
    """Give the strings of a JSON value: what each says, its pointer, whether it is a key."""
    if isinstance(value, Pairs):
        for at, (key, item) in enumerate(value):
            yield said(key), pointer, True
            yield from strings_in(item, f"{pointer}/{at}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from strings_in(item, f"{pointer}/{at}")
    elif isinstance(value, str):
        yield said(value), pointer, False


def said(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def with_strings(value: Json, fresh: Iterator[str]) -> Json:
    if isinstance(value, Pairs):
        return Pairs([(next(fresh), with_strings(item, fresh)) for _, item in value])
    if isinstance(value, list):
        return [with_strings(item, fresh) for item in value]
    return next(fresh) if isinstance(value, str) else value


@efforts(fast=100, slow=1500)
@pytest.mark.parametrize("drawn", [json_texts(), nearly_json()], ids=["json", "nearly"])
def test_strings_of_json_are_what_a_walk_finds(
    effort: settings, drawn: st.SearchStrategy[str]
) -> None:
    @effort
    @given(drawn)
    def check(text: str) -> None:
        found = literals(text)
        try:
            value = parsed(text)
        except ValueError:
            value = None
        if not isinstance(value, (list, str)):
            assert found is None
            return
        assert found is not None
        assert list(zip(found.texts, found.pointers, found.keys, strict=True)) == list(
            strings_in(value)
        )
        for start, end, one in zip(found.starts, found.ends, found.texts, strict=True):
            assert said(json.loads(text[start:end])) == one

    check()


@efforts(fast=100, slow=1500)
def test_only_changed_literals_are_written_anew(effort: settings) -> None:
    @effort
    @given(json_texts(), st.data())
    def check(text: str, data: st.DataObject) -> None:
        found = literals(text)
        assert found is not None
        expected, changes, kept, at = list(found.texts), [], "", 0
        for number, (start, end) in enumerate(zip(found.starts, found.ends, strict=True)):
            if data.draw(st.booleans()):
                old = found.texts[number]
                one, other = sorted(data.draw(st.tuples(*[st.integers(0, len(old))] * 2)))
                expected[number] = old[:one] + data.draw(texts) + old[other:]
                changes.append((start, end, expected[number]))
                kept += re.escape(text[at:start]) + r'"(?:[^"\\]|\\.)*"'
                at = end
        after = spliced(text, changes)
        assert re.fullmatch(kept + re.escape(text[at:]), after)
        again = literals(after)
        assert again is not None
        assert again.texts == expected
        others = iter(expected)
        assert [one for one, _, _ in strings_in(parsed(after))] == [
            one for one, _, _ in strings_in(with_strings(parsed(text), others))
        ]

    check()


@efforts(fast=50, slow=700)
def test_leaves_in_json_are_put_back_where_they_were(effort: settings) -> None:
    lists = st.none() | st.lists(st.none() | json_texts() | nearly_json() | texts, max_size=3)
    path = parse_path("calls[].function.arguments")

    def writable(row: list[str | None] | None) -> bool:
        return "\ufffd" not in said("".join(one or "" for one in row or []))

    @effort
    @given(st.lists(lists.filter(writable), max_size=4), st.data())
    def check(rows: list[list[str | None] | None], data: st.DataObject) -> None:
        function = pa.struct({"name": pa.string(), "arguments": pa.string()})
        column = pa.array(
            [
                row and [{"function": {"name": "f", "arguments": one}} for one in row]
                for row in rows
            ],
            pa.list_(pa.struct({"function": function})),
        )
        found = leaves(column, path)
        expected = []
        for row, value in enumerate(rows):
            for at, one in enumerate(value or []):
                inside = None if one is None else literals(one)
                if inside is not None:
                    strings = zip(inside.texts, inside.pointers, inside.keys, strict=True)
                    expected += [(row, [at], *string) for string in strings]
                elif one is not None:
                    expected.append((row, [at], one, None, False))
        columns = found.rows, found.index, found.texts, found.pointer, found.fixed
        assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected
        which = [at for at in np.flatnonzero(~found.fixed).tolist() if data.draw(st.booleans())]
        fresh = [f"{found.texts[at].as_py()}{data.draw(texts)}x" for at in which]
        after = found.replaced(np.array(which, np.int64), pa.array(fresh, pa.large_string()))
        after.validate(full=True)
        again = leaves(after, path)
        wanted = found.texts.to_pylist()
        for at, one in zip(which, fresh, strict=True):
            wanted[at] = one
        # A plain text that only now is JSON would be read as such.
        plain = [
            one for one, pointer in zip(wanted, found.pointer, strict=True) if not pointer.is_valid
        ]
        if all(literals(one) is None for one in plain):
            assert again.texts.to_pylist() == wanted
            assert again.pointer.equals(found.pointer)

    check()
