"""Leaves of columns of any shape, and columns with other leaves."""

import json
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from corpusgate.filters.errors import SchemaError
from corpusgate.filters.texts import nested
from corpusgate.filters.texts.leaves import Leaves, leaves
from corpusgate.filters.texts.paths import parse_path

CALL = pa.struct(
    {"id": pa.string(), "function": pa.struct({"name": pa.string(), "arguments": pa.string()})}
)
MESSAGE = pa.struct(
    {
        "role": pa.dictionary(pa.int8(), pa.string()),
        "content": pa.string(),
        "tokens": pa.int32(),
        "tool_calls": pa.list_(CALL),
    }
)
ARGUMENTS = ' { "to": "bob@example.org",\t"n": [1.50, "caf\\u00e9 \\/ bob"] } '


def call(arguments: str | None) -> dict[str, Any]:
    return {"id": "call_1", "function": {"name": "mail", "arguments": arguments}}


def texts(*strings: str) -> pa.LargeStringArray:
    return pa.array(strings, pa.large_string())


def put(found: Leaves, old: str, new: str) -> Any:
    """Put `new` in place of `old` in every leaf that may be changed."""
    some = [
        (at, text.replace(old, new))
        for at, text in enumerate(found.texts.to_pylist())
        if old in text and not found.fixed[at]
    ]
    return found.replaced(
        np.array([at for at, _ in some], np.int64), texts(*(one for _, one in some))
    )


def conversations() -> pa.Array:
    roles = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 0, 1], pa.int8()), pa.array(["user", "assistant"])
    )
    contents = pa.array(["bob", None, "", "I am bob"], pa.string())
    tokens = pa.array([1, None, 0, 3], pa.int32())
    calls = pa.array([None, [call(ARGUMENTS), call(None)], [], [call("bob {")]], pa.list_(CALL))
    messages = pa.StructArray.from_arrays(
        [roles, contents, tokens, calls], fields=[MESSAGE.field(at) for at in range(4)]
    )
    return pa.ListArray.from_arrays(pa.array([0, 2, 2, 2, 4], pa.int32()), messages).take(
        pa.array([0, 1, None, 3])
    )


def test_messages_keep_all_but_what_is_said() -> None:
    column = conversations()
    found = leaves(column, parse_path("messages[].content"))
    assert found.texts.to_pylist() == ["bob", "", "I am bob"]
    assert found.rows.tolist() == [0, 3, 3]
    assert found.index.to_pylist() == [[0], [0], [1]]
    assert found.pointer.null_count == 3
    after = put(found, "bob", "<PERSON>")
    after.validate(full=True)
    expected = column.to_pylist()
    expected[0][0]["content"], expected[3][1]["content"] = "<PERSON>", "I am <PERSON>"
    assert after.to_pylist() == expected
    assert after.type == column.type


def test_arguments_of_tool_calls_are_read_as_json() -> None:
    column = conversations()
    found = leaves(column, parse_path("messages[].tool_calls[].function.arguments"))
    met = zip(
        found.rows.tolist(),
        found.index.to_pylist(),
        found.pointer.to_pylist(),
        found.texts.to_pylist(),
        found.fixed.tolist(),
        strict=True,
    )
    assert list(met) == [
        (0, [1, 0], "", "to", True),
        (0, [1, 0], "/0", "bob@example.org", False),
        (0, [1, 0], "", "n", True),
        (0, [1, 0], "/1/1", "caf\u00e9 / bob", False),
        (3, [1, 0], None, "bob {", False),
    ]
    after = put(found, "bob", '"x"')
    expected = column.to_pylist()
    calls = expected[0][1]["tool_calls"], expected[3][1]["tool_calls"]
    calls[0][0]["function"]["arguments"] = ARGUMENTS.replace("bob", r"\"x\"")
    calls[1][0]["function"]["arguments"] = '"x" {'
    assert after.to_pylist() == expected
    with pytest.raises(ValueError, match="fixed"):
        found.replaced(np.array([0]), texts("x"))


def test_an_empty_json_text_has_no_leaf_and_a_scalar_is_plain() -> None:
    column = pa.array(["{}", "[1, 2]", "4155550123", "true", None, "", '"bob"'])
    found = leaves(column, parse_path("c{}"))
    assert found.texts.to_pylist() == ["4155550123", "true", "", "bob"]
    assert found.rows.tolist() == [2, 3, 5, 6]
    assert found.pointer.to_pylist() == [None, None, None, ""]
    assert put(found, "bob", "x").to_pylist()[-1] == '"x"'


@pytest.mark.parametrize("kind", [pa.json_(), pa.json_(pa.large_string())])
def test_json_columns_are_json_without_saying_so(kind: pa.DataType) -> None:
    column = pa.ExtensionArray.from_storage(
        kind, pa.array(['{"a": "bob"}', None], kind.storage_type)
    )
    after = put(leaves(column, parse_path("c")), "bob", "x")
    assert after.type == kind
    assert after.storage.to_pylist() == ['{"a": "x"}', None]


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.uint32(), pa.string_view(), ordered=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("chunked", [False, True])
def test_every_kind_of_string_keeps_its_type(kind: pa.DataType, chunked: bool) -> None:
    column = pa.array(["a", None, "bob", "", "bob and a long text behind"]).cast(kind)
    column = pa.chunked_array([column[:2], column[2:2], column[2:]]) if chunked else column
    found = leaves(column, parse_path("c"))
    assert found.texts.to_pylist() == ["a", "bob", "", "bob and a long text behind"]
    after = put(found, "bob", "x")
    assert (type(after), after.type) == (type(column), kind)
    assert after.to_pylist() == ["a", None, "x", "", "x and a long text behind"]
    assert put(found, "nobody", "x") is column
    assert found.replaced(np.array([1]), texts("bob")) is column


@pytest.mark.parametrize(
    "column",
    [pa.array([], pa.string()), pa.chunked_array([], pa.string()), pa.nulls(3, pa.string())],
    ids=["empty", "no chunks", "nulls"],
)
def test_a_column_without_texts_has_no_leaves(column: pa.Array) -> None:
    found = leaves(column, parse_path("c"))
    assert len(found.texts) == len(found.rows) == len(found.index) == len(found.fixed) == 0
    assert found.replaced(np.array([], np.int64), texts()) is column


def test_what_is_under_a_null_is_no_leaf_and_stays() -> None:
    items = pa.array(["a", "hidden", "b"])
    offsets = pa.array([0, 1, 2, 3], pa.int32())
    column = pa.ListArray.from_arrays(offsets, items, mask=pa.array([False, True, False]))
    found = leaves(column, parse_path("c[]"))
    assert found.texts.to_pylist() == ["a", "b"]
    after = found.replaced(np.array([1]), texts("longer"))
    assert after.to_pylist() == [["a"], None, ["longer"]]
    assert after.values.to_pylist() == ["a", "hidden", "longer"]


def test_dictionaries_lose_what_no_row_says_any_more() -> None:
    values = pa.array(["bob", "alice", "of a row elsewhere", None])
    codes = pa.array([0, 1, 1, None, 3, 0], pa.int8())
    one = pa.DictionaryArray.from_arrays(codes, values)
    two = pa.DictionaryArray.from_arrays(pa.array([1], pa.int8()), values)
    after = put(leaves(pa.chunked_array([one, two]), parse_path("c")), "bob", "alice")
    assert after.to_pylist() == ["alice", "alice", "alice", None, None, "alice", "alice"]
    assert [chunk.dictionary.to_pylist() for chunk in after.chunks] == [["alice"], ["alice"]]


def test_a_dictionary_may_be_full() -> None:
    column = pa.array(["bob"] * 128).cast(pa.dictionary(pa.int8(), pa.string()))
    fresh = [f"person {number}" for number in range(128)]
    after = leaves(column, parse_path("c")).replaced(np.arange(128), texts(*fresh))
    assert isinstance(after, pa.DictionaryArray)
    assert after.to_pylist() == fresh


def test_a_dictionary_that_no_row_reaches_is_emptied() -> None:
    kind = pa.list_(pa.dictionary(pa.int8(), pa.string()))
    one = pa.array([["bob"]]).cast(kind)
    hidden = pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), pa.array(["bob"]))
    offsets = pa.array([0, 1], pa.int32())
    two = pa.ListArray.from_arrays(offsets, hidden, type=kind, mask=pa.array([True]))
    after = put(leaves(pa.chunked_array([one, two]), parse_path("c[]")), "bob", "x")
    after.validate(full=True)
    assert after.to_pylist() == [["x"], None]
    assert after.chunk(1).values.dictionary.to_pylist() == []


def test_a_dictionary_that_overflows_comes_back_in_chunks() -> None:
    column = pa.array([["bob", "eve"]] * 200).cast(pa.list_(pa.dictionary(pa.int8(), pa.string())))
    found = leaves(column, parse_path("c[]"))
    fresh = [f"person {number}" for number in range(400)]
    after = found.replaced(np.arange(400), texts(*fresh))
    assert after.type == column.type
    assert after.num_chunks > 1
    assert [one for row in after.to_pylist() for one in row] == fresh


def test_a_row_that_its_type_cannot_hold_is_said_without_its_text() -> None:
    column = pa.array([["bob"] * 300]).cast(pa.list_(pa.dictionary(pa.int8(), pa.string())))
    found = leaves(column, parse_path("names[]"))
    with pytest.raises(SchemaError) as caught:
        found.replaced(np.arange(300), texts(*(f"secret {number}" for number in range(300))))
    assert str(caught.value) == (
        "text path `names[]`: the new texts of one row are more than "
        "dictionary<values=string, indices=int8, ordered=0> can hold. "
        "Give the column a wider type"
    )
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view()], ids=str)
def test_more_bytes_than_offsets_reach(monkeypatch: pytest.MonkeyPatch, kind: pa.DataType) -> None:
    monkeypatch.setattr(nested, "_ADDRESSABLE", 100)
    column = pa.array(["a", None, "b", "c", "d"], kind)
    found = leaves(column, parse_path("c"))
    fresh = [letter * 40 for letter in "abcd"]
    after = found.replaced(np.arange(4), texts(*fresh))
    assert after.to_pylist() == [fresh[0], None, *fresh[1:]]
    assert isinstance(after, pa.ChunkedArray) == (kind == pa.string())
    with pytest.raises(SchemaError, match="wider type"):
        found.replaced(np.array([0]), texts("a" * 101))


def test_views_that_share_items_part_where_they_differ() -> None:
    column = pa.ListViewArray.from_arrays(
        pa.array([1, 0, 1], pa.int32()), pa.array([2, 2, 1], pa.int32()), pa.array(["a", "b", "c"])
    )
    found = leaves(column, parse_path("c[]"))
    assert found.texts.to_pylist() == ["b", "c", "a", "b", "b"]
    after = found.replaced(np.array([0, 4]), texts("x", "y"))
    assert after.type == column.type
    assert after.to_pylist() == [["x", "c"], ["a", "b"], ["y"]]


def test_what_lies_beside_the_way_is_the_same_memory() -> None:
    column = conversations()
    after = put(leaves(column, parse_path("m[].content")), "bob", "x")
    for name in ("role", "tool_calls"):
        before, behind = (array.flatten().field(name) for array in (column, after))
        addresses = [
            [buffer and buffer.address for buffer in array.buffers()] for array in (before, behind)
        ]
        assert addresses[0] == addresses[1]


def test_texts_that_stand_side_by_side_are_not_copied() -> None:
    column = pa.array(["skipped", "a", None, "bob", "c", "cut off"], pa.string())
    found = leaves(column[1:5], parse_path("c")).texts
    assert found.to_pylist() == ["a", "bob", "c"]
    data = found.buffers()[2]
    assert data.address == column.buffers()[2].address + len("skipped")
    assert data.size == len("abobc")
    assert found.offset == 0


@pytest.mark.parametrize("path", ["c", "c{}"])
def test_bytes_that_are_no_utf8_are_left_to_the_scanner(path: str) -> None:
    data = pa.py_buffer(b'{"a": "\xff"}{"a": "b"}')
    offsets = pa.py_buffer(np.array([0, 10, 20], np.int32))
    column = pa.Array.from_buffers(pa.string(), 2, [None, offsets, data])
    found = leaves(column, parse_path(path))
    assert found.texts.cast(pa.large_binary())[0].as_py() == b'{"a": "\xff"}'
    assert found.pointer[0].as_py() is None


def test_polars_columns_come_as_arrow_and_go_back() -> None:
    frame = pl.DataFrame({"tags": [["bob", None], None, []], "kind": ["bob", "a", None]})
    frame = frame.with_columns(pl.col("kind").cast(pl.Categorical))
    for name, path in (("tags", "tags[]"), ("kind", "kind")):
        for level in (pl.CompatLevel.oldest(), pl.CompatLevel.newest()):
            column = frame[name].to_arrow(compat_level=level)
            after = put(leaves(column, parse_path(path)), "bob", "x")
            assert after.type == column.type
            expected = frame[name].to_list()
            if name == "tags":
                expected[0][0] = "x"
            else:
                expected[0] = "x"
            assert pl.Series(after).to_list() == expected


@pytest.mark.slow
def test_one_text_of_fifty_megabytes() -> None:
    long = "all work and no play " * 2_400_000
    column = pa.array([json.dumps({"note": long + "bob"}), "bob"])
    found = leaves(column, parse_path("arguments"))
    assert [len(one) for one in found.texts.to_pylist()] == [4, len(long) + 3, 3]
    after = put(found, "bob", "x")
    assert json.loads(after[0].as_py()) == {"note": long + "x"}
    assert after[1].as_py() == "x"


def test_a_path_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SchemaError, match="it leads to int64"):
        leaves(pa.array([1]), parse_path("c"))
