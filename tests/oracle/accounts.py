"""What kind of account the organisation had at the submission, or has taken up since."""

from datetime import datetime
from typing import Any

from .three_valued import Truth, any_of

Snapshot = dict[str, Any]


def account_columns(
    record: dict[str, Any],
    accounts: list[Snapshot],
    *,
    trainable_plans: list[str],
    business_plans: list[str],
) -> dict[str, Any]:
    """Return `plan`, `zero_retention` (at submission), `baa`, `business_plan` (or since)."""
    if record["org_id"] is None:
        return {"plan": None, "zero_retention": None, "baa": None, "business_plan": None}
    own = [account for account in accounts if account["org_id"] == record["org_id"]]
    in_force = _in_force(own, record["submitted_at"])
    later = _later(own, record["submitted_at"])

    def strictness(plan: str | None) -> int:
        if plan in business_plans:
            return 2
        return 0 if plan in trainable_plans else 1

    plans = [account["plan"] for account in in_force + later]
    return {
        "plan": _strictest_plan(in_force, strictness),
        "zero_retention": _flag(in_force, "zero_retention"),
        "baa": _baa(in_force, later),
        "business_plan": _business_plan([strictness(plan) for plan in plans], bool(in_force)),
    }


def _in_force(own: list[Snapshot], submitted_at: datetime | None) -> list[Snapshot]:
    """Return the newest snapshot up to the submission, or several of one instant."""
    if submitted_at is None:
        return []
    before = [account for account in own if account["effective_at"] <= submitted_at]
    newest = max((account["effective_at"] for account in before), default=None)
    return [account for account in before if account["effective_at"] == newest]


def _later(own: list[Snapshot], submitted_at: datetime | None) -> list[Snapshot]:
    """Return what came after the submission: everything, if nobody knows when that was."""
    if submitted_at is None:
        return own
    return [account for account in own if account["effective_at"] > submitted_at]


def _strictest_plan(in_force: list[Snapshot], strictness: Any) -> str | None:
    plans = [account["plan"] for account in in_force]
    if not plans:
        return None
    strictest = max(strictness(plan) for plan in plans)
    tied = [plan for plan in plans if strictness(plan) == strictest]
    return None if None in tied else min(tied)


def _flag(in_force: list[Snapshot], name: str) -> Truth:
    if not in_force:
        return None
    return any_of(account[name] for account in in_force)


def _baa(in_force: list[Snapshot], later: list[Snapshot]) -> Truth:
    if any(account["baa"] is True for account in later):
        return True
    return _flag(in_force, "baa")


def _business_plan(strictnesses: list[int], has_one_in_force: bool) -> Truth:
    if 2 in strictnesses:
        return True
    if 1 in strictnesses or not has_one_in_force:
        return None
    return False
