"""What is looked for ends wherever a pattern matches; what is folded keeps its class."""

import pickle
import re
import sys

import pyarrow as pa
import pytest
import regex
from corpusgate.filters.detect import prefilter
from corpusgate.filters.detect.fold import folded
from corpusgate.filters.detect.prefilter import Expression, Prefilter
from corpusgate.filters.detect.shapes import shape
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.efforts import efforts

FLAGS = int(regex.DOTALL | regex.MULTILINE | regex.IGNORECASE)
TEXTS = st.text(
    st.sampled_from(
        "09aAkKsSiIxz_-.:@/ \n\t()+\x00\x1céß٣\uff17\u212a\u017f\u0130\u0131\u00a0\u2009\u2019😀"
    ),
    max_size=30,
)
PATTERNS = [
    r"\b[0-9]{3,5}\b",
    r"\d{2}[- ]?\d{2}",
    r"(?<![\w:])a+(?:-a+)*(?![\w:])",
    r"(?<=x:)\d+",
    r"[^\W\d_]{2}",
    r"x[^\D]a[^\S\n]",
    r"[^a-z]k",
    r"(s|k|i){2}",
    r"\w+@\w+\.\w",
    r"([:-])a\1",
    r"^a.?$",
    r"(?:é|x)+\s",
    r"\S{2,70}?z",
    r"s(?-i:[A-Z]s)[^\W\d]x",
]


def texts(*values):
    return pa.array(values, pa.large_string())


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("flags", [FLAGS, FLAGS & ~int(regex.IGNORECASE)], ids=["any", "case"])
@efforts(fast=50, slow=300)
def test_every_match_is_announced(effort, pattern, flags):
    known = shape(pattern, flags)
    expression = Expression(known.expression, known.caseless)
    found = Prefilter([expression])
    compiled = regex.compile(pattern, flags)

    @effort
    @given(TEXTS)
    def announced(text):
        ends = found.scan(folded(texts(text)).data)[expression] - 1 - known.shift
        for start in range(len(text)):
            match = compiled.match(text, start)
            if match is None or match.start() == match.end():
                continue
            assert known.least <= match.end() - start <= (known.most or 99)
            near = [
                end
                for end in ends
                if start <= end - known.fore
                and (known.back is None or end - known.back <= start)
                and end <= match.end()
            ]
            assert near, (match.span(), ends)

    announced()


@given(TEXTS)
@settings(max_examples=300, derandomize=True, database=None, deadline=None)
def test_folding_keeps_classes(text):
    data = bytes(folded(texts("", text, "a")).data)
    assert data == b"\n\n" + data[2:-3] + b"\na\n"
    for char, byte in zip(text, data[2:-3], strict=True):
        fold = chr(byte)
        if char.isascii():
            assert fold == char
        for kind in (r"\d", r"\w", r"\s"):
            assert bool(regex.match(kind, char)) == bool(regex.match(kind, fold))


def test_long_texts_fold_in_pieces(monkeypatch):
    text = "aé€😀٣ " * 50
    whole = bytes(folded(texts(text)).data)
    monkeypatch.setattr("corpusgate.filters.detect.fold._PIECE", 7)
    assert bytes(folded(texts(text)).data) == whole


@pytest.mark.parametrize(
    "pattern", [r"a*", r"\p{Lu}", r"(?:foo){e<=1}", r"[[:digit:]]", r"\d(?R)?"]
)
def test_what_cannot_be_read_has_no_expression(pattern):
    assert shape(pattern, FLAGS) is None


def test_flags_anywhere():
    assert shape(r"\b(?i)(ab)", FLAGS) == shape(r"\bab", FLAGS)


def test_what_is_repeated_at_the_end_may_be_long():
    assert shape(r"x(?:-?[0-9]){2}", FLAGS).back == 5
    assert shape(r"x(?:-[0-9]*){2,3}", FLAGS).back is None


def test_refused_expressions_are_left_out():
    good, bad = Expression("ab", caseless=False), Expression("a(?=b)", caseless=False)
    found = Prefilter([bad, good])
    assert [*found.scan(memoryview(b"ab"))] == [good]
    assert [*Prefilter([bad]).scan(memoryview(b"ab"))] == []


def test_kept_and_travelling():
    kept = {}

    def cache(name, make):
        return kept.setdefault(name, make())

    expression = Expression("[0-9]{3}", caseless=False)
    first = Prefilter([expression], cache)
    assert first.scan(memoryview(b"a123"))[expression].tolist() == [4]
    (name,) = kept
    kept[name] = b"[]\nnot a database"
    assert Prefilter([expression], cache).scan(memoryview(b"123"))[expression].tolist() == [3]
    again = pickle.loads(pickle.dumps(first))  # noqa: S301 - our own
    assert again.scan(memoryview(b"9123"))[expression].tolist() == [3, 4]
    assert Prefilter([Expression("[0-9]{4}", caseless=False)]).key != name


def test_without_hyperscan(monkeypatch):
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    monkeypatch.setattr(prefilter, "_warned", False)
    found = Prefilter([Expression("a", caseless=False)])
    with pytest.warns(RuntimeWarning, match="pip install hyperscan"):
        assert found.scan(memoryview(b"a")) == {}
    assert found.scan(memoryview(b"a")) == {}  # once is enough


def test_many_ends_in_order():
    rows = [str(n * 7919 % 10**6) for n in range(500)]
    found = folded(texts(*rows))
    expression = Expression("[0-9]{3}", caseless=False)
    ends = Prefilter([expression]).scan(found.data)[expression].tolist()
    data = bytes(found.data)
    assert ends == [m.start() + 3 for m in re.finditer(rb"(?=[0-9]{3})", data)]
