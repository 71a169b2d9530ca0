"""The value of one rule-language expression for one record.

A node that is not listed here, or that carries an argument nobody reads, raises.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeAlias

import sqlglot
from sqlglot import exp

from .three_valued import all_of, any_of, negation
from .times import parse_duration, parse_time

Values: TypeAlias = Mapping[str, Any]


def evaluate(text: str, columns: Values, parameters: Values) -> Any:
    """Return the value of an expression: a Python value, or None for NULL.

    >>> evaluate("a = 1 OR b", {"a": 2, "b": None}, {}) is None
    True
    >>> evaluate("a NOT IN $seen", {"a": "x"}, {"seen": []})
    True
    """
    return _value(_parse(text), columns, parameters)


@cache
def _parse(text: str) -> exp.Expression:
    return sqlglot.parse_one(text, read="duckdb")


def _value(node: exp.Expression, columns: Values, parameters: Values) -> Any:  # noqa: PLR0912, C901 - one table of nodes
    def value(child: exp.Expression) -> Any:
        return _value(child, columns, parameters)

    match node:
        case exp.Paren():
            _reads(node, "this")
            return value(node.this)
        case exp.Column():
            _reads(node, "this")
            return columns[node.name]
        case exp.Placeholder():
            _reads(node, "this")
            return parameters[node.name]
        case exp.Literal():
            _reads(node, "this", "is_string")
            return node.this if node.is_string else int(node.this)
        case exp.Boolean():
            return bool(node.this)
        case exp.Null():
            return None
        case exp.Neg():
            number = value(node.this)
            return None if number is None else -number
        case exp.Cast():
            return _timestamp(node)
        case exp.Interval():
            _reads(node, "this", "unit")
            return parse_duration(f"{node.this.name} {node.args['unit'].name}")
        case exp.And():
            _reads(node, "this", "expression")
            return all_of([_truth(value(node.this)), _truth(value(node.expression))])
        case exp.Or():
            _reads(node, "this", "expression")
            return any_of([_truth(value(node.this)), _truth(value(node.expression))])
        case exp.Not():
            _reads(node, "this")
            return negation(_truth(value(node.this)))
        case exp.Add():
            _reads(node, "this", "expression")
            return _later(value(node.this), value(node.expression))
        case exp.Is():
            _reads(node, "this", "expression")
            return _is(value(node.this), node.expression)
        case exp.In():
            _reads(node, "this", "expressions", "field")
            return _in(value(node.this), _members(node, value))
        case exp.Between():
            _reads(node, "this", "low", "high")
            middle = value(node.this)
            return all_of(
                [
                    _compare(middle, value(node.args["low"]), lambda a, b: a >= b),
                    _compare(middle, value(node.args["high"]), lambda a, b: a <= b),
                ]
            )
        case exp.Like():
            _reads(node, "this", "expression", "negate")
            found = _like(value(node.this), value(node.expression))
            return negation(found) if node.args.get("negate") else found
        case exp.Coalesce():
            _reads(node, "this", "expressions")
            candidates = [value(child) for child in (node.this, *node.expressions)]
            return next((one for one in candidates if one is not None), None)
        case exp.Case():
            _reads(node, "ifs", "default")
            return _case(node, value)
    for kind, compare in _COMPARISONS.items():
        if type(node) is kind:
            _reads(node, "this", "expression")
            return _compare(value(node.this), value(node.expression), compare)
    raise NotImplementedError(f"not in the rule language: {node.sql('duckdb')}")


_COMPARISONS: dict[type[exp.Expression], Callable[[Any, Any], bool]] = {
    exp.EQ: lambda a, b: a == b,
    exp.NEQ: lambda a, b: a != b,
    exp.LT: lambda a, b: a < b,
    exp.LTE: lambda a, b: a <= b,
    exp.GT: lambda a, b: a > b,
    exp.GTE: lambda a, b: a >= b,
}


def _reads(node: exp.Expression, *arguments: str) -> None:
    """Refuse a node that carries an argument beside those that are read."""
    extra = sorted(name for name, held in node.args.items() if held and name not in arguments)
    if extra:
        raise NotImplementedError(f"unread argument {', '.join(extra)}: {node.sql('duckdb')}")


def _truth(value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise TypeError("AND, OR, NOT and WHEN want a boolean")
    return value


def _compare(left: Any, right: Any, compare: Callable[[Any, Any], bool]) -> bool | None:
    if left is None or right is None:
        return None
    # Python finds "1" and 1 merely unequal; the rule language has no such comparison.
    if type(left) is not type(right):
        raise TypeError(f"cannot compare {type(left).__name__} with {type(right).__name__}")
    return compare(left, right)


def _timestamp(node: exp.Cast) -> datetime:
    _reads(node, "this", "to")
    literal = node.this
    if not node.to.is_type("timestamptz") or not literal.is_string:
        raise NotImplementedError(f"not in the rule language: {node.sql('duckdb')}")
    return parse_time(literal.this)


def _later(time: datetime | None, duration: timedelta | None) -> datetime | None:
    if time is None or duration is None:
        return None
    if not isinstance(time, datetime) or not isinstance(duration, timedelta):
        raise TypeError("only a duration can be added, and only to a time")
    return time + duration


def _is(value: Any, right: exp.Expression) -> bool:
    if isinstance(right, exp.Null):
        return value is None
    if isinstance(right, exp.Boolean):
        return _truth(value) is bool(right.this)
    raise NotImplementedError(f"not in the rule language: IS {right.sql('duckdb')}")


def _members(node: exp.In, value: Callable[[exp.Expression], Any]) -> list[Any]:
    listed = [value(child) for child in node.expressions]
    field = node.args.get("field")
    return listed if field is None else [*listed, *value(field)]


def _in(value: Any, members: list[Any]) -> bool | None:
    """Membership is an OR of equalities: of none at all it is FALSE, even for NULL."""
    return any_of(_compare(value, member, lambda a, b: a == b) for member in members)


def _like(value: str | None, pattern: str | None) -> bool | None:
    if value is None or pattern is None:
        return None
    signs = {"%": ".*", "_": "."}
    regex = "".join(signs.get(letter) or re.escape(letter) for letter in pattern)
    return re.fullmatch(regex, value, re.DOTALL) is not None


def _case(node: exp.Case, value: Callable[[exp.Expression], Any]) -> Any:
    for branch in node.args["ifs"]:
        if _truth(value(branch.this)):
            return value(branch.args["true"])
    return value(node.args["default"])
