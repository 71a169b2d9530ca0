"""Reduction: rounds, overlaps, offsets, what is settled, what cannot be read."""

import pickle
import re

import pyarrow as pa
import pytest
from corpusgate.filters.errors import JobError, SchemaError
from corpusgate.filters.reduce.operators import parse_operators
from corpusgate.filters.reduce.overlaps import Finding, merge
from corpusgate.filters.reduce.record_rules import RecordRules
from corpusgate.filters.reduce.reducer import Reducer, remaining
from corpusgate.filters.reduce.scopes import scope_ids
from corpusgate.filters.reduce.splice import Edit, Origins, splice
from corpusgate.filters.texts.leaves import leaves
from corpusgate.filters.texts.paths import parse_path
from properties.finder import PATTERNS, Finder, column_of, reduced_texts

KEY = b"a key for tests, no secret"


def reducer(operators=None, finder=None, key=KEY, rules=None):
    chosen, faults = parse_operators(operators or {})
    assert faults == []
    return Reducer(finder or Finder(), chosen, key=key, rules=rules or RecordRules())


def listed(result):
    columns = ("row", "entity", "start", "end", "operator")
    return [tuple(row[name] for name in columns) for row in result.findings.to_pylist()]


@pytest.mark.parametrize(
    ("operators", "text", "expected"),
    [
        ({}, "mail a@b.de, call 212-736-5000", "mail <EMAIL_ADDRESS>, call <PHONE_NUMBER>"),
        ({}, "a@b.de", "<EMAIL_ADDRESS>"),
        ({}, "😀 é\u0301 a@b.de é 8.8.8.8\r\n", "😀 é\u0301 <EMAIL_ADDRESS> é <IP_ADDRESS>\r\n"),
        ({}, "nothing", "nothing"),
        ({"DEFAULT": "redact"}, "<a@b.de>", "<>"),
        ({"DEFAULT": "mask"}, "to a@b.de now", "to ****** now"),
        ({"DEFAULT": "keep"}, "to a@b.de now", "to a@b.de now"),
        ({"URL": "keep"}, "see b.de or a@b.de", "see b.de or <EMAIL_ADDRESS>"),
        ({"EMAIL_ADDRESS": "keep"}, "a@b.de", "a@<URL>"),
        (
            {"DEFAULT": {"type": "replace", "new_value": "a@b.de"}},
            "a@b.de x@y.de é",
            "a@b.de a@b.de é",
        ),
    ],
)
def test_texts(operators, text, expected):
    assert reduced_texts(reducer(operators), [text, "clean", text]) == [expected, "clean", expected]


def test_hash_and_pseudonym_are_found_settled():
    text = "mail a@b.de, call 212-736-5000, card 4024 0071 1234 5678, Grace Hopper, crypt1234"
    out = reduced_texts(reducer({"DEFAULT": "hash"}), [text])[0]
    assert re.sub(r"[0-9a-f]{64}", "#", out) == "mail #, call #, card #, #, #"
    out = reduced_texts(reducer({"DEFAULT": "pseudonym"}), [text])[0]
    assert re.fullmatch(
        r"mail \w+@example\.\w+, call \d{3}-555-01\d\d, card 4\d{3}( \d{4}){3}, "
        r"[A-Z][a-z]+ [A-Z][a-z]+, <CRYPTO_[a-z]{12}>",
        out,
    )
    assert reduced_texts(reducer({"DEFAULT": "pseudonym"}), [out]) == [out]


@pytest.mark.parametrize(
    ("found", "merged"),
    [
        # the higher score, then the longer, then the earlier, then the name
        ([(0, 9, "A", 0.4), (3, 5, "B", 0.9)], [(0, 9, "B")]),
        ([(0, 5, "A", 0.5), (3, 9, "B", 0.5)], [(0, 9, "B")]),
        ([(0, 5, "B", 0.5), (3, 8, "A", 0.5)], [(0, 8, "B")]),
        ([(0, 5, "B", 0.5), (0, 5, "A", 0.5)], [(0, 5, "A")]),
        # a chain is one range; what only touches is two
        ([(0, 5, "A", 0.9), (4, 8, "B", 0.5), (7, 12, "C", 0.8)], [(0, 12, "A")]),
        ([(0, 5, "A", 0.9), (5, 8, "B", 0.5)], [(0, 5, "A"), (5, 8, "B")]),
        ([(6, 8, "A", 0.9), (1, 3, "B", 0.5)], [(1, 3, "B"), (6, 8, "A")]),
        ([], []),
    ],
)
def test_overlaps(found, merged):
    ranges = merge([Finding(*finding) for finding in found])
    assert [(r.start, r.end, r.winner.entity) for r in ranges] == merged


def test_nothing_of_a_loser_stays():
    patterns = {"LONG": (r"abcdef", 0.4), "SURE": (r"defgh", 0.9)}
    finder = Finder(patterns)
    assert reduced_texts(reducer({}, finder), ["x abcdefgh y"]) == ["x <SURE> y"]
    # a mask for a part of the value would show the loser's characters
    operators = {"SURE": {"type": "mask", "chars_to_mask": 2}}
    assert reduced_texts(reducer(operators, finder), ["x abcdefgh y"]) == ["x ******** y"]
    # a pseudonym is that of the winner's own value
    operators = {"SURE": "pseudonym"}
    long, short = reduced_texts(reducer(operators, finder), ["x abcdefgh y", "x defgh y"])
    assert long == short


def test_what_is_kept_hides_nothing():
    text = "https://b.de/a 8.8.8.8"
    finder = Finder(PATTERNS | {"URL": (r"https?://.*", 1.0)})
    assert reduced_texts(reducer({"URL": "keep"}, finder), [text]) == [
        "https://b.de/a <IP_ADDRESS>"
    ]


def test_findings_have_their_place_in_the_text_before():
    result = reducer({"URL": "keep"}).reduce([column_of(["😀 a@b.de", "x", "b.de 8.8.8.8"])], None)
    assert listed(result) == [
        (0, "EMAIL_ADDRESS", 2, 8, "replace"),
        (0, "URL", 4, 8, "keep"),
        (2, "URL", 0, 4, "keep"),
        (2, "IP_ADDRESS", 5, 12, "replace"),
    ]
    assert result.findings["path"].to_pylist() == ["text"] * 4
    assert result.excluded == {}


def test_shapes_and_several_paths():
    chat = pa.array(
        [[{"role": "u", "content": "a@b.de"}], None, [{"role": "a", "content": "b.de"}]]
    )
    calls = pa.array(['{"to": "8.8.8.8", "n": [1, "é 212-736-5000"]}', "8.8.8.8", None])
    found = [
        leaves(chat, parse_path("messages[].content")),
        leaves(calls, parse_path("calls{}")),
    ]
    result = reducer().reduce(found, None)
    out = [each.replaced(*new).to_pylist() for each, new in zip(found, result.changed, strict=True)]
    assert out[0][0] == [{"role": "u", "content": "<EMAIL_ADDRESS>"}]
    assert out[1][0] == '{"to": "<IP_ADDRESS>", "n": [1, "é <PHONE_NUMBER>"]}'
    assert out[1][1:] == ["<IP_ADDRESS>", None]
    rows = result.findings.select(["row", "path", "index", "pointer", "start"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (0, "messages[].content", [0], None, 0),
        (0, "calls{}", [], "/0", 0),
        (0, "calls{}", [], "/1/1", 2),
        (1, "calls{}", [], None, 0),
        (2, "messages[].content", [0], None, 0),
    ]


def test_keys_of_objects_exclude():
    found = leaves(pa.array(['{"a@b.de": "8.8.8.8"}', '{"b.de": 1}']), parse_path("calls{}"))
    result = reducer({"URL": "keep"}).reduce([found], None)
    assert result.excluded == {0: ("pii:unreadable",)}
    assert len(result.changed[0][0]) == 0
    assert [row[:2] for row in listed(result)] == [
        (0, "EMAIL_ADDRESS"),
        (0, "URL"),
        (0, "IP_ADDRESS"),
        (1, "URL"),
    ]


def test_a_row_with_an_unreadable_text_gives_out_nothing():
    first, second = column_of(["a@b.de", "a@b.de", "x"]), column_of(["\0", "x", "x"])
    result = reducer().reduce([first, second], None)
    assert result.excluded == {0: ("pii:unreadable",)}
    assert [changed[0].tolist() for changed in result.changed] == [[1], []]
    assert [row[0] for row in listed(result)] == [0, 1]


def test_unreadable_and_too_dense_are_both_said():
    rules = RecordRules(max_findings=0)
    result = reducer(rules=rules).reduce([column_of(["a@b.de"]), column_of(["\0"])], None)
    assert result.excluded == {0: ("pii:unreadable", "pii:too-dense")}


def test_a_text_that_becomes_unreadable():
    operators = {"DEFAULT": {"type": "replace", "new_value": "\0"}}
    result = reducer(operators).reduce([column_of(["a@b.de", "x"])], None)
    assert result.excluded == {0: ("pii:unreadable",)}


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (5, 3), (3, 99)])
def test_findings_outside_their_text_are_a_failure(start, end):
    class Broken(Finder):
        def find(self, texts):
            found = super().find(texts)
            found.start[:], found.end[:] = start, end
            return found

    assert reduced_texts(reducer(finder=Broken()), ["to a@b.de", "x"]) == [None, "x"]


def test_bytes_that_are_no_text_are_unreadable():
    buffers = pa.array(["a@b.de \x7f", "a@b.de"], pa.large_string()).buffers()
    data = pa.py_buffer(buffers[2].to_pybytes().replace(b"\x7f", b"\xff"))
    texts = pa.Array.from_buffers(pa.large_string(), 2, [None, buffers[1], data])

    class Bytewise(Finder):
        def find(self, texts):
            return super().find(pa.array(["a@b.de"] * len(texts), pa.large_string()))

    result = reducer(finder=Bytewise(), operators={"DEFAULT": "redact"}).reduce(
        [column_of(texts)], None
    )
    assert 0 in result.excluded


def test_rounds_go_on_until_nothing_is_left():
    # redaction lets two halves meet
    out = reduced_texts(reducer({"DEFAULT": "redact"}), ["8.8.8a@b.de.8 and x"])
    assert out == [" and x"]
    # a placeholder may be the context of something else
    finder = Finder(context={"IP_ADDRESS": "PHONE"})
    result = reducer(finder=finder).reduce([column_of(["é 212-736-5000 at 8.8.8.8"])], None)
    assert listed(result) == [
        (0, "PHONE_NUMBER", 2, 14, "replace"),
        (0, "IP_ADDRESS", 18, 25, "replace"),
    ]


def chain(count):
    """Give a scanner that finds each thing only once the one before it is a placeholder."""
    patterns = {f"E{n}": (rf"\ba{n}\b", 1.0) for n in range(count)}
    return Finder(patterns, {f"E{n}": f"<E{n - 1}>" for n in range(1, count)})


def test_three_rounds_are_enough_or_the_record_goes():
    text = "a3 a2 a1 a0"
    assert reduced_texts(reducer(finder=chain(3)), [text]) == ["a3 <E2> <E1> <E0>"]
    result = reducer(finder=chain(4)).reduce([column_of([text, "--"])], None)
    assert result.excluded == {0: ("pii:unreadable",)}
    assert len(result.changed[0][0]) == 0
    assert [row[1:4] for row in listed(result)] == [
        ("E3", 0, 2),
        ("E2", 3, 5),
        ("E1", 6, 8),
        ("E0", 9, 11),
    ]
    endless = Finder({"A": (r"\w+", 1.0)})
    result = reducer({"A": "hash"}, endless).reduce([column_of(["word", "--"])], None)
    assert result.excluded == {0: ("pii:unreadable",)}
    assert listed(result) == [(0, "A", 0, 4, "hash")]


def test_a_mask_that_does_not_cover_enough_covers_all():
    operators = {"EMAIL_ADDRESS": {"type": "mask", "chars_to_mask": 4}, "URL": "keep"}
    result = reducer(operators).reduce([column_of(["to grace@b.de"])], None)
    assert result.changed[0][1].to_pylist() == ["to **********"]
    assert [row for row in listed(result) if row[1] != "URL"] == [
        (0, "EMAIL_ADDRESS", 3, 13, "mask")
    ]


@pytest.mark.parametrize(
    "text", ["<PERSON> Bert", "<<PERSON>>", "x<EMAIL_ADDRESS", "<LOCATION>", "<Anna>", "< PERSON >"]
)
def test_only_our_placeholders_are_left_alone(text):
    finder = Finder(PATTERNS | {"PERSON": (r"\b(PERSON|Anna|Bert|EMAIL_\w+|LOCATION)\b", 0.9)})
    out = reduced_texts(reducer(finder=finder), [text])[0]
    expected = {
        "<PERSON> Bert": "<PERSON> <PERSON>",
        "<<PERSON>>": "<<PERSON>>",
        "x<EMAIL_ADDRESS": "x<<PERSON>",
        "<LOCATION>": "<<PERSON>>",  # nothing here looks for places
        "<Anna>": "<<PERSON>>",
        "< PERSON >": "< <PERSON> >",
    }
    assert out == expected[text]


def test_reserved_values_are_left_alone_only_for_pseudonyms():
    text = "mail ada@example.com at 192.0.2.1"
    assert reduced_texts(reducer({"DEFAULT": "pseudonym"}), [text]) == [text]
    assert reduced_texts(reducer({"IP_ADDRESS": "pseudonym"}), [text]) == [
        "mail <EMAIL_ADDRESS> at 192.0.2.1"
    ]
    # what is found within one is part of it
    assert reduced_texts(reducer({"EMAIL_ADDRESS": "pseudonym"}), ["ada@example.com, b.de"]) == [
        "ada@example.com, <URL>"
    ]


def test_tokens_are_left_alone():
    finder = Finder({"CRYPTO": (r"CRYPTO\w+", 0.9), "URL": (r"CRYPTO\w+", 0.5)})
    text = "<CRYPTO_bcdfghjkmnpq> <CRYPTO_bcdfghjkmnp>"
    assert reduced_texts(reducer(finder=finder), [text]) == ["<CRYPTO_bcdfghjkmnpq> <<CRYPTO>>"]


def test_names_within_invented_names_are_left_alone():
    name = reduced_texts(reducer({"PERSON": "pseudonym"}), ["Anna Smith"])[0]
    given, surname = name.split()
    finder = Finder({"PERSON": (rf"\b{given}\b", 0.85), "LOCATION": (rf"\b{surname}\b", 0.85)})
    chosen = reducer({"PERSON": "pseudonym"}, finder)
    assert reduced_texts(chosen, [f"said {name}."]) == [f"said {name}."]
    assert reduced_texts(chosen, [f"said {given}."]) != [f"said {given}."]
    assert reduced_texts(reducer({}, finder), [f"said {name}."]) == ["said <PERSON> <LOCATION>."]


def test_scopes():
    chosen = reducer({"DEFAULT": "pseudonym"})
    texts = ["a@b.de", "A@B.DE", "a@b.de", "a@b.de", "a@b.de"]
    records = pa.array(["1", "2", "3", "4", "5"])
    users = pa.array(["ada", "ada", "bob", None, " "])
    run = reduced_texts(chosen, texts)
    assert len(set(run)) == 1
    user = reduced_texts(chosen, texts, scope_ids("user", records, users))
    assert user[0] == user[1]
    assert len(set(user)) == 4
    record = reduced_texts(chosen, texts, scope_ids("record", records, None))
    assert len(set(record)) == 5
    # a user without an id is the record, an organisation of the same name is not the user
    assert user[3:] == record[3:]
    organisation = reduced_texts(chosen, texts, scope_ids("organisation", records, users))
    assert organisation[:3] != user[:3]


def test_scopes_want_their_ids():
    records = pa.chunked_array([["1"], ["2"]])
    assert scope_ids("run", records, None) is None
    assert scope_ids("user", records, pa.chunked_array([[7, None]])).to_pylist() == [
        "user:7",
        "record:2",
    ]
    with pytest.raises(SchemaError, match="`organisation` wants ids that are not mapped"):
        scope_ids("organisation", records, None)
    with pytest.raises(SchemaError, match="null in some records"):
        scope_ids("user", pa.array(["1", None]), pa.array(["a", "b"]))
    with pytest.raises(ValueError, match="a scope is null"):
        reduced_texts(reducer(), ["x"], pa.array([None], pa.string()))


def test_remaining_is_what_reduction_would_do():
    operators, _ = parse_operators({"URL": "keep", "PERSON": "pseudonym"})
    column = column_of(["a@b.de b.de", "\0", "Larkmead"])
    table, unreadable = remaining(Finder(), operators, [column])
    assert table["entity"].to_pylist() == ["EMAIL_ADDRESS"]
    assert unreadable == {1}


def test_key_and_fingerprint():
    with pytest.raises(JobError, match="none was given"):
        reducer({"URL": "hash"}, key=None)
    first = reducer({"URL": "hash"})
    assert "secret" not in repr(first) + str(vars(first))
    again = pickle.loads(pickle.dumps(first))  # noqa: S301 - our own
    assert reduced_texts(again, ["b.de"]) == reduced_texts(first, ["b.de"])
    others = [
        reducer({"URL": "hash"}, key=KEY + b"2"),
        reducer({"URL": "redact"}),
        reducer({"URL": "hash"}, finder=Finder(fingerprint="other")),
        reducer({"URL": "hash"}, rules=RecordRules(max_findings=3)),
    ]
    assert again.fingerprint == first.fingerprint
    assert len({first.fingerprint, *(other.fingerprint for other in others)}) == 5


@pytest.mark.parametrize(
    ("edits", "at", "origin"),
    [
        ([Edit(2, 4, "xyz")], (0, 2), (0, 2)),
        ([Edit(2, 4, "xyz")], (2, 3), (2, 4)),
        ([Edit(2, 4, "xyz")], (4, 6), (2, 5)),
        ([Edit(2, 4, "xyz")], (5, 6), (4, 5)),
        ([Edit(2, 4, "")], (1, 3), (1, 5)),
        ([Edit(2, 4, "")], (2, 3), (4, 5)),
        ([Edit(0, 1, ""), Edit(1, 2, ""), Edit(4, 5, "ab")], (0, 3), (2, 5)),
        ([], (3, 5), (3, 5)),
    ],
)
def test_places_of_a_spliced_text(edits, at, origin):
    text = "0123456789"
    assert Origins(edits).of(*at) == origin
    new = splice(text, edits)
    start, end = at
    assert all(c in text[origin[0] : origin[1]] for c in new[start:end] if c.isdigit())
