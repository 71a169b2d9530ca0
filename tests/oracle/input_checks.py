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
_FILE_SURFACES = ("file_upload", "fine_tuning")
_PARTS = ("input", "output", "file", "metadata")
_ACCOUNT_COLUMNS = ("org_id", "user_id", "end_user_id", "endpoint", "model")


def input_reasons(record: dict[str, Any], *, earliest: datetime, as_of: datetime) -> list[str]:
    """Return every `input:*` reason of a normalised record.

    Normalised, an id is missing if it is null or empty. In a contradiction any value counts, an
    empty id too: unknown is never eligible.
    """
    surface = record["surface"]
    part = record["part"]
    time = record["submitted_at"]
    from_account = any(record[column] is not None for column in _ACCOUNT_COLUMNS)
    checks = [
        ("missing-record_id", not record["record_id"]),
        ("unknown-surface", surface not in SURFACES),
        ("unknown-part", part is not None and part not in _PARTS),
        ("missing-user_id", surface == "consumer" and not record["user_id"]),
        ("missing-org_id", surface in API_SURFACES and not record["org_id"]),
        ("missing-submitted_at", surface in API_SURFACES and time is None),
        ("missing-file_id", surface in _FILE_SURFACES and not record["file_id"]),
        ("implausible-time", time is not None and (time < earliest or time > as_of)),
        ("contradiction", surface in ("public_web", "licensed") and from_account),
        ("unresolved-parents", bool(record["parent_ids"])),
    ]
    return [f"input:{name}" for name, holds in checks if holds]
