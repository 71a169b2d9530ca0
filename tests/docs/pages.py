"""Pages as data: fenced blocks, tables, and which text they stand under."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind (`sh`, `python`, …), its text, the file it is, its line."""

    kind: str
    text: str
    file: str | None
    line: int


def page(name: str) -> str:
    """Read a page of `docs/`, or the README."""
    return (README if name == "README.md" else DOCS / name).read_text("utf-8")


def blocks(text: str) -> list[Block]:
    """List the fenced blocks of a page, in order."""
    return [
        Block(
            found["kind"],
            found["text"],
            found["file"],
            text.count("\n", 0, found.start("kind")) + 1,
        )
        for found in _FENCE.finditer(text)
    ]


def section(text: str, heading: str) -> str:
    """Give what stands under a heading, up to the next of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    if found is None:
        raise KeyError(heading)
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def table(text: str) -> list[dict[str, str]]:
    """Read the first table of a text: one dictionary a row, by the names in its head."""
    lines = list(_first_table(text.splitlines()))
    head, _, *body = [_cells(line) for line in lines]
    return [dict(zip(head, cells, strict=True)) for cells in body]


def codes(cell: str) -> list[str]:
    """List what stands between back quotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def _first_table(lines: list[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.startswith("|"):
            inside = True
            yield line
        elif inside:
            return


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]
