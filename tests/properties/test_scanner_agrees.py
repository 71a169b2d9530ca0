"""Whatever the texts: the scanner finds what Presidio finds, with Hyperscan and without."""

from functools import cache

import pyarrow as pa
from corpusgate.filters.detect.entities import CATALOGUE, recognizers
from corpusgate.filters.detect.opaque import analyzer
from corpusgate.filters.detect.prefilter import Prefilter
from corpusgate.filters.detect.scanner import Scanner
from hypothesis import given
from hypothesis import strategies as st
from properties.efforts import efforts

VALUES = (
    "212-555-2368",
    "+44 20 7946 0958",
    "4111-1111-1111-1111",
    "078-05-1121",
    "123456789",
    "X1234567",
    "DE89 3704 0044 0532 0130 00",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "ann.lee@example.co.uk",
    "10.1.2.3",
    "2001:db8::1",
    "00:1A:2B:3C:4D:5E",
    "943 476 5919",
    "BB1388568",
    "2012-01-02 08:00",
    "٤١١١١١١١١١١١١١١١",
)
WORDS = ("card", "phone", "ssn", "passport", "license", "account", "us:", "to:5", "nhs", "(", "-")
EDGES = (
    "",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\u00a0",
    "\u200f",
    "e\u0301",
    "😀",
    "\u017f",
    "K",
    "\x00",
    "x",
)
LETTERS = st.text("0129aAx.-:/@ \n+()٣é", max_size=12)
TEXTS = st.lists(
    st.one_of(*map(st.sampled_from, (VALUES, VALUES, WORDS, EDGES, EDGES)), LETTERS), max_size=10
).map("".join)
EVERYTHING = [e.name for e in CATALOGUE.values() if not e.languages or "en" in e.languages]


class Pair:
    """The scanner and Presidio's engine with the same recognisers."""

    def __init__(self, entities, threshold):
        self.scanner = Scanner(entities, threshold, profile="presidio")
        self.engine = analyzer(recognizers(entities, profile="presidio"), "en", threshold)

    def theirs(self, texts):
        for row, text in enumerate(texts):
            try:
                results = self.engine.analyze(text, "en") if text else []
            except Exception:  # noqa: BLE001 - any recogniser's
                yield (row, None)
                continue
            found = ((r.start, -r.end, -r.score, r.entity_type) for r in results)
            yield from ((row, *finding) for finding in sorted(found))

    def ours(self, texts):
        found = self.scanner.find(pa.array(texts, pa.large_string()))
        columns = (found.text, found.start, -found.end, -found.score)
        names = (found.entities[e] for e in found.entity)
        rows = [*zip(*(c.tolist() for c in columns), names, strict=True)]
        return sorted([*rows, *((row, None) for row in found.unreadable.tolist())], key=first)


def first(row):
    return row[0]


@cache
def default() -> Pair:
    return Pair(None, 0.4)


@cache
def everything() -> Pair:
    return Pair(EVERYTHING, 0.0)


@efforts(fast=30, slow=3000)
def test_default_entities(effort):
    @effort
    @given(st.lists(TEXTS, max_size=5))
    def agree(texts):
        assert default().ours(texts) == [*default().theirs(texts)]

    agree()


@efforts(fast=12, slow=1000)
def test_every_entity_at_any_score(effort):
    @effort
    @given(st.lists(TEXTS, max_size=3))
    def agree(texts):
        assert everything().ours(texts) == [*everything().theirs(texts)]

    agree()


@efforts(fast=20, slow=1000)
def test_without_hyperscan(effort, monkeypatch):
    def whole(texts):
        with monkeypatch.context() as without:
            without.setattr(Prefilter, "scan", lambda *_: {})
            return default().ours(texts)

    @effort
    @given(st.lists(TEXTS, max_size=4))
    def agree(texts):
        assert whole(texts) == default().ours(texts)

    agree()
