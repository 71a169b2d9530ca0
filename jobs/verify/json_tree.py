"""Places inside nested values, and inside strings that are JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

_HALF: Final = re.compile("[\ud800-\udfff]")

Steps = Sequence[str | None]


def at(value: Any, steps: Steps, index: Sequence[int]) -> Any:  # noqa: ANN401 - whatever a row holds
    """Follow the steps of a text path; `index` has the position in each list on the way.

    >>> at([{"text": "a"}, {"text": "b"}], (None, "text"), (1,))
    'b'
    """
    positions = iter(index)
    for step in steps:
        value = value[_member(value, step, positions)]
    return value


def put(value: Any, steps: Steps, index: Sequence[int], new: Any) -> Any:  # noqa: ANN401
    """Give the value with another one at the end of the steps."""
    if not steps:
        return new
    positions = iter(index)
    member = _member(value, steps[0], positions)
    changed = put(value[member], steps[1:], list(positions), new)
    if isinstance(value, dict):
        return {**value, member: changed}
    items = list(value)
    items[member] = changed
    return tuple(items) if isinstance(value, tuple) else items


def _member(value: Any, step: str | None, positions: Any) -> Any:  # noqa: ANN401
    if step is None:
        return next(positions, None)
    # The items of a map are pairs.
    return ("key", "value").index(step) if isinstance(value, tuple) else step


class Tree:
    """A JSON text with objects as lists of pairs, so that order and doubled keys count.

    Numbers stay as they are written. Places are pointers in which members are numbered.
    """

    def __init__(self, root: Any) -> None:  # noqa: ANN401
        """Take what was parsed."""
        self.root = root

    def get(self, pointer: str) -> str | None:
        """Give the string at a pointer, None if there is none."""
        try:
            node = self.root
            for number in _numbers(pointer):
                node = _children(node)[number]
        except (LookupError, TypeError, ValueError):
            return None
        return node if isinstance(node, str) else None

    def put(self, pointer: str, new: str) -> None:
        """Put another string in its place."""
        *above, last = [-1, *_numbers(pointer)]
        if last < 0:
            self.root = new
            return
        node = self.root
        for number in above[1:]:
            node = _children(node)[number]
        members = node[1] if isinstance(node, tuple) else node
        member = members[last]
        members[last] = [member[0], new] if isinstance(node, tuple) else new


def parsed(text: str) -> Tree | None:
    """Parse a JSON text; None if it is none.

    >>> tree = parsed('{"to": ["a", 7]}')
    >>> tree.get("/0/0"), tree.get("/0/1")
    ('a', None)
    """
    try:
        root = json.loads(
            text,
            object_pairs_hook=lambda pairs: ("{", [[_whole(k), v] for k, v in pairs]),
            parse_int=lambda number: ("#", number),
            parse_float=lambda number: ("#", number),
            parse_constant=lambda number: ("#", number),
        )
        return Tree(_mended(root))
    except (ValueError, RecursionError):
        return None


def _mended(node: Any) -> Any:  # noqa: ANN401
    """Read half of a surrogate pair, which is no character, as U+FFFD."""
    if isinstance(node, str):
        return _whole(node)
    if isinstance(node, list):
        return [_mended(item) for item in node]
    if isinstance(node, tuple) and node[0] == "{":
        return ("{", [[key, _mended(value)] for key, value in node[1]])
    return node


def _whole(text: str) -> str:
    return _HALF.sub("\ufffd", text)


def _numbers(pointer: str) -> list[int]:
    return [int(number) for number in pointer.split("/")[1:]]


def _children(node: Any) -> list[Any]:  # noqa: ANN401
    """Give the values of an object or array."""
    if isinstance(node, tuple) and node[0] == "{":
        return [value for _, value in node[1]]
    if isinstance(node, list):
        return node
    raise TypeError
