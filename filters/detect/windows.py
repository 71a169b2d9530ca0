"""What stands around a finding: walked through token by token, keywords collected on the way.

From the token that a finding starts in, back to the sixth keyword and on to the first. A window
reaches only so far; where a walk would lead out of it, or what it would come through is not what
the window can tell, there is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .tokens import Token

if TYPE_CHECKING:
    from .context import Text

BEFORE: Final = 6
AROUND: Final = 200
_STRETCHES: Final = re.compile(r"(\s+)").split


class PlainWindow:
    """Words around a finding with one space between any two: all that most texts have."""

    def __init__(self, text: Text, start: int, *, certain: bool) -> None:
        """Cut the words out."""
        low, high = max(0, start - AROUND), min(len(text.text), start + AROUND // 2)
        self._text, self._certain, self._start = text, certain, start
        self._parts = text.text[low:high].split(" ")
        self._base = low
        self._opens, self._closes = low == 0, high == len(text.text)
        # A part that the window cuts off is no whole word.
        self._first = int(not self._opens)
        self._last = len(self._parts) - 1 - (not self._closes)

    def walk(self) -> list[str] | None:
        """Collect keywords; None where something else than plain words comes on the way."""
        here, base = 0, self._base
        while base + len(self._parts[here]) < self._start:
            base += len(self._parts[here]) + 1
            here += 1
        tokens = self._word(here)
        at = next((i for i, t in enumerate(tokens) if base + t.end > self._start), None)
        if at is None:
            return None
        back = self._collect(here, -1, tokens[at::-1], BEFORE)
        ahead = None if back is None else self._collect(here, 1, tokens[at:], 1)
        return None if back is None or ahead is None else back + ahead

    def _collect(
        self, here: int, step: int, tokens: Sequence[Token], left: int
    ) -> list[str] | None:
        words: list[str] = []
        while True:
            for token in tokens:
                counts = self._text.counts(token, certain=self._certain)
                if counts is not None:
                    words.append(token.lower)
                    left -= counts
                    if not left:
                        break
            following = here + step
            if (following < 0 and self._opens) or (following == len(self._parts) and self._closes):
                return words
            tokens = self._word(following)[::step]
            if not tokens or self._meets(here, following):
                return None
            if not left:
                return words
            here = following

    def _meets(self, one: int, other: int) -> bool:
        """Say whether special cases could span the space between two words."""
        before, after = self._parts[min(one, other)], self._parts[max(one, other)]
        return self._text.tokens.joins(before, after)

    def _word(self, at: int) -> list[Token]:
        """Split a word; nothing where there is none, or something else."""
        if not self._first <= at <= self._last:
            return []
        part = self._parts[at]
        known = self._text.tokens.known(part)
        if known is None:
            known = self._text.tokens.tokens(part) if part.split() == [part] else []
        return known


class Window:
    """The stretches around a finding, in turn white space and none; IndexError where they end."""

    def __init__(self, text: Text, low: int, high: int, start: int, *, certain: bool) -> None:
        """Cut the stretches out."""
        parts = _STRETCHES(text.text[low:high])
        begin, end = int(not parts[0]), len(parts) - (not parts[-1])
        self._parts = parts[begin:end]
        self._text, self._certain, self._start = text, certain, start
        self._base = low
        # The outermost stretches may go on beyond the window.
        self._first = int(low > 0)
        self._last = len(self._parts) - 1 - (high < len(text.text))
        self._opens, self._closes = low == 0, high == len(text.text)

    def walk(self) -> list[str] | None:
        """Collect keywords; None where the tokens might be others."""
        here, base = 0, self._base
        while base + len(self._parts[here]) <= self._start:
            base += len(self._parts[here])
            here += 1
        tokens, dropped = self._split(here), self._drops(here)
        ends = (base + dropped + t.end > self._start for t in tokens)
        at = next((i for i, end in enumerate(ends) if end), None)
        if at is None:
            # The one space that spaCy makes no token of: the next token counts.
            if here == self._last and self._closes:
                raise ValueError("a finding has no token")
            here, at = here + 1, 0
            tokens = self._split(here)
        back = self._collect(here, -1, tokens[at::-1], BEFORE)
        ahead = self._collect(here, 1, tokens[at:], 1)
        return None if back is None or ahead is None else back + ahead

    def _collect(self, here: int, step: int, tokens: list[Token], left: int) -> list[str] | None:
        words: list[str] = []
        while True:
            for token in tokens:
                counts = self._text.counts(token, certain=self._certain)
                if counts is not None:
                    words.append(token.lower)
                    left -= counts
                    if not left:
                        break
            following = here + step
            if self._ends(following):
                return words
            tokens = self._split(following)
            if not tokens:
                following += step
                if self._ends(following):
                    return words
                if self._text.tokens.joins(
                    self._parts[min(here, following)], self._parts[max(here, following)]
                ):
                    return None
                tokens = self._split(following)
            if not left:
                return words
            here, tokens = following, tokens[::step]

    def _ends(self, at: int) -> bool:
        """Say whether the text ends before this stretch."""
        return (at < self._first and self._opens) or (at > self._last and self._closes)

    def _drops(self, at: int) -> bool:
        """Say whether a stretch begins with the space that spaCy makes no token of."""
        return self._parts[at][0] == " " and not (at == 0 and self._opens)

    def _split(self, at: int) -> list[Token]:
        if not self._first <= at <= self._last:
            raise IndexError
        part = self._parts[at][self._drops(at) :]
        return self._text.tokens.tokens(part) if part else []
