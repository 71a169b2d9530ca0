"""The closed set of nodes a rule may consist of, and what can be done to a tree of them.

A tree is typed when it is built (`parse`). `bind` puts values in place of `$parameters`, `fold`
removes what those values already settle, `columns` says what is left to read. Engines translate
what remains, one small function per node; a node they do not know raises.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any, cast

from .schema import Type

Scalar = str | int | bool | datetime | timedelta | None
Value = Scalar | tuple[str, ...] | tuple[int, ...]


class Node:
    """A node of the rule language. Frozen, comparable, hashable."""

    __slots__ = ()
    type: Type


@dataclass(frozen=True)
class Column(Node):
    """A column of the frame, by its exact name."""

    name: str
    type: Type


@dataclass(frozen=True)
class Literal(Node):
    """A constant. None is SQL's NULL and only comes from an unset parameter or from folding."""

    value: Value
    type: Type


@dataclass(frozen=True)
class Parameter(Node):
    """A `$name`, until `bind` gives it a value."""

    name: str
    type: Type


@dataclass(frozen=True)
class Add(Node):
    """A time and a fixed duration after it."""

    time: Node
    duration: Node
    type: Type = Type.TIMESTAMP


@dataclass(frozen=True)
class Compare(Node):
    """`left op right`; op is one of `= <> < <= > >=`. NULL if either side is."""

    op: str
    left: Node
    right: Node
    type: Type = Type.BOOLEAN


@dataclass(frozen=True)
class And(Node):
    """Three-valued AND of two or more."""

    items: tuple[Node, ...]
    type: Type = Type.BOOLEAN


@dataclass(frozen=True)
class Or(Node):
    """Three-valued OR of two or more."""

    items: tuple[Node, ...]
    type: Type = Type.BOOLEAN


@dataclass(frozen=True)
class Not(Node):
    """Three-valued NOT."""

    item: Node
    type: Type = Type.BOOLEAN


@dataclass(frozen=True)
class In(Node):
    """Membership in a list without NULL; NULL where the item is NULL and the list is not empty."""

    item: Node
    choices: tuple[Node, ...]
    type: Type = Type.BOOLEAN


@dataclass(frozen=True)
class Like(Node):
    """SQL LIKE: `%` is any run, `_` any one character, everything else itself."""

    item: Node
    pattern: Node
    type: Type = Type.BOOLEAN


@dataclass(frozen=True)
class IsNull(Node):
    """TRUE where the item is NULL, else FALSE."""

    item: Node
    type: Type = Type.BOOLEAN


@dataclass(frozen=True)
class Is(Node):
    """TRUE where the item is `value`, FALSE otherwise, NULL included."""

    item: Node
    value: bool
    type: Type = Type.BOOLEAN


@dataclass(frozen=True)
class Coalesce(Node):
    """The first item that is not NULL."""

    items: tuple[Node, ...]
    type: Type


@dataclass(frozen=True)
class Case(Node):
    """The result of the first branch whose condition is TRUE, else the default."""

    branches: tuple[tuple[Node, Node], ...]
    default: Node
    type: Type


TRUE = Literal(value=True, type=Type.BOOLEAN)
FALSE = Literal(value=False, type=Type.BOOLEAN)
NULL = Literal(value=None, type=Type.BOOLEAN)


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes directly below a node, in order."""
    for field in fields(node):  # type: ignore[arg-type]
        yield from _nodes(getattr(node, field.name))


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def columns(node: Node) -> frozenset[str]:
    """Name the columns that a tree reads.

    >>> sorted(columns(IsNull(Column("org_id", Type.STRING))))
    ['org_id']
    """
    if isinstance(node, Column):
        return frozenset({node.name})
    return frozenset().union(*(columns(child) for child in children(node)))


def parameters(node: Node) -> frozenset[str]:
    """Name the `$parameters` that a tree reads."""
    if isinstance(node, Parameter):
        return frozenset({node.name})
    return frozenset().union(*(parameters(child) for child in children(node)))


def bind(node: Node, values: Mapping[str, Value]) -> Node:
    """Put values in place of parameters and fold; a parameter without a value stays.

    >>> bind(Compare("=", Parameter("purpose", Type.STRING), Literal("search", Type.STRING)),
    ...      {"purpose": "search"}) == TRUE
    True
    """
    if isinstance(node, Parameter):
        return Literal(values[node.name], node.type) if node.name in values else node
    changed = {f.name: _bound(getattr(node, f.name), values) for f in fields(node)}  # type: ignore[arg-type]
    return fold(replace(node, **changed))  # type: ignore[type-var]


def assume(node: Node, known: Mapping[str, Value]) -> Node:
    """Put values in place of columns and fold: what a rule says where those columns hold them."""
    if isinstance(node, Column):
        return Literal(known[node.name], node.type) if node.name in known else node
    changed = {f.name: _assumed(getattr(node, f.name), known) for f in fields(node)}  # type: ignore[arg-type]
    return fold(replace(node, **changed))  # type: ignore[type-var]


def _bound(value: object, values: Mapping[str, Value]) -> object:
    if isinstance(value, Parameter) and isinstance(values.get(value.name), tuple):
        return Literal(values[value.name], Type.LIST)
    if isinstance(value, Node):
        return bind(value, values)
    if isinstance(value, tuple):
        return _spread(_bound(item, values) for item in value)
    return value


def _assumed(value: object, known: Mapping[str, Value]) -> object:
    if isinstance(value, Node):
        return assume(value, known)
    if isinstance(value, tuple):
        return tuple(_assumed(item, known) for item in value)
    return value


def _spread(items: Iterator[object]) -> tuple[object, ...]:
    """Put the members of a list parameter in its place among the choices of an IN."""
    out: list[object] = []
    for item in items:
        if isinstance(item, Literal) and item.type is Type.LIST:
            members = cast("tuple[str | int, ...]", item.value)
            out += [
                Literal(m, Type.INTEGER if isinstance(m, int) else Type.STRING) for m in members
            ]
        else:
            out.append(item)
    return tuple(out)


@singledispatch
def fold(node: Node) -> Node:
    """Simplify one node whose children are simplified; its value never changes for any row."""
    return node


@fold.register
def _(node: Add) -> Node:
    time, duration = node.time, node.duration
    if isinstance(time, Literal) and isinstance(duration, Literal):
        if time.value is None:
            return Literal(None, Type.TIMESTAMP)
        with contextlib.suppress(OverflowError):  # left to the engines
            moment = cast("datetime", time.value) + cast("timedelta", duration.value)
            return Literal(moment, Type.TIMESTAMP)
    return node


@fold.register
def _(node: Compare) -> Node:
    left, right = node.left, node.right
    if _is_null(left) or _is_null(right):
        return NULL
    if isinstance(left, Literal) and isinstance(right, Literal):
        return _truth(_COMPARE[node.op](left.value, right.value))
    return node


_COMPARE = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: _ordinal(a) < _ordinal(b),
    "<=": lambda a, b: _ordinal(a) <= _ordinal(b),
    ">": lambda a, b: _ordinal(a) > _ordinal(b),
    ">=": lambda a, b: _ordinal(a) >= _ordinal(b),
}


def _ordinal(value: object) -> Any:  # noqa: ANN401 - anything that has an order
    """Order strings as the engines do, by their UTF-8 bytes."""
    return value.encode() if isinstance(value, str) else value


@fold.register
def _(node: And) -> Node:
    return _junction(node.items, stop=FALSE, neutral=TRUE, build=And)


@fold.register
def _(node: Or) -> Node:
    return _junction(node.items, stop=TRUE, neutral=FALSE, build=Or)


def _junction(
    items: tuple[Node, ...], stop: Literal, neutral: Literal, build: type[And | Or]
) -> Node:
    if stop in items:
        return stop
    # NULL AND x is FALSE or NULL, never TRUE: it stays in the tree until x is known.
    left = tuple(dict.fromkeys(item for item in items if item != neutral))
    if not left:
        return neutral
    return left[0] if len(left) == 1 else build(left)


@fold.register
def _(node: Not) -> Node:
    if isinstance(node.item, Literal):
        return NULL if node.item.value is None else _truth(not node.item.value)
    return node


@fold.register
def _(node: In) -> Node:
    if not node.choices:
        return FALSE
    if _is_null(node.item):
        return NULL
    if any(_is_null(choice) for choice in node.choices):
        known = tuple(choice for choice in node.choices if not _is_null(choice))
        return fold(Or((fold(replace(node, choices=known)), NULL)))
    if isinstance(node.item, Literal) and all(isinstance(c, Literal) for c in node.choices):
        return _truth(node.item in node.choices)
    return node


@fold.register
def _(node: Like) -> Node:
    if _is_null(node.item) or _is_null(node.pattern):
        return NULL
    if isinstance(node.item, Literal) and isinstance(node.pattern, Literal):
        regex = like_regex(str(node.pattern.value))
        return _truth(re.fullmatch(regex, str(node.item.value), re.DOTALL))
    return node


def like_regex(pattern: str) -> str:
    r"""Write a LIKE pattern as the regular expression of a whole string; `.` is any character.

    >>> like_regex("ft:%")
    'ft:.*'
    >>> like_regex("a_b.")
    'a.b\\.'
    """
    return "".join(_LIKE.get(char, char) for char in pattern)


_LIKE = {"%": ".*", "_": "."} | {char: f"\\{char}" for char in r".\+*?()|[]{}^$"}


@fold.register
def _(node: IsNull) -> Node:
    return _truth(node.item.value is None) if isinstance(node.item, Literal) else node


@fold.register
def _(node: Is) -> Node:
    return _truth(node.item.value is node.value) if isinstance(node.item, Literal) else node


@fold.register
def _(node: Coalesce) -> Node:
    items: list[Node] = []
    for item in node.items:
        if not _is_null(item):
            items.append(item)
        if isinstance(item, Literal) and item.value is not None:
            break
    if not items:
        return Literal(None, node.type)
    return items[0] if len(items) == 1 else replace(node, items=tuple(items))


@fold.register
def _(node: Case) -> Node:
    branches: list[tuple[Node, Node]] = []
    default = node.default
    for condition, result in node.branches:
        if condition == TRUE:
            default = result
            break
        if not isinstance(condition, Literal):
            branches.append((condition, result))
    return replace(node, branches=tuple(branches), default=default) if branches else default


def _is_null(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is None


def _truth(value: object) -> Literal:
    return TRUE if value else FALSE
