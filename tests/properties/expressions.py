"""Random expressions of the rule language, as SQL text.

Brackets stand where precedence wants them, and now and then where it does not, so that the
precedence the parser gives an operator is tried as well as the operator.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from corpusgate.filters.parse import Names
from corpusgate.filters.policy import RULE_COLUMNS
from corpusgate.filters.schema import Type
from hypothesis import strategies as st
from properties.values import CUTOFF, instants, integers, nullable, offsets, words

OR, AND, NOT, IS, COMPARE, RANGE, ATOM = range(7)

COLUMNS = RULE_COLUMNS | {"n": Type.INTEGER, "m": Type.INTEGER}
"""What a policy may read, and two numbers, which only a mapping can meet."""

PARAMETERS: dict[str, Type] = {
    "as_of": Type.TIMESTAMP,
    "purpose": Type.STRING,
    "for_org": Type.STRING,
    "cutoff": Type.TIMESTAMP,
    "retention": Type.DURATION,
    "names": Type.LIST,
    "nobody": Type.LIST,
    "limit": Type.INTEGER,
    "flag": Type.BOOLEAN,
}
NAMES = Names(COLUMNS, PARAMETERS)

_SCALARS = (Type.STRING, Type.INTEGER, Type.BOOLEAN, Type.TIMESTAMP)
_ORDERED = (Type.STRING, Type.INTEGER, Type.TIMESTAMP)


_MARK = "\x01"


@dataclass(frozen=True)
class Sql:
    """A text with its parameters marked, and how tightly it binds."""

    marked: str
    binds: int = ATOM

    def at(self, least: int) -> "Sql":
        """Put brackets round it unless it binds at least so tightly."""
        return self if self.binds >= least else Sql(f"({self.marked})")

    @property
    def text(self) -> str:
        """The text as a rule in a YAML block has it, with the line's end."""
        return self.marked.replace(_MARK, "$") + "\n"

    def written_out(self, values: Mapping[str, Any]) -> str:
        """Give the text with the parameters' values in their places."""
        return re.sub(_MARK + r"(\w+)", lambda match: literal(values[match[1]]), self.marked)


@cache
def expressions(
    columns: tuple[tuple[str, Type], ...],
    kind: Type = Type.BOOLEAN,
    depth: int = 3,
    *,
    durations: bool = True,
) -> st.SearchStrategy[Sql]:
    """Give expressions of a type over some columns, at most so deep."""
    if depth == 0:
        return _atoms(columns, kind)

    def of(kind: Type, least: int = 0) -> st.SearchStrategy[Sql]:
        inner = expressions(columns, kind, depth - 1, durations=durations)
        return inner.map(lambda sql: sql.at(least))

    return st.one_of([_atoms(columns, kind), st.one_of(_compound(of, kind, durations=durations))])


def parameter_values() -> st.SearchStrategy[dict[str, Any]]:
    """Give a value for each of PARAMETERS; `for_org` may be unset, `nobody` is empty."""
    return st.fixed_dictionaries(
        {
            "as_of": instants,
            "purpose": st.sampled_from(["pretraining", "search"]),
            "for_org": nullable(words),
            "cutoff": st.just(CUTOFF),
            "retention": st.sampled_from([timedelta(days=30), timedelta(seconds=1), timedelta(0)]),
            "names": st.lists(words, min_size=1, max_size=3).map(tuple),
            "nobody": st.just(()),
            "limit": integers,
            "flag": st.booleans(),
        }
    )


def literal(value: Any) -> str:
    """Write a value as DuckDB does."""
    match value:
        case None:
            return "CAST(NULL AS VARCHAR)"
        case bool():
            return str(value).upper()
        case int():
            return str(value) if value >= 0 else f"({value})"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case datetime():
            return f"(TIMESTAMPTZ '{value.isoformat()}')"
        case timedelta():
            return f"INTERVAL '{value // timedelta(seconds=1)} seconds'"
    # IN over a subquery without rows is what `IN ()` would be: FALSE, for NULL too.
    rows = ", ".join(map(literal, value))
    return f"(SELECT unnest(CAST([{rows}] AS VARCHAR[])))"


def _atoms(columns: tuple[tuple[str, Type], ...], kind: Type) -> st.SearchStrategy[Sql]:
    named = [Sql(name) for name, known in columns if known is kind]
    given = [Sql(_MARK + name) for name, known in PARAMETERS.items() if known is kind]
    return st.one_of(st.sampled_from(named + given), _literals(kind))


def _literals(kind: Type) -> st.SearchStrategy[Sql]:
    if kind is Type.TIMESTAMP:
        return st.builds(_time, instants, offsets, st.booleans()).map(Sql)
    values = {Type.STRING: words, Type.INTEGER: integers, Type.BOOLEAN: st.booleans()}[kind]
    return values.map(literal).map(Sql)


def _time(moment: datetime, offset: Any, iso: bool) -> str:
    local = moment if moment.year > 9000 else moment.astimezone(offset)
    text = local.isoformat(sep="T" if iso else " ")
    return f"TIMESTAMPTZ '{text.replace('+00:00', 'Z')}'"


Of = Callable[..., st.SearchStrategy[Sql]]


def _compound(of: Of, kind: Type, *, durations: bool) -> list[st.SearchStrategy[Sql]]:
    nodes = [
        of(kind).map(lambda sql: Sql(f"( {sql.marked} )")),
        st.lists(of(kind), min_size=1, max_size=3).map(
            lambda many: Sql(f"COALESCE({_list(many)})")
        ),
        st.builds(
            _case, st.lists(st.tuples(of(Type.BOOLEAN), of(kind)), min_size=1, max_size=2), of(kind)
        ),
    ]
    if kind is Type.TIMESTAMP:
        later = [f"{_MARK}retention"]
        if durations:
            later += ["INTERVAL '30 days'", "INTERVAL 1 WEEK", "INTERVAL '1' hour"]
        nodes.append(_binary(of(kind, ATOM), ["+"], st.sampled_from(later).map(Sql), RANGE))
    return nodes + _predicates(of) if kind is Type.BOOLEAN else nodes


def _predicates(of: Of) -> list[st.SearchStrategy[Sql]]:
    truth = Type.BOOLEAN
    null, known = ["IS NULL", "IS NOT NULL"], [f"IS {n}{v}" for n in ("", "NOT ") for v in _TRUTHS]
    nodes = [
        _binary(of(truth, AND), ["AND"], of(truth, AND), AND),
        _binary(of(truth, OR), ["or"], of(truth, OR), OR),
        of(truth, NOT).map(lambda sql: Sql(f"NOT {sql.marked}", NOT)),
        _ended(of(truth, IS), known),
        _binary(of(Type.STRING, ATOM), ["LIKE", "NOT LIKE"], words.map(literal).map(Sql), RANGE),
        _binary(of(Type.STRING, ATOM), ["IN", "NOT IN"], _lists_given(), RANGE),
    ]
    for kind in _SCALARS:
        signs = ["=", "<>", "!="] + ["<", "<=", ">", ">="] * (kind in _ORDERED)
        listed = st.lists(_literals(kind), min_size=1, max_size=3).map(
            lambda many: Sql(f"({_list(many)})")
        )
        nodes += [
            _ended(of(kind, IS), null),
            _binary(of(kind, RANGE), signs, of(kind, RANGE), COMPARE),
            _binary(of(kind, ATOM), ["IN", "NOT IN"], listed, RANGE),
        ]
    for kind in _ORDERED:
        limits = _binary(of(kind, ATOM), ["AND"], of(kind, ATOM), RANGE)
        nodes.append(_binary(of(kind, ATOM), ["BETWEEN", "NOT BETWEEN"], limits, RANGE))
    return nodes


_TRUTHS = ("TRUE", "FALSE")


def _lists_given() -> st.SearchStrategy[Sql]:
    return st.sampled_from([f"{_MARK}names", f"{_MARK}nobody"]).map(Sql)


def _binary(
    left: st.SearchStrategy[Sql], signs: list[str], right: st.SearchStrategy[Sql], binds: int
) -> st.SearchStrategy[Sql]:
    return st.builds(
        lambda a, sign, b: Sql(f"{a.marked} {sign} {b.marked}", binds),
        left,
        st.sampled_from(signs),
        right,
    )


def _ended(left: st.SearchStrategy[Sql], endings: list[str]) -> st.SearchStrategy[Sql]:
    return st.builds(
        lambda a, ending: Sql(f"{a.marked} {ending}", IS), left, st.sampled_from(endings)
    )


def _list(many: list[Sql]) -> str:
    return ", ".join(sql.marked for sql in many)


def _case(branches: list[tuple[Sql, Sql]], default: Sql) -> Sql:
    arms = " ".join(f"WHEN {when.marked} THEN {then.marked}" for when, then in branches)
    return Sql(f"CASE {arms} ELSE {default.marked} END")
