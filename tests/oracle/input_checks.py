"""What makes a record's own provenance unusable, in the order in which it is reported."""

from datetime import datetime
from typing import Any

SURFACES = (
    "public_web",
    "licensed",
    "human_review",
    "consumer",
    "api",
    "playground",
    "file_upload",
    "fine_tuning",
    "enterprise",
    "abuse_monitoring",
)
API_SURFACES = ("api", "playground", "file_upload")
_PARTS = ("input", "output", "file", "metadata")
_ACCOUNT_COLUMNS = ("org_id", "user_id", "end_user_id", "endpoint", "model")


def input_reasons(record: dict[str, Any], *, earliest: datetime, as_of: datetime) -> list[str]:
    """Return every `input:*` reason of a record as it came, before normalisation."""
    surface = record["surface"]
    part = record["part"]
    submitted_at = record["submitted_at"]
    found = []
    if _is_missing(record["record_id"]):
        found.append("missing-record_id")
    if surface not in SURFACES:
        found.append("unknown-surface")
    if part is not None and part not in _PARTS:
        found.append("unknown-part")
    if surface == "consumer" and _is_missing(record["user_id"]):
        found.append("missing-user_id")
    if surface in API_SURFACES and _is_missing(record["org_id"]):
        found.append("missing-org_id")
    if surface in API_SURFACES and submitted_at is None:
        found.append("missing-submitted_at")
    if surface in ("file_upload", "fine_tuning") and _is_missing(record["file_id"]):
        found.append("missing-file_id")
    if submitted_at is not None and (submitted_at < earliest or submitted_at > as_of):
        found.append("implausible-time")
    if surface in ("public_web", "licensed"):
        # Any value contradicts, an empty one too: unknown is never eligible.
        if any(record[column] is not None for column in _ACCOUNT_COLUMNS):
            found.append("contradiction")
    if record["parent_ids"]:
        found.append("unresolved-parents")
    return [f"input:{reason}" for reason in found]


def _is_missing(text: str | None) -> bool:
    return text is None or text.strip() == ""
