"""Our findings beside the reference's; a difference says where and what kind, never the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from .reference import Finding, Row

if TYPE_CHECKING:
    from corpusgate.filters.found import Found


class Finder(Protocol):
    """What finds personal information in a column of texts."""

    def find(self, texts: pa.LargeStringArray) -> Found:
        """Find it."""


def ours(scanner: Finder, texts: Sequence[str | None]) -> list[Row]:
    """Ask our scanner for one batch, in the order in which it answers."""
    found = scanner.find(pa.array(texts, pa.large_string()))
    rows: list[list[Finding]] = [[] for _ in texts]
    columns = (found.text, found.start, found.end, found.score, found.entity)
    last = 0
    for text, start, end, score, entity in zip(*(c.tolist() for c in columns), strict=True):
        assert text >= last, "findings are ordered by text"
        rows[text].append(Finding(start, end, score, found.entities[entity]))
        last = text
    unreadable = set(found.unreadable.tolist())
    assert not any(rows[row] for row in unreadable), "an unreadable text has no findings"
    return [None if row in unreadable else tuple(each) for row, each in enumerate(rows)]


def differences(got: Sequence[Row], wanted: Sequence[Row], first: int = 0) -> list[str]:
    """Describe each row on which two lists of rows differ; `first` is the first row's number."""
    return [
        f"row {first + number}: {_described(*pair)}"
        for number, pair in enumerate(zip(got, wanted, strict=True))
        if pair[0] != pair[1]
    ]


def _described(got: Row, wanted: Row) -> str:
    if got is None or wanted is None:
        return f"unreadable for {'us' if got is None else 'the reference'} only"
    missing, added = set(wanted) - set(got), set(got) - set(wanted)
    if not missing and not added:
        return "the same findings in another order, or twice"
    return "; ".join(
        f"{word} {_listed(findings)}"
        for word, findings in (("missing", missing), ("added", added))
        if findings
    )


def _listed(findings: Iterable[Finding]) -> str:
    return ", ".join(map(str, sorted(findings)))
