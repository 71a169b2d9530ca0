"""A run, from plan to manifest, resuming what is done.

plan ─▶ lock ─▶ keep finished units, drop stale ones ─▶ process the rest ─▶ manifest
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ..connectors.audit import UnitResult, open_audit, withdraw, write_shards
from ..connectors.folder import Folder
from ..connectors.lock import locked
from ..connectors.manifest import (
    MANIFEST,
    RunState,
    audit_place,
    check_ours,
    read_run_state,
    write_manifest,
    write_run_state,
)
from ..filters.decide import Judge
from .context import Context
from .kept import clear, done_before, drop_stale, intact, only_unreadable
from .plan import Plan, Unit, list_corpus, make_plan, output_folders
from .report import write_report
from .shard import failed
from .spec import Job, load_job
from .subjects import unmatched_subjects
from .summary import NAMED, Summary, manifest_facts, summarise
from .workers import Engine, LocalEngine


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
    retry_unreadable: bool = False,
) -> Summary:
    """Run a job: decide every record, release the eligible ones, write why.

    Resumes what an earlier run left unfinished; `fresh` starts anew. `workers` is the number of
    threads or processes, by default one a core. `engine` is `local` or `ray`, by default what the
    job says, `address` that of a Ray cluster; the output is the same, byte for byte. Raises
    CorpusgateError for what stops a run before anything is written, and OSError where the output
    cannot be written. `retry_unreadable` tries the shards again that a run could not read, and
    stops where anything else would be done.
    """
    begun = time.perf_counter()
    started_at = datetime.now(UTC)
    spec = job if isinstance(job, Job) else load_job(job)
    chosen = engine or spec.engine
    if address is not None and chosen != "ray":
        raise ValueError("an address goes with engine ray")
    watcher = progress or Silent()
    with _engine(chosen, spec, address, workers, watcher) as start:
        plan = _planned(spec, started_at, start, fresh=fresh, retry=retry_unreadable)
        if isinstance(plan, Summary):
            return plan
        for warning in plan.warnings:
            watcher.warn(warning)
        plan.reduction.load()
        file = spec.base / Path(spec.source).name
        state = RunState(
            "running",
            plan.policy.as_of.isoformat(),
            spec.moment is None,
            plan.digest,
            started_at.isoformat(),
            job=str(file) if file.is_file() else None,
            units=len(plan.units) + len(plan.unreadable),
            input_bytes=sum(item.size for item in plan.inputs),
            host=platform.node(),
            engine=chosen,
            workers=start.workers if isinstance(start, LocalEngine) else workers,
        )
        return _run(plan, state, begun, start, watcher, fresh=fresh)


def _planned(
    spec: Job, started_at: datetime, start: Engine, *, fresh: bool, retry: bool
) -> Plan | Summary:
    """Plan a run, or give the summary of one that is finished and is this very one."""
    output, audit = output_folders(spec)
    check_ours(output, audit)
    before = None if fresh else read_run_state(output)
    as_of = spec.moment or (datetime.fromisoformat(before.as_of) if before else started_at)
    inputs = list_corpus(spec)
    finished = before is not None and before.state == "finished"
    if isinstance(start, LocalEngine) and not finished:
        start.expect(spec, sum(item.size for item in inputs) / 1e6)
    plan = make_plan(spec, as_of, inputs)
    if before and (retry or (finished and spec.moment is None)):
        done = intact(output, audit)
        if finished and (summary := done_before(plan, output, audit, before, done)):
            return summary
        if retry:
            only_unreadable(plan, audit, before, done)
    return plan


def _run(
    plan: Plan, state: RunState, begun: float, start: Engine, watcher: Progress, *, fresh: bool
) -> Summary:
    """Do what is planned and not done yet, while nobody else writes to the output."""
    output, audit = output_folders(plan.job)
    fix = "wait for it, or give another output.path"
    with locked(output, fix, run=plan.name, fresh=fresh) as still_ours:
        if fresh:
            clear(output, audit)
        done = intact(output, audit)
        kept = len(done.keys() & set(plan.keys().values()))
        state = replace(state, audit=audit_place(output, audit), units_kept=kept)
        output.delete([MANIFEST])
        running = _Running(plan, output, audit, state, still_ours)
        running.note()
        open_audit(audit, output)
        output.sweep()
        results = _work(running, done, start, watcher)
        still_ours()
        summary = _finish(plan, output, audit, results)
        seconds = time.perf_counter() - begun
        running.note(
            # What could not be read is tried again; until then the run is not finished.
            state="incomplete" if summary.shards_unreadable else "finished",
            unreadable={},
            registers={n: r.source for n, r in plan.registers.given().items()},
            finished_at=datetime.now(UTC).isoformat(),
            seconds=round(seconds, 3),
            input_megabytes_per_second=round((state.input_bytes or 0) / 1e6 / seconds, 1),
        )
    return replace(summary, seconds=round(seconds, 3))


@dataclass
class _Running:
    """A run under way; `still_ours` raises OutputError if the output is somebody else's by now."""

    plan: Plan
    output: Folder
    audit: Folder
    state: RunState
    still_ours: Callable[[], None]

    def note(self, **changes: Any) -> None:  # noqa: ANN401 - fields of RunState
        """Say how far the run is. Raises OutputError if the output is somebody else's by now."""
        self.still_ours()
        self.state = replace(self.state, **changes)
        write_run_state(self.output, self.state)

    def note_unreadable(self, results: Sequence[UnitResult]) -> None:
        """Say which shards cannot be read, as many as the manifest names."""
        known = dict(self.state.unreadable)
        known |= {r.shard: str(r.error) for r in results if r.rows is None}
        if known != self.state.unreadable and len(self.state.unreadable) < NAMED:
            self.note(unreadable=dict(sorted(known.items())[:NAMED]))


@contextmanager
def _engine(
    name: str, spec: Job, address: str | None, workers: int | None, watcher: Progress
) -> Iterator[Engine]:
    """Choose who processes units."""
    if name == "ray":
        from .ray_engine import RayEngine

        yield RayEngine(spec.ray, address, workers, watcher.warn)
    else:
        with LocalEngine(workers) as engine:
            yield engine


def _work(
    running: _Running, done: dict[str, UnitResult], start: Engine, watcher: Progress
) -> list[UnitResult]:
    plan, output, audit = running.plan, running.output, running.audit
    keys = plan.keys()
    drop_stale(output, audit, done, set(keys.values()))
    results = [done[key] for key in keys.values() if key in done]
    todo = sorted(
        (unit for unit, key in keys.items() if key not in done),
        key=lambda unit: (-(unit.rows or unit.size), unit.name, unit.part),
    )
    for item in plan.unreadable:
        result = failed(UnitResult(item.name, 0, 1, item.size, None, 0), item.error)
        results.append(result)
        watcher.unit(result)
    running.note_unreadable(results)
    watcher.begin(len(todo), sum(unit.size / unit.parts for unit in todo) / 1e6)
    if not todo:
        return results
    duplicates = None
    if plan.settings.unique == "run":
        from .duplicates import duplicate_ids  # DuckDB, which other runs need not load

        duplicates = duplicate_ids(plan, audit)
    context = Context(
        Judge.prepare(plan.policy, plan.registers),
        plan.registers,
        plan.settings,
        plan.reduction,
        output,
        audit,
        duplicates,
        # A lock elsewhere may be lost while a unit is under way; one here cannot.
        began=running.state.started_at if output.remote else None,
    )
    for result in start(todo, keys, context):
        results.append(result)
        running.note_unreadable([result])
        running.still_ours()
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
