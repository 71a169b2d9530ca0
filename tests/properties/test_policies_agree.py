"""A whole policy, with registers and input checks, against the naive judge."""

import copy
import random

import yaml
from corpusgate.filters.decide import Judge, bind
from corpusgate.filters.policy import Policy
from corpusgate.filters.policy_file import parse_policy
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import judge
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


def written(policy: Row, **style: object) -> str:
    return str(yaml.safe_dump(policy, allow_unicode=True, sort_keys=False, **style))


def read(policy: Row, **style: object) -> Policy:
    return parse_policy(written(policy, **style))


@efforts(fast=15, slow=300)
def test_verdicts_are_the_naive_judges(effort: settings) -> None:
    @effort
    @given(policies(), records(5), registers(4), purposes)
    def check(policy: Row, rows: list[Row], known: Registers, purpose: str) -> None:
        bound = bind(read(policy), purpose=purpose, as_of=AS_OF)
        decided = Judge.prepare(bound, register_set(known))(record_frame(rows)).to_dicts()
        for row, found in zip(rows, decided, strict=True):
            expected = judge(row, known, policy, purpose=purpose, as_of=AS_OF)
            reason, deadline = expected.purge or (None, None)
            assert found == {
                "eligible": expected.eligible,
                "reason": expected.reason,
                "reasons": expected.reasons,
                "purge_reason": reason,
                "purge_deadline": deadline,
            }

    check()


@efforts(fast=12, slow=200)
def test_a_row_is_judged_alone(effort: settings) -> None:
    """A frame of many records gives each what it gets in a frame of its own."""

    @effort
    @given(policies(3), records(4), registers(3), purposes)
    def check(policy: Row, rows: list[Row], known: Registers, purpose: str) -> None:
        bound = bind(read(policy), purpose=purpose, as_of=AS_OF)
        judged = Judge.prepare(bound, register_set(known))
        frame = record_frame(rows)
        alone = [judged(frame[number : number + 1]).row(0) for number in range(len(rows))]
        assert judged(frame).rows() == alone

    check()


def shuffled(value: object, dice: random.Random) -> object:
    """Put the keys of every mapping in another order; lists keep theirs."""
    if isinstance(value, dict):
        items = dice.sample(list(value.items()), len(value))
        return {key: shuffled(inner, dice) for key, inner in items}
    return [shuffled(inner, dice) for inner in value] if isinstance(value, list) else value


@efforts(fast=12, slow=200)
def test_layout_leaves_the_fingerprint(effort: settings) -> None:
    @effort
    @given(policies(), st.integers(0, 99), st.booleans(), st.sampled_from([20, 80, 10_000]))
    def check(policy: Row, seed: int, flow: bool, width: int) -> None:
        fingerprint = read(policy).fingerprint
        other = shuffled(policy, random.Random(seed))  # noqa: S311 - a seed, not a secret
        assert isinstance(other, dict)
        laid_out = written(other, default_flow_style=flow, width=width, indent=4)
        assert parse_policy(f"# a remark\n{laid_out}\n# another\n").fingerprint == fingerprint

    check()


@efforts(fast=12, slow=200)
def test_any_change_of_a_rule_changes_the_fingerprint(effort: settings) -> None:
    @effort
    @given(policies(), st.data())
    def check(policy: Row, data: st.DataObject) -> None:
        rules = policy["forbid"] + policy["permit"]
        if not rules:
            return
        number = data.draw(st.integers(0, len(rules) - 1))
        changed = copy.deepcopy(policy)
        rule = (changed["forbid"] + changed["permit"])[number]
        key = data.draw(
            st.sampled_from(["id", "when", "because", "clause", "surfaces", "purposes"])
        )
        if key == "when":
            rule[key] = f"({rule[key]}) AND surface <> 'elsewhere'"
        elif key in {"surfaces", "purposes"}:
            now = "consumer" if key == "surfaces" else "classifier"
            rule[key] = [now] if rule.get(key) != [now] else ["licensed"]
        else:
            rule[key] = f"{rule[key]}-b"
        assert read(changed).fingerprint != read(policy).fingerprint

    check()
