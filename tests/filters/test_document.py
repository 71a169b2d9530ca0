"""YAML without its surprises."""

import pytest
from corpusgate.filters.document import parse_document, spell, suggest


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (
            "a: yes\nb: No\nc: on\nd: OFF\ne: y",
            {"a": "yes", "b": "No", "c": "on", "d": "OFF", "e": "y"},
        ),
        ("a: true\nb: False", {"a": True, "b": False}),
        (
            "a: 2023-03-01\nb: 2023-03-01T00:00:00Z",
            {"a": "2023-03-01", "b": "2023-03-01T00:00:00Z"},
        ),
        (
            "a: 1:30\nb: 0x1F\nc: 010\nd: 1_000",
            {"a": "1:30", "b": "0x1F", "c": "010", "d": "1_000"},
        ),
        ("a: ~\nb:\nc: null", {"a": None, "b": None, "c": None}),
        ("a: &x [1]\nb: 2", {"a": [1], "b": 2}),
        ("a: !!str 5", {"a": "5"}),
        ("\ufeffa: 1", {"a": 1}),
        ("", {}),
        ("# only a remark", {}),
        ("- a", ["a"]),
    ],
)
def test_data(text, data):
    document = parse_document(text)
    assert document.data == data
    assert document.faults == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "2:1 a: this key stands here twice"),
        ("b:\n  a: 1\n  'a': 2", "3:3 b.a: this key stands here twice"),
        ("x: &x {a: 1}\ny: {<<: *x, b: 2}", "2:5 y.<<: a merge key"),
        ("a: !foo 1", "1:4 a: the YAML tag `!foo`"),
        ("a: !!python/object:os.system x", "1:4 a: the YAML tag `python/object:os.system`"),
        ("a: !!binary aGk=", "1:4 a: the YAML tag `binary`"),
        ("\ta: 1", "1:1 file: not YAML"),
        ("a: 1\n---\nb: 2", "2:1 file: not YAML"),
        ("a: [1", "1:6 file: not YAML"),
        ("a: *b", "1:4 file: not YAML: found undefined alias"),
        ("a: \x00", "file: not YAML text. Save it as UTF-8 text"),
    ],
)
def test_faults(text, said):
    assert str(parse_document(text).faults[0]).startswith(said)


@pytest.mark.parametrize(
    "text",
    ["a: .inf", "a: .nan", "a: 1__0.5", "a: " + "1" * 5_000, "a: &a [*a]", "[" * 3_000],
    ids=lambda text: text[:12],
)
def test_odd_documents_are_faults(text):
    assert parse_document(text).faults or parse_document(text).data


@pytest.mark.parametrize("text", ["a: !foo {x: 1}", "a: !foo [1]", "a: !!set {x}", "a: !!null x"])
def test_tags_of_collections_are_faults(text):
    assert parse_document(text).faults


def test_a_key_that_is_a_list_is_a_fault():
    assert parse_document("? [a, b]\n: 1").faults


def test_positions():
    document = parse_document("a:\n  - b: 1\n    c: 2")
    assert document.position(("a", 0, "c")) == "3:5"
    assert document.position(("a", 0, "missing")) == "2:5"
    assert spell(("a", 0, "c")) == "a[0].c"
    assert suggest("zzz", ["b", "a"]) == "one of a, b"
