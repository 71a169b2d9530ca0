"""Whole policies over random registers and records: Polars, and the same asked in pure SQL."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random

import duckdb
import polars as pl
import pytest
from corpusgate.filters.decide import Judge, bind
from corpusgate.filters.provenance import conform
from corpusgate.filters.registers import FIELDS
from corpusgate.filters.schema import DERIVED, PROVENANCE, SUBJECTS
from corpusgate.filters.sql.decide import DECISION
from corpusgate.filters.sql.purge import PURGE
from corpusgate.filters.state import States
from corpusgate.filters.to_polars import TIMESTAMP
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from properties.efforts import efforts
from properties.histories import (
    AS_OF,
    START,
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
TICK = timedelta(microseconds=1)
_same_ids = st.lists(st.sampled_from(["0", "1", "", " ", None]), min_size=8, max_size=8)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with connection() as database:
        yield database


@efforts(fast=12, slow=150)
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
        facts = judge.facts(judge.records([frame]))
        expected = (
            facts.select(*DERIVED).hstack(judge.verdict(facts)).select(*DERIVED, *DECISION, *PURGE)
        )
        found = decide_in_sql(database, bound, given_registers, frame, kinds=kinds)
        assert_frame_equal(found, expected)

    check()


@efforts(fast=5, slow=40)
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


IDS = ["a", "b", "c", "d", "ft:x", None, "", " "]
SUBJECTS_OF = {"deletions": sorted(SUBJECTS), "holds": sorted(SUBJECTS), "consent": ["org", "user"]}


def crowd(dice: Random, count: int) -> list[Row]:
    """Many records of few people, within a few microseconds."""
    ids = ("org_id", "user_id", "end_user_id", "file_id", "conversation_id", "model")
    return [
        dict.fromkeys(PROVENANCE)
        | {name: dice.choice(IDS) for name in ids}
        | {
            "record_id": str(number),
            "surface": dice.choice(["api", "playground", "consumer", "enterprise", "odd", None]),
            "submitted_at": dice.choice([None, *(START + n * TICK for n in range(8))]),
        }
        for number in range(count)
    ]


def busy(dice: Random, count: int) -> Registers:
    """Registers with many events of these people; most tie with, or miss, a record by little."""

    def event(name: str) -> Row:
        kinds = SUBJECTS_OF.get(name, ["org"])
        row: Row = {"subject_kind": dice.choice(kinds), "subject_id": dice.choice(IDS[:5])}
        for column, field in FIELDS[name].items():
            if field.dtype == pl.Boolean():
                row[column] = dice.random() < 0.3
            elif field.dtype == TIMESTAMP:
                row[column] = START + dice.randrange(8) * TICK
            if field.optional and dice.random() < 0.5:
                row[column] = None
        more: Row = {
            "org_id": row["subject_id"],
            "plan": dice.choice([None, "free", "free", "plus", "team", "odd", "old"]),
            "choice": dice.choice(["opt_in", "opt_in", "opt_out"]),
            "surfaces": dice.choice([None, None, ["api"], ["consumer", "api"], ["enterprise"]]),
            "purposes": dice.choice([None, ["search"], ["pretraining", "search"]]),
        }
        return {
            column: (row | more)[column] if column in more else row[column]
            for column in FIELDS[name]
        }

    return {name: [event(name) for _ in range(count)] for name in FIELDS}


@efforts(fast=8, slow=80)
def test_derived_columns_agree_in_a_crowd(
    effort: settings, database: duckdb.DuckDBPyConnection
) -> None:
    @effort
    @given(st.integers(0, 2**32), st.sampled_from([3, 10, 60]), purposes, st.booleans())
    def check(seed: int, events: int, purpose: str, kinds: bool) -> None:
        dice = Random(seed)  # noqa: S311 - a seed, not a secret
        rows, known = crowd(dice, 300), busy(dice, events)
        bound = bind(POLICY, purpose=purpose, as_of=AS_OF)
        given_registers, frame = register_set(known), record_frame(rows)
        expected = States.prepare(given_registers, bound).derive(conform(frame))
        found = decide_in_sql(
            database, bound, given_registers, frame, kinds=kinds, asked=tuple(DERIVED)
        )
        assert_frame_equal(found, expected)

    check()
