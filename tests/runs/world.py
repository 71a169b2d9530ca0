"""Kinds of records, each with the decision it must get, and the registers that make it so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

CANARY = "kanarienvogel"  # stands in everything that nobody but a trainer may see
OLD = datetime(2022, 5, 1, tzinfo=UTC)
NEW = datetime(2023, 4, 1, tzinfo=UTC)
AS_OF = datetime(2023, 8, 1, tzinfo=UTC)
GONE_AT = datetime(2023, 7, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Kind:
    """One kind of record under the built-in policy, as of AS_OF."""

    name: str
    reason: str
    values: dict[str, Any] = field(default_factory=dict)
    eligible: bool = False
    deadline: datetime | None = None


API = {"source": "api", "org": "acme", "endpoint": "/v1/completions", "model": "m-1"}
KINDS = (
    Kind("web", "public", {"source": "public_web"}, eligible=True),
    Kind("strange", "input:unknown-surface", {"source": f"public_web {CANARY}"}),
    Kind(
        "consumer",
        "consumer",
        {"source": "consumer", "user": "u-plain", "created_at": NEW, "end_user": "eu-1"},
        eligible=True,
    ),
    Kind("refused", "opted-out", {"source": "consumer", "user": "u-out", "created_at": OLD}),
    Kind(
        "gone",
        "deleted",
        {"source": "consumer", "user": "u-gone", "created_at": OLD},
        deadline=GONE_AT + MONTH,
    ),
    Kind(
        "early",
        "api-before-cutoff",
        {**API, "created_at": OLD, "part": "input", "endpoint": f"/v1/{CANARY}"},
        eligible=True,
    ),
    Kind(
        "opted-in",
        "api-opted-in",
        {**API, "created_at": NEW, "part": "input"},
        eligible=True,
    ),
    Kind(
        "over",
        "retention-over",
        {**API, "created_at": NEW, "part": "output", "org": "beta"},
        deadline=NEW + MONTH,
    ),
    Kind("part", "input:unknown-part", {"source": "public_web", "part": f"body {CANARY}"}),
    Kind("workspace", "enterprise-surface", {"source": "enterprise", "org": "acme"}),
    Kind("unlicensed", "no-permit", {"source": "licensed"}),
    Kind("licensed", "licensed", {"source": "licensed", "license_ends_at": NEW + 365 * MONTH / 30},
         eligible=True),
    Kind("derived", "input:unresolved-parents", {"source": "public_web", "parents": ["p-1"]}),
    Kind("early-clock", "input:implausible-time",
         {"source": "public_web", "created_at": datetime(1970, 1, 1, tzinfo=UTC)}),
    Kind("orphan", "input:missing-user_id", {"source": "consumer", "created_at": OLD}),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}
NAMES = tuple(BY_NAME)

TIME = pa.timestamp("us", "UTC")
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("score", pa.int16()),
        ("source", pa.string()),
        ("created_at", TIME),
        ("org", pa.string()),
        ("user", pa.string()),
        ("end_user", pa.string()),
        ("endpoint", pa.string()),
        ("model", pa.string()),
        ("part", pa.string()),
        ("file", pa.string()),
        ("conversation", pa.string()),
        ("parents", pa.list_(pa.string())),
        ("license_ends_at", TIME),
        ("text", pa.large_string()),
        ("messages", MESSAGES),
        ("notes", pa.string()),
        ("lang", pa.string()),
    ]
)
RELEASED = ["id", "score", "text", "messages", "lang"]


def row(name: str, number: int, kind: Kind) -> dict[str, Any]:
    """One record, its id saying where it stands and what it is."""
    key = f"{name}#{number}#{kind.name}"
    return {
        "id": key,
        "score": number,
        "text": f"{CANARY} in the text of {key}",
        "messages": [{"role": f"{CANARY}-role", "content": f"{CANARY} said {key}"}],
        "notes": f"{CANARY} in a note nobody asked for",
        "lang": "en",
        **kind.values,
    }


def rows(name: str, kinds: Sequence[str] = NAMES, repeat: int = 1) -> list[dict[str, Any]]:
    """The records of one shard, kind after kind, again and again."""
    chosen = [BY_NAME[kind] for kind in kinds] * repeat
    return [row(name, number, kind) for number, kind in enumerate(chosen)]


def table(name: str, kinds: Sequence[str] = NAMES, repeat: int = 1) -> pa.Table:
    """The records of one shard as a table."""
    return pa.Table.from_pylist(rows(name, kinds, repeat), SCHEMA)


def kind_of(record_id: str) -> Kind:
    """What a record is, by its id."""
    return BY_NAME[record_id.rpartition("#")[2]]


REGISTERS: dict[str, list[dict[str, Any]]] = {
    "consent": [
        {"subject_kind": "org", "subject_id": "acme", "choice": "opt_in", "effective_at": OLD,
         "recorded_at": OLD},
        {"subject_kind": "user", "subject_id": "u-out", "choice": "opt_out", "effective_at": NEW},
    ],
    "accounts": [
        {"org_id": org, "plan": "payg", "zero_retention": False, "baa": False,
         "effective_at": datetime(2020, 1, 1, tzinfo=UTC)}
        for org in ("acme", "beta")
    ],
    "deletions": [
        {"subject_kind": "user", "subject_id": "u-gone", "requested_at": GONE_AT},
        {"subject_kind": "user", "subject_id": "u-nobody", "requested_at": GONE_AT},
    ],
}  # fmt: skip
for events in REGISTERS.values():
    for event in events:
        event.setdefault("recorded_at", GONE_AT)

COLUMNS = {
    "record_id": "id",
    "surface": "source",
    "submitted_at": "created_at",
    "org_id": "org",
    "user_id": "user",
    "end_user_id": "end_user",
    "endpoint": "endpoint",
    "model": "model",
    "part": "part",
    "file_id": "file",
    "conversation_id": "conversation",
    "parent_ids": "parents",
    "license_ends_at": "license_ends_at",
}
