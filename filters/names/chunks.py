"""Long texts in pieces that a model can hold, none of them longer than it may be.

A piece's *core* is the part of the text that it answers for; cores follow each other without a
gap. On both sides of its core a piece sees a margin, so that what stands at a core's edge is
judged with the words around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_MARGIN: Final = 500
_SHARE: Final = 8  # margins take at most three eighths of a piece


@dataclass(frozen=True)
class Chunk:
    """One piece of a text, in code points: what the model reads, and the core inside it."""

    start: int
    end: int
    core_start: int
    core_end: int

    def owns(self, start: int, end: int) -> bool:
        """Say whether a finding, in the text's own code points, touches the core.

        One that spans two cores is owned twice. Were only the piece asked in which it starts, two
        pieces that disagree by a character could each leave it to the other.
        """
        return start < self.core_end and end > self.core_start


def chunks(text: str, size: int) -> Iterator[Chunk]:
    """Cut a text into pieces of at most `size` code points, between words where it can be done.

    >>> text = "Ana met Bo. " * 5
    >>> [text[c.core_start : c.core_end] for c in chunks(text, 32)]
    ['Ana met Bo. Ana met ', 'Bo. Ana met Bo. Ana ', 'met Bo. Ana met Bo. ']
    """
    if len(text) <= size:
        yield Chunk(0, len(text), 0, len(text))
        return
    margin = min(_MARGIN, size // _SHARE)
    step = size - 3 * margin
    core_start = 0
    while core_start < len(text):
        core_end = len(text)
        if core_start + step < len(text):
            core_end = _border(text, core_start + step, step // 2)
        start = _border(text, core_start - margin, margin) if core_start > margin else 0
        end = _border(text, core_end + margin, margin) if core_end + margin < len(text) else None
        yield Chunk(start, len(text) if end is None else end, core_start, core_end)
        core_start = core_end


def _border(text: str, at: int, reach: int) -> int:
    """Find the last start of a line, else of a word, in the `reach` code points up to `at`."""
    lowest = max(at - reach, 0)
    line = text.rfind("\n", lowest, at)
    if line >= 0:
        return line + 1
    return next((i for i in range(at, lowest, -1) if text[i - 1].isspace()), at)
