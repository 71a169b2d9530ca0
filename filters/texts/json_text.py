r"""Strings inside JSON text: where they stand, what they say, and putting others in their place.

Nothing is parsed and written anew: of a literal the changed part is cut out and another put in, so
every other byte stays as it was written. What counts as JSON is what Python's `json.loads` takes,
but read in a loop: neither the length of a number nor how deep the caller stands on the stack
may decide it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import regex

# Python before 3.11.5 misreads groups that are repeated and give nothing back (gh-106052).
_ENGINE: Final[Any] = re if sys.version_info >= (3, 11, 5) else regex
_SPACE: Final = r"[ \t\n\r]*+"
_STRING: Final = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_SCALAR: Final = rf"{_NUMBER}|true|false|null|NaN|-?Infinity"
_MAYBE: Final = re.compile(rf'{_SPACE}[\[{{"]')
# Every character belongs to a match, so that none is skipped; what is no token has no group.
_KEY, _TEXT, _COMMA, _OPEN, _CLOSE, _OTHER, _END = range(1, 8)
_TOKEN: Final = _ENGINE.compile(
    rf"{_SPACE}(?:({_STRING}){_SPACE}:|({_STRING})|(,)|([\[{{])|([\]}}])|({_SCALAR})|(\Z)|.)",
    _ENGINE.DOTALL,
)
# What may come next: where a value must, after an opening bracket, a comma, and a value.
_VALUE: Final = frozenset({_TEXT, _OPEN, _OTHER})
_FIRST: Final = {"[": _VALUE | {_CLOSE}, "{": frozenset({_KEY, _CLOSE})}
_NEXT: Final = {"]": _VALUE, "}": frozenset({_KEY})}
_AFTER: Final = frozenset({_COMMA, _CLOSE})
_LAST: Final = frozenset({_END})
_CLOSING: Final = {"[": "]", "{": "}"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Escapes in a literal; that of a pair of surrogates is one.
_ESCAPE: Final = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)")

# Pointers grow with depth times strings. Text beyond these bounds is an attack on memory.
_DEPTH: Final = 128
_POINTERS_PER_CHARACTER: Final = 16
_POINTERS_AT_LEAST: Final = 1 << 15


class Literals(NamedTuple):
    """The strings of a JSON text, in order: their places in code points, and what they say.

    `starts` and `ends` have the quotes between them. `pointers` say where the values are, as JSON
    pointers (RFC 6901) do, but members of an object have their number in it, from 0, in place of
    their key: keys are text. For a key they name the object that has it.
    """

    starts: list[int]
    ends: list[int]
    texts: list[str]
    pointers: list[str]
    keys: list[bool]


def literals(text: str) -> Literals | None:
    r"""Find the strings of a JSON object, array or string; None if the text is none.

    Half of a surrogate pair, which is no character, reads as U+FFFD. A scalar other than a string
    is taken for plain text, and so is text that is nested more than 128 deep.

    >>> found = literals('{"to": ["a\\u0040b.org", 7]}')
    >>> found.texts, found.pointers, found.keys
    (['to', 'a@b.org'], ['', '/0/0'], [True, False])
    >>> literals("call 7"), literals("7")
    (None, None)
    """
    return _walked(text) if _MAYBE.match(text) else None


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
        pieces += text[at:start], _rewritten(text[start:end], new, ascii_only=ascii_only)
        at = end
    return "".join([*pieces, text[at:]])


def _walked(text: str) -> Literals | None:  # noqa: C901, PLR0912 - calls cost more than the work
    found = Literals([], [], [], [], [])
    starts, ends, texts, pointers, keys = found
    budget = _POINTERS_AT_LEAST + _POINTERS_PER_CHARACTER * len(text)
    # Of the object or array that is read: its closing bracket, its pointer, and the number of
    # members or items before the one that is read. Of those around it the same.
    closing = pointer = ""
    step = 0
    around: list[tuple[str, str, int]] = []
    expected = _VALUE
    for match in _TOKEN.finditer(text):
        token = match.lastindex
        if token not in expected or budget < 0:
            return None
        if token == _COMMA:
            step += 1
            expected = _NEXT[closing]
        elif token == _OPEN:
            around.append((closing, pointer, step))
            if len(around) > _DEPTH:
                return None
            if closing:
                pointer = f"{pointer}/{step}"
                budget -= len(pointer)
            expected, closing, step = _FIRST[match[_OPEN]], _CLOSING[match[_OPEN]], 0
        elif token == _CLOSE:
            if match[_CLOSE] != closing:
                return None
            closing, pointer, step = around.pop()
            expected = _AFTER if around else _LAST
        elif token == _OTHER:
            expected = _AFTER if around else _LAST
        elif token != _END:
            start, end = match.span(token)
            string = _read(match[token])
            place = pointer
            if token == _KEY:
                expected = _VALUE
            else:
                if closing:
                    place = f"{pointer}/{step}"
                expected = _AFTER if around else _LAST
            starts.append(start)
            ends.append(end)
            texts.append(string)
            pointers.append(place)
            keys.append(token == _KEY)
            budget -= len(place)
    return found


def _read(literal: str) -> str:
    """Say what a literal says."""
    if "\\" not in literal:
        return literal[1:-1]
    text: str = json.loads(literal)
    return _SURROGATE.sub("\ufffd", text)


def _rewritten(literal: str, new: str, *, ascii_only: bool) -> str:
    """Write a literal with another string in it."""
    old = _read(literal)
    for escaped in (ascii_only, not ascii_only):
        # Most writers write as Python does, and then all of the literal may be written anew.
        if json.dumps(old, ensure_ascii=escaped) == literal:
            return json.dumps(new, ensure_ascii=escaped)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    written: dict[str, str] = {}
    start, end = head + 1, len(literal) - tail - 1
    if "\\" in literal:
        start, end, written = _escapes(literal, head, len(old) - tail)
    middle = new[head : len(new) - tail]
    for character in set(middle) - written.keys():
        # Python would escape DEL, which is ASCII and no control character to JSON.
        escape = ascii_only and character > "\x7f"
        written[character] = json.dumps(character, ensure_ascii=escape)[1:-1]
    middle = middle.translate({ord(one): unit for one, unit in written.items()})
    result = literal[:start] + middle + literal[end:]
    # Halves of two surrogate pairs may have met where what stood between them is gone.
    return result if _read(result) == new else json.dumps(new, ensure_ascii=ascii_only)


def _escapes(literal: str, head: int, tail: int) -> tuple[int, int, dict[str, str]]:
    """Find where the characters `head` and `tail` are written, and how escaped ones are.

    Characters that are written in two ways are left out.
    """
    written: dict[str, str] = {}
    more = set(_ESCAPE.sub("", literal[1:-1]))
    read: dict[str, str] = {}
    places = [-1, -1]
    # How many more characters are written than said, up to the escape: the quote, to begin with.
    spare = 1
    for match in _ESCAPE.finditer(literal):
        unit = match[0]
        if unit not in read:
            read[unit] = _read(f'"{unit}"')
            if written.setdefault(read[unit], unit) != unit:
                more.add(read[unit])
        said = match.start() - spare
        if places[1] < 0 and tail <= said:
            places[1] = tail + spare
        if places[0] < 0 and head <= said:
            places[0] = head + spare
        spare += len(unit) - 1
    start, end = (
        at + spare if place < 0 else place for at, place in zip((head, tail), places, strict=True)
    )
    return start, end, {one: unit for one, unit in written.items() if one not in more}


def _common(one: str, other: str) -> int:
    """Count the characters that two strings begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        # Slices are compared by the machine, and their halving lengths add up to one pass.
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
