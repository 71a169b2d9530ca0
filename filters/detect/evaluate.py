"""How good findings are, against texts in which people marked what is there.

A gold span is recalled when a finding of its entity overlaps it; a finding is right when it
overlaps a gold span of its entity. Exact matching wants the same start and end. Some labels are
neither: a finding on a masked address ("jo...@example.com") is not held against anyone, and
nobody has to find it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import polars as pl

# Labels of the gold sets that are in use, and the entity that each stands for.
LABELS: Final[Mapping[str, str]] = {
    "PER": "PERSON",
    "person": "PERSON",
    "PERSON": "PERSON",
    "LOC": "LOCATION",
    "location": "LOCATION",
    "GPE": "LOCATION",
    "STREET_ADDRESS": "LOCATION",
    "EMAIL": "EMAIL_ADDRESS",
    "EMAIL_ADDRESS": "EMAIL_ADDRESS",
    "URL": "URL",
    "DOMAIN_NAME": "URL",
    "PHONE_NUMBER": "PHONE_NUMBER",
    "CREDIT_CARD": "CREDIT_CARD",
    "US_SSN": "US_SSN",
    "IBAN_CODE": "IBAN_CODE",
    "IP_ADDRESS": "IP_ADDRESS",
    "US_DRIVER_LICENSE": "US_DRIVER_LICENSE",
}
# A finding that overlaps one of these and no gold span does not count.
NEUTRAL: Final[frozenset[str]] = frozenset(
    ("TITLE", "PREFIX", "EMAIL_MASKED", "NOTES_ADDR", "HANDLE", "PER_HANDLE", "LOC_HANDLE")
)
SCORES: Final = pl.Schema(
    {
        "entity": pl.String,
        "gold": pl.Int64,
        "found": pl.Int64,
        "recalled": pl.Int64,
        "right": pl.Int64,
        "recall": pl.Float64,
        "precision": pl.Float64,
        "f1": pl.Float64,
        "f2": pl.Float64,
        "exact_recall": pl.Float64,
        "exact_precision": pl.Float64,
    }
)


def evaluate(
    gold: pl.DataFrame,
    findings: pl.DataFrame,
    *,
    labels: Mapping[str, str] = LABELS,
    neutral: Collection[str] = NEUTRAL,
    entities: Collection[str] | None = None,
) -> pl.DataFrame:
    """Give one row of SCORES an entity, in alphabetical order.

    `gold` has doc_id and spans (list<struct<start, end, label>>), `findings` has doc_id, entity,
    start, end; ends are exclusive. Without `entities`, those are scored that the gold set marks at
    all: where no e-mail address is marked, a found one says nothing. A ratio of nothing is null.

    >>> span = {"start": 0, "end": 5, "label": "EMAIL"}
    >>> gold = pl.DataFrame({"doc_id": ["d"], "spans": [[span]]})
    >>> found = {"doc_id": ["d"], "entity": ["EMAIL_ADDRESS"], "start": [0], "end": [4]}
    >>> evaluate(gold, pl.DataFrame(found)).select("recall", "precision", "exact_recall").row(0)
    (1.0, 1.0, 0.0)
    """
    spans = _spans(gold)
    marked = _labelled(spans, labels)
    ignored = spans.filter(pl.col("label").is_in(list(neutral)))
    wanted = sorted(set(marked["entity"]) if entities is None else set(entities))
    found = _found(findings).filter(pl.col("entity").is_in(wanted))
    rows = []
    for entity in wanted:
        there = marked.filter(entity=entity)
        here = found.filter(entity=entity)
        right = _overlapping(here, there)
        excused = _overlapping(here, ignored) - right
        recalled = _overlapping(there, here)
        exact = here.join(there, on=("doc_id", "start", "end"), how="semi").height
        counted = here.height - len(excused)
        recall, precision = _ratio(len(recalled), there.height), _ratio(len(right), counted)
        rows.append(
            {
                "entity": entity,
                "gold": there.height,
                "found": counted,
                "recalled": len(recalled),
                "right": len(right),
                "recall": recall,
                "precision": precision,
                "f1": _f(recall, precision, 1),
                "f2": _f(recall, precision, 2),
                "exact_recall": _ratio(exact, there.height),
                "exact_precision": _ratio(exact, counted),
            }
        )
    return pl.DataFrame(rows, schema=SCORES)


def recall_by_label(
    gold: pl.DataFrame, findings: pl.DataFrame, *, labels: Mapping[str, str] = LABELS
) -> pl.DataFrame:
    """Give label, entity, gold, recalled and recall of every label that stands for an entity.

    Several labels may stand for one entity, and not be equally hard: street addresses and cities.
    """
    marked = _labelled(_spans(gold), labels)
    found = _found(findings)
    rows = []
    for label in sorted(set(marked["label"])):
        there = marked.filter(label=label)
        entity = labels[label]
        recalled = len(_overlapping(there, found.filter(entity=entity)))
        rows.append((label, entity, there.height, recalled, _ratio(recalled, there.height)))
    names = {"label": pl.String, "entity": pl.String, "gold": pl.Int64, "recalled": pl.Int64}
    return pl.DataFrame(rows, schema=names | {"recall": pl.Float64}, orient="row")


def _spans(gold: pl.DataFrame) -> pl.DataFrame:
    """Give doc_id, start, end, label, one row a span."""
    rows = gold.select("doc_id", "spans").explode("spans").drop_nulls("spans")
    return rows.unnest("spans").with_columns(pl.col("start", "end").cast(pl.Int64))


def _labelled(spans: pl.DataFrame, labels: Mapping[str, str]) -> pl.DataFrame:
    entity = pl.col("label").replace_strict(labels, default=None, return_dtype=pl.String)
    return spans.with_columns(entity=entity).drop_nulls("entity").with_row_index("n")


def _found(findings: pl.DataFrame) -> pl.DataFrame:
    """Give the findings, each once: two recognisers may have found the same."""
    columns = findings.select("doc_id", "entity", pl.col("start", "end").cast(pl.Int64))
    return columns.unique(maintain_order=True).with_row_index("n")


def _overlapping(these: pl.DataFrame, those: pl.DataFrame) -> set[int]:
    """Give the numbers of these that overlap any of those in the same document."""
    pairs = these.select("n", "doc_id", "start", "end").join(
        those.select("doc_id", "start", "end"), on="doc_id", suffix="_of_that"
    )
    met = (pl.col("start") < pl.col("end_of_that")) & (pl.col("start_of_that") < pl.col("end"))
    return set(pairs.filter(met)["n"])


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _f(recall: float | None, precision: float | None, beta: int) -> float | None:
    """Give the weighted harmonic mean; recall weighs `beta` times as much as precision."""
    if recall is None or precision is None:
        return None
    weighted = beta**2 * precision + recall
    return (1 + beta**2) * precision * recall / weighted if weighted else 0.0
