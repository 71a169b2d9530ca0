"""The vocabulary: surfaces, purposes, provenance columns, and what makes a record's input wrong."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Type(StrEnum):
    """What a value of the rule language can be."""

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    LIST = "list"

    @property
    def named(self) -> str:
        """Name it with its article.

        >>> Type.INTEGER.named
        'an integer'
        """
        return f"an {self}" if self[0] in "aeiou" else f"a {self}"


SURFACES: Final = (
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
API_SURFACES: Final = ("api", "playground", "file_upload")
PARTS: Final = ("input", "output", "file", "metadata")
PURPOSES: Final = (
    "pretraining",
    "alignment",
    "classifier",
    "search",
    "analysis",
    "custom_model",
    "abuse_monitoring",
)

PROVENANCE: Final[dict[str, Type]] = {
    "record_id": Type.STRING,
    "surface": Type.STRING,
    "submitted_at": Type.TIMESTAMP,
    "org_id": Type.STRING,
    "user_id": Type.STRING,
    "end_user_id": Type.STRING,
    "endpoint": Type.STRING,
    "model": Type.STRING,
    "part": Type.STRING,
    "file_id": Type.STRING,
    "conversation_id": Type.STRING,
    "parent_ids": Type.LIST,
    "license_ends_at": Type.TIMESTAMP,
    "region": Type.STRING,
}
"""Columns a job maps from its corpus. Times are timestamp[us, UTC], `parent_ids` is a list."""

REQUIRED: Final = ("record_id", "surface")
TIMES: Final = ("submitted_at", "license_ends_at")

SUBJECTS: Final[dict[str, str]] = {
    "record": "record_id",
    "file": "file_id",
    "conversation": "conversation_id",
    "user": "user_id",
    "end_user": "end_user_id",
    "org": "org_id",
    "model": "model",
}
"""What a deletion or a hold can name, and the column in which it is looked up."""

CONSENT_SUBJECTS: Final = {"org": "org_id", "user": "user_id"}

DERIVED: Final[dict[str, Type]] = {
    "org_consent_at_submission": Type.STRING,
    "user_consent_at_submission": Type.STRING,
    "opted_out_since": Type.BOOLEAN,
    "plan": Type.STRING,
    "zero_retention": Type.BOOLEAN,
    "business_plan": Type.BOOLEAN,
    "baa": Type.BOOLEAN,
    "deleted": Type.BOOLEAN,
    "deletion_requested_at": Type.TIMESTAMP,
    "on_hold": Type.BOOLEAN,
}
"""Columns that the registers give each record, as of its submission."""

DERIVED_FROM: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "org_consent_at_submission": ("consent", ("org_id", "submitted_at")),
    "user_consent_at_submission": ("consent", ("user_id", "submitted_at")),
    "opted_out_since": ("consent", ("org_id", "user_id", "submitted_at")),
    "plan": ("accounts", ("org_id", "submitted_at")),
    "zero_retention": ("accounts", ("org_id", "submitted_at")),
    "business_plan": ("accounts", ("org_id", "submitted_at")),
    "baa": ("accounts", ("org_id", "submitted_at")),
    "deleted": ("deletions", ()),
    "deletion_requested_at": ("deletions", ()),
    "on_hold": ("holds", ()),
}
"""The register each derived column comes from, and the provenance columns it needs.

Deletions and holds need the column of each subject kind that the register names; which ones
those are is known when the register is read.
"""

CHECKS: Final[dict[str, Type]] = {"has_parents": Type.BOOLEAN, "duplicate_id": Type.BOOLEAN}
"""Facts about a record that the rule language cannot compute from its columns."""

RESERVED_PARAMETERS: Final[dict[str, Type]] = {
    "as_of": Type.TIMESTAMP,
    "purpose": Type.STRING,
    "for_org": Type.STRING,
}
"""Parameters that a run sets; no policy may define them."""

KNOWN_PARAMETERS: Final[dict[str, tuple[Type, object]]] = {
    "earliest": (Type.TIMESTAMP, "2018-01-01T00:00:00Z"),
    "trainable_plans": (Type.LIST, ()),
    "business_plans": (Type.LIST, ()),
}
"""Parameters that corpusgate itself reads, with the value they have where a policy says nothing."""


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


INPUT_RULES: Final[tuple[tuple[str, str], ...]] = (
    ("missing-record_id", "record_id IS NULL OR record_id = ''"),
    ("unknown-surface", f"surface IS NULL OR surface NOT IN ({_listed(SURFACES)})"),
    ("unknown-part", f"part NOT IN ({_listed(PARTS)})"),
    ("missing-user_id", "surface = 'consumer' AND (user_id IS NULL OR user_id = '')"),
    (
        "missing-org_id",
        f"surface IN ({_listed(API_SURFACES)}) AND (org_id IS NULL OR org_id = '')",
    ),
    ("missing-submitted_at", f"surface IN ({_listed(API_SURFACES)}) AND submitted_at IS NULL"),
    (
        "missing-file_id",
        "surface IN ('file_upload', 'fine_tuning') AND (file_id IS NULL OR file_id = '')",
    ),
    ("implausible-time", "submitted_at < $earliest OR submitted_at > $as_of"),
    (
        "contradiction",
        (
            "surface IN ('public_web', 'licensed') AND (org_id IS NOT NULL OR user_id IS NOT NULL"
            " OR end_user_id IS NOT NULL OR endpoint IS NOT NULL OR model IS NOT NULL)"
        ),
    ),
    ("unresolved-parents", "has_parents"),
    ("duplicate-record_id", "duplicate_id"),
)
"""What makes a record's input wrong, in order; each is a reason `input:<id>` where TRUE.

White-space-only ids count as empty: `decide` trims what these rules compare with `''`.
"""
