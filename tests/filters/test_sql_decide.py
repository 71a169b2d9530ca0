"""The decision in pure SQL: the truth cases, and what its text must not do."""

from functools import cache
from typing import Any

import duckdb
import polars as pl
import pytest
from corpusgate.filters.decide import bind
from corpusgate.filters.registers import RegisterSet, make_register
from oracle.cases import Case
from properties.sql_engine import connection, decide_in_sql
from test_cases_engines import CASES, RECORD, REGISTERS, Outcome, oracle_outcome, policy_of

IDS = ("record_id", "org_id", "user_id", "end_user_id", "file_id", "conversation_id", "subject_id")


@cache
def database() -> duckdb.DuckDBPyConnection:
    return connection()


def alone(case: Case) -> bool:
    """Whether a case says more of an id than that two are equal."""
    subjects = [*(case.registers["deletions"] or []), *(case.registers["holds"] or [])]
    return case.for_org is not None or any(row["subject_kind"] == "model" for row in subjects)


@cache
def groups() -> list[list[Case]]:
    """Cases that one query can decide together: as other people, with one set of registers."""
    alike: dict[Any, list[Case]] = {}
    for case in CASES:
        there = tuple(rows is None for rows in case.registers.values())
        settings = (case.purpose, str(case.as_of), case.for_org, str(case.parameters), there)
        alike.setdefault(case.id if alone(case) else settings, []).append(case)
    return list(alike.values())


def renamed(row: dict[str, Any], number: int) -> dict[str, Any]:
    """Make subjects those of one case; a blank id stays what it is."""
    return {
        name: f"{number}:{value}" if name in IDS and value and value.strip() else value
        for name, value in row.items()
    }


def together(cases: list[Case]) -> tuple[pl.DataFrame, RegisterSet]:
    single = len(cases) == 1
    records = [case.record if single else renamed(case.record, n) for n, case in enumerate(cases)]
    registers = {}
    for name, schema in REGISTERS.items():
        if cases[0].registers[name] is None:
            continue
        rows = [
            row if single else renamed(row, number)
            for number, case in enumerate(cases)
            for row in case.registers[name] or []
        ]
        registers[name] = make_register(name, pl.DataFrame(rows, schema=schema))
    return pl.DataFrame(records, schema=RECORD), RegisterSet(**registers)


@cache
def outcomes() -> dict[Case, Outcome]:
    found = {}
    for number, cases in enumerate(groups()):
        one = cases[0]
        bound = bind(policy_of(one), purpose=one.purpose, as_of=one.as_of, for_org=one.for_org)
        records, registers = together(cases)
        # A unit for each: an id may stand in two cases.
        ways = [
            decide_in_sql(
                database(),
                bound,
                registers,
                records,
                kinds=bool(number % 2),
                unit="place",
                marks=marks,
            ).to_dicts()
            for marks in (False, True)
        ]
        assert ways[0] == ways[1]
        for case, row in zip(cases, ways[0], strict=True):
            purge = (row["purge_reason"], row["purge_deadline"]) if row["purge_reason"] else None
            found[case] = Outcome(row["eligible"], row["reason"], row["reasons"], purge)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_sql_says_what_the_oracle_says(case: Case):
    assert outcomes()[case] == oracle_outcome(case)
