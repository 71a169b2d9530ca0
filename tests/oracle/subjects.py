"""Deletions and holds: registers that name a subject of one of seven kinds."""

from datetime import datetime
from typing import Any

from .normalise import normalise_model
from .three_valued import Truth

COLUMN_OF_KIND = {
    "record": "record_id",
    "file": "file_id",
    "conversation": "conversation_id",
    "user": "user_id",
    "end_user": "end_user_id",
    "org": "org_id",
    "model": "model",
}

Row = dict[str, Any]


def deletion_columns(record: Row, deletions: list[Row]) -> dict[str, Any]:
    """Return `deleted` and `deletion_requested_at` for a normalised record."""
    matching = [deletion for deletion in deletions if _names(deletion, record)]
    covering = [deletion for deletion in matching if _covers(deletion, record["submitted_at"])]
    if covering:
        earliest = min(deletion["requested_at"] for deletion in covering)
        return {"deleted": True, "deletion_requested_at": earliest}
    # A deletion up to some time matches, and nobody knows when the record came.
    undecided = bool(matching) and record["submitted_at"] is None
    return {"deleted": None if undecided else False, "deletion_requested_at": None}


def is_held(record: Row, holds: list[Row] | None, as_of: datetime) -> Truth:
    """Return `on_hold` for a normalised record: NULL if there is no register to ask."""
    if holds is None:
        return None
    return any(
        _names(hold, record)
        and hold["from"] <= as_of
        and (hold.get("until") is None or hold["until"] >= as_of)
        for hold in holds
    )


def _names(row: Row, record: Row) -> bool:
    own_id = record[COLUMN_OF_KIND[row["subject_kind"]]]
    named = row["subject_id"]
    if row["subject_kind"] == "model":
        named = normalise_model(named)
    return own_id is not None and own_id == named


def _covers(deletion: Row, submitted_at: datetime | None) -> bool:
    scope_until = deletion.get("scope_until")
    if scope_until is None:
        return True
    return submitted_at is not None and submitted_at <= scope_until
