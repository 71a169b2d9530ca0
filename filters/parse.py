"""One SQL expression → a checked, typed predicate, or every fault in it.

sqlglot parses; what it understood is then walked against a closed set. A node that is not in the
set, and an argument that no handler consumed, is refused with its place and the way out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from .document import suggest
from .errors import Fault
from .predicate import (
    FALSE,
    TRUE,
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
)
from .schema import Type

MAX_LENGTH: Final = 20_000
_DIGITS: Final = 19

_UNITS: Final = {
    "week": timedelta(weeks=1),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}
_COMPARISONS: Final[dict[type[exp.Expr], str]] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


@dataclass(frozen=True)
class Names:
    """The columns and parameters that an expression may use, with their types."""

    columns: Mapping[str, Type]
    parameters: Mapping[str, Type] = field(default_factory=dict)


class _RefusedError(Exception):
    """Something outside the set; caught at the nearest place that can go on."""

    def __init__(self, what: str, fix: str, at: exp.Expr | None = None) -> None:
        super().__init__(what, fix)
        self.what, self.fix, self.at = what, fix, at


def parse(text: str, names: Names, *, where: str = "when") -> tuple[Node | None, list[Fault]]:
    """Parse one expression; the node is None exactly if there are faults.

    A fault's position is the column inside the expression, counted from 1.

    >>> node, _ = parse("deleted OR org_id IS NULL", Names({"deleted": Type.BOOLEAN,
    ...                                                     "org_id": Type.STRING}))
    >>> type(node).__name__
    'Or'
    >>> parse("NOW() > 1", Names({}))[1][0].what
    'the rule language has no `NOW`'
    """
    if len(text) > MAX_LENGTH:
        return None, [Fault(where, f"longer than {MAX_LENGTH} characters", "split the rule")]
    try:
        # Without the line feed sqlglot's tokenizer trips over a literal '' at the very end.
        trees = sqlglot.parse(f"{text}\n", read="duckdb")
    except SqlglotError as error:
        detail = (getattr(error, "errors", None) or [{}])[0]
        what = _first_line(str(detail.get("description") or error))
        column = str(detail.get("col") or "")
        return None, [Fault(where, f"not SQL: {what}", "write one boolean expression", column)]
    except RecursionError:
        return None, [Fault(where, "nested too deeply", "split the rule")]
    if len(trees) != 1 or trees[0] is None:
        return None, [Fault(where, "not one expression", "write one boolean expression")]
    walker = _Walker(names, where)
    try:
        node = walker.walk(trees[0])
    except RecursionError:
        return None, [Fault(where, "nested too deeply", "split the rule")]
    except _RefusedError as refused:
        walker.refuse(refused)
        node = None
    return (None, walker.faults) if walker.faults else (node, [])


def mentioned(text: str) -> frozenset[str]:
    """Name the columns that an expression mentions, without checking it.

    >>> sorted(mentioned("CASE WHEN source = 'w' THEN kind ELSE NULL END"))
    ['kind', 'source']
    """
    try:
        tree = sqlglot.parse_one(f"{text}\n", read="duckdb")
    except (SqlglotError, RecursionError):
        return frozenset()
    return frozenset(column.name for column in tree.find_all(exp.Column))


def parse_duration(text: str) -> timedelta:
    """Read a fixed duration: a whole number of weeks, days, hours, minutes or seconds.

    >>> parse_duration("30 days")
    datetime.timedelta(days=30)
    """
    match = re.fullmatch(r"\s*(\d{1,9})\s*([a-z]+?)s?\s*", text.lower())
    unit = _UNITS.get(match[2]) if match else None
    if match is None or unit is None:
        message = "not a fixed duration"
        raise ValueError(message)
    try:
        return int(match[1]) * unit
    except OverflowError:
        message = "too long a duration"
        raise ValueError(message) from None


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 instant that states its offset, as UTC.

    >>> parse_time("2023-03-01 01:00:00+01:00")
    datetime.datetime(2023, 3, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        message = "a time without an offset"
        raise ValueError(message)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        message = "outside the years 1 to 9999"
        raise ValueError(message) from None


_Handler = Callable[["_Walker", exp.Expr], Node]


class _Walker:
    """Turns sqlglot's nodes into ours and collects what it has to refuse."""

    def __init__(self, names: Names, where: str) -> None:
        self.names = names
        self.where = where
        self.faults: list[Fault] = []

    def refuse(self, refused: _RefusedError) -> None:
        column = _column(refused.at) if refused.at is not None else ""
        self.faults.append(Fault(self.where, refused.what, refused.fix, column))

    def walk(self, node: exp.Expr) -> Node:
        kind = type(node)
        if kind not in _HANDLERS:
            name = node.sql_name() if isinstance(node, exp.Func) else kind.__name__.upper()
            if isinstance(node, exp.Anonymous):
                name = str(node.this).upper()
            if isinstance(node, exp.CurrentTimestamp | exp.CurrentDate):
                name = "NOW"
            raise _RefusedError(f"the rule language has no `{name}`", _fix(kind), node)
        handler, consumed = _HANDLERS[kind]
        for name, value in node.args.items():
            if name not in consumed and value not in (None, False, [], ""):
                what = f"`{name.replace('_', ' ')}` on `{kind.__name__.upper()}`"
                raise _RefusedError(f"the rule language has no {what}", "leave it out", node)
        return handler(self, node)

    def boolean(self, node: exp.Expr) -> Node:
        """Walk a node that must be boolean; go on behind a fault, to find the others too."""
        try:
            item = self.walk(node)
        except _RefusedError as refused:
            self.refuse(refused)
            return TRUE
        if item.type is not Type.BOOLEAN:
            what = f"{item.type.named} where TRUE or FALSE is wanted"
            self.refuse(_RefusedError(what, "compare it with something", node))
            return TRUE
        return item

    def same_type(self, nodes: list[Node], at: exp.Expr) -> Type:
        kinds = {node.type for node in nodes}
        if len(kinds) != 1:
            spelled = " with ".join(kind.named for kind in sorted(kinds))
            fix = "write times as TIMESTAMPTZ '2023-03-01T00:00:00Z', strings in single quotes"
            raise _RefusedError(f"mixes {spelled}", fix, at)
        kind = kinds.pop()
        if kind in {Type.LIST, Type.DURATION}:
            raise _RefusedError(
                f"{kind.named} cannot stand here", "use it with IN or after a time +", at
            )
        return kind


def _column_node(walker: _Walker, node: exp.Expr) -> Node:
    name = node.name
    if name not in walker.names.columns:
        raise _RefusedError(f"unknown column `{name}`", suggest(name, walker.names.columns), node)
    return Column(name, walker.names.columns[name])


def _parameter(walker: _Walker, node: exp.Expr) -> Node:
    name = node.name
    if not name:
        raise _RefusedError("a nameless placeholder", "write $name", node)
    if name not in walker.names.parameters:
        fix = suggest(name, walker.names.parameters) if walker.names.parameters else "write a value"
        raise _RefusedError(f"unknown parameter `${name}`", fix, node)
    return Parameter(name, walker.names.parameters[name])


def _literal(_: _Walker, node: exp.Expr) -> Node:
    if node.is_string:
        return Literal(str(node.this), Type.STRING)
    text = str(node.this)
    if not text.isdigit() or len(text) > _DIGITS or int(text) >= 2**63:
        raise _RefusedError("a number that is no 64-bit integer", "write a whole number", node)
    return Literal(int(text), Type.INTEGER)


def _negative(walker: _Walker, node: exp.Expr) -> Node:
    item = walker.walk(node.this)
    if not (isinstance(item, Literal) and item.type is Type.INTEGER):
        raise _RefusedError("`-` before something else than a number", "leave it out", node)
    return Literal(-cast("int", item.value), Type.INTEGER)


def _boolean(_: _Walker, node: exp.Expr) -> Node:
    return TRUE if node.this else FALSE


def _cast(_: _Walker, node: exp.Expr) -> Node:
    target = node.args["to"]
    if not target.is_type(exp.DataType.Type.TIMESTAMPTZ):
        fix = "write TIMESTAMPTZ '2023-03-01T00:00:00Z', the only conversion there is"
        raise _RefusedError(f"a conversion to {target.sql('duckdb')}", fix, node)
    if not (isinstance(node.this, exp.Literal) and node.this.is_string):
        raise _RefusedError("TIMESTAMPTZ of something else than a literal", "write the time", node)
    try:
        return Literal(parse_time(node.this.name), Type.TIMESTAMP)
    except ValueError:
        fix = "write it as 2023-03-01T00:00:00Z, with its offset"
        raise _RefusedError("no ISO 8601 time with an offset", fix, node) from None


def _interval(_: _Walker, node: exp.Expr) -> Node:
    number = node.this.name if isinstance(node.this, exp.Literal) else ""
    unit = node.args.get("unit")
    try:
        return Literal(parse_duration(f"{number} {unit.name if unit else ''}"), Type.DURATION)
    except ValueError:
        fix = "write INTERVAL '30 days': weeks, days, hours, minutes or seconds"
        raise _RefusedError("no fixed duration", fix, node) from None


def _add(walker: _Walker, node: exp.Expr) -> Node:
    time, duration = walker.walk(node.this), walker.walk(node.expression)
    if time.type is not Type.TIMESTAMP or duration.type is not Type.DURATION:
        fix = "add a duration to a time: submitted_at + $retention"
        raise _RefusedError(f"{time.type.named} + {duration.type.named}", fix, node)
    return Add(time, duration)


def _compare(walker: _Walker, node: exp.Expr) -> Node:
    if type(node.this) in _COMPARISONS or type(node.expression) in _COMPARISONS:
        raise _RefusedError("a chain of comparisons", "put brackets round one, or use AND", node)
    left, right = walker.walk(node.this), walker.walk(node.expression)
    op = _COMPARISONS[type(node)]
    if walker.same_type([left, right], node) is Type.BOOLEAN and op not in {"=", "<>"}:
        raise _RefusedError(f"`{op}` on TRUE and FALSE", "use AND, OR, NOT", node)
    return Compare(op, left, right)


def _junction(walker: _Walker, node: exp.Expr) -> Node:
    build = And if isinstance(node, exp.And) else Or
    items: list[Node] = []
    for part in (node.this, node.expression):
        item = walker.boolean(part)
        items += item.items if isinstance(item, build) else [item]
    return build(tuple(items))


def _not(walker: _Walker, node: exp.Expr) -> Node:
    return Not(walker.boolean(node.this))


def _paren(walker: _Walker, node: exp.Expr) -> Node:
    return walker.walk(node.this)


def _in(walker: _Walker, node: exp.Expr) -> Node:
    item = walker.walk(node.this)
    listed = node.args.get("field")
    written = [listed] if listed is not None else node.expressions
    choices = [walker.walk(choice) for choice in written]
    if not all(isinstance(choice, Literal | Parameter) for choice in choices):
        fix = "list literals or parameters; compare columns with ="
        raise _RefusedError("something else than constants after IN", fix, node)
    if not choices:
        raise _RefusedError("IN of nothing", "list at least one value", node)
    if [choice.type for choice in choices] == [Type.LIST]:
        walker.same_type([item, Literal("", Type.STRING)], node)
    elif listed is not None:
        raise _RefusedError("IN without brackets", "write IN (…), or name a list parameter", node)
    else:
        walker.same_type([item, *choices], node)
    return In(item, tuple(choices))


def _between(walker: _Walker, node: exp.Expr) -> Node:
    item, low, high = (walker.walk(node.args[name]) for name in ("this", "low", "high"))
    if walker.same_type([item, low, high], node) is Type.BOOLEAN:
        raise _RefusedError("BETWEEN on TRUE and FALSE", "use AND, OR, NOT", node)
    return And((Compare(">=", item, low), Compare("<=", item, high)))


def _like(walker: _Walker, node: exp.Expr) -> Node:
    item, pattern = walker.walk(node.this), walker.walk(node.expression)
    if not isinstance(pattern, Literal | Parameter):
        raise _RefusedError("LIKE with a computed pattern", "write the pattern as a literal", node)
    if walker.same_type([item, pattern], node) is not Type.STRING:
        raise _RefusedError("LIKE on something else than a string", "compare it with =", node)
    like = Like(item, pattern)
    return Not(like) if node.args.get("negate") else like


def _is(walker: _Walker, node: exp.Expr) -> Node:
    right = node.expression
    if isinstance(right, exp.Null):
        return IsNull(walker.walk(node.this))
    if not isinstance(right, exp.Boolean):
        raise _RefusedError("IS with something else", "write IS NULL, IS TRUE or IS FALSE", node)
    return Is(walker.boolean(node.this), bool(right.this))


def _coalesce(walker: _Walker, node: exp.Expr) -> Node:
    items = [walker.walk(item) for item in (node.this, *node.expressions)]
    return Coalesce(tuple(items), walker.same_type(items, node))


def _case(walker: _Walker, node: exp.Expr) -> Node:
    if node.args.get("default") is None:
        raise _RefusedError("CASE without ELSE", "say what holds otherwise: ELSE …", node)
    branches = [
        (walker.boolean(branch.this), walker.walk(branch.args["true"]))
        for branch in node.args["ifs"]
    ]
    default = walker.walk(node.args["default"])
    kind = walker.same_type([*(result for _, result in branches), default], node)
    return Case(tuple(branches), default, kind)


_PAIR: Final = frozenset({"this", "expression"})
_HANDLERS: Final[dict[type[exp.Expr], tuple[_Handler, frozenset[str]]]] = {
    exp.Column: (_column_node, frozenset({"this"})),
    exp.Placeholder: (_parameter, frozenset({"this"})),
    exp.Literal: (_literal, frozenset({"this", "is_string"})),
    exp.Neg: (_negative, frozenset({"this"})),
    exp.Boolean: (_boolean, frozenset({"this"})),
    exp.Cast: (_cast, frozenset({"this", "to"})),
    exp.Interval: (_interval, frozenset({"this", "unit"})),
    exp.Add: (_add, _PAIR),
    **dict.fromkeys(_COMPARISONS, (_compare, _PAIR)),
    exp.And: (_junction, _PAIR),
    exp.Or: (_junction, _PAIR),
    exp.Not: (_not, frozenset({"this"})),
    exp.Paren: (_paren, frozenset({"this"})),
    exp.In: (_in, frozenset({"this", "expressions", "field"})),
    exp.Between: (_between, frozenset({"this", "low", "high"})),
    exp.Like: (_like, _PAIR | {"negate"}),
    exp.Is: (_is, _PAIR),
    exp.Coalesce: (_coalesce, frozenset({"this", "expressions"})),
    exp.Case: (_case, frozenset({"ifs", "default"})),
}

_FIXES: Final[dict[type[exp.Expr], str]] = {
    exp.Null: "ask with IS NULL or IS NOT NULL",
    exp.Sub: "add a duration to the other side instead",
    exp.CurrentTimestamp: "use $as_of",
    exp.CurrentDate: "use $as_of",
    exp.NullSafeEQ: "use = and IS NULL",
    exp.NullSafeNEQ: "use <> and IS NULL",
    exp.ILike: "write LIKE with the spellings that occur",
    exp.Subquery: "name what you need as a register or a parameter",
    exp.Select: "write one boolean expression",
    exp.Dot: "name the column alone",
}


def _fix(kind: type[exp.Expr]) -> str:
    allowed = "= <> < <= > >=, AND OR NOT, IN, BETWEEN, LIKE, IS, COALESCE, CASE, time + duration"
    return _FIXES.get(kind, f"it has {allowed}")


def _column(node: exp.Expr) -> str:
    """Find where a node begins: the first of its parts whose place sqlglot kept."""
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return str(min(starts) + 1) if starts else ""


def _first_line(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text.split("\n", 1)[0]).rstrip(". ")
