"""What a job would do, as facts and as a page. Nothing here reads a record or writes a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..connectors.audit import committed
from ..connectors.jsonl import is_jsonl
from ..connectors.manifest import check_ours, read_run_state
from ..connectors.parquet import ParquetShard
from ..filters.policy import BoundPolicy, BoundRule
from ..filters.predicate import FALSE
from ..filters.registers import REGISTERS, RegisterSet
from ..filters.schema import DERIVED_FROM, PROVENANCE, SUBJECTS
from .describe_pii import describe_pii, render_pii
from .page import Page, counted
from .plan import Plan, make_plan, output_folders
from .spec import Job, load_job

if TYPE_CHECKING:
    import pyarrow as pa

_CHECKED: Final = {"has_parents": ("parent_ids",), "duplicate_id": ("record_id",)}
"""The provenance columns behind the facts that input checks read."""


def settled_as_of(job: Job) -> tuple[datetime, str]:
    """Give the `as_of` that a run of this job would have now, and where it comes from.

    That is the job's own, else the one of the run whose output is there, else this moment.
    """
    if job.moment is not None:
        return job.moment, "job"
    before = read_run_state(output_folders(job)[0])
    if before is not None and (before.state == "finished" or before.default_as_of):
        return datetime.fromisoformat(before.as_of), "run.json"
    return datetime.now(UTC), "now"


def describe_plan(job: Job | str | Path) -> dict[str, Any]:
    """Give what a run of this job would read, ask and write, as plain data.

    Raises as a run would for everything that stops it before it begins.
    """
    spec = job if isinstance(job, Job) else load_job(job)
    check_ours(*output_folders(spec))
    as_of, origin = settled_as_of(spec)
    plan = make_plan(spec, as_of)
    policy = plan.policy
    look = _first_look(plan)
    rules = [_reach(bound, plan.registers) for bound in policy.rules]
    reads = frozenset[str]().union(*(s.reads() for s in plan.settings.sources.values()))
    return {
        "policy": {
            "name": policy.policy.name,
            "version": policy.policy.version,
            "fingerprint": policy.policy.fingerprint,
        },
        "purpose": policy.purpose,
        "for_org": policy.for_org,
        "as_of": as_of.isoformat(),
        "as_of_from": origin,
        "input": _input(plan),
        "columns": _columns(spec, rules),
        "reads": sorted(reads),
        "rules": rules,
        "registers": _registers(policy, plan.registers),
        "releases": _releases(plan, look),
        "pii": describe_pii(plan, look and look.schema, look.text_share if look else 1.0),
        "output": _output(plan),
        "warnings": list(plan.warnings),
    }


def _input(plan: Plan) -> dict[str, Any]:
    bad = {item.name for item in plan.unreadable}
    return {
        "path": plan.job.input.path,
        "shards": len({unit.name for unit in plan.units} | bad),
        "units": len(plan.units),
        "rows": sum(unit.rows or 0 for unit in plan.units),
        "units_not_counted": sum(unit.rows is None for unit in plan.units),
        "bytes": sum(unit.size for unit in plan.units if unit.part == 0),
        "unreadable": [
            {"shard": item.name, "what": item.error.what, "fix": item.error.fix}
            for item in plan.unreadable
        ],
    }


def _reach(bound: BoundRule, registers: RegisterSet) -> dict[str, Any]:
    """Say whether a run can reach a rule, and what the rule then reads."""
    columns = sorted(bound.columns)
    return {
        "reason": bound.reason,
        "effect": bound.rule.effect,
        "reached": bound.condition != FALSE,
        "columns": [name for name in columns if name in PROVENANCE],
        "through": {
            name: {
                "register": DERIVED_FROM[name][0] if name in DERIVED_FROM else None,
                "columns": _behind(name, registers),
            }
            for name in columns
            if name not in PROVENANCE
        },
    }


def _behind(column: str, registers: RegisterSet) -> list[str]:
    """Name the provenance columns on which a derived column is joined."""
    if column in _CHECKED:
        return list(_CHECKED[column])
    name, columns = DERIVED_FROM[column]
    register = registers.given().get(name)
    if columns or register is None:
        return list(columns)
    named = {SUBJECTS[kind] for kind in register.kinds()}
    if "scope_until" in register.frame.columns and register.frame["scope_until"].count():
        named.add("submitted_at")
    return sorted(named)


def _columns(job: Job, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    readers: dict[str, list[str]] = {name: [] for name in PROVENANCE}
    for rule in rules:
        behind = (name for item in rule["through"].values() for name in item["columns"])
        for name in dict.fromkeys([*rule["columns"], *behind]):
            readers[name].append(rule["reason"])
    found = []
    for name, rule_ids in readers.items():
        spec = job.input.columns.get(name)
        source = {k: v for k, v in asdict(spec.source()).items() if v} if spec else None
        state = "mapped" if spec else "absent" if name in job.input.absent else "unmapped"
        found.append({"name": name, "state": state, "from": source, "read_by": rule_ids})
    return found


def _registers(policy: BoundPolicy, registers: RegisterSet) -> dict[str, Any]:
    readers = {name: list(ids) for name, ids in policy.registers().items()}
    if purging := [bound.rule.id for bound in policy.forbids if bound.deadline is not None]:
        held = readers.get("holds", [])
        readers["holds"] = held + [name for name in purging if name not in held]
    given = registers.given()
    return {
        name: {
            "given": name in given,
            "rows": given[name].frame.height if name in given else None,
            "snapshot_at": _iso(given[name].snapshot_at) if name in given else None,
            "source": given[name].source if name in given else None,
            "digest": given[name].digest if name in given else None,
            "read_by": readers.get(name, []),
        }
        for name in REGISTERS
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _releases(plan: Plan, look: _Look | None) -> dict[str, Any] | None:
    """Name the released columns with their types, as the first shard has them."""
    if look is None:
        return None
    return {
        "as_in": look.name,
        "columns": [
            {"name": name, "type": str(look.schema.field(name).type)}
            for name in plan.settings.released(look.schema)
        ],
    }


@dataclass(frozen=True)
class _Look:
    """The first shard: its schema, and how large its texts are beside the file."""

    name: str
    schema: pa.Schema
    text_share: float


def _first_look(plan: Plan) -> _Look | None:
    """Look at the first shard; None where no shard says before it is read: JSON lines."""
    unit = next((unit for unit in plan.units if not is_jsonl(unit.name)), None)
    if unit is None:
        return None
    with ParquetShard(unit.folder, unit.path, unit.name) as shard:
        columns = sorted({path.column for path in plan.settings.paths(shard.schema)})
        share = shard.unpacked_bytes(columns) / max(1, shard.size)
        return _Look(unit.name, shard.schema, share)


def _output(plan: Plan) -> dict[str, Any]:
    output, audit = output_folders(plan.job)
    before = read_run_state(output)
    done = committed(audit)
    keys = plan.keys().values()
    return {
        "path": str(output),
        "audit": str(audit),
        "state": before.state if before else "none",
        "units_done": sum(key in done for key in keys),
        "units_to_do": sum(key not in done for key in keys),
    }


_ORIGIN: Final = {
    "job": "from the job",
    "run.json": "from the run whose output is there",
    "now": "this moment: the job names none",
}


def stated(as_of: str, origin: str) -> str:
    """Say which moment a question is asked for, and who chose it."""
    return f"{as_of} ({_ORIGIN[origin]})"


def render_plan(facts: dict[str, Any]) -> None:
    """Print what `describe_plan` gave."""
    page = Page()
    policy, given = facts["policy"], facts["input"]
    page.title("plan")
    page.fields(
        [
            ("policy", f"{policy['name']} {policy['version']}"),
            ("fingerprint", policy["fingerprint"]),
            ("purpose", facts["purpose"]),
            ("for_org", facts["for_org"] or ""),
            ("as_of", stated(facts["as_of"], facts["as_of_from"])),
            ("input", ", ".join(given["path"])),
            ("", _size(given)),
        ]
    )
    for item in given["unreadable"]:
        page.line(f"unreadable: {item['shard']}: {item['what']}")
    page.title("provenance columns")
    page.table(
        ("column", "from", "read by"),
        (
            (item["name"], _origin(item), ", ".join(item["read_by"]) or "nothing")
            for item in facts["columns"]
        ),
    )
    page.title("rules")
    page.table(("rule", "effect", "reads"), map(_asks, facts["rules"]))
    for name, register in facts["registers"].items():
        page.title(f"register {name}")
        page.fields(_kept(register))
    render_pii(page, facts["pii"])
    _render_output(page, facts)


def _size(given: dict[str, Any]) -> str:
    nouns = ("shard", "unit", "byte")
    text = ", ".join(counted(given[f"{noun}s"], noun) for noun in nouns)
    if given["units_not_counted"] < given["units"] or not given["units"]:
        text += f", {counted(given['rows'], 'row')}"
    if given["units_not_counted"]:
        left = counted(given["units_not_counted"], "unit")
        text += f"; rows of {left} are counted on reading"
    return text


def _origin(item: dict[str, Any]) -> str:
    if item["from"] is None:
        return str(item["state"])
    return ", ".join(v if k == "column" else f"{k} {v}" for k, v in item["from"].items())


def _asks(rule: dict[str, Any]) -> tuple[str, str, str]:
    if not rule["reached"]:
        return rule["reason"], rule["effect"], "not reached in this run"
    own = rule["columns"]
    through = [
        f"{name} ({', '.join(filter(None, [item['register'], *item['columns']]))})"
        for name, item in rule["through"].items()
    ]
    return rule["reason"], rule["effect"], ", ".join([*own, *through]) or "no column"


def _kept(register: dict[str, Any]) -> list[tuple[str, str]]:
    readers = ", ".join(register["read_by"]) or "nothing"
    if not register["given"]:
        return [("", "not given: unknown"), ("read by", readers)]
    return [
        ("rows", f"{register['rows']:,}"),
        ("taken", register["snapshot_at"] or "unknown"),
        ("source", register["source"]),
        ("digest", register["digest"]),
        ("read by", readers),
    ]


def _render_output(page: Page, facts: dict[str, Any]) -> None:
    released, output = facts["releases"], facts["output"]
    page.title("released columns")
    if released is None:
        page.line("known when the JSON lines are read")
    else:
        page.line(f"as in {released['as_in']}")
        page.fields((item["name"], item["type"]) for item in released["columns"])
    page.line(f"read narrow, to decide: {', '.join(facts['reads'])}")
    page.title("output")
    done = f"{output['units_done']:,} done already, {output['units_to_do']:,} to do"
    if output["state"] == "finished" and facts["as_of_from"] == "run.json":
        done = "the run that is there is finished; --fresh starts anew"
    page.fields([("path", output["path"]), ("audit", output["audit"]), ("units", done)])
    if facts["warnings"]:
        page.title("warnings")
    for warning in facts["warnings"]:
        page.line(warning)
