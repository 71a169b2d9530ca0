"""The decision in pure SQL, over the truth cases."""

from functools import cache

import pytest
from corpusgate.filters.decide import bind
from oracle.cases import Case
from properties.sql_engine import connection, decide_in_sql
from test_cases_engines import CASES, Outcome, frame_of, oracle_outcome, policy_of, registers_of


@cache
def database():
    return connection()


def sql_outcome(case: Case, *, kinds: bool) -> Outcome:
    bound = bind(policy_of(case), purpose=case.purpose, as_of=case.as_of, for_org=case.for_org)
    found = decide_in_sql(database(), bound, registers_of(case), frame_of(case), kinds=kinds)
    [row] = found.to_dicts()
    purge = (row["purge_reason"], row["purge_deadline"]) if row["purge_reason"] else None
    return Outcome(row["eligible"], row["reason"], row["reasons"], purge)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_sql_says_what_the_oracle_says(case: Case):
    assert sql_outcome(case, kinds=False) == oracle_outcome(case)
