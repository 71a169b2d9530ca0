"""What holds of reduction for all texts, operators and scopes."""

import re

import pyarrow as pa
from corpusgate.filters.reduce.operators import Operators, parse_operators
from corpusgate.filters.reduce.record_rules import RecordRules
from corpusgate.filters.reduce.reducer import Reducer, remaining
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.efforts import efforts
from properties.finder import PATTERNS, Finder, column_of

KEY = b"a key for tests, no secret"
FINDER = Finder()
PIECES = [
    "ada@math.uk",
    "Ada@Math.UK",
    "bob@b.de",
    "x@example.com",
    "212-736-5000",
    "(212)7365000",
    "+12127365000",
    "202-555-0143",
    "8.8.8.8",
    "192.0.2.1",
    "4024007112345678",
    "4111-1111-1111-1111",
    "b.de",
    "https://foo.com/x",
    "Anna",
    "Bert",
    "crypt1234",
    "<PERSON>",
    "<PHONE_NUMBER>",
    "<CRYPTO_bcdfghjkmnpq>",
    "****",
    "<",
    ">",
    "@",
    ".",
    "-",
    "1",
    "1.2",
    "12",
    "\x00",
    "é",
    "😀",
    "é",
    "\r\n",
    "und",
]
pieces = st.sampled_from([*PIECES, "Grace Hopper", " ", " ", " ", ", ", "\n"])
texts = st.lists(pieces, max_size=12).map("".join)
written = st.one_of(
    st.sampled_from(["replace", "redact", "mask", "hash", "pseudonym"]),
    st.sampled_from(["[gone]", "a@b.de", "1"]).map(lambda v: {"type": "replace", "new_value": v}),
    st.builds(
        lambda count, char, end: {
            "type": "mask",
            "chars_to_mask": count,
            "masking_char": char,
            "from_end": end,
        },
        st.integers(1, 9),
        st.sampled_from("*#X"),
        st.booleans(),
    ),
    st.just({"type": "hash", "length": 16}),
)
some = st.one_of(written, st.just("keep"))
operators = st.builds(
    lambda default, named: parse_operators({"DEFAULT": default} | named)[0],
    some,
    st.dictionaries(st.sampled_from(sorted(PATTERNS)), some, max_size=4),
)
rules = st.sampled_from(
    [RecordRules(), RecordRules(max_findings=2), RecordRules(frozenset({"CRYPTO"}))]
)


def reduced(chosen, rows, limits=RecordRules(), scopes=None):  # noqa: B008 - it is frozen
    column = column_of(pa.array(rows, pa.string()))
    result = Reducer(FINDER, chosen, key=KEY, rules=limits).reduce([column], scopes)
    return result, column.replaced(*result.changed[0]).to_pylist()


@efforts(fast=150, slow=5_000)
def test_reducing_twice_changes_nothing(effort):
    @settings(effort)
    @given(operators, st.lists(texts, max_size=3))
    def check(chosen, rows):
        result, out = reduced(chosen, rows)
        left = [text for row, text in enumerate(out) if row not in result.excluded]
        again, same = reduced(chosen, left)
        assert same == left
        assert again.excluded == {}
        found, unreadable = remaining(FINDER, chosen, [column_of(pa.array(left, pa.string()))])
        assert found.num_rows == 0
        assert not unreadable

    check()


@efforts(fast=150, slow=5_000)
def test_no_finding_stays_and_no_other_text_changes(effort):
    @settings(effort)
    @given(operators, texts)
    def check(chosen, text):
        result, (out,) = reduced(chosen, [text])
        if result.excluded:
            assert out == text
            return
        listed = result.findings.to_pylist()
        assert all(0 <= row["start"] < row["end"] <= len(text) for row in listed)
        assert all(row["operator"] == chosen.of(row["entity"]).type for row in listed)
        # what stands between the findings stands in the result, in the same order
        cut = sorted((row["start"], row["end"]) for row in listed if row["operator"] != "keep")
        rest, done = [], 0
        for start, end in cut:
            rest.append(text[done:start])
            done = max(done, end)
        rest.append(text[done:])
        assert re.fullmatch(".*".join(map(re.escape, rest)), out, re.DOTALL)

    check()


@efforts(fast=100, slow=3_000)
def test_batches_and_order_make_no_difference(effort):
    @settings(effort)
    @given(operators, rules, st.lists(st.tuples(texts, st.sampled_from("abc")), max_size=5))
    def check(chosen, limits, rows):
        lines = [text for text, _ in rows]
        scopes = pa.array([f"user:{user}" for _, user in rows], pa.string())
        together, out = reduced(chosen, lines, limits, scopes)
        tables = []
        for row, line in enumerate(lines):
            alone, (one,) = reduced(chosen, [line], limits, scopes[row : row + 1])
            assert alone.excluded.get(0) == together.excluded.get(row)
            assert one == out[row]
            tables.append(alone.findings.drop("row"))
        if tables:
            assert pa.concat_tables(tables).equals(together.findings.drop("row"))

    check()


@efforts(fast=100, slow=3_000)
def test_one_value_has_one_pseudonym_in_a_scope(effort):
    @settings(effort)
    @given(
        st.lists(st.emails(), min_size=1, max_size=4).map(lambda found: [*found, *found]),
        st.booleans(),
    )
    def check(found, upper):
        finder = Finder({"EMAIL_ADDRESS": (r"\S+@\S+", 0.9)})
        chosen = parse_operators({"DEFAULT": "pseudonym"})[0]
        text = " ".join(mail.upper() if upper and i % 2 else mail for i, mail in enumerate(found))
        result = Reducer(finder, chosen, key=KEY, rules=RecordRules()).reduce(
            [column_of([text])], None
        )
        assert not result.excluded
        out = (result.changed[0][1].to_pylist() or [text])[0].split(" ")
        half = len(out) // 2
        assert out[:half] == out[half:]
        assert all(re.fullmatch(r"\S+@example\.(com|org|net)", mail) for mail in out)

    check()


def test_operators_that_keep_all_change_nothing():
    keep = Operators(parse_operators({"DEFAULT": "keep"})[0].default)
    rows = ["a@b.de", "", "é 212-736-5000"]
    assert reduced(keep, rows)[1] == rows
