"""Every case of the truth table through the real engines: Polars, and DuckDB over the same facts.

Both are also held to the naive oracle, which says all reasons and the purge of every case.
"""

from datetime import datetime
from functools import cache
from typing import NamedTuple

import duckdb
import polars as pl
import pytest
from corpusgate.filters.decide import Judge, bind, decide
from corpusgate.filters.policy import Policy
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


class Run(NamedTuple):
    """One case, ready to be decided."""

    judge: Judge
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


@cache
def run_of(case: Case) -> Run:
    """Prepare and derive once for all tests of a case: that is what costs."""
    bound = bind(policy_of(case), purpose=case.purpose, as_of=case.as_of, for_org=case.for_org)
    judge = Judge.prepare(bound, registers_of(case))
    return Run(judge, judge.facts(frame_of(case)))


@cache
def polars_outcome(case: Case) -> Outcome:
    run = run_of(case)
    row = run.judge.verdict(run.facts).row(0, named=True)
    purge = (row["purge_reason"], row["purge_deadline"]) if row["purge_reason"] else None
    return Outcome(row["eligible"], row["reason"], row["reasons"], purge)


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


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        yield connection


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_polars_agrees_with_case(case: Case):
    expect = case.expect
    outcome = polars_outcome(case)
    assert (outcome.eligible, outcome.reason) == (expect.eligible, expect.reason), outcome.reasons
    if expect.reasons is not None:
        assert outcome.reasons == expect.reasons
    if expect.states_purge:
        assert outcome.purge == expect.purge


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_polars_agrees_with_oracle(case: Case):
    assert polars_outcome(case) == oracle_outcome(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_decide_says_what_the_judge_says(case: Case):
    decided = decide(
        frame_of(case),
        policy_of(case),
        registers_of(case),
        purpose=case.purpose,
        as_of=case.as_of,
        for_org=case.for_org,
    )
    assert decided.select("eligible", "reason", "reasons").row(0) == polars_outcome(case)[:3]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_duckdb_agrees_with_polars_on_every_rule(case: Case, database):
    judge, facts = run_of(case)
    rules = {bound.reason: bound.condition for bound in judge.policy.rules}
    deadlines = {
        f"{bound.reason}: deadline": bound.deadline
        for bound in judge.policy.forbids
        if bound.deadline is not None
    }
    truths = judge.truths(facts).collect().select(map(str, range(len(rules))))
    times = facts.select(to_polars(node).alias(name) for name, node in deadlines.items())

    nodes = rules | deadlines
    database.register("facts", facts.to_arrow())
    answer = database.execute(f"SELECT {', '.join(map(to_duckdb, nodes.values()))} FROM facts")
    in_duckdb = pl.DataFrame(answer.to_arrow_table()).row(0)
    in_polars = (*truths.row(0), *times.row(0))
    assert dict(zip(nodes, in_duckdb, strict=True)) == dict(zip(nodes, in_polars, strict=True))
