"""What the registers say of a record, against plain loops over their rows."""

from random import Random

import polars as pl
from corpusgate.filters.decide import bind
from corpusgate.filters.policy_file import parse_policy
from corpusgate.filters.provenance import conform
from corpusgate.filters.schema import DERIVED
from corpusgate.filters.state import States
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.accounts import account_columns
from oracle.consent import consent_columns
from oracle.normalise import normalise_record
from oracle.subjects import deletion_columns, is_held
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

TRAINABLE, BUSINESS = ["free", "plus"], ["team", "edu"]
POLICY = parse_policy(
    f"""
    name: plans
    version: "1"
    parameters:
      trainable_plans: {{type: list, value: [{", ".join(TRAINABLE)}]}}
      business_plans: {{type: list, value: [{", ".join(BUSINESS)}]}}
    """
)


def by_loops(record: Row, given: Registers, purpose: str) -> Row:
    normal = normalise_record(record)
    return {
        **consent_columns(normal, given["consent"] or [], purpose=purpose, as_of=AS_OF),
        **account_columns(
            normal, given["accounts"] or [], trainable_plans=TRAINABLE, business_plans=BUSINESS
        ),
        **deletion_columns(normal, given["deletions"] or []),
        "on_hold": is_held(normal, given["holds"], AS_OF),
    }


def states(given: Registers, purpose: str) -> States:
    return States.prepare(register_set(given), bind(POLICY, purpose=purpose, as_of=AS_OF))


@efforts(fast=40, slow=600)
def test_derived_columns_are_what_loops_find(effort: settings) -> None:
    @effort
    @given(records(16), registers(), purposes)
    def check(rows: list[Row], known: Registers, purpose: str) -> None:
        derived = states(known, purpose).derive(conform(record_frame(rows)))
        assert list(derived.columns) == list(DERIVED)
        found = derived.to_dicts()
        expected = [by_loops(row, known, purpose) for row in rows]
        for row, one, other in zip(rows, found, expected, strict=True):
            differing = {name: (one[name], other[name]) for name in one if one[name] != other[name]}
            assert not differing, row

    check()


@efforts(fast=15, slow=300)
def test_a_frame_may_be_cut_or_shuffled(effort: settings) -> None:
    """A record's state is its own: the rows beside it and their order change nothing."""

    @effort
    @given(records(12), registers(), purposes, st.data())
    def check(rows: list[Row], known: Registers, purpose: str, data: st.DataObject) -> None:
        prepared, frame = states(known, purpose), conform(record_frame(rows))
        whole = prepared.derive(frame)
        cut = data.draw(st.integers(0, len(rows)))
        parts = [prepared.derive(frame[:cut]), prepared.derive(frame[cut:])]
        assert_frame_equal(pl.concat(parts), whole)
        order = data.draw(st.permutations(range(len(rows))))
        assert_frame_equal(prepared.derive(frame[order]), whole[order])

    check()


@efforts(fast=12, slow=200)
def test_registers_have_no_order(effort: settings) -> None:
    @effort
    @given(records(), registers(), purposes, st.randoms(use_true_random=False))
    def check(rows: list[Row], known: Registers, purpose: str, random: Random) -> None:
        shuffled = {
            name: None if given is None else random.sample(given, len(given))
            for name, given in known.items()
        }
        for one, other in zip(
            register_set(known).given().values(),
            register_set(shuffled).given().values(),
            strict=True,
        ):
            assert one.digest == other.digest
        frame = conform(record_frame(rows))
        assert_frame_equal(
            states(shuffled, purpose).derive(frame), states(known, purpose).derive(frame)
        )

    check()
