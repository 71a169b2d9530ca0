"""Every case of the truth table through the real engines: Polars, and DuckDB over the same facts.

Both are also held to the naive oracle, which says all reasons and the purge of every case.
"""

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import duckdb
import polars as pl
import pytest
from corpusgate.filters.decide import Judge, bind, decide
from corpusgate.filters.policy import Policy
from corpusgate.filters.predicate import Node
from corpusgate.filters.to_duckdb import to_duckdb
from corpusgate.filters.to_polars import to_polars
from corpusgate.jobs.policies import load_policy
from corpusgate.jobs.registers import Registers
from oracle import judge
from oracle.cases import POLICY_FILE, Case, load_cases
from oracle.plain_yaml import read_yaml

CASES = load_cases()
PLAIN_POLICY = read_yaml(POLICY_FILE)

TIME = pl.Datetime("us", "UTC")
STRINGS = pl.List(pl.String)
RECORD = {
    "record_id": pl.String,
    "surface": pl.String,
    "submitted_at": TIME,
    "org_id": pl.String,
    "user_id": pl.String,
    "end_user_id": pl.String,
    "endpoint": pl.String,
    "model": pl.String,
    "part": pl.String,
    "file_id": pl.String,
    "conversation_id": pl.String,
    "parent_ids": STRINGS,
    "license_ends_at": TIME,
    "region": pl.String,
}
SUBJECT = {"subject_kind": pl.String, "subject_id": pl.String}
REGISTERS = {
    "consent": SUBJECT
    | {
        "choice": pl.String,
        "effective_at": TIME,
        "recorded_at": TIME,
        "surfaces": STRINGS,
        "purposes": STRINGS,
    },
    "accounts": {
        "org_id": pl.String,
        "plan": pl.String,
        "zero_retention": pl.Boolean,
        "baa": pl.Boolean,
        "effective_at": TIME,
    },
    "deletions": SUBJECT | {"requested_at": TIME, "scope_until": TIME},
    "holds": SUBJECT | {"from": TIME, "until": TIME},
}


class Outcome(NamedTuple):
    """What one engine says of one record."""

    eligible: bool
    reason: str
    reasons: list[str]
    purge: tuple[str, datetime | None] | None


class Group(NamedTuple):
    """Cases that one run could decide together: only their registers differ."""

    judge: Judge
    cases: list[Case]
    facts: pl.DataFrame


def frame_of(case: Case) -> pl.DataFrame:
    return pl.DataFrame([case.record], schema=RECORD)


def registers_of(case: Case) -> Registers:
    given = {name: rows for name, rows in case.registers.items() if rows is not None}
    frames = {name: pl.DataFrame(rows, schema=REGISTERS[name]) for name, rows in given.items()}
    return Registers(
        **{name: frame for name, frame in frames.items() if frame.height},
        empty=[name for name, frame in frames.items() if frame.is_empty()],
    )


@cache
def built_in_policy() -> Policy:
    return load_policy("openai-api-data")


def policy_of(case: Case) -> Policy:
    return built_in_policy().with_parameters(case.parameters)


def judge_of(case: Case) -> Judge:
    bound = bind(policy_of(case), purpose=case.purpose, as_of=case.as_of, for_org=case.for_org)
    return Judge.prepare(bound, registers_of(case))


def facts_of(case: Case) -> pl.DataFrame:
    judge = judge_of(case)
    return judge.facts(judge.records([frame_of(case)]))


@cache
def groups() -> list[Group]:
    """Derive each case's facts by its own registers; rules then read many facts at once."""
    alike: dict[tuple[str, ...], list[Case]] = {}
    for case in CASES:
        settings = (case.purpose, str(case.as_of), str(case.for_org), str(case.parameters))
        alike.setdefault(settings, []).append(case)
    return [
        Group(
            judge_of(cases[0]),
            cases,
            pl.concat(facts_of(case) for case in cases),
        )
        for cases in alike.values()
    ]


@cache
def polars_outcomes() -> dict[Case, Outcome]:
    outcomes = {}
    for group in groups():
        rows = group.judge.verdict(group.facts).iter_rows(named=True)
        for case, row in zip(group.cases, rows, strict=True):
            purge = (row["purge_reason"], row["purge_deadline"]) if row["purge_reason"] else None
            outcomes[case] = Outcome(row["eligible"], row["reason"], row["reasons"], purge)
    return outcomes


@cache
def rules_in_polars() -> dict[Case, dict[str, Any]]:
    """What each rule and each deadline is for each case: TRUE, FALSE, a time, NULL."""
    values = {}
    for group in groups():
        rules = [bound.reason for bound in group.judge.policy.rules]
        truths = group.judge.truths(group.facts).collect()
        truths = truths.select(pl.col(str(index)).alias(name) for index, name in enumerate(rules))
        times = group.facts.select(
            to_polars(node).alias(name) for name, node in deadlines_of(group).items()
        )
        rows = truths.hstack(times).iter_rows(named=True)
        values.update(zip(group.cases, rows, strict=True))
    return values


@cache
def rules_in_duckdb() -> dict[Case, dict[str, Any]]:
    values = {}
    with duckdb.connect() as database:
        database.execute("SET TimeZone='UTC'")
        for group in groups():
            nodes = {bound.reason: bound.condition for bound in group.judge.policy.rules}
            nodes |= deadlines_of(group)
            columns = ", ".join(f'{to_duckdb(node)} AS "{name}"' for name, node in nodes.items())
            database.register("facts", group.facts.with_row_index("place").to_arrow())
            table = database.sql(f"SELECT {columns} FROM facts ORDER BY place").to_arrow_table()
            rows = pl.DataFrame(table).iter_rows(named=True)
            values.update(zip(group.cases, rows, strict=True))
    return values


def deadlines_of(group: Group) -> dict[str, Node]:
    return {
        f"{bound.reason}: deadline": bound.deadline
        for bound in group.judge.policy.forbids
        if bound.deadline is not None
    }


def oracle_outcome(case: Case) -> Outcome:
    verdict = judge(
        case.record,
        case.registers,
        PLAIN_POLICY,
        purpose=case.purpose,
        as_of=case.as_of,
        for_org=case.for_org,
        parameters=case.parameters,
    )
    return Outcome(verdict.eligible, verdict.reason, verdict.reasons, verdict.purge)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_decide_agrees_with_case(case: Case):
    decided = decide(
        frame_of(case),
        policy_of(case),
        registers_of(case),
        purpose=case.purpose,
        as_of=case.as_of,
        for_org=case.for_org,
    )
    [(eligible, reason, reasons)] = decided.select("eligible", "reason", "reasons").rows()
    assert (eligible, reason) == (case.expect.eligible, case.expect.reason), reasons
    if case.expect.reasons is not None:
        assert reasons == case.expect.reasons


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.expect.states_purge], ids=lambda case: case.id
)
def test_polars_purges_what_the_case_says(case: Case):
    assert polars_outcomes()[case].purge == case.expect.purge


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_polars_agrees_with_oracle(case: Case):
    assert polars_outcomes()[case] == oracle_outcome(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_duckdb_agrees_with_polars_on_every_rule(case: Case):
    assert rules_in_duckdb()[case] == rules_in_polars()[case]
