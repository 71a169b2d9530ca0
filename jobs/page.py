"""Pages of facts for a terminal and for a pipe: headings, fields, tables.

What is printed may come from a corpus (names of files and columns, ids), so nothing of it is read
as markup, and no character of it reaches the terminal as a command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def printable(text: str) -> str:
    r"""Spell out what is not printable, line breaks excepted.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(
        char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text
    )


def counted(count: int, noun: str) -> str:
    """Give a count with its noun.

    >>> counted(1, "shard"), counted(2_000, "shard")
    ('1 shard', '2,000 shards')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class Page:
    """Stdout, as wide as the terminal, or 80 columns where there is none."""

    def __init__(self) -> None:
        """Find out how wide it is."""
        self._console = Console(highlight=False, emoji=False)

    def title(self, text: str) -> None:
        """Begin a section."""
        self._console.print(Text(f"\n{printable(text)}", style="bold", overflow="fold"))

    def line(self, text: str) -> None:
        """Print a paragraph, indented below the title."""
        self._console.print(Padding(_cell(text), (0, 0, 0, 2), expand=False))

    def fields(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print names and values side by side; an empty value is left out."""
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, style="dim")
        grid.add_column(overflow="fold")
        for name, value in rows:
            if value:
                grid.add_row(_cell(name), _cell(value))
        if grid.row_count:
            self._console.print(Padding(grid, (0, 0, 0, 2), expand=False))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print rows under a header; the last column takes the room that is left."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name in header:
            table.add_column(name, overflow="fold", ratio=1 if name == header[-1] else None)
        for row in rows:
            table.add_row(*map(_cell, row))
        self._console.print(Padding(table, (0, 0, 0, 2), expand=False))


def _cell(text: str) -> Text:
    return Text(printable(text), overflow="fold")
