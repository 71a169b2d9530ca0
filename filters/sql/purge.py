"""What is due to be purged, as SQL: why, and until when.

settled: which rules that purge hold, and their deadlines ─▶ the earliest ─▶ the answers
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..policy import BoundPolicy, BoundRule
from ..to_duckdb import to_duckdb
from .marks import held
from .provenance import text

PURGE: Final = ("purge_reason", "purge_deadline")


def due(policy: BoundPolicy) -> dict[str, str]:
    """Find where each rule that purges holds, and its deadline."""
    return {
        column: sql
        for name, rule, holds in _purging(policy)
        if rule.deadline is not None
        for column, sql in ((name, holds), (_deadline(name), to_duckdb(rule.deadline)))
    }


def earliest(policy: BoundPolicy) -> dict[str, str]:
    """Find the earliest deadline that there is, over what `due` finds."""
    times = [f"CASE WHEN {name} THEN {_deadline(name)} END" for name, _, _ in _purging(policy)]
    return {"earliest": f"least({', '.join(times)})"} if times else {}


def purge_answers(policy: BoundPolicy) -> dict[str, str]:
    """Write PURGE over what `due` and `earliest` find.

    Only what is known not to be on hold is due; by the earliest deadline, then by the first rule.
    """
    first = " ".join(
        f"WHEN {name} AND {_deadline(name)} IS NOT DISTINCT FROM earliest THEN {text(rule.rule.id)}"
        for name, rule, _ in _purging(policy)
    )
    if not first:
        return {
            "purge_reason": "CAST(NULL AS VARCHAR)",
            "purge_deadline": "CAST(NULL AS TIMESTAMPTZ)",
        }
    return {
        "purge_reason": f"CASE WHEN on_hold IS FALSE THEN CASE {first} END END",
        "purge_deadline": "CASE WHEN on_hold IS FALSE THEN earliest END",
    }


def _purging(policy: BoundPolicy) -> Iterator[tuple[str, BoundRule, str]]:
    """List the rules that purge, in the policy's order: column, rule, condition."""
    for name, (rule, holds) in held(policy).items():
        if rule.deadline is not None:
            yield name, rule, holds


def _deadline(name: str) -> str:
    return f"{name}_deadline"
