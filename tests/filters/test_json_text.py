"""Strings inside JSON text."""

import json
from time import process_time

import pytest
from corpusgate.filters.texts.json_text import Literals, literals, spliced

E_ACUTE = "\u00e9"


def others(text: str, old: str, new: str) -> list[tuple[int, int, str]]:
    """Give the changes that put `new` in place of `old` in every value."""
    found = literals(text) or Literals([], [], [], [], [])
    return [
        (start, end, said.replace(old, new))
        for start, end, said, _, key in zip(*found, strict=True)
        if not key
    ]


def values(text: str) -> list[str]:
    return [said for _, _, said in others(text, "", "")]


def holds_no_string(text: str) -> bool:
    try:
        return not isinstance(json.loads(text), (dict, list, str))
    except ValueError:
        return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", []),
        (" [ ] \n", []),
        ("[1, -2.5e+3, true, false, null, NaN, -Infinity]", []),
        ('"a"', [(0, 3, "a", "", False)]),
        ('["a","b"]', [(1, 4, "a", "/0", False), (5, 8, "b", "/1", False)]),
        ('[1,[],{},"a"]', [(9, 12, "a", "/3", False)]),
        ('{"a" : "b"}', [(1, 4, "a", "", True), (7, 10, "b", "/0", False)]),
        (
            '{"a/b":{"~":["x"]}}',
            [
                (1, 6, "a/b", "", True),
                (8, 11, "~", "/0", True),
                (13, 16, "x", "/0/0/0", False),
            ],
        ),
        (
            '{"a":"x","a":"y"}',
            [
                (1, 4, "a", "", True),
                (5, 8, "x", "/0", False),
                (9, 12, "a", "", True),
                (13, 16, "y", "/1", False),
            ],
        ),
        (r'["\"\\\/\b\f\n\r\t"]', [(1, 19, '"\\/\b\f\n\r\t', "/0", False)]),
        (r'["\u00e9\uD83D\uDE00!"]', [(1, 22, f"{E_ACUTE}\U0001f600!", "/0", False)]),
        (
            r'["\ud83d", "\ude00\ud83d"]',
            [(1, 9, "\ufffd", "/0", False), (11, 25, "\ufffd\ufffd", "/1", False)],
        ),
        ('["\U0001f600"]', [(1, 4, "\U0001f600", "/0", False)]),
    ],
)
def test_strings_are_found_where_they_stand(text: str, expected: list[tuple[object, ...]]) -> None:
    found = literals(text)
    assert found is not None
    assert list(zip(*found, strict=True)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "hello",
        "{hello}",
        "[see above] and more",
        "4155550123",
        "true",
        "'a'",
        '"a" "b"',
        '{"a":1,}',
        "[1,]",
        "[,1]",
        "[1 2]",
        '{"a"}',
        '{"a":}',
        "{1:2}",
        '{"a":1]',
        "[1}",
        "[01]",
        "[1.]",
        "[1.e5]",
        "[1e]",
        "[1.5e+]",
        '["4155550123", 1.]',
        r'["\u12\n"]',
        r'["\u"a"]',
        "[.5]",
        "[+1]",
        "[--1]",
        "[tru]",
        "[nullx]",
        '["a]',
        '["a\nb"]',
        r'["\x41"]',
        r'["\u12"]',
        '["a"',
        "[1]]",
        "\ufeff[1]",
        "\u00a0[1]",
        "[\u0661]",
    ],
)
def test_what_json_does_not_read_is_none(text: str) -> None:
    assert literals(text) is None
    assert holds_no_string(text)


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        # What is written in front of the change and behind it stays.
        (r'{"k": "\u00e9\/ bob \/\u00e9"}', "bob", "<N>", r'{"k": "\u00e9\/ <N> \/\u00e9"}'),
        ('{ "k"\t:\n"bob" }', "bob", "x", '{ "k"\t:\n"x" }'),
        # Between two changes, and in the new text, escapes follow the literal's.
        (r'["bob\/\u003C\u00e9 bob"]', "bob", "<b>/", r'["\u003Cb>\/\/\u003C\u00e9 \u003Cb>\/"]'),
        (f'["bob {E_ACUTE}"]', "bob", E_ACUTE, f'["{E_ACUTE} {E_ACUTE}"]'),
        ('["bob"]', "bob", E_ACUTE, r'["\u00e9"]'),
        ('["bob"]', "bob", "\U0001f600", r'["\ud83d\ude00"]'),
        ('["bob"]', "bob", 'a"\\\n\x01\x7f', r'["a\"\\\n\u0001\u007f"]'),
        # A character that is written in two ways has none of its own.
        (r'["bob \/ / bob"]', "bob", "x", '["x / / x"]'),
        (r'["bob \/\u002f bob"]', "bob", "x", '["x // x"]'),
        # Half a pair stays as it is, and becomes no whole.
        (r'["\ud83d bob \ude00"]', "bob", "x", r'["\ud83d x \ude00"]'),
        (r'["bob\ud83dbob"]', "bob", "x", r'["x\ud83dx"]'),
        (r'["\ud83dbob\ude00"]', "bob", "", r'["\ufffd\ufffd"]'),
        ('["bob"]', "bob", "", '[""]'),
        (r'["\/bob' + '\x7fbob"]', "bob", "a\n", r'["\/a\n' + "\x7f" + r'a\n"]'),
        ('""', "", "bob", '"bob"'),
        (r'["bob \u0022\u0041bob"]', "bob", '"A', r'["\u0022\u0041 \u0022\u0041\u0022\u0041"]'),
    ],
)
def test_only_the_change_is_written_anew(text: str, old: str, new: str, expected: str) -> None:
    changes = others(text, old, new)
    after = spliced(text, changes)
    assert after == expected
    assert values(after) == [said for _, _, said in changes]


def test_several_literals_are_changed_at_once() -> None:
    text = '{"a": "x", "b": ["y", "z"]}'
    first, second, third = others(text, "", "")
    changes = [(*first[:2], "longer"), (*third[:2], "")]
    assert spliced(text, changes) == '{"a": "longer", "b": ["y", ""]}'
    assert spliced(text, [second]) == spliced(text, []) == text


@pytest.mark.parametrize("deep", [128, 129, 100_000])
def test_depth_is_bounded_and_does_not_depend_on_the_caller(deep: int) -> None:
    found = literals("[" * deep + '"a"' + "]" * deep)
    assert (found is not None) == (deep <= 128)


def test_pointers_cannot_outgrow_the_text() -> None:
    deep, many = 120, ",".join(['"a"'] * 2_000)
    assert literals("[" * deep + many + "]" * deep) is None
    assert literals("[" * 4 + many + "]" * 4) is not None


def test_keys_are_in_no_pointer() -> None:
    found = literals('{"bob@acme.org":{"x":["a"]}}')
    assert found is not None
    assert found.pointers == ["", "/0", "/0/0/0"]


def test_a_huge_number_is_a_number() -> None:
    found = literals("[" + "9" * 1_000_000 + ',"a"]')
    assert found is not None
    assert found.texts == ["a"]


@pytest.mark.parametrize("unit", ["x", r"\n", r"\u00e9", '","', "[", '":"'], ids=repr)
def test_time_grows_with_length_and_no_faster(unit: str) -> None:
    def seconds(count: int) -> float:
        text = f'{{"a":["bob{unit * count}bob"]}}'
        begun = process_time()
        spliced(text, others(text, "bob", "<P>")[:1])
        return process_time() - begun

    short = min(seconds(20_000) for _ in range(3))
    assert seconds(320_000) < 16 * 4 * short + 0.2
