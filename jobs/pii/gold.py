"""How well a search does on texts in which people marked what is there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from ...connectors.storage import InputFile, list_inputs
from ...filters.detect.evaluate import LABELS, evaluate, recall_by_label
from ...filters.errors import JobError, SchemaError
from ..shard import opened
from .options import Search
from .reading import unit_of, without_text

if TYPE_CHECKING:
    from ...filters.detect.scanner import Scanner

_SPANS: Final = pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64, "label": pl.String}))
_FIX: Final = "gold has text and spans (list<struct<start, end, label>>, in characters)"


@dataclass(frozen=True)
class Graded:
    """How a search did on one file of gold. `unreadable` counts texts.

    `scores` has SCORES of `filters/detect/evaluate.py`, and `exact_f1`, `exact_f2`; `labels` the
    recall of every label. `not_looked_for` are entities that are marked and not part of the
    search.
    """

    name: str
    texts: int
    unreadable: int
    scores: pl.DataFrame
    labels: pl.DataFrame
    not_looked_for: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Give what `--json` prints of it."""
        return {
            "file": self.name,
            "texts": self.texts,
            "unreadable": self.unreadable,
            "entities": self.scores.to_dicts(),
            "labels": self.labels.to_dicts(),
            "not_looked_for": list(self.not_looked_for),
        }


def grade_files(patterns: Sequence[str], search: Search) -> list[Graded]:
    """Look for what is marked in files of gold, and compare. Raises CorpusgateError.

    Without `entities` in the search, those are looked for that a file marks, by name where they are
    not among the default ones.
    """
    with tempfile.TemporaryDirectory(prefix="corpusgate-") as scratch:
        return [
            _grade(item.name, _gold(item, Path(scratch)), search)
            for item in list_inputs(patterns, Path())
        ]


def _gold(item: InputFile, scratch: Path) -> pl.DataFrame:
    """Read a file of gold; its rows are numbered, since nobody promised that ids are unique."""
    unit = unit_of(item)
    with opened(unit, scratch, None) as shard:
        missing = [name for name in ("text", "spans") if name not in shard.schema.names]
        if missing:
            raise SchemaError(item.name, f"there is no column `{missing[0]}`", _FIX)
        table = shard.read(["text", "spans"], range(len(shard.row_group_rows)))
    try:
        frame = pl.DataFrame(table).with_columns(_spans(), pl.col("text").cast(pl.String))
    except pl.exceptions.PolarsError:
        raise SchemaError(item.name, "`spans` or `text` has another type", _FIX) from None
    if odd := _astray(frame):
        what = f"{odd} of the spans lie{'s' if odd == 1 else ''} outside the text, or end early"
        raise SchemaError(item.name, what, _FIX)
    return frame.with_row_index("doc_id").cast({"doc_id": pl.Int64})


def _astray(frame: pl.DataFrame) -> int:
    """Count the spans that are no part of their text."""
    spans = frame.select("spans", size=pl.col("text").str.len_chars().fill_null(0))
    each = spans.explode("spans").drop_nulls("spans").unnest("spans")
    inside = (pl.col("start") >= 0) & (pl.col("start") < pl.col("end"))
    inside &= pl.col("end") <= pl.col("size")
    return each.filter(inside.fill_null(value=False).not_()).height


def _spans() -> pl.Expr:
    fields = [pl.element().struct.field(name) for name in ("start", "end", "label")]
    return pl.col("spans").list.eval(pl.struct(fields)).cast(_SPANS)


def _grade(name: str, gold: pl.DataFrame, search: Search) -> Graded:
    # Whoever names an entity may mark it by its own name.
    labels = {name: name for name in search.entities or ()} | dict(LABELS)
    there = gold["spans"].explode().drop_nulls().struct.field("label").unique()
    marked = sorted({labels[label] for label in there if label in labels})
    scanner, wanted = _scanner(search, marked)
    texts = gold["text"].to_arrow().cast(pa.large_string())
    with without_text(name):
        found = scanner.find(texts)
    findings = pl.DataFrame(
        {
            "doc_id": pl.Series(found.text, dtype=pl.Int64),
            "entity": [found.entities[entity] for entity in found.entity.tolist()],
            "start": found.start,
            "end": found.end,
        },
        schema_overrides={"entity": pl.String},
    )
    scores = evaluate(gold, findings, labels=labels, entities=wanted)
    by_label = recall_by_label(gold, findings, labels=labels)
    return Graded(
        name,
        gold.height,
        len(found.unreadable),
        scores.with_columns(_f(1).alias("exact_f1"), _f(2).alias("exact_f2")),
        by_label.filter(pl.col("entity").is_in(wanted)),
        tuple(entity for entity in marked if entity not in wanted),
    )


def _scanner(search: Search, marked: list[str]) -> tuple[Scanner, list[str]]:
    """Open a scanner for what is marked, and say which of it is looked for."""
    if search.entities is None:
        known = [entity for entity in marked if _known(entity, search)]
        search = replace(search, entities=("default", *known))
        scanner = search.scanner()
        return scanner, [entity for entity in marked if entity in scanner.entities]
    scanner = search.scanner()
    return scanner, [entity for entity in scanner.entities if entity in marked]


def _known(entity: str, search: Search) -> bool:
    """Say whether somebody recognises an entity in these languages."""
    try:
        replace(search, entities=(entity,), nlp=None).scanner()
    except JobError:
        return False
    return True


def _f(beta: int) -> pl.Expr:
    """Give the weighted harmonic mean of the exact ratios, as `evaluate` does of the others."""
    recall, precision = pl.col("exact_recall"), pl.col("exact_precision")
    weighted = beta**2 * precision + recall
    mean = (1 + beta**2) * precision * recall / weighted
    return pl.when(weighted == 0).then(0.0).otherwise(mean)
