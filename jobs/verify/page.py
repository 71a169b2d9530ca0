"""A verdict for people: one row a check, and what is wrong."""

from __future__ import annotations

from typing import Final

from ..page import Page
from .verify import Verdict

SHOWN: Final = 100


def render_verdict(verdict: Verdict) -> None:
    """Print the table of checks, what is wrong and what was not checked."""
    page = Page()
    page.table(
        ("check", "right", "wrong", "unchecked", "of"),
        [
            (
                row["check"],
                f"{row['right']:,}",
                f"{row['wrong']:,}" if row["wrong"] else "",
                f"{row['unchecked']:,}" if row["unchecked"] else "",
                row["counts"],
            )
            for row in verdict.tally.rows()
        ],
    )
    if verdict.tally.doubts:
        page.title("Not checked")
        page.table(
            ("check", "count", "what"),
            [
                (check, f"{count:,}", what)
                for (check, what), count in sorted(verdict.tally.doubts.items())
            ],
        )
    if verdict.faults:
        page.title("Wrong")
        page.table(
            ("check", "where", "count", "kind"),
            [(f.check, f.where, f"{f.count:,}", f.kind) for f in verdict.faults[:SHOWN]],
        )
        if len(verdict.faults) > SHOWN:
            page.line(f"the first {SHOWN} of {len(verdict.faults):,}; --json gives all")
    page.title("Sound" if verdict.sound else "Not sound")
    scanned = "none" if verdict.share is None else f"{verdict.share:.2%}, --seed {verdict.seed}"
    page.fields(
        [
            ("manifest", verdict.manifest_sha256),
            ("released records scanned", scanned),
            ("seconds", f"{verdict.seconds:.1f}"),
        ]
    )
