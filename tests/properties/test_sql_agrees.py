"""Whole policies over random registers and records: Polars, and the same asked in pure SQL."""

from collections.abc import Iterator

import duckdb
import polars as pl
import pytest
from corpusgate.filters.decide import Judge, bind
from corpusgate.filters.provenance import conform
from corpusgate.filters.schema import DERIVED
from corpusgate.filters.sql_decide import DECISION, PURGE
from corpusgate.filters.state import States
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from properties.efforts import efforts
from properties.histories import (
    AS_OF,
    Registers,
    Row,
    purposes,
    record_frame,
    records,
    register_set,
    registers,
)
from properties.policies import policies
from properties.sql_engine import connection, decide_in_sql
from properties.test_policies_agree import read
from properties.test_state_agrees import POLICY

# As many records as make registers, ids that stand twice and reasons meet.
_same_ids = st.lists(st.sampled_from(["0", "1", "", " ", None]), min_size=8, max_size=8)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with connection() as database:
        yield database


@efforts(fast=25, slow=400)
def test_sql_agrees_with_polars(effort: settings, database: duckdb.DuckDBPyConnection) -> None:
    @effort
    @given(policies(), records(16), registers(), purposes, st.booleans(), st.none() | _same_ids)
    def check(
        policy: Row,
        rows: list[Row],
        known: Registers,
        purpose: str,
        kinds: bool,
        ids: list[str | None] | None,
    ) -> None:
        frame = record_frame(
            [row | {"record_id": ids[n % 8]} for n, row in enumerate(rows)] if ids else rows
        )
        bound = bind(read(policy), purpose=purpose, as_of=AS_OF)
        given_registers = register_set(known)
        judge = Judge.prepare(bound, given_registers)
        facts = judge.facts(judge.records(frame))
        expected = (
            facts.select(*DERIVED).hstack(judge.verdict(facts)).select(*DERIVED, *DECISION, *PURGE)
        )
        found = decide_in_sql(database, bound, given_registers, frame, kinds=kinds)
        assert_frame_equal(found, expected)

    check()


@efforts(fast=10, slow=100)
def test_sql_may_be_asked_for_less(effort: settings, database: duckdb.DuckDBPyConnection) -> None:
    """What is not asked for is not looked up, and changes no other answer."""

    @effort
    @given(
        policies(3),
        records(6),
        registers(4),
        purposes,
        st.sampled_from([*DERIVED, *DECISION, *PURGE]),
    )
    def check(policy: Row, rows: list[Row], known: Registers, purpose: str, name: str) -> None:
        bound = bind(read(policy), purpose=purpose, as_of=AS_OF)
        given_registers, frame = register_set(known), record_frame(rows)
        all_of_it = decide_in_sql(database, bound, given_registers, frame)
        one = decide_in_sql(database, bound, given_registers, frame, asked=(name,))
        assert_frame_equal(one, all_of_it.select(pl.col(name)))

    check()


@efforts(fast=40, slow=400)
def test_derived_columns_agree(effort: settings, database: duckdb.DuckDBPyConnection) -> None:
    @effort
    @given(records(24), registers(16), purposes, st.booleans())
    def check(rows: list[Row], known: Registers, purpose: str, kinds: bool) -> None:
        bound = bind(POLICY, purpose=purpose, as_of=AS_OF)
        given_registers, frame = register_set(known), record_frame(rows)
        expected = States.prepare(given_registers, bound).derive(conform(frame))
        found = decide_in_sql(
            database, bound, given_registers, frame, kinds=kinds, asked=tuple(DERIVED)
        )
        assert_frame_equal(found, expected)

    check()
