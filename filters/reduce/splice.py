"""Edits of one text: putting them in, and finding a place of the new text in the old one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..detect.reach import Reach


class Edit(NamedTuple):
    """A range of a text, in code points, and what comes in its place."""

    start: int
    end: int
    new: str


def splice(text: str, edits: Sequence[Edit]) -> str:
    """Put edits into a text; they ascend and do not overlap.

    >>> splice("call 736-5000 now", [Edit(5, 13, "<PHONE_NUMBER>")])
    'call <PHONE_NUMBER> now'
    """
    parts: list[str] = []
    done = 0
    for start, end, new in edits:
        parts += (text[done:start], new)
        done = end
    parts.append(text[done:])
    return "".join(parts)


def around(text: str, edits: Sequence[Edit], reach: Reach) -> list[str]:
    """Give the stretches of an edited text in which something new can be found.

    >>> from corpusgate.filters.detect.reach import Reach
    >>> edited = splice("My new number: 736-5000, call me any time", [Edit(15, 23, "<PHONE>")])
    >>> around(edited, [Edit(15, 23, "<PHONE>")], Reach(near=3, far=2))
    ['w number: <PHONE>, call m']
    """
    near, far = reach
    pieces = []
    low = high = shift = 0
    for first, last, new in edits:
        start = first + shift
        end = start + len(new)
        shift = end - last
        word = text.rfind(" ", 0, start - far) + 1 if start > far else 0
        begin = min(start - near, word - far)
        word = text.find(" ", end + far)
        end = max(end + near, word + far) if word >= 0 else len(text)
        if begin > high:
            if high:
                pieces.append(text[low:high])
            low = begin
        high = end
    if high:
        pieces.append(text[low:high])
    return pieces


class Origins:
    """Where in the old text something of the new text comes from."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        """Count through the edits once; a question then takes the logarithm of their number."""
        self._edits = edits
        self._starts: list[int] = []
        shift = 0
        for edit in edits:
            self._starts.append(edit.start + shift)
            shift += len(edit.new) - (edit.end - edit.start)

    def of(self, start: int, end: int) -> tuple[int, int]:
        """Give the smallest range of the old text that covers a non-empty one of the new text.

        >>> Origins([Edit(5, 13, "<PHONE_NUMBER>")]).of(6, 22)
        (5, 16)
        """
        return self._position(start, last=False), self._position(end - 1, last=True)

    def _position(self, at: int, *, last: bool) -> int:
        """Give where a character comes from, or with `last` where it ends."""
        number = bisect_right(self._starts, at) - 1
        if number < 0:
            return at + last
        edit, begin = self._edits[number], self._starts[number]
        # Deletions at one place have one start; the last of them is the one to count from.
        if at < begin + len(edit.new):
            return edit.end if last else edit.start
        return edit.end + (at - begin - len(edit.new)) + last
