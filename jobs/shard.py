"""Units of work, start to end.

    read narrow columns ─▶ map ─▶ decide ─▶ copy survivors ─▶ check ─▶ publish ─▶ commit
    └──── each unit ────────┘   together   └──────────────── each unit ─────────────────┘

Local threads and a cluster's tasks run this same function. A unit owns its outputs alone, and its
committed result is what says that they exist; which units are decided together changes no byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from ..connectors.audit import UnitResult, commit, write_frame
from ..connectors.folder import Folder, Opens
from ..connectors.jsonl import is_jsonl, jsonl_to_parquet
from ..connectors.manifest import RUNNING, read_run_state
from ..connectors.memory import available
from ..connectors.parquet import ParquetShard
from ..connectors.staged import OWNER_ONLY, StagedFile
from ..filters.decide import Judge
from ..filters.errors import CorpusgateError, OutputError, RegisterError, SchemaError, UnitError
from ..filters.mapping import map_columns
from ..filters.provenance import id_kinds
from ..filters.registers import RegisterSet
from ..filters.schema import PARTS, SURFACES
from ..filters.texts.paths import holds_text
from .plan import Settings, Unit, check_shard, with_partitions
from .reducing import Reducing, after_reduction
from .reduction import Reduction

RECHECK: Final = (
    "surface",
    "part",
    "submitted_at",
    "license_ends_at",
    "org_id",
    "user_id",
    "end_user_id",
    "file_id",
    "conversation_id",
    "model",
)
"""What a later look at the registers needs to find a record again."""


@dataclass(frozen=True)
class Context:
    """What all units of a run share."""

    judge: Judge
    registers: RegisterSet
    settings: Settings
    reduction: Reduction
    output: Folder
    audit: Folder
    duplicates: pl.Series | None = None
    began: str | None = None
    """When the run began, where a worker may outlive it: then nothing more is published."""


def process(units: Sequence[Unit], keys: Mapping[Unit, str], context: Context) -> list[UnitResult]:
    """Decide units together, release each one's survivors, and leave its result under its key.

    A unit that cannot be read gives a result with `error`, releases nothing and is not
    committed, so that the next run tries again. Raises OSError where the output cannot be
    written.
    """
    results: list[UnitResult] = []
    judge = context.judge
    with ExitStack() as stack:
        read: list[tuple[Unit, ParquetShard, pl.DataFrame]] = []
        for unit in units:
            try:
                shard = stack.enter_context(opened(unit, context.audit))
                records = provenance(unit, shard, context.settings)
                context.registers.match_ids(id_kinds(records.schema))
                read.append((unit, shard, judge.records(records, context.duplicates)))
            except (UnitError, SchemaError, RegisterError) as error:
                results.append(failed(blank(unit), error))
        if not read:
            return results
        facts = judge.facts(pl.concat(records for _, _, records in read))
        verdict = judge.verdict(facts)
        start = 0
        for unit, shard, records in read:
            rows = (start, records.height)
            start += records.height
            try:
                result = _released(unit, shard, facts.slice(*rows), verdict.slice(*rows), context)
            except (UnitError, SchemaError) as error:
                results.append(failed(blank(unit), error))
                continue
            check_goes_on(context)
            commit(context.audit, keys[unit], result)
            results.append(result)
    return results


def blank(unit: Unit) -> UnitResult:
    """Give the result of a unit of which nothing is known yet."""
    return UnitResult(unit.name, unit.part, unit.parts, unit.size, unit.digest, unit.row_offset)


def failed(base: UnitResult, error: CorpusgateError) -> UnitResult:
    """Give the result of a unit that cannot be read."""
    where = "" if isinstance(error, UnitError) else f"{getattr(error, 'where', '')}: "
    return replace(base, error=f"{where}{getattr(error, 'what', error)}")


@contextmanager
def opened(unit: Unit, audit: Folder | Path) -> Iterator[ParquetShard]:
    """Open a unit's file; JSON lines become Parquet first, below the audit folder."""
    with ExitStack() as stack:
        folder: Opens = unit.folder
        digest = ""
        if is_jsonl(unit.name):
            scratch = StagedFile(audit, f"scratch/{unit.output}", OWNER_ONLY)
            folder = stack.enter_context(scratch)
            digest = jsonl_to_parquet(unit.folder, unit.path, unit.name, scratch)
        shard = stack.enter_context(ParquetShard(folder, unit.path, unit.name))
        if is_jsonl(unit.name):
            shard.input_sha256 = digest
        if unit.digest and unit.digest != (digest or shard.footer_sha256):
            fix = "leave the input alone while a run is under way, and run the job again"
            raise UnitError(unit.name, "it has changed since the run began", fix)
        yield shard


def provenance(unit: Unit, shard: ParquetShard, settings: Settings) -> pl.DataFrame:
    """Read a unit's narrow columns and map them. Raises SchemaError."""
    check_shard(settings, shard.schema, unit.name)
    wanted = [name for name in shard.schema.names if name in settings.reads()]
    groups = row_groups(unit, shard)
    shard.check_memory(wanted, groups, available())
    frame = pl.DataFrame(shard.read(wanted, groups))
    return map_columns(with_partitions(frame, unit.name), settings.sources, "input.columns")


def row_groups(unit: Unit, shard: ParquetShard) -> range:
    """Give the unit's row groups; JSON lines know theirs only now."""
    return range(len(shard.row_group_rows)) if unit.rows is None else unit.row_groups


def _released(
    unit: Unit, shard: ParquetShard, facts: pl.DataFrame, verdict: pl.DataFrame, context: Context
) -> UnitResult:
    settings = context.settings
    columns = settings.released(shard.schema)
    secret = {name for name in columns if holds_text(shard.schema.field(name).type)}
    eligible = verdict["eligible"]
    survivors = facts.filter(eligible)
    reducing = Reducing(
        context.reduction, unit.name, settings.paths(shard.schema), survivors, settings.id_column
    )
    with ExitStack() as stack:

        def stage(root: Folder, path: str, mode: int = 0o666) -> StagedFile:
            return stack.enter_context(StagedFile(root, path, mode))

        def staged_frame(folder: str, frame: pl.DataFrame) -> StagedFile:
            file = stage(context.audit, f"{folder}/{unit.output}", OWNER_ONLY)
            write_frame(frame, file)
            return file

        shards = stage(context.output, f"eligible/{unit.output}")
        written = shard.copy_rows(
            columns,
            row_groups(unit, shard),
            eligible.to_arrow(),
            shards,
            without_statistics={settings.id_column, *secret},
            compression_level=settings.compression_level,
            edit=reducing if context.reduction.active else None,
            edited=reducing.types,
        )
        verdict = after_reduction(verdict, reducing.excluded)
        kept = int(verdict["eligible"].sum())
        if written != kept or verdict.height != facts.height:
            what = f"{written} rows were written where {kept} were decided to be eligible"
            raise UnitError(unit.name, what, "report this: rows must never be lost")
        decisions = staged_frame("decisions", _decisions(unit, facts, verdict))
        purged = _purged(facts, verdict)
        purge_list = staged_frame("purge", purged)
        findings = None
        found: tuple[tuple[str, str, int], ...] = ()
        if context.reduction.reducer is not None:
            listed = reducing.findings()
            found = _found(listed, survivors)
            places = eligible.arg_true().cast(pl.Int64) + unit.row_offset
            findings = staged_frame(
                "findings", listed.with_columns(pl.lit(places).gather(pl.col("row")).alias("row"))
            )
        check_goes_on(context)
        return replace(
            blank(unit),
            input_sha256=shard.input_sha256,
            rows=facts.height,
            eligible=kept,
            excluded=facts.height - kept,
            purge=purged.height,
            counts=_counts(facts, verdict),
            found=found,
            released=shards.publish(),
            decisions=decisions.publish(),
            purge_list=purge_list.publish(),
            findings=None if findings is None else findings.publish(),
        )


def check_goes_on(context: Context) -> None:
    """Raise OutputError if the run has ended, or another one writes to its output now."""
    if context.began is None:
        return
    state = read_run_state(context.output)
    if state is None or (state.started_at, state.state) != (context.began, RUNNING):
        what = "the run that this worker works for has ended"
        raise OutputError(str(context.output), what, "run again to go on")


def _purged(facts: pl.DataFrame, verdict: pl.DataFrame) -> pl.DataFrame:
    reasons, deadlines = verdict["purge_reason"], verdict["purge_deadline"]
    due = pl.DataFrame([facts["record_id"], reasons.alias("reason"), deadlines.alias("deadline")])
    if reasons.null_count() == len(reasons):
        return due.clear()
    return due.filter(pl.col("reason").is_not_null())


def _found(findings: pl.DataFrame, survivors: pl.DataFrame) -> tuple[tuple[str, str, int], ...]:
    if not findings.height:
        return ()
    surface = pl.lit(survivors["surface"]).gather(pl.col("row")).alias("surface")
    counted = findings.lazy().select(surface, "entity").group_by("surface", "entity").len()
    return tuple(counted.sort("surface", "entity").collect().rows())


def _decisions(unit: Unit, facts: pl.DataFrame, verdict: pl.DataFrame) -> pl.DataFrame:
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    known = {"surface": SURFACES, "part": PARTS}
    return facts.hstack(verdict).select(
        "record_id",
        "eligible",
        "reason",
        "reasons",
        shard=pl.lit(unit.name),
        row=row + unit.row_offset,
        out_row=pl.when("eligible").then(pl.col("eligible").cum_sum().cast(pl.Int64) - 1),
        # What is in no vocabulary may be anything, text included: it stays behind.
        **{
            name: pl.when(pl.col(name).is_in(list(known[name]))).then(pl.col(name))
            if name in known
            else pl.col(name)
            for name in RECHECK
        },
    )


def _counts(facts: pl.DataFrame, verdict: pl.DataFrame) -> tuple[tuple[str, bool, str, int], ...]:
    names = ["surface", "eligible", "reason"]
    surface = pl.when(pl.col("surface").is_in(list(SURFACES))).then(pl.col("surface"))
    records = pl.LazyFrame([facts["surface"], verdict["eligible"], verdict["reason"]])
    counted = records.with_columns(surface.fill_null("unknown")).group_by(names).len().sort(names)
    return tuple(counted.collect().rows())
