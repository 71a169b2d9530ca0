r"""Strings inside JSON text: where they stand, what they say, and putting others in their place.

Nothing is parsed and written anew: of a literal the changed part is cut out and another put in, so
every other byte stays as it was written. What counts as JSON is what Python's `json.loads` takes,
but read in a loop: neither the length of a number nor how deep the caller stands on the stack
may decide it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_SPACE: Final = r"[ \t\n\r]*+"
_STRING: Final = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_SCALAR: Final = rf"{_NUMBER}|true|false|null|NaN|-?Infinity"
_MAYBE: Final = re.compile(rf'{_SPACE}[\[{{"]')
_VALUE: Final = re.compile(rf"{_SPACE}(?:({_STRING})|([\[{{])|{_SCALAR})")
_KEY: Final = re.compile(rf"{_SPACE}({_STRING}){_SPACE}:")
_NEXT: Final = re.compile(rf"{_SPACE}([,\]}}])")
_REST: Final = re.compile(_SPACE)
_EMPTY: Final = {"[": re.compile(rf"{_SPACE}\]"), "{": re.compile(rf"{_SPACE}\}}")}
_CLOSING: Final = {"[": "]", "{": "}"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# What one literal consists of: stretches without escapes, and escapes; a pair of surrogates is one.
_UNIT: Final = re.compile(r"[^\\]++|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.")

# Pointers grow with depth times strings. Text beyond these bounds is an attack on memory.
_DEPTH: Final = 128
_POINTERS_PER_CHARACTER: Final = 16
_POINTERS_AT_LEAST: Final = 1 << 15


class Literal(NamedTuple):
    """One string of a JSON text: its place in code points, quotes included, and what it says.

    `pointer` (RFC 6901) names the value. For a key it names the object that has it: a key may be
    personal itself, and would stand in the pointer of its member.
    """

    start: int
    end: int
    text: str
    pointer: str
    key: bool


def literals(text: str) -> list[Literal] | None:
    r"""Find the strings of a JSON object, array or string, in order; None if the text is none.

    Half of a surrogate pair, which is no character, reads as U+FFFD. A scalar other than a string
    is taken for plain text, and so is text that is nested more than 128 deep.

    >>> [found[2:] for found in literals('{"to": ["a\\u0040b.org", 7]}')]
    [('to', '', True), ('a@b.org', '/to/0', False)]
    >>> literals("call 7"), literals("7")
    (None, None)
    """
    if not _MAYBE.match(text):
        return None
    reader = _Reader(text)
    try:
        reader.read()
    except _NotJsonError:
        return None
    return reader.found


def spliced(text: str, changes: Sequence[tuple[int, int, str]]) -> str:
    r"""Put other strings in place of literals: (start, end, string), in order.

    What an old and a new string have in common at both ends stays as written. Between, characters
    are escaped the way the literal escapes them, and else as JSON and an ASCII text require.

    >>> print(spliced('{"a" :"\\u00e9\\/ bob"}', [(6, 20, "é/ <é>")]))
    {"a" :"\u00e9\/ <\u00e9>"}
    """
    pieces: list[str] = []
    at = 0
    ascii_only = text.isascii()
    for start, end, new in changes:
        raw = text[start + 1 : end - 1]
        pieces += text[at : start + 1], _rewritten(raw, new, ascii_only=ascii_only)
        at = end - 1
    return "".join([*pieces, text[at:]])


class _NotJsonError(Exception):
    """The text is no JSON, or more of it than is looked into."""


class _Reader:
    """One reading of one text. `around` has what stands around the next value.

    Each entry is the closing bracket, the pointer of the object or array, and the last step to
    the value: the key as a pointer has it, or the number of items before it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: list[Literal] = []
        self.around: list[tuple[str, str, str | int]] = []
        self.pointers = _POINTERS_AT_LEAST + _POINTERS_PER_CHARACTER * len(text)

    def read(self) -> None:
        """Read the whole text into `found`."""
        while self.value() or self.following():
            pass
        self.take(_REST)
        if self.at < len(self.text):
            raise _NotJsonError

    def take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _NotJsonError
        self.at = match.end()
        return match

    def value(self) -> bool:
        """Read a value up to its end, or into its first item; say whether another follows it."""
        match = self.take(_VALUE)
        if match.lastindex == 1:
            self.add(match, self.pointer(), key=False)
        elif match.lastindex:
            bracket = match[2]
            if empty := _EMPTY[bracket].match(self.text, self.at):
                self.at = empty.end()
                return False
            if len(self.around) == _DEPTH:
                raise _NotJsonError
            self.around.append((_CLOSING[bracket], self.pointer(), -1))
            self.step()
            return True
        return False

    def following(self) -> bool:
        """Read what stands between a value and the next; say whether there is a next."""
        while self.around:
            mark = self.take(_NEXT)[1]
            if mark == ",":
                self.step()
                return True
            if mark != self.around.pop()[0]:
                raise _NotJsonError
        return False

    def step(self) -> None:
        """Go on to the next member or item."""
        closing, pointer, last = self.around[-1]
        if closing == "}":
            match = self.take(_KEY)
            self.afford(pointer)
            self.add(match, pointer, key=True)
            last = self.found[-1].text.replace("~", "~0").replace("/", "~1")
        elif isinstance(last, int):
            last += 1
        self.around[-1] = closing, pointer, last

    def pointer(self) -> str:
        """Name the next value."""
        if not self.around:
            return ""
        _, pointer, last = self.around[-1]
        pointer = f"{pointer}/{last}"
        self.afford(pointer)
        return pointer

    def add(self, match: re.Match[str], pointer: str, *, key: bool) -> None:
        self.found.append(Literal(*match.span(1), _read(match[1][1:-1]), pointer, key))

    def afford(self, pointer: str) -> None:
        self.pointers -= len(pointer)
        if self.pointers < 0:
            raise _NotJsonError


def _read(raw: str) -> str:
    """Say what stands between two quotes."""
    if "\\" not in raw:
        return raw
    text: str = json.loads(f'"{raw}"')
    return _SURROGATE.sub("\ufffd", text)


def _rewritten(raw: str, new: str, *, ascii_only: bool) -> str:
    """Write a string in place of what stands between two quotes."""
    old = _read(raw)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    written: dict[str, str] = {}
    start, end = head, len(raw) - tail
    if "\\" in raw:
        start, end, written = _units(raw, head, len(old) - tail)
    middle = new[head : len(new) - tail]
    for character in set(middle) - written.keys():
        # Python would escape DEL, which is ASCII and no control character to JSON.
        escape = ascii_only and character > "\x7f"
        written[character] = json.dumps(character, ensure_ascii=escape)[1:-1]
    text = (
        raw[:start]
        + middle.translate({ord(one): unit for one, unit in written.items()})
        + raw[end:]
    )
    if _read(text) != new:
        # Two halves of surrogate pairs have met where what stood between them is gone.
        return json.dumps(new, ensure_ascii=ascii_only)[1:-1]
    return text


def _units(raw: str, head: int, tail: int) -> tuple[int, int, dict[str, str]]:
    """Find where characters `head` and `tail` are written, and how escaped ones are.

    A character that is written in two ways is left out.
    """
    start = end = len(raw)
    escapes: dict[str, str] = {}
    written: dict[str, str] = {}
    more: set[str] = set()
    at = 0
    for match in _UNIT.finditer(raw):
        unit, place = match[0], match.start()
        length = len(unit)
        if unit[0] == "\\":
            length = 1
            if unit not in escapes:
                escapes[unit] = _read(unit)
                if written.setdefault(escapes[unit], unit) != unit:
                    more.add(escapes[unit])
        else:
            more.update(unit)
        if at <= head < at + length:
            start = place + head - at
        if at <= tail < at + length:
            end = place + tail - at
        at += length
    return start, end, {one: unit for one, unit in written.items() if one not in more}


def _common(one: str, other: str) -> int:
    """Count the characters that two strings begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        # Slices are compared by the machine; their halving lengths add up to one pass.
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
