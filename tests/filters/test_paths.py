"""Paths to text inside a column."""

import pyarrow as pa
import pytest
from corpusgate.filters.errors import SchemaError
from corpusgate.filters.texts.paths import TextPath, holds_text, parse_path, storage

CALLS = pa.list_(
    pa.struct({"function": pa.struct({"name": pa.string(), "arguments": pa.string()})})
)
MESSAGE = pa.struct({"role": pa.string(), "content": pa.large_string(), "tool_calls": CALLS})
TWICE = pa.struct([("a", pa.string()), ("a", pa.string())])


@pytest.mark.parametrize(
    ("text", "column", "steps", "json"),
    [
        ("text", "text", (), False),
        ("meta.title", "meta", ("title",), False),
        ("messages[].content", "messages", (None, "content"), False),
        ("messages[].content[].text", "messages", (None, "content", None, "text"), False),
        ("m[].calls[].f.arguments", "m", (None, "calls", None, "f", "arguments"), True),
        ("arguments", "arguments", (), True),
        ("arguments[]", "arguments", (None,), False),
        ("arguments.note", "arguments", ("note",), False),
        ("payload{}", "payload", (), True),
        ("tags[]", "tags", (None,), False),
        ("tags[]{}", "tags", (None,), True),
        ("grid[][]", "grid", (None, None), False),
        ("attributes[].value", "attributes", (None, "value"), False),
        ("meta.body{}", "meta", ("body",), True),
        ("a b.c d", "a b", ("c d",), False),
    ],
)
def test_paths_are_read(text: str, column: str, steps: tuple[str | None, ...], json: bool) -> None:
    assert parse_path(text) == TextPath(text, column, steps, json)


@pytest.mark.parametrize(
    "text", ["", ".", "[]", ".a", "a.", "a[", "a]", "a[0]", "a..b", "a[]b", "{}"]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(SchemaError, match="cannot be read"):
        parse_path(text)


@pytest.mark.parametrize(
    ("text", "names", "column", "json"),
    [
        ("a.b", ["a.b"], "a.b", False),
        ("a.b{}", ["a.b"], "a.b", True),
        ("a{}", ["a{}", "a"], "a{}", False),
        ("a{}", ["a"], "a", True),
        ("arguments", ["arguments"], "arguments", True),
    ],
)
def test_a_column_may_be_named_like_a_path(
    text: str, names: list[str], column: str, json: bool
) -> None:
    assert parse_path(text, names) == TextPath(text, column, (), json)


@pytest.mark.parametrize(
    ("text", "kind", "steps"),
    [
        ("c", pa.string(), ()),
        ("c", pa.string_view(), ()),
        ("c", pa.dictionary(pa.int8(), pa.large_string()), ()),
        ("c", pa.json_(), ()),
        ("c", pa.json_(pa.large_string()), ()),
        ("c[]", pa.list_(pa.string(), 2), (None,)),
        ("c[]", pa.large_list(pa.dictionary(pa.int32(), pa.string())), (None,)),
        ("c[]", pa.list_view(pa.string()), (None,)),
        ("c[]", pa.large_list_view(pa.json_()), (None,)),
        ("c[].content", pa.list_(MESSAGE), (None, 1)),
        ("c[].tool_calls[].function.arguments", pa.list_(MESSAGE), (None, 2, None, 0, 1)),
        ("c[].key", pa.map_(pa.string(), pa.int8()), (None, 0)),
        ("c[].value", pa.map_(pa.int8(), pa.string()), (None, 1)),
        (
            "c[].value",
            pa.map_(pa.field("k", pa.int8(), nullable=False), pa.field("v", pa.string())),
            (None, 1),
        ),
        ("c[].value[]", pa.map_(pa.int8(), pa.list_(pa.string())), (None, 1, None)),
    ],
)
def test_paths_lead_into_types(text: str, kind: pa.DataType, steps: tuple[int | None, ...]) -> None:
    path = parse_path(text)
    path.check(pa.schema({"c": kind}))
    found, strings = path.into(kind)
    assert found == steps
    assert holds_text(strings)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("d", pa.string(), "there is no column `d`"),
        ("c", pa.int8(), "it leads to int8, not to text"),
        ("c", pa.binary(), "it leads to binary, not to text"),
        ("c", MESSAGE, "not to text"),
        ("c", pa.run_end_encoded(pa.int32(), pa.string()), "not to text"),
        ("c{}", pa.list_(pa.string()), "not to text"),
        ("c", pa.dictionary(pa.int8(), pa.int64()), "not to text"),
        ("c", pa.uuid(), "not to text"),
        ("c[]", pa.string(), r"`\[\]` on string, which is no list"),
        ("c[]", MESSAGE, "which is no list"),
        ("c.content", pa.list_(MESSAGE), r"`\.content` on something that is no struct. Add \[\]"),
        ("c.key", pa.map_(pa.string(), pa.string()), r"no struct. Add \[\]"),
        ("c.a", pa.string(), "no struct. End the path before it"),
        ("c.contents", MESSAGE, "no field `contents`. Did you mean `content`"),
        ("c[].valu", pa.map_(pa.string(), pa.string()), "Did you mean `value`"),
        ("c.a", TWICE, "two fields are named `a`"),
    ],
)
def test_what_leads_nowhere_is_said(text: str, kind: pa.DataType, said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        parse_path(text).check(pa.schema({"c": kind}))


def test_storage_is_what_an_extension_wraps() -> None:
    assert storage(pa.json_(pa.large_string())) == pa.large_string()
    assert storage(MESSAGE) == MESSAGE


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        (MESSAGE, True),
        (pa.map_(pa.int8(), pa.string()), True),
        (pa.list_view(pa.binary()), True),
        (pa.dictionary(pa.int8(), pa.string()), True),
        (pa.json_(), True),
        (pa.run_end_encoded(pa.int32(), pa.string()), True),
        (pa.map_(pa.int8(), pa.bool_()), False),
        (pa.struct({"a": pa.timestamp("us")}), False),
    ],
)
def test_text_is_seen_wherever_it_stands(kind: pa.DataType, holds: bool) -> None:
    assert holds_text(kind) == holds
