"""A small corpus with personal information in texts, chats and JSON, and a job that reduces it."""

from __future__ import annotations

import json

import polars as pl
import pyarrow as pa

from .workshop import Workshop, merge

KEY = "0123456789abcdef0123456789abcdef"
MAIL = "mara.quill@northwick-press.com"
ADDRESS = "81.174.36.29"
CALL = pa.struct([("name", pa.string()), ("arguments", pa.string())])
MESSAGE = pa.struct(
    [("role", pa.string()), ("content", pa.string()), ("tool_calls", pa.list_(CALL))]
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("user", pa.string()),
        ("text", pa.large_string()),
        ("messages", pa.list_(MESSAGE)),
    ]
)
JOB = {
    "policy": "openai-api-data",
    "purpose": "pretraining",
    "as_of": "2023-08-01T00:00:00Z",
    "input": {
        "path": "corpus",
        "columns": {"record_id": "id", "surface": "source"},
        "absent": [
            "submitted_at", "org_id", "user_id", "endpoint", "model", "part", "license_ends_at",
        ],
        "text": ["text", "messages[].content", "messages[].tool_calls[].arguments"],
    },
    "registers": {name: {"empty": True} for name in ("consent", "accounts", "deletions", "holds")},
    "output": {"path": "out"},
}  # fmt: skip


def record(number: int, text: str | None, source: str = "public_web", **more: object) -> dict:
    return {"id": f"r-{number}", "source": source, "text": text, **more}


RECORDS = [
    record(0, "Nothing to see here."),
    record(1, f"Write to {MAIL}, or to {MAIL.upper()}."),
    record(2, f"secret of {MAIL}", "enterprise"),
    record(3, None, messages=[
        {"role": "user", "content": f"ping {ADDRESS}", "tool_calls": None},
        {"role": MAIL, "content": None, "tool_calls": [
            {"name": "mail", "arguments": json.dumps({"to": MAIL, "n": 1, "é": "\u00fc"})},
            {"name": "look", "arguments": "{}"},
        ]},
    ]),
    record(4, f"{ADDRESS} {ADDRESS} {MAIL}"),
    record(5, f"stra\u00dfe \U0001f600 {MAIL}"),
]  # fmt: skip


class Reducing(Workshop):
    """A workshop whose job reduces."""

    ABSENT = JOB["input"]["absent"]

    def job(self, changes=None, name="job.yaml"):
        path = self.folder / name
        path.write_text(json.dumps(merge(JOB, changes or {})), "utf-8")
        return path

    def records(self, name: str, records: list[dict], **options: object) -> None:
        self.write(name, pa.Table.from_pylist(records, SCHEMA), **options)

    def findings(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.out / "audit/findings" / name)
