"""One record before every rule: what each read, what came out, and what that means.

Ids and times of the record are shown, since somebody asked for just this record. Its text is read
only to say what personal information would be reduced where, and never shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import polars as pl

from ..connectors.folder import LocalFolder
from ..filters.decide import Judge
from ..filters.errors import SchemaError, UnitError
from ..filters.policy import BoundPolicy, BoundRule, plain
from ..filters.predicate import FALSE
from ..filters.provenance import id_kinds
from ..filters.schema import DERIVED
from ..filters.to_duckdb import to_duckdb
from .context import Context
from .describe_plan import settled_as_of, stated
from .page import Page, counted
from .plan import Plan, Unit, make_plan
from .reducing import Reducing, after_reduction
from .report import because
from .shard import opened, provenance
from .spec import Job, load_job

_IN_FULL: Final = 3
"""Records of one id that people see with every rule."""


def explain_record(job: Job | str | Path, record_id: str) -> dict[str, Any]:
    """Judge one record as a run would, and give every step of it as plain data.

    The whole unit is judged, so that duplicate ids count; an id that stands in several units is
    shown once for each row. Raises SchemaError if no record has the id, and as a run would for
    everything that stops it before it begins.
    """
    spec = job if isinstance(job, Job) else load_job(job)
    as_of, origin = settled_as_of(spec)
    plan = make_plan(spec, as_of)
    with TemporaryDirectory(prefix="corpusgate-") as scratch:
        # JSON lines become Parquet before they are read; not in the run's own output.
        folder = LocalFolder(Path(scratch))
        judge = Judge.prepare(plan.policy, plan.registers)
        context = Context(judge, plan.registers, plan.settings, plan.reduction, folder, folder)
        found, looked_at, skipped = _search(plan, context, record_id)
        if not found:
            raise _unknown(plan, record_id, looked_at, skipped)
        if plan.settings.unique == "run" and sum(map(len, found.values())) > 1:
            context = replace(context, duplicates=pl.Series([record_id]))
        records = [
            one for unit, rows in found.items() for one in _judged(unit, rows, context, plan.policy)
        ]
    policy = plan.policy.policy
    return {
        "record_id": record_id,
        "policy": {
            "name": policy.name,
            "version": policy.version,
            "fingerprint": policy.fingerprint,
        },
        "purpose": plan.policy.purpose,
        "for_org": plan.policy.for_org,
        "as_of": as_of.isoformat(),
        "as_of_from": origin,
        "records_looked_at": looked_at,
        "shards_not_looked_at": skipped,
        "found": records,
    }


def _search(
    plan: Plan, context: Context, record_id: str
) -> tuple[dict[Unit, list[int]], int, list[str]]:
    """Read ids alone: units with the rows that have this one, and how many were looked at."""
    ids_alone = {"record_id": plan.settings.sources["record_id"]}
    settings = replace(plan.settings, sources=ids_alone)
    found: dict[Unit, list[int]] = {}
    skipped = [item.name for item in plan.unreadable]
    looked_at = 0
    for unit in plan.units:
        try:
            with opened(unit, context.audit, settings) as shard:
                ids = provenance(unit, shard, settings)["record_id"].cast(pl.String)
        except (UnitError, SchemaError):
            skipped.append(unit.name)
            continue
        looked_at += len(ids)
        if rows := (ids == record_id).arg_true().to_list():
            found[unit] = rows
    return found, looked_at, sorted(set(skipped))


def _unknown(plan: Plan, record_id: str, looked_at: int, skipped: list[str]) -> SchemaError:
    what = f"none of {counted(looked_at, 'record')} has this id"
    if skipped:
        what += f", and {counted(len(skipped), 'shard')} cannot be read ({', '.join(skipped[:3])}"
        what += ", …)" if len(skipped) > 3 else ")"  # noqa: PLR2004 - as many as were named
    fix = f"give it as the column `{plan.settings.id_column}` has it"
    return SchemaError(f"record `{record_id}`", what, fix)


def _judged(
    unit: Unit, rows: list[int], context: Context, policy: BoundPolicy
) -> Iterator[dict[str, Any]]:
    judge = context.judge
    with opened(unit, context.audit, context.settings) as shard:
        records = provenance(unit, shard, context.settings)
        context.registers.match_ids(id_kinds(records.schema))
        facts = judge.facts(judge.records([records], context.duplicates))[rows]
        verdict = judge.verdict(facts)
        kept = verdict["eligible"]
        chosen = np.zeros(records.height, dtype=np.bool_)
        chosen[np.array(rows)[kept.to_numpy()]] = True
        settings = context.settings
        reducing = Reducing(
            context.reduction,
            unit.name,
            settings.paths(shard.schema),
            facts.filter(kept),
            settings.id_column,
        )
        if context.reduction.active and chosen.any():
            columns = settings.released(shard.schema)
            for table in shard.survivors(columns, unit.groups(shard), chosen):
                reducing(table)
    verdict = after_reduction(verdict, reducing.excluded)
    findings = reducing.findings().with_columns(
        pl.lit(kept.arg_true(), dtype=pl.Int64).gather(pl.col("row")).alias("row")
    )
    truths = judge.truths(facts).collect()
    for number, (place, values, truth, decided) in enumerate(
        zip(
            rows,
            facts.iter_rows(named=True),
            truths.iter_rows(named=True),
            verdict.iter_rows(named=True),
            strict=True,
        )
    ):
        rules = [
            _outcome(bound, policy, values, truth=truth[str(index)])
            for index, bound in enumerate(policy.rules)
        ]
        yield {
            "shard": unit.name,
            "row": unit.row_offset + place,
            "provenance": {k: plain(v) for k, v in values.items() if k not in DERIVED},
            "state": {k: plain(values[k]) for k in DERIVED},
            "rules": rules,
            "findings": findings.filter(pl.col("row") == number).select(_FOUND).to_dicts(),
            "decision": _decision(policy, values, rules, decided),
        }


_FOUND: Final = ("path", "index", "pointer", "entity", "start", "end", "score", "operator")


def _outcome(
    bound: BoundRule, policy: BoundPolicy, values: dict[str, Any], *, truth: bool | None
) -> dict[str, Any]:
    rule = bound.rule
    return {
        "reason": bound.reason,
        "effect": rule.effect,
        "clauses": list(rule.clauses),
        "because": because(policy.policy).get(bound.reason, rule.because),
        "condition": to_duckdb(bound.condition),
        "reads": {name: plain(values[name]) for name in sorted(bound.columns)},
        "outcome": truth,
        "means": _meaning(bound, policy.purpose, truth=truth),
    }


def _meaning(bound: BoundRule, purpose: str, *, truth: bool | None) -> str:
    """Say what an outcome comes to: NULL excludes where the rule is a forbid, and only there."""
    rule = bound.rule
    if bound.condition == FALSE:
        other = rule.purposes and purpose not in rule.purposes
        why = f"it is for {', '.join(rule.purposes)}" if other else "its parameters settle it"
        return f"not reached in this run: {why}"
    match rule.effect, truth:
        case "permit", True:
            return "permits"
        case "permit", _:
            return "does not permit"
        case _, True:
            return "excludes"
        case "forbid", None:
            return "excludes: whether it holds is unknown"
    return "does not exclude"


def _decision(
    policy: BoundPolicy,
    values: dict[str, Any],
    rules: list[dict[str, Any]],
    decided: dict[str, Any],
) -> dict[str, Any]:
    due = [
        bound.reason
        for bound, rule in zip(policy.rules, rules, strict=True)
        if bound.deadline is not None and rule["outcome"]
    ]
    return {
        "eligible": decided["eligible"],
        "reason": decided["reason"],
        "because": because(policy.policy).get(decided["reason"], ""),
        "reasons": decided["reasons"],
        "purge_reason": decided["purge_reason"],
        "purge_deadline": plain(decided["purge_deadline"]),
        "on_hold": values["on_hold"],
        "held_back": bool(due) and decided["purge_reason"] is None,
    }


def render_explanation(facts: dict[str, Any]) -> None:
    """Print what `explain_record` gave."""
    page = Page()
    page.title(f"record {facts['record_id']}")
    page.fields(
        [
            ("policy", f"{facts['policy']['name']} {facts['policy']['version']}"),
            ("purpose", facts["purpose"]),
            ("for_org", facts["for_org"] or ""),
            ("as_of", stated(facts["as_of"], facts["as_of_from"])),
            ("looked at", counted(facts["records_looked_at"], "id")),
            ("not looked at", ", ".join(facts["shards_not_looked_at"])),
        ]
    )
    for one in facts["found"][:_IN_FULL]:
        _render(page, one)
    if more := facts["found"][_IN_FULL:]:
        page.title(f"{len(more):,} more with this id; --json shows all of them")
        page.table(
            ("shard", "row", "reason"),
            ((one["shard"], str(one["row"]), one["decision"]["reason"]) for one in more),
        )


def _render(page: Page, one: dict[str, Any]) -> None:
    page.title(f"{one['shard']}, row {one['row']}")
    page.fields(_shown(one["provenance"]))
    page.title("what the registers say")
    page.fields(_shown(one["state"]))
    for rule in one["rules"]:
        effect = "" if rule["effect"] == "input" else f"{rule['effect']} "
        page.title(f"{effect}{rule['reason']}  {', '.join(rule['clauses'])}".rstrip())
        page.line(rule["because"])
        page.fields(
            [
                ("rule", rule["condition"]),
                *_shown(rule["reads"]),
                ("outcome", f"{_value(rule['outcome'])}: {rule['means']}"),
            ]
        )
    if one["findings"]:
        page.title("personal information")
        page.table(
            ("what", "from", "to", "score", "operator", "where"),
            (_found(finding) for finding in one["findings"]),
        )
    page.title("decision")
    page.fields(_decided(one["decision"]))


def _found(finding: dict[str, Any]) -> tuple[str, ...]:
    place = "".join(f"[{number}]" for number in finding["index"])
    where = f"{finding['path']} {place}{finding['pointer'] or ''}".rstrip()
    numbers = (str(finding["start"]), str(finding["end"]), f"{finding['score']:.2f}")
    return finding["entity"], *numbers, finding["operator"], where


def _shown(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, _value(value)) for name, value in values.items()]


def _value(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "NULL" if value is None else str(value).upper()
    return repr(value)


def _decided(decision: dict[str, Any]) -> list[tuple[str, str]]:
    purge = "nothing is due"
    if decision["purge_reason"]:
        deadline = decision["purge_deadline"] or "a time that is not known"
        purge = f"due by {deadline} ({decision['purge_reason']})"
    elif decision["held_back"]:
        purge = "due, but held" if decision["on_hold"] else "due, but whether it is held is unknown"
    return [
        ("eligible", "yes" if decision["eligible"] else "no"),
        ("reason", decision["reason"]),
        ("because", decision["because"]),
        ("reasons", ", ".join(decision["reasons"])),
        ("deletion", purge),
    ]
