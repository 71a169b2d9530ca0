"""What was found in files, how good it was, what can be looked for: for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ..page import Page, counted

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from .catalogue import Entry
    from .gold import Graded
    from .reading import Totals

_RATIOS: Final = ("recall", "precision", "f1", "f2")


def render_totals(totals: Totals, *, seconds: float, output: Path | None) -> None:
    """Print counts by entity and column, and what could not be read."""
    page = Page()
    ordered = sorted(totals.found.items(), key=lambda item: (-item[1], item[0]))
    if ordered:
        listed = [(entity, f"{count:,}", column) for (column, entity), count in ordered]
        page.table(("entity", "findings", "column"), listed)
    findings, rows = counted(totals.found.total(), "finding"), counted(totals.rows, "row")
    page.line(f"{findings} in {rows} of {counted(totals.files, 'file')}, {seconds:.1f} s")
    for reason, count in sorted(totals.excluded.items()):
        page.line(f"{counted(count, 'record')} could not be read ({reason})")
    for name, error in sorted(totals.unreadable.items()):
        page.line(f"unreadable: {name}: {error}")
    if output is not None:
        page.line(str(output))


def render_graded(graded: Sequence[Graded]) -> None:
    """Print how a search did on each file of gold."""
    page = Page()
    for one in graded:
        page.title(f"{one.name}: {counted(one.texts, 'text')}")
        header = ("entity", "marked", "found", "recall", "precision", "F1", "F2")
        for title, prefix in (("any overlap", ""), ("exact", "exact_")):
            page.line(title)
            rows = (_scores(row, prefix) for row in one.scores.iter_rows(named=True))
            page.table(header, rows)
        several = one.labels.filter(one.labels["entity"].is_duplicated())
        if several.height:
            page.line("recall by label")
            page.table(("label", "entity", "marked", "recall"), _labels(several))
        if one.not_looked_for:
            page.line(f"marked, and not looked for: {', '.join(one.not_looked_for)}")
        if one.unreadable:
            unread = counted(one.unreadable, "text")
            page.line(f"{unread} could not be read, taken to be without findings")


def _scores(row: dict[str, Any], prefix: str) -> list[str]:
    ratios = (row[prefix + name] for name in _RATIOS)
    return [row["entity"], f"{row['gold']:,}", f"{row['found']:,}", *map(_ratio, ratios)]


def _labels(labels: pl.DataFrame) -> list[list[str]]:
    columns = labels.select("label", "entity", "gold", "recall").iter_rows()
    return [[label, entity, f"{gold:,}", _ratio(recall)] for label, entity, gold, recall in columns]


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def render_catalogue(entries: Sequence[Entry], more: int) -> None:
    """Print entities and who recognises them; `more` are not shown."""
    page = Page()
    rows = [
        (
            entry.entity,
            {"nlp": "with --nlp"}.get(entry.asked, entry.asked),
            entry.country or "",
            ",".join(entry.languages) or "all",
            _spelled(entry.strict),
            "" if entry.presidio == entry.strict else _spelled(entry.presidio) or "nobody",
        )
        for entry in entries
    ]
    header = ("entity", "asked for", "country", "languages", "recognisers: strict", "presidio")
    page.table(header, rows)
    if more:
        page.line(f"{more} more can be asked for by name: --all, --country us, --language de")


def _spelled(recognizers: Sequence[str]) -> str:
    return ", ".join(name.removesuffix("Recognizer") for name in recognizers)
