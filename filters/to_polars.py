"""Predicate → Polars expression, one small function per node.

Polars' own NULL rules are SQL's for AND, OR, NOT, comparisons and `is_in`; the IS family is not
and is spelled out here.
"""

from __future__ import annotations

from functools import reduce, singledispatch
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import Any, Final

import polars as pl

from .predicate import (
    Add,
    And,
    Case,
    Coalesce,
    Column,
    Compare,
    In,
    Is,
    IsNull,
    Like,
    Literal,
    Node,
    Not,
    Or,
    Parameter,
    like_regex,
)
from .schema import Type

TIMESTAMP: Final = pl.Datetime("us", "UTC")

DTYPES: Final[dict[Type, pl.DataType]] = {
    Type.STRING: pl.String(),
    Type.INTEGER: pl.Int64(),
    Type.BOOLEAN: pl.Boolean(),
    Type.TIMESTAMP: TIMESTAMP,
    Type.DURATION: pl.Duration("us"),
    Type.LIST: pl.List(pl.String()),
}

# Polars would give a bare integer the narrowest type of its surroundings, and `CASE` the wrong one.
_TYPED: Final = {Type.INTEGER, Type.TIMESTAMP, Type.DURATION}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPERATORS: Final = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


@singledispatch
def to_polars(node: Node) -> pl.Expr:
    """Translate a predicate.

    An unbound parameter becomes a column `$name`, which no frame has: fine to look at, and an
    error to run.

    >>> print(to_polars(Compare("=", Column("plan", Type.STRING), Literal("free", Type.STRING))))
    [(col("plan")) == ("free")]
    """
    message = f"no Polars translation for {type(node).__name__}"
    raise TypeError(message)


@to_polars.register
def _(node: Column) -> pl.Expr:
    return pl.col(node.name)


@to_polars.register
def _(node: Parameter) -> pl.Expr:
    return pl.col(f"${node.name}")


@to_polars.register
def _(node: Literal) -> pl.Expr:
    if node.value is None or node.type in _TYPED:
        return pl.lit(node.value, dtype=DTYPES[node.type])
    return pl.lit(node.value)


@to_polars.register
def _(node: Add) -> pl.Expr:
    return to_polars(node.time) + to_polars(node.duration)


@to_polars.register
def _(node: Compare) -> pl.Expr:
    left, op, right = node.left, node.op, node.right
    if isinstance(left, Literal):
        # With a literal on the left Polars may give one row for all.
        left, op, right = right, _MIRRORED.get(op, op), left
    compared: pl.Expr = _OPERATORS[op](to_polars(left), to_polars(right))
    return compared


@to_polars.register
def _(node: And) -> pl.Expr:
    return reduce(and_, map(to_polars, node.items))


@to_polars.register
def _(node: Or) -> pl.Expr:
    return reduce(or_, map(to_polars, node.items))


@to_polars.register
def _(node: Not) -> pl.Expr:
    return ~to_polars(node.item)


@to_polars.register
def _(node: In) -> pl.Expr:
    if not all(isinstance(choice, Literal) for choice in node.choices):
        return reduce(or_, (to_polars(node.item) == to_polars(c) for c in node.choices))
    values = [choice.value for choice in node.choices if isinstance(choice, Literal)]
    return to_polars(node.item).is_in(pl.lit(values, dtype=pl.List(DTYPES[node.item.type])))


@to_polars.register
def _(node: Like) -> pl.Expr:
    item = to_polars(node.item)
    if not isinstance(node.pattern, Literal):  # unbound: to be looked at, not run
        return item.str.contains(to_polars(node.pattern))
    pattern = str(node.pattern.value)
    middle = pattern.strip("%")
    if "%" not in middle and "_" not in middle and pattern in {f"{middle}%", f"%{middle}%"}:
        inside = pattern.startswith("%")
        return item.str.contains(middle, literal=True) if inside else item.str.starts_with(middle)
    return item.str.contains(f"(?s)^{like_regex(pattern)}$")


@to_polars.register
def _(node: IsNull) -> pl.Expr:
    return to_polars(node.item).is_null()


@to_polars.register
def _(node: Is) -> pl.Expr:
    item = to_polars(node.item)
    return (item if node.value else ~item).fill_null(value=False)


@to_polars.register
def _(node: Coalesce) -> pl.Expr:
    return pl.coalesce([to_polars(item) for item in node.items])


@to_polars.register
def _(node: Case) -> pl.Expr:
    chain: Any = pl
    for condition, result in node.branches:
        chain = chain.when(to_polars(condition)).then(to_polars(result))
    case: pl.Expr = chain.otherwise(to_polars(node.default))
    return case
