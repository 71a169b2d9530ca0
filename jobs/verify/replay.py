"""A released text against the input's: the listed findings replaced, and nothing else.

Operators are applied again from the offsets of the findings. What they come to is plain in nearly
all texts; where it is not, because findings overlapped, or a later look at the text found more in
it, the text is reduced anew. Without the key of a keyed operator, or without a scan, there is left
to compare what lies around the findings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ...filters.reduce.operators import Operator, Operators
from ...filters.reduce.pseudonyms import Key, pseudonym
from .json_tree import at, parsed, put
from .rows import same

NOT_REPLACED: Final = "a finding is not replaced"
DIFFERS: Final = "a text is not the input's with its findings replaced"
ASTRAY: Final = "a finding is not where it is listed"
UNKNOWN: Final = "stand-ins, which only a scan or the key can tell"
UNREAD: Final = "JSON that this Python does not read"


class Listed(NamedTuple):
    """One finding that was reduced, as the run lists it."""

    steps: tuple[str | None, ...]
    positions: tuple[int, ...]
    pointer: str | None
    start: int
    end: int
    entity: str


class Answer(NamedTuple):
    """What is wrong with a value, if anything, and what could not be told."""

    wrong: str | None = None
    unchecked: str | None = None


RIGHT: Final = Answer()


@dataclass(frozen=True)
class Replay:
    """How findings are replaced. `again` reduces one text of a scope anew, where it can be."""

    operators: Operators
    key: Key | None
    again: Callable[[str, str], str] | None

    def value(self, was: object, now: object, found: Sequence[Listed], scope: str) -> Answer:
        """Compare a value of a column, a text or something nested, with what was released."""
        places: dict[tuple[Any, ...], list[Listed]] = {}
        for each in found:
            places.setdefault((each.steps, each.positions), []).append(each)
        unchecked = None
        expected = was
        try:
            for (steps, index), listed in places.items():
                before, after = at(was, steps, index), at(now, steps, index)
                answer = self._string(before, after, listed, scope)
                if answer.wrong:
                    return answer
                unchecked = unchecked or answer.unchecked
                expected = put(expected, steps, index, after)
        except (LookupError, TypeError):
            return Answer(ASTRAY)
        return Answer(None, unchecked) if same(expected, now) else Answer(DIFFERS)

    def _string(self, was: object, now: object, found: list[Listed], scope: str) -> Answer:
        if not isinstance(was, str) or not isinstance(now, str):
            return Answer(ASTRAY)
        if found[0].pointer is None:
            return self.text(was, now, found, scope)
        before, after = parsed(was), parsed(now)
        if before is None:
            return Answer(None, UNREAD)
        if after is None:
            return Answer(DIFFERS)
        leaves: dict[str, list[Listed]] = {}
        for each in found:
            leaves.setdefault(each.pointer or "", []).append(each)
        unchecked = None
        for pointer, listed in leaves.items():
            old, new = before.get(pointer), after.get(pointer)
            if old is None or new is None:
                return Answer(ASTRAY)
            answer = self.text(old, new, listed, scope)
            if answer.wrong:
                return answer
            unchecked = unchecked or answer.unchecked
            before.put(pointer, new)
        return Answer(None, unchecked) if before.root == after.root else Answer(DIFFERS)

    def text(self, was: str, now: str, found: Sequence[Listed], scope: str = "run") -> Answer:
        """Compare one text.

        >>> replay = Replay(Operators(), None, None)
        >>> found = [Listed((), (), None, 3, 9, "URL")]
        >>> replay.text("to a.org/ now", "to <URL> now", found).wrong is None
        True
        >>> replay.text("to a.org/ now", "to a.org/ now", found).wrong
        'a finding is not replaced'
        """
        ranges = _merged(found)
        if any(end > len(was) for _, end, _ in ranges):
            return Answer(ASTRAY)
        around = _around(was, ranges)
        options = [self._options(was, start, end, listed, scope) for start, end, listed in ranges]
        if all(options):
            first = [choice[0] for choice in options]
            if "".join(_woven(around, first)) == now or _fits(now, around, options):
                return RIGHT
            if all(self._plain(listed) for _, _, listed in ranges):
                return Answer(_kind(was, now, ranges, around))
        if self.again is not None:
            if self.again(was, scope) == now:
                return RIGHT
            return Answer(_kind(was, now, ranges, around))
        filled = _between(now, around)
        if filled is None or _untouched(was, ranges, filled):
            return Answer(_kind(was, now, ranges, around))
        return Answer(None, UNKNOWN)

    def _plain(self, found: Sequence[Listed]) -> bool:
        """Say whether nothing more is found in what the operator puts in."""
        return all(self.operators.of(each.entity).type in {"replace", "redact"} for each in found)

    def _options(
        self, was: str, start: int, end: int, found: Sequence[Listed], scope: str
    ) -> tuple[str, ...]:
        """Give what may stand in place of a range; nothing where that cannot be told."""
        if len(found) > 1:
            return ()
        entity, value = found[0].entity, was[start:end]
        operator = self.operators.of(entity)
        match operator.type:
            case "replace":
                return (f"<{entity}>" if operator.new_value is None else operator.new_value,)
            case "redact":
                return ("",)
            case "mask":
                # Covered in whole where a value was found again in spite of its mask.
                return (_masked(operator, value), operator.masking_char * len(value))
            case "hash" if self.key is not None:
                return (self.key.digest(value.encode()).hex()[: operator.length],)
            case "pseudonym" if self.key is not None:
                return (pseudonym(self.key, scope, entity, value),)
        return ()


def _masked(operator: Operator, value: str) -> str:
    count = len(value) if operator.chars_to_mask is None else operator.chars_to_mask
    covered = range(len(value) - count, len(value)) if operator.from_end else range(count)
    return "".join(operator.masking_char if n in covered else c for n, c in enumerate(value))


def _merged(found: Sequence[Listed]) -> list[tuple[int, int, list[Listed]]]:
    """Put findings that share a character together."""
    ranges: list[tuple[int, int, list[Listed]]] = []
    for each in sorted(found, key=lambda one: (one.start, one.end)):
        if ranges and each.start < ranges[-1][1]:
            start, end, listed = ranges[-1]
            ranges[-1] = (start, max(end, each.end), [*listed, each])
        else:
            ranges.append((each.start, each.end, [each]))
    return ranges


def _around(text: str, ranges: Sequence[tuple[int, int, Any]]) -> list[str]:
    """Give what lies before, between and behind the ranges."""
    edges = [0, *(edge for start, end, _ in ranges for edge in (start, end)), len(text)]
    return [text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _woven(around: Sequence[str], between: Sequence[str]) -> list[str]:
    woven = [around[0]]
    for stand_in, rest in zip(between, around[1:], strict=True):
        woven += (stand_in, rest)
    return woven


def _fits(text: str, around: Sequence[str], options: Sequence[Sequence[str]]) -> bool:
    if all(len(choice) == 1 for choice in options):
        return False
    choices = [f"(?:{'|'.join(map(re.escape, choice))})" for choice in options]
    return re.fullmatch("".join(_woven([*map(re.escape, around)], choices)), text) is not None


def _between(text: str, around: Sequence[str]) -> list[str] | None:
    """Find what stands between the pieces, each taken as early as it comes; None if one is missing.

    >>> _between("to X, Y.", ["to ", ", ", "."])
    ['X', 'Y']
    """
    first, *middle, last = around
    if not text.startswith(first) or not text.endswith(last):
        return None
    filled, done, stop = [], len(first), len(text) - len(last)
    for piece in middle:
        place = text.find(piece, done, stop)
        if place < 0:
            return None
        filled.append(text[done:place])
        done = place + len(piece)
    if done > stop:
        return None
    return [*filled, text[done:stop]]


def _untouched(was: str, ranges: Sequence[tuple[int, int, Any]], filled: Sequence[str]) -> bool:
    return any(was[s:e] == new for (s, e, _), new in zip(ranges, filled, strict=True))


def _kind(was: str, now: str, ranges: Sequence[tuple[int, int, Any]], around: Sequence[str]) -> str:
    """Say whether a value still stands where it was found."""
    filled = _between(now, around)
    if filled is None:
        return DIFFERS
    return NOT_REPLACED if _untouched(was, ranges, filled) else DIFFERS
