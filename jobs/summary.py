"""What a run came to: the facts of its manifest, and the summary people and pipelines read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ..connectors.audit import UnitResult
from ..connectors.folder import Folder
from ..connectors.manifest import MANIFEST
from ..connectors.staged import Written
from ..filters.errors import OutputError
from .plan import Plan, versions

NAMED: Final = 100  # unreadable shards that the manifest names; shards.parquet has them all

_COUNTS: Final = ("rows_in", "eligible", "excluded", "shards", "shards_unreadable", "purge")


@dataclass(frozen=True)
class Summary:
    """What a run came to. Records are counted in readable shards only.

    `reasons` counts each record's first reason: permits for eligible records, forbids, `input:…`
    and `pii:…` for excluded ones. `findings` counts personal information by entity. `seconds` is
    wall time. `done_before` is TRUE where a finished run was found and nothing was done.
    """

    rows_in: int
    eligible: int
    excluded: int
    shards: int
    shards_unreadable: int
    purge: int
    reasons: dict[str, int]
    findings: dict[str, int]
    seconds: float
    output: str
    manifest_sha256: str
    as_of: datetime
    permits: tuple[str, ...] = ()
    unreadable: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    done_before: bool = False

    def as_json(self) -> dict[str, Any]:
        """Give what `--json` prints."""
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            "reasons": self.reasons,
            "findings": self.findings,
            "seconds": self.seconds,
            "output": self.output,
            "manifest_sha256": self.manifest_sha256,
            "as_of": self.as_of.isoformat(),
            "unreadable": sorted(self.unreadable),
            "done_before": self.done_before,
        }


def summarise(facts: Mapping[str, Any], output: Folder, shown: str) -> Summary:
    """Read a summary out of the manifest's facts. `shown` is how the job calls its output."""
    totals = facts["totals"]
    return Summary(
        **{name: totals[name] for name in _COUNTS},
        reasons=totals["reasons"],
        findings=totals["findings"],
        seconds=0.0,
        output=shown,
        manifest_sha256=hashlib.sha256(output.read(MANIFEST)).hexdigest(),
        as_of=datetime.fromisoformat(facts["as_of"]),
        permits=tuple(facts["policy"]["permits"]),
        unreadable=facts["unreadable"],
    )


def manifest_facts(
    plan: Plan, results: Sequence[UnitResult], shards: Written, unmatched: Mapping[str, int]
) -> dict[str, Any]:
    """Gather what the manifest says: nothing in it differs between equal runs."""
    policy = plan.policy.policy
    return {
        "job": plan.job.settings(),
        "purpose": plan.policy.purpose,
        "for_org": plan.policy.for_org,
        "as_of": plan.policy.as_of.isoformat(),
        "policy": {
            "name": policy.name,
            "version": policy.version,
            "fingerprint": policy.fingerprint,
            "parameters": policy.canonical()["parameters"],
            "permits": [rule.id for rule in policy.permits],
            "text": policy.text,
        },
        "assertions": {
            name: source.constant
            for name, source in plan.settings.sources.items()
            if source.constant is not None
        },
        "registers": {
            name: {
                "rows": register.frame.height,
                "digest": register.digest,
                "snapshot_at": register.snapshot_at and register.snapshot_at.isoformat(),
                "subjects_unmatched": unmatched[name],
            }
            for name, register in plan.registers.given().items()
        },
        **plan.reduction.facts,
        "versions": versions(),
        "totals": _totals(results),
        "unreadable": _unreadable(results),
        "shards": {"path": shards.path, "bytes": shards.bytes, "sha256": shards.sha256},
    }


def _totals(results: Iterable[UnitResult]) -> dict[str, Any]:
    """Add up units. Raises OutputError if a record is neither eligible nor excluded."""
    reasons: Counter[str] = Counter()
    surfaces: dict[str, Counter[str]] = {}
    findings: Counter[str] = Counter()
    found: dict[str, Counter[str]] = {}
    sums: Counter[str] = Counter()
    shards, bad = set(), set()
    for result in results:
        shards.add(result.shard)
        if result.rows is None:
            bad.add(result.shard)
            continue
        sums["rows_in"] += result.rows
        for name in ("eligible", "excluded", "purge"):
            sums[name] += getattr(result, name)
        for surface, _, reason, count in result.counts:
            reasons[reason] += count
            surfaces.setdefault(surface, Counter())[reason] += count
        for surface, entity, count in result.found:
            findings[entity] += count
            found.setdefault(surface, Counter())[entity] += count
    counted = sums["eligible"] + sums["excluded"]
    if not sums["rows_in"] == counted == reasons.total():
        what = "rows in are not eligible + excluded"
        raise OutputError("the run's totals", what, "report this: rows must never be lost")
    return {
        **{name: sums[name] for name in ("rows_in", "eligible", "excluded", "purge")},
        "shards": len(shards),
        "shards_unreadable": len(bad),
        "reasons": dict(sorted(reasons.items())),
        "surfaces": {name: dict(sorted(c.items())) for name, c in sorted(surfaces.items())},
        "findings": dict(sorted(findings.items())),
        "findings_by_surface": {n: dict(sorted(c.items())) for n, c in sorted(found.items())},
    }


def _unreadable(results: Iterable[UnitResult]) -> dict[str, str]:
    bad = {result.shard: str(result.error) for result in results if result.rows is None}
    return dict(sorted(bad.items())[:NAMED])
