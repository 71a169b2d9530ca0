"""What a job would do about personal information, and what that may cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ..filters.texts.paths import text_paths
from .page import Page
from .plan import Plan

if TYPE_CHECKING:
    import pyarrow as pa

_SPEED: Final = 20e6
"""Bytes of text a second that one core reads, scans and writes, as benchmarks/RESULTS.md has it
for chat; names and places through an NLP engine come on top, at the engine's speed."""


def describe_pii(plan: Plan, schema: pa.Schema | None, share: float) -> dict[str, Any] | str:
    """Say what is looked for, where, where not, and how long it may take on one core.

    `schema` is the first shard's, None where none is known; `share` is what texts take of a
    shard's bytes, read and unpacked.
    """
    facts: Any = plan.reduction.facts["pii"]
    if plan.reduction.reducer is None:
        return str(facts)
    size = sum(unit.size / unit.parts for unit in plan.units) * share
    return {
        **facts,
        "looked_at": list(plan.settings.text),
        "not_looked_at": [] if schema is None else list(_not_looked_at(plan, schema)),
        "text_bytes": round(size) or None,
        "seconds_on_one_core": round(size / _SPEED) or None,
    }


def _not_looked_at(plan: Plan, schema: pa.Schema) -> Iterator[str]:
    """Name the strings that are released as they are: roles, ids, what `keep_raw` names."""
    paths = plan.settings.paths(schema)
    looked_at = {(path.column, path.steps) for path in paths}
    for name in plan.settings.released(schema):
        for path in text_paths(name, schema.field(name).type):
            if (path.column, path.steps) not in looked_at:
                yield path.text


def render_pii(page: Page, facts: dict[str, Any] | str) -> None:
    """Print what `describe_pii` gave."""
    page.title("personal information")
    if isinstance(facts, str):
        page.line("off: texts are released as they are")
        return
    entities = sorted({name for item in facts["looked_for"] for name in item["entities"]})
    operators = (f"{name}: {item['type']}" for name, item in facts["operators"].items())
    page.fields(
        [
            ("looked for", ", ".join(entities)),
            ("in", ", ".join(facts["looked_at"])),
            ("not in", ", ".join(facts["not_looked_at"])),
            ("profile", f"{facts['profile']}, threshold {facts['threshold']}"),
            ("operators", ", ".join(operators)),
            ("cost", _cost(facts)),
        ]
    )


def _cost(facts: dict[str, Any]) -> str:
    if facts["text_bytes"] is None:
        return ""
    text = f"up to {facts['text_bytes'] / 1e6:,.0f} MB of text, if every record is eligible"
    return f"{text}; about {facts['seconds_on_one_core'] or 1:,} s on one core"
