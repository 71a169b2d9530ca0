"""How far from a change of a text an expression can match that did not match there before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from .pattern_parts import Reader as Parts
from .pattern_parts import UnreadableError, joined
from .prefilter import Expression

_SPACE: Final = ord(" ")
# What `\b`, `^` and `$` see beside a match.
_SEEN: Final = 2


def reach(expressions: Iterable[Expression]) -> int | None:
    """Give how many characters any match has beside a stretch without spaces; None if unknown.

    So a match that touches a change lies within: so many characters on either side of it, the rest
    of the word that this leads to, and once more so many characters.

    >>> reach([Expression("[0-9]{3}-[0-9]{4}", False), Expression("id=[a-z]+@[a-z]", False)])
    10
    >>> reach([Expression("id=.+@", False)]) is None
    True
    """
    farthest = 0
    for expression in expressions:
        one = _reach(expression)
        if one is None:
            return None
        farthest = max(farthest, one)
    return farthest + _SEEN


def _reach(expression: Expression) -> int | None:
    try:
        parts = Parts(expression.text, re.IGNORECASE if expression.caseless else 0).sequence()
    except UnreadableError:
        return None
    endless = [at for at, part in enumerate(parts) if part.most is None]
    first, last = (endless[0], endless[-1] + 1) if endless else (0, 0)
    if _SPACE in joined(parts[first:last]).holds:
        return None
    return joined(parts[:first] + parts[last:]).most
