# ruff: noqa: S608 - SQL is what this file writes, of names and literals that it quotes
"""The decision as one DuckDB query: relations of records and registers in, decisions out.

    records ─▶ twice (ids that stand twice) ─▶ spans joined ─▶ rules ─▶ reason

The rules are the policy's own predicates as `to_duckdb` writes them. Everything else of a decision,
what NULL means to a rule, which reason comes first, is said here once more, in SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..policy import BoundPolicy
from ..predicate import columns
from ..to_duckdb import identifier
from .marks import NO_PERMIT, held, marks, reached
from .provenance import NORMAL, conformed, listing, text
from .purge import PURGE, due, earliest, purge_answers
from .state import derive, times_of_records

DECISION: Final = ("eligible", "reason", "reasons")


@dataclass(frozen=True)
class Corpus:
    """Where records come from, as SQL.

    `relation` follows FROM. `columns` maps provenance columns to expressions over it, of the types
    VARCHAR, TIMESTAMPTZ and, for `parent_ids`, a list. Ids must differ within each value of
    `unit`; where that is None, no id stands twice. `twice` names a table of the ids that do, as
    `twice_sql` finds them, where that was asked of more records than these.
    """

    relation: str
    columns: Mapping[str, str]
    unit: str | None = "0"
    twice: str | None = None


@dataclass(frozen=True)
class Question:
    """What is asked of records.

    `asked` are provenance columns in the form in which rules read them, derived columns, and those
    of DECISION and PURGE. `carried` are expressions over the corpus's relation; `whole` carries
    all of its columns but those in `hidden`. `eligible` asks only for records that are, or are not.
    `marks` asks for all reasons, as columns that `marks.reasons_of` reads; `told` says that the
    tables of `register_tables` are there.
    """

    asked: Sequence[str] = ()
    carried: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    hidden: Sequence[str] = ()
    eligible: bool | None = None
    marks: bool = False
    told: bool = False


def decision_sql(
    policy: BoundPolicy,
    registers: Mapping[str, str],
    corpus: Corpus,
    question: Question,
    *,
    kinds: Mapping[str, Collection[str]] | None = None,
) -> str:
    """Write the query that decides the records of a corpus.

    `registers` and `kinds` are as `state.derive` takes them. The result has the columns asked
    for, then those carried; no row is lost or doubled, and their order is not promised.
    """
    settled = _settled(policy, question)
    read = _reads(policy, question, settled)
    derived = derive(policy, registers, read, kinds)
    facts, joins = dict(derived.columns), list(derived.joins)
    tables = {} if question.told else dict(derived.tables)
    tables["mapped"] = _mapped(corpus, question)
    if "duplicate_id" in read:
        facts["duplicate_id"] = "FALSE"
        if corpus.unit is not None:
            facts["duplicate_id"] = "(twice.record_id IS NOT NULL)"
            joins.append("LEFT JOIN twice ON twice.record_id = r.record_id AND twice.unit = r.unit")
            tables |= _TWICE if corpus.twice is None else {"twice": f"FROM {corpus.twice}"}
    tables |= _conformed(corpus)
    tables["facts"] = f"SELECT {_all('r.*', facts)}\nFROM conformed AS r\n{_lines(joins)}"
    tables["settled"] = f"SELECT {_all('*', settled)}\nFROM facts"
    last = earliest(policy) if set(question.asked) & set(PURGE) else {}
    tables["decided"] = f"SELECT {_all('*', last)}\nFROM settled"
    answers = _answers(policy)
    wanted = {name: answers.get(name, name) for name in question.asked}
    wanted |= marks(policy) if question.marks else {}
    wanted |= {name: identifier(f"carried:{name}") for name in question.carried}
    stars = [r"COLUMNS('^whole:(.*)$') AS '\1'"] if question.whole else []
    query = f"SELECT {', '.join([*filter(None, [listing(wanted)]), *stars])}\nFROM decided"
    if question.eligible is not None:
        query += f"\nWHERE {'' if question.eligible else 'NOT '}{answers['eligible']}"
    return _with(tables) + query


def register_tables(
    policy: BoundPolicy,
    registers: Mapping[str, str],
    question: Question,
    kinds: Mapping[str, Collection[str]] | None = None,
) -> dict[str, str]:
    """Write the tables that a decision makes of registers alone, each over those before it."""
    read = _reads(policy, question, _settled(policy, question))
    return derive(policy, registers, read, kinds).tables


def twice_sql(corpus: Corpus) -> str:
    """Write the query that finds the ids that stand twice: `unit`, `record_id`."""
    return f"{_with({'mapped': _mapped(corpus, Question()), **_TWICE})}FROM twice"


_TWICE: Final = {
    # Few ids stand twice, and numbers are counted faster than strings: only ids whose hash
    # stands twice are compared.
    "twice_hashes": """
        SELECT hash(unit, record_id) AS hashed FROM mapped
        WHERE record_id IS NOT NULL GROUP BY hashed HAVING count(*) > 1
        """,
    "twice": """
        SELECT unit, record_id FROM mapped
        WHERE hash(unit, record_id) IN (SELECT hashed FROM twice_hashes)
        GROUP BY unit, record_id HAVING count(*) > 1
        """,
}


def _mapped(corpus: Corpus, question: Question) -> str:
    given = conformed(corpus.columns)
    given |= {f"carried:{name}": sql for name, sql in question.carried.items()}
    if corpus.unit is not None:
        given["unit"] = corpus.unit
    whole = ""
    if question.whole:
        hidden = ", ".join(identifier(name) for name in question.hidden)
        whole = rf", COLUMNS(*{f' EXCLUDE ({hidden})' if hidden else ''}) AS 'whole:\0'"
    return f"SELECT {listing(given)}{whole}\nFROM {corpus.relation}"


def _conformed(corpus: Corpus) -> dict[str, str]:
    """Bring the values that are not in form into it, and add what registers are asked with.

    `once` is `value`, found in a way that keeps DuckDB from comparing before it groups.
    """
    tables, replaced, joins = {}, [], []
    for name, normal in NORMAL.items():
        if name not in corpus.columns:
            continue
        odd = f"odd_{name}s"
        tables[odd] = f"""
            SELECT value, normal
            FROM (SELECT value, {normal("once")} AS normal
                  FROM (SELECT {name} AS value, any_value({name}) AS once FROM mapped
                        GROUP BY {name}))
            WHERE value IS DISTINCT FROM normal
            """
        replaced.append(
            f"CASE WHEN {odd}.value IS NULL THEN m.{name} ELSE {odd}.normal END AS {name}"
        )
        joins.append(f"LEFT JOIN {odd} ON {odd}.value = m.{name}")
    star = f"m.* REPLACE ({', '.join(replaced)})" if replaced else "m.*"
    tables["conformed"] = (
        f"SELECT {star}, {listing(times_of_records())}\nFROM mapped AS m\n{_lines(joins)}"
    )
    return tables


def _all(star: str, more: Mapping[str, str]) -> str:
    return f"{star}, {listing(more)}" if more else star


def _lines(parts: Sequence[str], comma: str = "") -> str:
    return f"{comma}\n".join(parts)


_LAST: Final = ("facts", "settled", "decided")


def _with(tables: Mapping[str, str]) -> str:
    """Name the tables in order. What depends on records is never held in memory as a whole."""
    streamed = ("mapped", "conformed", *_LAST)
    parts = [
        f"{name} AS {'NOT ' if name in streamed else ''}MATERIALIZED ({sql.strip()})"
        for name, sql in sorted(tables.items(), key=lambda item: _place(item[0]))
    ]
    return f"WITH {', '.join(parts)}\n"


def _place(name: str) -> int:
    """Put what reads records behind what reads registers alone."""
    last = ("mapped", "odd_endpoints", "odd_models", "twice_hashes", "twice", "conformed", *_LAST)
    return last.index(name) if name in last else -1


def _reads(policy: BoundPolicy, question: Question, settled: Mapping[str, str]) -> frozenset[str]:
    """Name every column that has to be found out."""
    read = frozenset(question.asked)
    if question.marks or settled.keys() & {"reason", "against"}:
        read |= frozenset[str]().union(*(columns(rule.condition) for rule in policy.rules))
    if any(name in question.asked for name in PURGE):
        purging = frozenset(
            name for rule in policy.forbids if rule.deadline for name in rule.columns
        )
        read |= purging | {"on_hold"}
    return read


def _settled(policy: BoundPolicy, question: Question) -> dict[str, str]:
    """Write what is found out once for each record, and read again by what is asked."""
    needed = set(question.asked)
    settled = {}
    if needed & {"eligible", "reason"} or question.eligible is not None:
        settled["reason"] = _reason(policy)
    if "reasons" in needed:
        settled |= {"against": _against(policy), "in_favour": _in_favour(policy)}
    if question.marks:
        settled |= {name: holds for name, (_, holds) in held(policy).items()}
    if needed & set(PURGE):
        settled |= due(policy)
    return settled


def _reason(policy: BoundPolicy) -> str:
    """Find the first reason. A forbid's condition is looked at twice only where it is not FALSE."""
    branches = [
        *(f"WHEN {holds} THEN {text(rule.reason)}" for rule, holds in reached(policy.inputs)),
        *(
            f"WHEN {holds} IS NOT FALSE THEN CASE WHEN {holds} THEN {text(rule.reason)}"
            f" ELSE {text(rule.reason + '?')} END"
            for rule, holds in reached(policy.forbids)
        ),
        *(f"WHEN {holds} THEN {text(rule.reason)}" for rule, holds in reached(policy.permits)),
    ]
    return f"CASE {_lines(branches)}\nELSE {text(NO_PERMIT)} END"


def _eligible(policy: BoundPolicy) -> str:
    """Tell by the first reason: a permit's id is no other rule's."""
    permits = [text(rule.reason) for rule, _ in reached(policy.permits)]
    return f"(reason IN ({', '.join(permits)}))" if permits else "FALSE"


def _against(policy: BoundPolicy) -> str:
    """List everything that excludes."""
    permitted = [f"({holds} IS TRUE)" for _, holds in reached(policy.permits)]
    return _listed(
        [
            *(_if(holds, rule.reason) for rule, holds in reached(policy.inputs)),
            *(
                f"CASE WHEN {holds} THEN {text(rule.reason)}"
                f" WHEN {holds} IS NULL THEN {text(rule.reason + '?')} END"
                for rule, holds in reached(policy.forbids)
            ),
            _if(f"NOT ({' OR '.join(permitted) or 'FALSE'})", NO_PERMIT),
        ]
    )


def _in_favour(policy: BoundPolicy) -> str:
    """List every permit."""
    return _listed([_if(holds, rule.reason) for rule, holds in reached(policy.permits)])


def _if(holds: str, reason: str) -> str:
    return f"CASE WHEN {holds} THEN {text(reason)} END"


def _listed(items: Sequence[str]) -> str:
    """List what is not NULL."""
    return f"list_filter(CAST([{_lines(items, ',')}] AS VARCHAR[]), lambda x: x IS NOT NULL)"


def _answers(policy: BoundPolicy) -> dict[str, str]:
    """Write what is asked over what is settled."""
    return {
        "eligible": _eligible(policy),
        "reasons": "CASE WHEN len(against) > 0 THEN against ELSE in_favour END",
        **purge_answers(policy),
    }
