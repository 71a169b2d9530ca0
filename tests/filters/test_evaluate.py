"""Recall and precision against a plain reading of their definitions."""

import polars as pl
import pytest
from corpusgate.filters.detect.evaluate import LABELS, NEUTRAL, SCORES, evaluate, recall_by_label
from hypothesis import given
from hypothesis import strategies as st
from properties.efforts import efforts

SPAN = pl.List(pl.Struct({"start": pl.Int32, "end": pl.Int32, "label": pl.String}))
GOLD = {"doc_id": pl.String, "text": pl.String, "spans": SPAN}
FINDINGS = {"doc_id": pl.String, "entity": pl.String, "start": pl.Int32, "end": pl.Int32}


def gold(*documents):
    rows = [
        (str(n), "", [{"start": a, "end": b, "label": label} for a, b, label in spans])
        for n, spans in enumerate(documents)
    ]
    return pl.DataFrame(rows, schema=GOLD, orient="row")


def findings(*rows):
    return pl.DataFrame(rows, schema=FINDINGS, orient="row")


def score(documents, rows, **options):
    return evaluate(gold(*documents), findings(*rows), **options).row(0, named=True)


MAIL = [(10, 20, "EMAIL")]


@pytest.mark.parametrize(
    ("rows", "recall", "precision", "exact"),
    [
        ([], 0.0, None, 0.0),
        ([("0", "EMAIL_ADDRESS", 10, 20)], 1.0, 1.0, 1.0),
        ([("0", "EMAIL_ADDRESS", 0, 11)], 1.0, 1.0, 0.0),
        ([("0", "EMAIL_ADDRESS", 19, 30)], 1.0, 1.0, 0.0),
        ([("0", "EMAIL_ADDRESS", 0, 10)], 0.0, 0.0, 0.0),
        ([("0", "EMAIL_ADDRESS", 20, 30)], 0.0, 0.0, 0.0),
        ([("1", "EMAIL_ADDRESS", 10, 20)], 0.0, 0.0, 0.0),
        ([("0", "URL", 10, 20)], 0.0, None, 0.0),
        ([("0", "EMAIL_ADDRESS", 10, 20), ("0", "EMAIL_ADDRESS", 30, 40)], 1.0, 0.5, 1.0),
        ([("0", "EMAIL_ADDRESS", 10, 20)] * 2, 1.0, 1.0, 1.0),
        ([("0", "EMAIL_ADDRESS", 10, 14), ("0", "EMAIL_ADDRESS", 15, 20)], 1.0, 1.0, 0.0),
    ],
)
def test_one_address(rows, recall, precision, exact):
    result = score([MAIL, []], rows)
    assert (result["recall"], result["precision"]) == (recall, precision)
    assert result["exact_recall"] == exact


def test_f_scores_weigh_recall():
    result = score([[(0, 5, "EMAIL"), (10, 15, "EMAIL")]], [("0", "EMAIL_ADDRESS", 0, 5)])
    assert (result["recall"], result["precision"]) == (0.5, 1.0)
    assert result["f1"] == pytest.approx(2 / 3)
    assert result["f2"] == pytest.approx(5 / 9)


def test_f_of_nothing_right_is_zero_and_of_nothing_found_is_unknown():
    assert score([MAIL], [("0", "EMAIL_ADDRESS", 0, 5)])["f1"] == 0.0
    assert score([MAIL], [])["f1"] is None


def test_masked_addresses_are_neither_hit_nor_fault():
    documents = [[(0, 5, "EMAIL"), (10, 15, "EMAIL_MASKED")]]
    on_mask = ("0", "EMAIL_ADDRESS", 12, 15)
    assert score(documents, [on_mask])["found"] == 0
    assert score(documents, [on_mask])["recall"] == 0.0
    both = score(documents, [on_mask, ("0", "EMAIL_ADDRESS", 0, 5)])
    assert (both["precision"], both["recall"]) == (1.0, 1.0)


def test_a_finding_on_gold_and_on_a_mask_is_right():
    documents = [[(0, 5, "EMAIL"), (3, 15, "EMAIL_MASKED")]]
    result = score(documents, [("0", "EMAIL_ADDRESS", 4, 6)])
    assert (result["found"], result["right"]) == (1, 1)


def test_other_labels_excuse_nothing():
    documents = [[(0, 5, "PER"), (10, 15, "ORG")]]
    assert score(documents, [("0", "PERSON", 10, 15)])["precision"] == 0.0


def test_only_what_the_gold_set_marks_is_scored_unless_asked():
    documents = [[(0, 5, "PER"), (10, 15, "LOC")]]
    rows = [("0", "EMAIL_ADDRESS", 20, 25)]
    assert evaluate(gold(*documents), findings(*rows))["entity"].to_list() == ["LOCATION", "PERSON"]
    asked = evaluate(gold(*documents), findings(*rows), entities=["EMAIL_ADDRESS"])
    assert asked.select("entity", "gold", "found", "recall", "precision").rows() == [
        ("EMAIL_ADDRESS", 0, 1, None, 0.0)
    ]


def test_labels_are_the_callers():
    result = score([[(0, 5, "HOST")]], [("0", "NODE", 0, 5)], labels={"HOST": "NODE"}, neutral=())
    assert (result["entity"], result["f1"]) == ("NODE", 1.0)


def test_nothing_at_all():
    empty = evaluate(gold(), findings())
    assert (empty.schema, empty.height) == (SCORES, 0)


def test_recall_by_label_tells_addresses_from_cities():
    documents = [[(0, 5, "GPE"), (10, 15, "STREET_ADDRESS"), (20, 25, "STREET_ADDRESS")]]
    rows = [("0", "LOCATION", 0, 12), ("0", "PERSON", 20, 25)]
    table = recall_by_label(gold(*documents), findings(*rows))
    assert table.rows() == [
        ("GPE", "LOCATION", 1, 1, 1.0),
        ("STREET_ADDRESS", "LOCATION", 2, 1, 0.5),
    ]


def test_no_label_is_both_counted_and_neutral():
    assert not NEUTRAL & set(LABELS)


PLACES = st.tuples(st.integers(0, 12), st.integers(1, 5)).map(lambda p: (p[0], p[0] + p[1]))
SPANS = st.lists(
    st.tuples(PLACES, st.sampled_from(["EMAIL", "PER", "EMAIL_MASKED", "ORG"])), max_size=6
)
FOUND = st.lists(
    st.tuples(
        st.sampled_from("01"), st.sampled_from(["EMAIL_ADDRESS", "PERSON", "CREDIT_CARD"]), PLACES
    ),
    max_size=8,
)


def naive(documents, rows, entity):
    there = [
        (str(n), a, b)
        for n, spans in enumerate(documents)
        for a, b, label in spans
        if LABELS.get(label) == entity
    ]
    masks = [
        (str(n), a, b)
        for n, spans in enumerate(documents)
        for a, b, label in spans
        if label in NEUTRAL
    ]

    def touch(one, other):
        return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]

    here = {(doc, a, b) for doc, kind, a, b in rows if kind == entity}
    right = {f for f in here if any(touch(f, t) for t in there)}
    counted = right | {f for f in here if not any(touch(f, m) for m in masks)}
    recalled = sum(any(touch(t, f) for f in here) for t in there)
    return len(there), len(counted), recalled, len(right)


@efforts(fast=60, slow=600)
def test_counts_are_those_of_a_plain_reading(effort):
    @effort
    @given(st.lists(SPANS, min_size=2, max_size=2), FOUND)
    def check(documents, rows):
        documents = [[(a, b, label) for (a, b), label in spans] for spans in documents]
        rows = [(doc, entity, a, b) for doc, entity, (a, b) in rows]
        table = evaluate(
            gold(*documents), findings(*rows), entities=["EMAIL_ADDRESS", "PERSON", "CREDIT_CARD"]
        )
        for row in table.iter_rows(named=True):
            counts = tuple(row[name] for name in ("gold", "found", "recalled", "right"))
            assert counts == naive(documents, rows, row["entity"])

    check()
