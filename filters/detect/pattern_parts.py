r"""A regular expression taken apart: for each part, what Hyperscan may look for in its place.

The text that Hyperscan sees is folded, one byte a character (`fold.py`): ASCII is itself, other
characters become one of `FOLDS`. So an expression here is made of byte classes: a class holds the
fold of every character that the pattern's class holds. `\b` needs no care, since folding keeps
what is a word character. Lookarounds, which Hyperscan does not know, are left out: what is looked
for matches wherever the pattern does, and sometimes where it does not.

The parser is the standard library's. Presidio's patterns are for the module `regex`, which reads
them alike but for a few constructs; a pattern with one of these is said to be unreadable.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

# What characters outside ASCII become: digits, word characters, white space, all others; and the
# four letters that match k, s and i where case does not count.
DIGIT, WORD, SPACE, OTHER = b"0_ \x01"
KELVIN, LONG_S, DOTTED_I, DOTLESS_I = "\u212a", "\u017f", "\u0130", "\u0131"
LETTERS: Final = {KELVIN: ord("k"), LONG_S: ord("s"), DOTTED_I: ord("i"), DOTLESS_I: ord("i")}
FOLDS: Final = frozenset({DIGIT, WORD, SPACE, OTHER, *LETTERS.values()})

_ASCII_END: Final = 128
_ASCII: Final = frozenset(range(_ASCII_END))
_TO_LOWER: Final = {c: c + 32 for c in range(ord("A"), ord("Z") + 1)}
_DIGITS: Final = frozenset(b"0123456789")
_WORDS: Final = frozenset(c for c in _ASCII if chr(c).isalnum() or c == WORD)
_SPACES: Final = frozenset(b"\t\n\v\f\r ")
_NEWLINE: Final = ord("\n")
_CATEGORIES: Final = {
    op.CATEGORY_DIGIT: _DIGITS,
    op.CATEGORY_NOT_DIGIT: _ASCII - _DIGITS,
    op.CATEGORY_WORD: _WORDS,
    op.CATEGORY_NOT_WORD: _ASCII - _WORDS,
    op.CATEGORY_SPACE: _SPACES,
    op.CATEGORY_NOT_SPACE: _ASCII - _SPACES,
}
# The folds of what a negated class cannot hold, by the category it names.
_NEVER: Final = {
    op.CATEGORY_DIGIT: frozenset({DIGIT}),
    op.CATEGORY_WORD: FOLDS - {SPACE, OTHER},
    op.CATEGORY_SPACE: frozenset({SPACE}),
    op.CATEGORY_NOT_DIGIT: FOLDS - {DIGIT},
    op.CATEGORY_NOT_WORD: frozenset({SPACE, OTHER}),
    op.CATEGORY_NOT_SPACE: FOLDS - {SPACE},
}
# Ways past this are not counted, nor powers past that.
_MANY: Final = 1e12
_POWER: Final = 20
# What `regex` reads otherwise than `re` without complaint from `re`: fuzzy counts, POSIX classes.
_FOREIGN: Final = re.compile(r"\{[^{}\[\]]*[eidsEIDS<][^{}\[\]]*\}|\[:\^?\w+:\]|\(\?[VRL&]")


@dataclass(frozen=True)
class Part:
    """One node: its expression for Hyperscan, and its share of the Shape."""

    text: str
    least: int
    most: int | None
    behind: int | None = 0
    ahead: int | None = 0
    holds: frozenset[int] = frozenset()
    # In how many ways it can match at one place, and how many steps it takes to try them all. What
    # stands in a lookaround or is never given back counts as one way.
    ways: float = 1
    work: float = 1
    # A repeat: what is repeated, how long one is at most, and how often there is one at least.
    unit: str = ""
    longest: int | None = 0
    low: int = 0
    # A negative lookaround at one character: which way, and the bytes that it lets pass.
    way: int = 0
    lets: frozenset[int] = frozenset()
    # A positive lookbehind: what stands before.
    lead: str = ""


NOTHING: Final = Part("", 0, 0)


class UnreadableError(Exception):
    """The pattern has something in it that cannot be read here."""


class Reader:
    """Reads one pattern; groups are kept for what refers back to them."""

    def __init__(self, pattern: str, flags: int) -> None:
        """Parse; raises UnreadableError where the two modules could read it differently."""
        if _FOREIGN.search(pattern):
            raise UnreadableError
        self.caseless = bool(flags & re.IGNORECASE)
        self.dotall = bool(flags & re.DOTALL)
        # `regex` lets a flag for all stand anywhere; what it says is already so.
        if self.caseless:
            pattern = pattern.replace("(?i)", "")
        kept = flags & (re.IGNORECASE | re.DOTALL | re.MULTILINE | re.VERBOSE | re.ASCII)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self.tree = parser.parse(pattern, kept)
        except (re.error, Warning, RecursionError, OverflowError):
            raise UnreadableError from None
        self.caseless = bool(self.tree.state.flags & re.IGNORECASE)
        self.dotall = bool(self.tree.state.flags & re.DOTALL)
        # Where case counts in some part, every class of the others is written in both cases.
        self.global_caseless = self.caseless and "(?-i" not in pattern
        self.groups: dict[int, Part] = {}

    def sequence(self) -> list[Part]:
        """Give the pattern's parts one after the other, groups without alternatives opened up."""
        return self._parts(self.tree, top=True)

    def _parts(self, tree: Any, *, top: bool = False) -> list[Part]:  # noqa: ANN401
        parts: list[Part] = []
        nodes = list(tree)
        for kind, value in nodes:
            if top and kind is op.SUBPATTERN and not value[1] and not value[2]:
                inner = self._parts(value[3], top=True)
                self.groups[value[0]] = joined(inner)
                parts += inner
            else:
                parts.append(self._part(kind, value))
        return parts

    def _part(self, kind: Any, value: Any) -> Part:  # noqa: ANN401, C901, PLR0912
        if kind is op.LITERAL:
            return self._class(self._closed({value} if value < _ASCII_END else _outside(value)))
        if kind is op.NOT_LITERAL:
            taken = self._closed({value} if value < _ASCII_END else set())
            return self._class((_ASCII - taken) | FOLDS)
        if kind is op.ANY:
            return self._class(_ASCII if self.dotall else _ASCII - {_NEWLINE})
        if kind is op.IN:
            return self._class(self._members(value))
        if kind is op.BRANCH:
            return self._branch([self._parts(b) for b in value[1]])
        if kind is op.SUBPATTERN:
            return self._group(*value)
        if kind in {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}:
            part = _repeated(joined(self._parts(value[2])), value[0], value[1])
            return replace(part, ways=1) if kind is op.POSSESSIVE_REPEAT else part
        if kind is op.ATOMIC_GROUP:
            return replace(joined(self._parts(value)), ways=1)
        if kind is op.AT:
            return self._at(value)
        if kind in {op.ASSERT, op.ASSERT_NOT}:
            return self._look(value[0], value[1], positive=kind is op.ASSERT)
        if kind is op.GROUPREF:
            return replace(self.groups[value])
        if kind is op.GROUPREF_EXISTS:
            no = self._parts(value[2]) if value[2] else []
            return self._branch([self._parts(value[1]), no])
        if kind is op.FAILURE:
            return NOTHING
        raise UnreadableError

    def _group(self, number: int | None, add: int, drop: int, tree: Any) -> Part:  # noqa: ANN401
        before = self.caseless, self.dotall
        self.caseless = (self.caseless or bool(add & re.IGNORECASE)) and not drop & re.IGNORECASE
        self.dotall = (self.dotall or bool(add & re.DOTALL)) and not drop & re.DOTALL
        part = joined(self._parts(tree))
        self.caseless, self.dotall = before
        if number is not None:
            self.groups[number] = part
        return part

    def _closed(self, members: set[int] | frozenset[int]) -> frozenset[int]:
        """Add the other case of every letter where case does not count."""
        if not self.caseless:
            return frozenset(members)
        return frozenset(ord(c) for m in members for c in (chr(m).lower(), chr(m).upper()))

    def _class(self, members: frozenset[int] | set[int]) -> Part:
        held = frozenset(members)
        return Part(written(held, both=self.global_caseless), 1, 1, holds=held)

    def _members(self, items: list[Any]) -> frozenset[int]:
        """Give the bytes of a class, folds of what is outside ASCII included."""
        negated = items[0][0] is op.NEGATE
        named: set[int] = set()
        folds: set[int] = set()
        never: set[int] = set()
        for kind, value in items[negated:]:
            if kind is op.LITERAL:
                (named if value < _ASCII_END else folds).update(
                    {value} if value < _ASCII_END else _outside(value)
                )
            elif kind is op.RANGE:
                low, high = value
                named.update(range(low, min(high + 1, _ASCII_END)))
                folds.update(FOLDS if high >= _ASCII_END else ())
            elif kind is op.CATEGORY and value in _CATEGORIES:
                named.update(_CATEGORIES[value])
                never.update(_NEVER.get(value, ()))
            else:
                raise UnreadableError
        closed = self._closed(named)
        return (_ASCII - closed) | (FOLDS - never) if negated else closed | folds

    def _branch(self, branches: list[list[Part]]) -> Part:
        parts = [joined(b) for b in branches]
        texts = "|".join(p.text for p in parts)
        return Part(
            f"(?:{texts})",
            min(p.least for p in parts),
            _largest(p.most for p in parts),
            _largest(p.behind for p in parts),
            _largest(p.ahead for p in parts),
            frozenset().union(*(p.holds for p in parts)),
            sum(p.ways for p in parts),
            sum(p.work for p in parts),
        )

    def _at(self, where: Any) -> Part:  # noqa: ANN401
        if where is op.AT_BOUNDARY:
            return Part(r"\b", 0, 0, 1, 1)
        if where in {op.AT_BEGINNING, op.AT_BEGINNING_STRING}:
            return Part("^", 0, 0, 1, 0)
        if where in {op.AT_END, op.AT_END_STRING}:
            return Part("$", 0, 0, 0, 2)
        return Part("", 0, 0, 1, 1)

    def _look(self, way: int, tree: Any, *, positive: bool) -> Part:  # noqa: ANN401
        """Say how far a lookaround sees. Hyperscan knows none; what it can use is kept apart."""
        inner = joined(self._parts(tree))
        behind, ahead = inner.behind, inner.ahead
        if way < 0:
            behind = _sum(inner.most, behind)
        else:
            ahead = _sum(inner.most, ahead)
        part = Part("", 0, 0, behind, ahead, work=inner.work)
        if positive:
            return replace(part, lead=inner.text) if way < 0 else part
        if len(tree) == 1 and tree[0][0] in {op.IN, op.LITERAL}:
            items = tree[0][1] if tree[0][0] is op.IN else [tree[0]]
            turned = items[1:] if items[0][0] is op.NEGATE else [(op.NEGATE, None), *items]
            # A text's edge lets pass whatever the class, and there a line feed stands.
            return replace(part, way=way, lets=self._members(turned) | {_NEWLINE})
        return part


def _outside(code: int) -> set[int]:
    """Give the folds that a character outside ASCII may have."""
    return {LETTERS.get(chr(code), 0)} - {0} or set(FOLDS)


def _repeated(part: Part, low: int, high: Any) -> Part:  # noqa: ANN401
    most = None if high is op.MAXREPEAT else int(high)
    if most == 0 or not part.text:
        return replace(part, text="", least=0, most=0) if part.most == 0 else NOTHING
    count = f"{{{low},{'' if most is None else most}}}" if low != most else f"{{{low}}}"
    count = {"{0,1}": "?", "{0,}": "*", "{1,}": "+", "{1}": ""}.get(count, count)
    text = part.text if _single(part.text) else f"(?:{part.text})"
    longest = None if most is None or part.most is None else part.most * most
    ways = _MANY if most is None else min(part.ways ** min(most, _POWER), _MANY)
    return Part(
        text + count,
        part.least * low,
        longest,
        part.behind,
        part.ahead,
        part.holds,
        _MANY if most is None else ways * (most - low + 1),
        _MANY if most is None else ways * most * part.work,
        unit=text,
        longest=part.most,
        low=low,
    )


def _single(text: str) -> bool:
    """Say whether a text is one atom, to which a count can be added."""
    return (
        len(text) == 1
        or (text[0] == "[" and text.find("]") == len(text) - 1)
        or (text[0] == "\\" and len(text) in {2, 4} and text[1:2] != "b")
    )


def joined(parts: list[Part]) -> Part:
    """Give one part for several, one after the other."""
    most: int | None = 0
    ways, work = 1.0, 0.0
    for p in parts:
        most = _sum(most, p.most)
        work += ways * p.work
        ways = min(ways * p.ways, _MANY)
    return Part(
        "".join(p.text for p in parts),
        sum(p.least for p in parts),
        most,
        _largest(p.behind for p in parts),
        _largest(p.ahead for p in parts),
        frozenset().union(*(p.holds for p in parts)),
        ways,
        work,
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _largest(values: Any) -> int | None:  # noqa: ANN401
    found = list(values)
    return None if None in found else max(found, default=0)


def written(members: frozenset[int], *, both: bool) -> str:
    """Write a byte class; `both` where the whole expression ignores case."""
    if both:
        # The upper case comes by itself.
        members = frozenset(_TO_LOWER.get(m, m) for m in members)
    if len(members) == 1:
        return _byte(next(iter(members)), in_class=False)
    ordered = sorted(members)
    ranges: list[list[int]] = []
    for m in ordered:
        if ranges and ranges[-1][1] == m - 1:
            ranges[-1][1] = m
        else:
            ranges.append([m, m])
    text = "".join(
        _byte(a) if a == b else _byte(a) + ("" if b == a + 1 else "-") + _byte(b) for a, b in ranges
    )
    return f"[{text}]"


def _byte(code: int, *, in_class: bool = True) -> str:
    char = chr(code)
    plain = char.isalnum() or char in ("_ " if in_class else "_ @#-:;,/=!%&'\"~`<>")
    return char if plain and code < _ASCII_END else f"\\x{code:02x}"
