"""A run, from plan to manifest, resuming what is done.

plan ─▶ lock ─▶ keep finished units, drop stale ones ─▶ process the rest ─▶ manifest
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from ..connectors.audit import (
    LISTS,
    UnitResult,
    clear_audit,
    committed,
    open_audit,
    withdraw,
    write_shards,
)
from ..connectors.folder import Folder
from ..connectors.lock import locked
from ..connectors.manifest import (
    MANIFEST,
    OURS,
    RunState,
    check_ours,
    read_manifest,
    read_run_state,
    write_manifest,
    write_run_state,
)
from ..filters.decide import Judge
from ..filters.errors import OutputError
from .plan import Plan, Unit, make_plan, output_folders
from .report import write_report
from .shard import Context, failed
from .spec import Job, load_job
from .subjects import duplicate_ids, unmatched_subjects
from .summary import Summary, manifest_facts, summarise
from .workers import Engine, work


class Progress(Protocol):
    """Somebody who wants to know how a run is going."""

    def warn(self, text: str) -> None:
        """Take note of something that a person should read."""

    def begin(self, units: int, megabytes: float) -> None:
        """Hear what is to be done; units that are done already do not count."""

    def unit(self, result: UnitResult) -> None:
        """Hear that a unit is done."""


class Silent:
    """Progress that nobody watches."""

    def warn(self, text: str) -> None:
        """Say nothing."""

    def begin(self, units: int, megabytes: float) -> None:
        """Say nothing."""

    def unit(self, result: UnitResult) -> None:
        """Say nothing."""


def run(
    job: Job | str | Path,
    *,
    fresh: bool = False,
    workers: int | None = None,
    engine: str | None = None,
    address: str | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Run a job: decide every record, release the eligible ones, write why.

    Resumes what an earlier run left unfinished; `fresh` starts anew. `workers` is the number of
    threads or processes, by default one a core. `engine` is `local` or `ray`, by default what the
    job says, `address` that of a Ray cluster; the output is the same, byte for byte. Raises
    CorpusgateError for what stops a run before anything is written, and OSError where the output
    cannot be written.
    """
    begun = time.perf_counter()
    started_at = datetime.now(UTC)
    spec = job if isinstance(job, Job) else load_job(job)
    chosen = engine or spec.engine
    if address is not None and chosen != "ray":
        raise ValueError("an address goes with engine ray")
    watcher = progress or Silent()
    output, audit = output_folders(spec)
    check_ours(output, audit)
    before = None if fresh else read_run_state(output)
    as_of = spec.moment or (datetime.fromisoformat(before.as_of) if before else started_at)
    plan = make_plan(spec, as_of)
    if before and before.state == "finished" and spec.moment is None:
        return _done_before(plan, output, audit, before)
    for warning in plan.warnings:
        watcher.warn(warning)
    plan.reduction.load()
    start = _engine(chosen, spec, address, workers, watcher)
    with locked(output.local, "wait for it, or give another output.path"):
        if fresh:
            _clear(output, audit)
        state = RunState(
            "running", as_of.isoformat(), spec.moment is None, plan.digest, started_at.isoformat()
        )
        output.delete([MANIFEST])
        write_run_state(output, state)
        open_audit(audit, output)
        output.sweep()
        results = _work(plan, output, audit, start, watcher)
        summary = _finish(plan, output, audit, results)
        seconds = time.perf_counter() - begun
        megabytes = sum(item.size for item in plan.inputs) / 1e6
        write_run_state(
            output,
            replace(
                state,
                # What could not be read is tried again; until then the run is not finished.
                state="incomplete" if summary.shards_unreadable else "finished",
                registers={n: r.source for n, r in plan.registers.given().items()},
                finished_at=datetime.now(UTC).isoformat(),
                host=platform.node(),
                engine=chosen,
                workers=workers,
                seconds=round(seconds, 3),
                input_megabytes_per_second=round(megabytes / seconds, 1),
            ),
        )
    return replace(summary, seconds=round(seconds, 3))


def _engine(
    name: str, spec: Job, address: str | None, workers: int | None, watcher: Progress
) -> Engine:
    """Choose who processes units."""
    if name == "ray":
        from .ray_engine import RayEngine

        return RayEngine(spec.ray, address, workers, watcher.warn)
    return partial(work, workers=workers or os.cpu_count() or 1)


def _work(
    plan: Plan, output: Folder, audit: Folder, start: Engine, watcher: Progress
) -> list[UnitResult]:
    keys = plan.keys()
    done = _intact(output, audit)
    _drop_stale(output, audit, done, set(keys.values()))
    results = [done[key] for key in keys.values() if key in done]
    todo = sorted(
        (unit for unit, key in keys.items() if key not in done),
        key=lambda unit: (-(unit.rows or unit.size), unit.name, unit.part),
    )
    for item in plan.unreadable:
        result = failed(UnitResult(item.name, 0, 1, item.size, None, 0), item.error)
        results.append(result)
        watcher.unit(result)
    watcher.begin(len(todo), sum(unit.size / unit.parts for unit in todo) / 1e6)
    if not todo:
        return results
    context = Context(
        Judge.prepare(plan.policy, plan.registers),
        plan.registers,
        plan.settings,
        plan.reduction,
        output,
        audit,
        duplicate_ids(plan, audit) if plan.settings.unique == "run" else None,
    )
    for result in start(todo, keys, context):
        results.append(result)
        watcher.unit(result)
    return _whole(results, keys, output, audit)


def _whole(
    results: list[UnitResult], keys: dict[Unit, str], output: Folder, audit: Folder
) -> list[UnitResult]:
    """Take back the good parts of a shard of which another part cannot be read."""
    errors = {result.shard: result.error for result in results if result.rows is None}
    if all(result.rows is None for result in results if result.shard in errors):
        return results
    withdraw(audit, keep={key for unit, key in keys.items() if unit.name not in errors})
    kept = []
    for result in results:
        if result.shard not in errors or result.rows is None:
            kept.append(result)
            continue
        for root, file in result.files(output, audit):
            root.delete([file.path])
        blank = UnitResult(
            result.shard,
            result.part,
            result.parts,
            result.input_bytes,
            result.input_sha256,
            result.row_offset,
        )
        kept.append(replace(blank, error=errors[result.shard]))
    return kept


def _finish(plan: Plan, output: Folder, audit: Folder, results: list[UnitResult]) -> Summary:
    """Write what describes the whole run, the manifest last."""
    shards = write_shards(audit, results)
    unmatched = unmatched_subjects(plan.registers, audit, results)
    facts = manifest_facts(plan, results, shards, unmatched)
    write_manifest(output, facts)
    summary = summarise(facts, output, plan.job.output.path)
    write_report(output, facts, summary.manifest_sha256)
    return replace(summary, warnings=plan.warnings)


def _done_before(plan: Plan, output: Folder, audit: Folder, before: RunState) -> Summary:
    """Give the summary of a finished run, if it is this very one."""
    facts = read_manifest(output)
    done = _intact(output, audit)
    same = plan.digest == before.digest and set(plan.keys().values()) == done.keys()
    if facts is None or not same or plan.unreadable:
        what = f"a run as of {before.as_of} is finished here, and what it was made from has changed"
        fix = "start anew with --fresh, say as_of in the job, or give another output.path"
        raise OutputError(str(output), what, fix)
    return replace(summarise(facts, output, plan.job.output.path), done_before=True)


def _intact(output: Folder, audit: Folder) -> dict[str, UnitResult]:
    """List the results of units whose files are all there, as long as they were written."""
    results = committed(audit)
    if not results:
        return {}
    there: dict[Folder, dict[str, int]] = {output: output.sizes("eligible"), audit: {}}
    for name in LISTS:
        there[audit] |= audit.sizes(name)
    return {
        key: result
        for key, result in results.items()
        if all(
            there[root].get(file.path) == file.bytes for root, file in result.files(output, audit)
        )
    }


def _drop_stale(output: Folder, audit: Folder, done: dict[str, UnitResult], keys: set[str]) -> None:
    """Remove what no unit of this run vouches for: results first, then their files."""
    good = keys & done.keys()
    withdraw(audit, keep=good)
    keep: dict[Folder, set[str]] = {output: set(), audit: set()}
    for key in good:
        for root, file in done[key].files(output, audit):
            keep[root].add(file.path)
    output.retain("eligible", keep[output])
    for name in LISTS:
        audit.retain(name, keep[audit])


def _clear(output: Folder, audit: Folder) -> None:
    for name in OURS - {".lock"}:
        output.clear(name)
    clear_audit(audit)
