"""Random strings that a regular expression matches, checksums aside."""

from __future__ import annotations

import random
import re
from functools import cache
from re import _constants as c
from re import _parser
from typing import Any, Final

DIGITS: Final = "0123456789"
WORD: Final = DIGITS + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
PRINTABLE: Final = "".join(map(chr, range(32, 127)))
MOST: Final = 3
"""How many more than the fewest repetitions are tried."""

_CATEGORIES: Final = {
    c.CATEGORY_DIGIT: DIGITS,
    c.CATEGORY_NOT_DIGIT: "".join(x for x in PRINTABLE if x not in DIGITS),
    c.CATEGORY_SPACE: " \t\n",
    c.CATEGORY_NOT_SPACE: PRINTABLE.strip(),
    c.CATEGORY_WORD: WORD,
    c.CATEGORY_NOT_WORD: "".join(x for x in PRINTABLE if x not in WORD),
}


def matching(pattern: str, rng: random.Random) -> str:
    """Draw a string for a pattern. What may not follow or precede is not looked at, so not every
    draw matches.

    >>> import re
    >>> bool(re.fullmatch(r"(AB|c)-?\\d{3,5}", matching(r"(AB|c)-?\\d{3,5}", random.Random(1))))
    True
    """
    groups: dict[int, str] = {}
    return _sequence(_parsed(pattern), rng, groups)


@cache
def _parsed(pattern: str) -> Any:
    return _parser.parse(re.sub(r"\(\?[aiLmsux]+\)", "", pattern))  # flags change no letter


def _sequence(nodes: Any, rng: random.Random, groups: dict[int, str]) -> str:
    return "".join(_one(kind, value, rng, groups) for kind, value in nodes)


def _one(kind: Any, value: Any, rng: random.Random, groups: dict[int, str]) -> str:
    match kind:
        case c.LITERAL | c.NOT_LITERAL | c.ANY | c.IN:
            return _letter(kind, value, rng)
        case c.BRANCH:
            return _sequence(rng.choice(value[1]), rng, groups)
        case c.SUBPATTERN:
            text = _sequence(value[3], rng, groups)
            if value[0] is not None:
                groups[value[0]] = text
            return text
        case c.ATOMIC_GROUP:
            return _sequence(value, rng, groups)
        case c.MAX_REPEAT | c.MIN_REPEAT | c.POSSESSIVE_REPEAT:
            least, most, inner = value
            times = rng.randint(least, min(most, least + MOST))
            return "".join(_sequence(inner, rng, groups) for _ in range(times))
        case c.GROUPREF:
            return groups.get(value, "")
        case c.ASSERT if value[0] < 0:  # what has to stand before, such as a label
            return _sequence(value[1], rng, groups)
    return ""  # an edge, or what may not stand there


def _letter(kind: Any, value: Any, rng: random.Random) -> str:
    if kind is c.LITERAL:
        return chr(value)
    if kind is c.ANY:
        return rng.choice(PRINTABLE)
    if kind is c.NOT_LITERAL:
        return rng.choice([x for x in PRINTABLE if x != chr(value)])
    return rng.choice(_members(tuple(value)))


@cache
def _members(nodes: tuple[Any, ...]) -> list[str]:
    found: set[str] = set()
    for kind, value in nodes:
        match kind:
            case c.LITERAL:
                found.add(chr(value))
            case c.RANGE:
                found.update(map(chr, range(value[0], min(value[1], value[0] + 200) + 1)))
            case c.CATEGORY:
                found.update(_CATEGORIES[value])
    if nodes[0][0] is c.NEGATE:
        return sorted(set(PRINTABLE) - found)
    return sorted(found)
