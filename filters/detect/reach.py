"""How far from a change of a text an expression can match that did not match there before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from .pattern_parts import Reader, UnreadableError, joined
from .prefilter import Expression

_SPACE: Final = ord(" ")
# What `\b`, `^` and `$` see beside a match.
_SEEN: Final = 2


class Reach(NamedTuple):
    """How much of a text beside a change of it must be looked at to see all that matches there now.

    `near`: so many characters, for what is of bounded length. `far`: for what has a stretch of any
    length, but without spaces, so many, on to the next space, and so many again.
    """

    near: int
    far: int


def reach(expressions: Iterable[Expression]) -> Reach | None:
    """Give the reach of expressions together; None if one has none.

    >>> reach([Expression("[0-9]{3}-[0-9]{4}", False), Expression("id=[a-z]+@[a-z]", False)])
    Reach(near=10, far=7)
    >>> reach([Expression("id=.+@", False)]) is None
    True
    """
    near = far = 0
    for expression in expressions:
        try:
            flags = re.IGNORECASE if expression.caseless else 0
            parts = Reader(expression.text, flags).sequence()
        except UnreadableError:
            return None
        endless = [at for at, part in enumerate(parts) if part.most is None]
        if not endless:
            near = max(near, joined(parts).most or 0)
            continue
        first, last = endless[0], endless[-1] + 1
        if _SPACE in joined(parts[first:last]).holds:
            return None
        far = max(far, joined(parts[:first] + parts[last:]).most or 0)
    return Reach(near + _SEEN, far + _SEEN)
