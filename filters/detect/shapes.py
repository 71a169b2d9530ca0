r"""What a regular expression can match: how long, made of what, and where to look for it.

A `Shape` says, of one of Presidio's patterns, everything a scanner must know to try it at few
places of a text and still get what `finditer` would give on the whole: the least and greatest
length of a match, how far lookarounds see, which characters a match may hold, and an expression
for Hyperscan, made of a stretch of the pattern's parts (`pattern_parts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from .pattern_parts import NOTHING, Part, Reader, UnreadableError, joined, written

_LONGEST_REPEAT: Final = 64
_LONGEST_EXPRESSION: Final = 20_000
_STRONG: Final = 4


@dataclass(frozen=True)
class Shape:
    """What is known of a pattern; None for a length that has no bound.

    `least`, `most`: characters a match may have. `behind`, `ahead`: how far lookarounds see from
    any place in it. `holds`: the folded bytes a match may consist of. `work`: how many steps it
    takes at most to try the pattern at one place. Where Hyperscan reports `expression` to end at e,
    a match may start from `e - back` to `e - fore`, and nowhere else; `shift` was taken off e
    before. `expression` is empty when there is none.
    """

    least: int
    most: int | None
    behind: int | None
    ahead: int | None
    holds: frozenset[int]
    work: float = 1
    expression: str = ""
    caseless: bool = False
    back: int | None = None
    fore: int = 0
    shift: int = 0

    @property
    def reach(self) -> int | None:
        """How far behind its start a match can be seen, with what follows it."""
        return None if self.most is None or self.ahead is None else self.most + self.ahead


def shape(pattern: str, flags: int, anchor: str | None = None, before: int = 0) -> Shape | None:
    r"""Give the shape of a pattern as `regex` reads it under these flags, None if unreadable here.

    `anchor`, if given, is an expression to be sought instead; a match begins in one of its matches,
    where one begins or ends, or up to `before` characters before one.

    >>> import re
    >>> found = shape(r"\b[0-9]{8,17}\b", re.IGNORECASE)
    >>> found.least, found.most, found.expression
    (8, 17, '\\b[0-9]{8,17}\\b')
    >>> shape(r"(bc1|[13])[a-z0-9]{25,59}", 0).expression
    '(?:bc1|[13])[0-9a-z]{25}'
    """
    try:
        reader = Reader(pattern, flags)
        whole = reader.sequence()
    except UnreadableError:
        return None
    total = joined(whole)
    if total.least == 0:
        return None
    known = Shape(total.least, total.most, total.behind, total.ahead, total.holds, total.work)
    sought = whole
    if anchor is not None:
        try:
            reader = Reader(anchor, flags)
            sought = reader.sequence()
        except UnreadableError:
            return known
    exact = anchor is None
    return _placed(known, sought, caseless=reader.global_caseless, exact=exact, before=before)


def _placed(known: Shape, parts: list[Part], *, caseless: bool, exact: bool, before: int) -> Shape:
    """Choose the stretch of a pattern to seek: from its start, as much as is cheap to seek."""
    first, lead = _begun(parts, caseless=caseless)
    sought = _stretch(parts[first:], whole=not exact)
    complete = first + len(sought) == len(parts)
    tail = sought[-1] if sought else NOTHING
    shift = int(complete and tail.way > 0)
    if not (complete and (tail.text in {r"\b", "$"} or shift)):
        sought = _trimmed(sought)
    found = joined([lead, *sought])
    if found.least == 0 or len(found.text) > _LONGEST_EXPRESSION:
        return known
    text = found.text
    if first == 0 and parts[0].lead:
        text = f"(?:{parts[0].lead}){text}"
    elif first == 0 and parts[0].way < 0:
        text = written(parts[0].lets, both=caseless) + text
    if shift:
        text += written(tail.lets, both=caseless)
    back = None if found.most is None else found.most + before
    if not exact and known.reach is not None:
        # The end sought lies in the match, or in what it looks ahead at.
        back = known.reach if back is None else min(back, known.reach)
    return replace(
        known,
        expression=text,
        caseless=caseless,
        back=back,
        fore=found.least if exact else 0,
        shift=shift,
    )


def _begun(parts: list[Part], *, caseless: bool) -> tuple[int, Part]:
    """Say from which part on to seek, and what to seek before it."""
    first = next(i for i, p in enumerate(parts) if p.most != 0)
    part = parts[first]
    if part.most is not None:
        return 0, NOTHING
    if not part.unit and any(p.least for p in parts[first + 1 :]):
        # Alternatives without bound: only the last character of what they match is of use.
        return first + 1, Part(written(part.holds, both=caseless), 1, None)
    return first, NOTHING


def _stretch(parts: list[Part], *, whole: bool) -> list[Part]:
    """Take parts as far as the first long repeat after enough of them, or all."""
    sought: list[Part] = []
    strength = 0
    for part in parts:
        long = part.most is None or part.most > _LONGEST_REPEAT
        if long and strength >= _STRONG and not whole:
            return [*sought, _cut(part)] if part.low else sought
        sought.append(_endless(part) if long and part.unit else part)
        strength += part.least
    return sought


def _trimmed(parts: list[Part]) -> list[Part]:
    """Drop what need not be there at the end: each longer match would be reported as well."""
    kept = list(parts)
    while kept and (kept[-1].unit or not kept[-1].text):
        last = kept.pop()
        if last.unit and last.low:
            return [*kept, _cut(last)]
    return kept


def _cut(part: Part) -> Part:
    """Give the least that a repeat asks for."""
    low = min(part.low, _LONGEST_REPEAT)
    most = None if part.longest is None else part.longest * low
    text = part.unit + (f"{{{low}}}" if low > 1 else "")
    return Part(text, part.least // part.low * low, most, holds=part.holds)


def _endless(part: Part) -> Part:
    """Drop a repeat's upper bound: counting to hundreds is what costs."""
    low = min(part.low, _LONGEST_REPEAT)
    least = part.least // part.low * low if part.low else 0
    count = {0: "*", 1: "+"}.get(low, f"{{{low},}}")
    return replace(part, text=part.unit + count, least=least, most=None)
