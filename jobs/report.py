"""A run at a glance: `report.html`, one file without script or network, and the closing table."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..connectors.folder import Folder
from ..connectors.staged import StagedFile
from ..filters.policy import Policy
from .page import counted, printable

if TYPE_CHECKING:
    from .summary import Summary

_INPUT: Final = {
    "input:missing-record_id": "the record has no id",
    "input:unknown-surface": "nobody knows where the record came from",
    "input:unknown-part": "nobody knows which part of an exchange this is",
    "input:missing-user_id": "a consumer record names no user",
    "input:missing-org_id": "an API record names no organisation",
    "input:missing-submitted_at": "an API record has no time",
    "input:missing-file_id": "a file's record names no file",
    "input:implausible-time": "the time lies before the policy's earliest, or after as_of",
    "input:contradiction": "a public or licensed record names an account, endpoint or model",
    "input:unresolved-parents": "made from other records, which this run has not looked at",
    "input:duplicate-record_id": "two records have this id, so it names neither",
    "no-permit": "no rule permits it",
    "pii:unreadable": "personal information could not be looked for, or not be reduced",
    "pii:too-dense": "it holds more personal information than the job allows",
}

_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>corpusgate: {title}</title>
<style>
body{{font:15px/1.5 system-ui,sans-serif;color:#222}}
body{{max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%;margin:1rem 0}}
th,td{{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}}
td.n,th.n{{text-align:right;font-variant-numeric:tabular-nums}}
.bar{{background:#cfe3cf;height:.7rem}}.no .bar{{background:#ecd0c8}}
code{{font-size:.85em;overflow-wrap:anywhere}}
</style>
<h1>{title}</h1>
<p>{lead}</p>
<h2>By reason</h2>
<table><tr><th>reason<th class="n">records<th class="n">share<th>{rows}</table>
<h2>By surface</h2>
<table><tr><th>surface<th class="n">records<th class="n">eligible{surfaces}</table>
{findings}
<h2>Registers</h2>
<table><tr><th>register<th class="n">rows<th>taken<th class="n">subjects not met{registers}</table>
{unreadable}
<p>Policy <code>{policy}</code><br>Manifest <code>{manifest}</code></p>
</html>
"""


def write_report(output: Folder, facts: Mapping[str, Any], manifest_sha256: str) -> None:
    """Write the report of a finished run from its manifest."""
    with StagedFile(output, "report.html") as file:
        file.write(render_report(facts, manifest_sha256).encode())
        file.publish()


def render_report(facts: Mapping[str, Any], manifest_sha256: str) -> str:
    """Render the manifest's facts as one HTML page."""
    totals = facts["totals"]
    permits = _permits(facts)
    rows_in = totals["rows_in"]
    bad = [f"<li><code>{escape(name)}</code>" for name in facts["unreadable"]]
    policy = facts["policy"]
    return _PAGE.format(
        title=f"{totals['eligible']:,} of {rows_in:,} records released",
        lead=(
            f"For {escape(facts['purpose'])}, as of {escape(facts['as_of'])}."
            f" {counted(totals['excluded'], 'record')} excluded, {totals['purge']:,} due to be"
            f" deleted. {counted(totals['shards'], 'shard')},"
            f" {totals['shards_unreadable']:,} unreadable."
        ),
        rows="".join(
            f'<tr class="{"yes" if name in permits else "no"}"><td>{escape(name)}'
            f'<td class="n">{count:,}<td class="n">{count / rows_in:.1%}'
            f'<td><div class="bar" style="width:{count / rows_in:.1%}"></div>'
            for name, count in _sorted(totals["reasons"], permits)
        ),
        surfaces="".join(
            f'<tr><td>{escape(name)}<td class="n">{sum(counts.values()):,}<td class="n">'
            f"{sum(n for reason, n in counts.items() if reason in permits):,}"
            for name, counts in totals["surfaces"].items()
        ),
        registers="".join(
            f'<tr><td>{escape(name)}<td class="n">{item["rows"]:,}<td>'
            f'{escape(item["snapshot_at"] or "unknown")}<td class="n">'
            f"{item['subjects_unmatched']:,}"
            for name, item in facts["registers"].items()
        ),
        findings=_findings(totals["findings"], on=facts["pii"] != "off"),
        unreadable=f"<h2>Unreadable</h2><ul>{''.join(bad)}</ul>" if bad else "",
        policy=f"{escape(policy['name'])} {escape(policy['version'])} {policy['fingerprint']}",
        manifest=manifest_sha256,
    )


def _findings(findings: Mapping[str, int], *, on: bool) -> str:
    if not on:
        return "<p>Personal information was not looked for.</p>"
    rows = "".join(
        f'<tr><td>{escape(entity)}<td class="n">{count:,}' for entity, count in _most(findings)
    )
    return f'<h2>Personal information</h2><table><tr><th>kind<th class="n">found{rows}</table>'


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _permits(facts: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(facts["policy"]["permits"])


def _sorted(reasons: Mapping[str, int], permits: frozenset[str]) -> list[tuple[str, int]]:
    """List what was kept first, then what was dropped, each by number."""
    return sorted(reasons.items(), key=lambda item: (item[0] not in permits, -item[1], item[0]))


def because(policy: Policy) -> dict[str, str]:
    """Say for each reason, in one line, why it is one."""
    rules = {rule.id: rule.because for rule in policy.forbids + policy.permits}
    unknown = {f"{rule.id}?": f"unknown whether {rule.because}" for rule in policy.forbids}
    return _INPUT | rules | unknown


def render_summary(summary: Summary, why: Mapping[str, str]) -> None:
    """Print the closing table: what was kept and what was dropped, by reason, and why."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("reason", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("because", overflow="fold")
    total = max(summary.rows_in, 1)

    def add(name: str, count: int, note: str, style: str = "") -> None:
        cells = (name, f"{count:,}", f"{count / total:.1%}", note)
        table.add_row(*(Text(printable(cell), style=style) for cell in cells))

    for title, count, wanted in (
        ("released", summary.eligible, True),
        ("excluded", summary.excluded, False),
    ):
        add(title, count, "", "bold")
        for reason, number in _sorted(summary.reasons, frozenset(summary.permits)):
            if (reason in summary.permits) is wanted:
                add(f"  {reason}", number, why.get(reason, ""))
    console.print(table)
    speed = f" in {summary.seconds:.1f} s" if summary.seconds else ""
    moment = f"as of {summary.as_of:%Y-%m-%dT%H:%M:%SZ}"
    due = f"{summary.purge:,} are due for deletion"
    found = ", ".join(f"{entity} {count:,}" for entity, count in _most(summary.findings))
    records, shards = counted(summary.rows_in, "record"), counted(summary.shards, "shard")
    lines = [
        f"{records} in {shards}{speed}, {moment}. {due}.",
        *([f"personal information found: {found}"] if found else []),
        *(f"unreadable: {name}: {error}" for name, error in summary.unreadable.items()),
        f"{summary.output}/report.html, manifest {summary.manifest_sha256}",
    ]
    for line in lines:
        console.print(Text(printable(line)), soft_wrap=True)
