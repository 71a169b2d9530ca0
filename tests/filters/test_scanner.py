"""Columns of all kinds in, findings in a total order out; the slow way finds the same."""

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from corpusgate.filters.detect import prefilter, scanner
from corpusgate.filters.detect.scanner import FINDINGS, Scanner
from presidio_analyzer import LocalRecognizer, Pattern, PatternRecognizer, RecognizerResult

TEXTS = [
    "call 212-555-2368 or write ann@example.com",
    None,
    "",
    "card number 4111 1111 1111 1111, IP 10.1.2.3",
    "café 😀 ann@example.com",
    "SSN\r\n078-05-1121",
    "driver license X1234567",
    "\u0664\u0661\u0661\u0661 \x00 \u200f",
]


@pytest.fixture(scope="module")
def presidio():
    return Scanner(profile="presidio")


def rows(found):
    names = (found.entities[e] for e in found.entity)
    columns = (found.text, found.start, found.end, found.score)
    return [(*map(int, r[:3]), float(r[3]), n) for *r, n in zip(*columns, names, strict=True)]


def test_findings(presidio):
    assert rows(presidio.find(pa.array(TEXTS))) == [
        (0, 5, 17, 0.4, "PHONE_NUMBER"),
        (0, 27, 42, 1.0, "EMAIL_ADDRESS"),
        (3, 12, 31, 1.0, "CREDIT_CARD"),
        (3, 36, 44, 0.95, "IP_ADDRESS"),
        (4, 7, 22, 1.0, "EMAIL_ADDRESS"),
        (5, 5, 16, 0.85, "US_SSN"),
        (5, 5, 16, 0.4, "PHONE_NUMBER"),
        (6, 15, 23, 0.6499999999999999, "US_DRIVER_LICENSE"),
    ]


def test_what_a_pattern_repeats_last_may_be_long():
    texts = ["my ip is 2400:c401::5054:ff:fe1b:b031.", "x ::ffff:000:239.3.203.252 y"]
    found = rows(Scanner(["IP_ADDRESS"], profile="strict").find(pa.array(texts)))
    assert [row[:3] for row in found] == [(0, 9, 37), (1, 2, 26)]
    ticket = PatternRecognizer("T", patterns=[Pattern("t", r"T(?:-?[0-9]{2}){2}", 0.9)])
    found = rows(Scanner(["T"], recognizers=[ticket]).find(pa.array(["xT-12-34x"])))
    assert [row[:3] for row in found] == [(0, 1, 8)]


def test_types_and_slices(presidio):
    wanted = rows(presidio.find(pa.array(TEXTS)))
    assert rows(presidio.find(pa.array(TEXTS, pa.large_string()))) == wanted
    assert rows(presidio.find(pa.array(["x", *TEXTS])[1:])) == wanted
    assert rows(presidio.find(pa.array([], pa.string()))) == []
    found = presidio.find(pa.array([None], pa.string()))
    assert [c.dtype for c in (found.text, found.start, found.score)] == [
        np.int64,
        np.int64,
        np.float64,
    ]


def test_batches_make_no_difference(presidio, monkeypatch):
    wanted = rows(presidio.find(pa.array(TEXTS * 5)))
    for size in (1, 50, 120):
        monkeypatch.setattr(scanner, "_BATCH_BYTES", size)
        assert rows(presidio.find(pa.array(TEXTS * 5))) == wanted


def test_the_slow_way(presidio, monkeypatch):
    wanted = rows(presidio.find(pa.array(TEXTS)))
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    monkeypatch.setattr(prefilter, "_warned", True)
    assert rows(Scanner(profile="presidio").find(pa.array(TEXTS))) == wanted


def test_travelling(presidio):
    again = pickle.loads(pickle.dumps(presidio))  # noqa: S301 - our own
    assert rows(again.find(pa.array(TEXTS))) == rows(presidio.find(pa.array(TEXTS)))
    assert again.fingerprint == presidio.fingerprint


def test_threads(presidio):
    texts = pa.array([t for n in range(50) for t in (f"{n}@a.com", f"call 212-555-{1000 + n}")])
    wanted = rows(presidio.find(texts))
    with ThreadPoolExecutor(4) as pool:
        assert all(rows(f) == wanted for f in pool.map(presidio.find, [texts] * 8))


def test_fingerprint():
    known = Scanner(["EMAIL_ADDRESS"]).fingerprint
    pet = PatternRecognizer("PET", patterns=[Pattern("cat", "cat", 0.5)])
    dog = PatternRecognizer("PET", patterns=[Pattern("cat", "dog", 0.5)])
    others = [
        Scanner(["EMAIL_ADDRESS"], 0.5),
        Scanner(["EMAIL_ADDRESS"], languages=["en", "de"]),
        Scanner(["EMAIL_ADDRESS"], profile="presidio"),
        Scanner(["PET"], recognizers=[pet]),
        Scanner(["PET"], recognizers=[dog]),
    ]
    assert len({known, *(s.fingerprint for s in others)}) == 6
    assert Scanner(["EMAIL_ADDRESS"]).fingerprint == known


def test_languages_are_put_together():
    found = Scanner(["EMAIL_ADDRESS", "ES_NIF"], 0.4, ["en", "es"], "presidio").find(
        pa.array(["ann@example.com 12345678Z"])
    )
    assert [r[1:] for r in rows(found)] == [
        (0, 15, 1.0, "EMAIL_ADDRESS"),
        (16, 25, 1.0, "ES_NIF"),
    ]


def test_scan():
    made = Scanner(["EMAIL_ADDRESS"], profile="presidio")
    chats = pa.array([[{"content": "hi"}, {"content": "to ann@example.com"}], None])
    (row,) = made.scan(chats, "messages[].content").to_pylist()
    assert row == {
        "row": 0,
        "path": "messages[].content",
        "index": [1],
        "pointer": None,
        "entity": "EMAIL_ADDRESS",
        "start": 3,
        "end": 18,
        "score": 1.0,
    }
    table = made.scan(pl.Series(["x", "ann@example.com"]))
    assert table.schema == FINDINGS
    assert table["row"].to_pylist() == [1]
    assert made.scan(pa.chunked_array([["a"], []], pa.string())).schema == FINDINGS


def test_scan_shows_what_could_not_be_judged():
    class Broken(PatternRecognizer):
        def validate_result(self, pattern_text):
            raise RuntimeError(pattern_text)

    broken = Broken("ONE", patterns=[Pattern("one", "bad", 0.5)])
    made = Scanner(["ONE", "EMAIL_ADDRESS"], recognizers=[broken])
    table = made.scan(pa.array(["a@example.com", "bad", "b@example.com"]))
    assert table["row"].to_pylist() == [0, 1, 2]
    assert table["entity"].to_pylist() == ["EMAIL_ADDRESS", None, "EMAIL_ADDRESS"]


class Foo(LocalRecognizer):
    """Nothing but code."""

    def load(self):
        pass

    def analyze(self, text, entities, nlp_artifacts):
        assert "FOO" in entities
        assert len(nlp_artifacts.tokens)
        return [
            RecognizerResult("FOO", at, at + 3, 0.3)
            for at in range(len(text))
            if text[at : at + 3] == "foo"
        ]


def test_recognisers_of_which_nothing_is_known():
    texts = pa.array(["bar foo", "", None, "x foo"])
    found = Scanner(["FOO"], recognizers=[Foo(supported_entities=["FOO"])], threshold=0.2)
    assert rows(found.find(texts)) == [(0, 4, 7, 0.3, "FOO"), (3, 2, 5, 0.3, "FOO")]


def test_recognisers_that_see_others_results():
    class Beside(PatternRecognizer):
        def enhance_using_context(self, raw_recognizer_results, other_raw_recognizer_results, **_):
            for result in raw_recognizer_results:
                result.score = 0.9 if other_raw_recognizer_results else 0.1
            return raw_recognizer_results

    beside = Beside("BESIDE", patterns=[Pattern("x", "zz", 0.3)])
    made = Scanner(["BESIDE", "EMAIL_ADDRESS"], recognizers=[beside], profile="presidio")
    found = rows(made.find(pa.array(["zz ann@example.com", "zz"])))
    assert found == [(0, 0, 2, 0.9, "BESIDE"), (0, 3, 18, 1.0, "EMAIL_ADDRESS")]


@pytest.mark.parametrize("piece", ["1", "a@", " ", "\n", "12 ", "1:", "\u0663", "x1"])
def test_one_long_text(presidio, piece):
    size = 400_000 // len(piece)
    found = presidio.find(pa.array([piece * size + "\nann@example.com"]))
    assert (size * len(piece) + 1, "EMAIL_ADDRESS") in {(s, n) for _, s, _, _, n in rows(found)}
    assert not len(found.unreadable)
