"""A record's reasons as bits of integers, and the reasons that such integers stand for.

Lists of strings cost DuckDB more than the decision itself, and of millions of records few hundred
have different ones. So a query can give marks: two bits a rule, the first where its condition is
TRUE, the second where that of a forbid is NULL. What they come to is said once for all records that
share them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ..policy import BoundPolicy, BoundRule
from ..predicate import FALSE
from ..to_duckdb import to_duckdb

NO_PERMIT: Final = "no-permit"
_RULES: Final = 31  # in one BIGINT, whose sign is left alone
_TRUE, _NULL = 1, 2


def reached(rules: Sequence[BoundRule]) -> Iterator[tuple[BoundRule, str]]:
    """List the rules that this run can reach, with their conditions."""
    for rule in rules:
        if rule.condition != FALSE:
            yield rule, to_duckdb(rule.condition)


def held(policy: BoundPolicy) -> dict[str, tuple[BoundRule, str]]:
    """Name a column for each rule's condition: where it stands in a CASE, it is looked at twice."""
    conditions = [each for rules in _rules(policy) for each in reached(rules)]
    return {f"held_{place}": each for place, each in enumerate(conditions)}


def marks(policy: BoundPolicy) -> dict[str, str]:
    """Write the columns `marks_0`, … over the columns of `held`: as many as the rules need."""
    inputs, forbids, permits = (sum(1 for _ in reached(rules)) for rules in _rules(policy))
    unknown = [False] * inputs + [True] * forbids + [False] * permits
    bits = [
        f"CASE WHEN held_{place} THEN {_TRUE << 2 * (place % _RULES)}"
        + (f" WHEN held_{place} IS NULL THEN {_NULL << 2 * (place % _RULES)}" if counts else "")
        + " ELSE 0 END"
        for place, counts in enumerate(unknown)
    ] or ["0"]
    words = [bits[at : at + _RULES] for at in range(0, len(bits), _RULES)]
    return {
        f"marks_{number}": " | ".join(f"CAST({bit} AS BIGINT)" for bit in word)
        for number, word in enumerate(words)
    }


class Reasons:
    """What marks stand for under one policy."""

    def __init__(self, policy: BoundPolicy) -> None:
        """Note which rules there are."""
        self._inputs, self._forbids, self._permits = (
            [rule.reason for rule, _ in reached(rules)] for rules in _rules(policy)
        )

    def of(self, marks: Sequence[int]) -> tuple[bool, list[str]]:
        """Say whether records with these marks are eligible, and list their reasons.

        What is wrong with the input, and a permit, count where they are TRUE; a forbid where it is
        not FALSE.
        """
        count = len(self._inputs) + len(self._forbids) + len(self._permits)
        said = iter([marks[at // _RULES] >> 2 * (at % _RULES) & 3 for at in range(count)])
        against = [reason for reason in self._inputs if next(said) == _TRUE]
        against += [f"{reason}?" if mark == _NULL else reason
                    for reason in self._forbids if (mark := next(said))]  # fmt: skip
        in_favour = [reason for reason in self._permits if next(said) == _TRUE]
        if not in_favour:
            against.append(NO_PERMIT)
        return not against, against or in_favour


def _rules(policy: BoundPolicy) -> tuple[Sequence[BoundRule], ...]:
    return policy.inputs, policy.forbids, policy.permits
