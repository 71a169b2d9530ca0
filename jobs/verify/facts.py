"""The manifest's facts: policy, settings, registers, totals, against what they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...filters.decide import bind
from ...filters.errors import CorpusgateError, Fault, PolicyError, RegisterError
from ...filters.policy import BoundPolicy
from ...filters.policy_file import parse_policy
from ...filters.registers import RegisterSet
from ..plan import check_columns, open_registers
from .verdict import Tally
from .vouched import Vouched


def bound_policy(run: Vouched, tally: Tally) -> BoundPolicy:
    """Parse the manifest's policy and settle it for the run; compare what is said about it.

    Raises PolicyError for text that is no policy, or none that these settings can be put to.
    """
    said: Mapping[str, Any] = run.manifest["policy"]
    job = run.job
    text = said.get("text")
    if not isinstance(text, str):
        fault = Fault("policy.text", "it is missing", "verify a manifest as the run wrote it")
        raise PolicyError("manifest.json", (fault,))
    policy = parse_policy(text, "policy.text").with_parameters(job.parameters)
    bound = bind(policy, purpose=job.purpose, as_of=run.as_of, for_org=job.for_org)
    check_columns(job, bound)
    facts: dict[str, Any] = {
        "name": policy.name,
        "version": policy.version,
        "fingerprint": policy.fingerprint,
        "parameters": policy.canonical()["parameters"],
        "permits": [rule.id for rule in policy.permits],
    }
    for name, value in facts.items():
        wrong = "it is not what the policy's text comes to"
        tally.settle("manifest", f"policy.{name}", wrong=wrong, holds=said.get(name) == value)
    return bound


def settings_hold(run: Vouched, tally: Tally) -> None:
    """Compare what the manifest says twice."""
    job, manifest = run.job, run.manifest
    twice = {
        "purpose": job.purpose,
        "for_org": job.for_org,
        "as_of": (job.moment or run.as_of).isoformat(),
        "assertions": {
            name: source.constant
            for name, source in job.input.sources().items()
            if source.constant is not None
        },
    }
    for name, value in twice.items():
        wrong = "it is not what the job's settings come to"
        tally.settle("manifest", name, wrong=wrong, holds=manifest.get(name) == value)


def opened_registers(run: Vouched, policy: BoundPolicy, tally: Tally) -> RegisterSet | None:
    """Open the registers; None where one of them is not that of the run."""
    said: Mapping[str, Any] = run.manifest["registers"]
    try:
        registers, _ = open_registers(run.job, policy)
    except CorpusgateError as error:
        where = error.where if isinstance(error, RegisterError) else "registers"
        tally.wrong("registers", where, "it cannot be used, or has changed since the run")
        return None
    given = registers.given()
    sound = True
    for name in sorted({*given, *said}):
        facts = said.get(name)
        where = f"registers.{name}"
        if facts is None or name not in given:
            kind = "the run did not read it" if facts is None else "the job no longer names it"
            tally.wrong("registers", where, kind)
            sound = False
            continue
        register = given[name]
        now = {
            "rows": register.frame.height,
            "digest": register.digest,
            "snapshot_at": register.snapshot_at and register.snapshot_at.isoformat(),
        }
        same = all(facts.get(key) == value for key, value in now.items())
        wrong = "it has changed since the run"
        sound &= tally.settle("registers", where, wrong=wrong, holds=same)
    return registers if sound else None


@dataclass
class Totals:
    """What records and findings come to, counted anew."""

    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Surface and reason of each record."""
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Surface and entity of each finding."""

    def add(self, other: Totals) -> None:
        """Add the counts of another."""
        self.reasons += other.reasons
        self.findings += other.findings


def totals_hold(run: Vouched, totals: Totals, tally: Tally) -> None:
    """Compare the manifest's totals with what the units' files come to."""
    said: Mapping[str, Any] = run.manifest["totals"]
    bad = {unit.shard: str(unit.error) for unit in run.units if unit.rows is None}
    counted: dict[str, Any] = {
        "rows_in": sum(unit.rows or 0 for unit in run.readable),
        "eligible": sum(unit.eligible or 0 for unit in run.readable),
        "excluded": sum(unit.excluded or 0 for unit in run.readable),
        "purge": sum(unit.purge or 0 for unit in run.readable),
        "shards": len({unit.shard for unit in run.units}),
        "shards_unreadable": len(bad),
        "reasons": _sums(totals.reasons),
        "surfaces": _nested(totals.reasons),
        "findings": _sums(totals.findings),
        "findings_by_surface": _nested(totals.findings),
    }
    for name, value in counted.items():
        wrong = "it is not what the shards come to"
        tally.settle("manifest", f"totals.{name}", wrong=wrong, holds=said.get(name) == value)
    listed: Mapping[str, str] = run.manifest["unreadable"]
    named = len(listed) == min(len(bad), 100) and listed.items() <= bad.items()
    wrong = "it is not what the shards come to"
    tally.settle("manifest", "unreadable", wrong=wrong, holds=named)


def _sums(counts: Counter[tuple[str, str]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for (_, name), count in counts.items():
        sums[name] += count
    return dict(sums)


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (surface, name), count in counts.items():
        nested.setdefault(surface, {})[name] = count
    return nested
