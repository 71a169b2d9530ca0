"""Units of work, start to end.

    read narrow columns ─▶ map ─▶ decide ─▶ copy survivors ─▶ check ─▶ publish ─▶ commit
    └──── each unit ────────┘   together   └──── small units together (`release.py`) ────┘

Local threads and a cluster's tasks run this same function. A unit owns its outputs alone, and its
committed result is what says that they exist; which units are done together changes no byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl
from more_itertools import consume

from ..connectors.at_once import at_once
from ..connectors.audit import UnitResult, commit
from ..connectors.folder import Folder, Opens
from ..connectors.jsonl import is_jsonl, jsonl_to_parquet
from ..connectors.memory import available
from ..connectors.parquet import ParquetShard
from ..connectors.staged import OWNER_ONLY, StagedFile
from ..filters.errors import CorpusgateError, RegisterError, SchemaError, UnitError
from ..filters.mapping import map_columns
from ..filters.provenance import id_kinds, require_types
from .context import Context
from .lean import only_new_garbage
from .plan import Unit
from .release import Decided, blank, bundles, release
from .settings import Settings, with_partitions


@only_new_garbage()
def process(units: Sequence[Unit], keys: Mapping[Unit, str], context: Context) -> list[UnitResult]:
    """Decide units together, release each one's survivors, and leave its result under its key.

    A unit that cannot be read gives a result with `error`, releases nothing and is not
    committed, so that the next run tries again. Raises OSError where the output cannot be
    written.
    """
    results: list[UnitResult] = []
    judge = context.judge
    with ExitStack() as stack:
        read: list[tuple[Unit, ParquetShard, list[str]]] = []
        frames: list[pl.DataFrame] = []
        for unit in units:
            try:
                shard = stack.enter_context(opened(unit, context.audit, context.settings))
                frame = provenance(unit, shard, context.settings)
                if frame.height:  # JSON lines without any do not say of which type ids are
                    context.registers.match_ids(id_kinds(frame.schema))
                require_types(frame.schema)
                read.append((unit, shard, context.settings.released(shard.schema)))
                frames.append(frame)
            except (UnitError, SchemaError, RegisterError) as error:
                results.append(failed(blank(unit), error))
        if not read:
            return results
        facts = judge.facts(judge.records(frames, context.duplicates))
        verdict = judge.verdict(facts)
        decided = Decided.apart(read, [frame.height for frame in frames], facts, verdict)
        for together in bundles(decided):
            results += _released(together, keys, context)
    return results


def _released(
    together: Sequence[Decided], keys: Mapping[Unit, str], context: Context
) -> list[UnitResult]:
    """Release units together and commit them; if that fails, each alone, to find the culprit."""
    try:
        results = release(together, context)
    except (UnitError, SchemaError) as error:
        if len(together) > 1:
            return [result for one in together for result in _released([one], keys, context)]
        return [failed(blank(together[0].unit), error)]
    context.check_goes_on()
    done = [(keys[each.unit], result) for each, result in zip(together, results, strict=True)]
    consume(at_once(partial(_commit, context.audit), done, remote=context.audit.remote))
    return results


def _commit(audit: Folder, done: tuple[str, UnitResult]) -> None:
    commit(audit, *done)


def failed(base: UnitResult, error: CorpusgateError) -> UnitResult:
    """Give the result of a unit that cannot be read."""
    where = "" if isinstance(error, UnitError) else f"{getattr(error, 'where', '')}: "
    return replace(base, error=f"{where}{getattr(error, 'what', error)}")


@contextmanager
def opened(unit: Unit, audit: Folder | Path, settings: Settings | None) -> Iterator[ParquetShard]:
    """Open a unit's file; JSON lines become Parquet first, below the audit folder.

    Where there is no line, it has the columns that `settings` ask for; without them it is an error.
    """
    with ExitStack() as stack:
        folder: Opens = unit.folder
        digest = ""
        if is_jsonl(unit.name):
            scratch = StagedFile(audit, f"scratch/{unit.output}", OWNER_ONLY)
            folder = stack.enter_context(scratch)
            blank = None if settings is None else settings.blank(unit.name)
            digest = jsonl_to_parquet(unit.folder, unit.path, unit.name, scratch, blank)
        shard = stack.enter_context(ParquetShard(folder, unit.path, unit.name))
        if is_jsonl(unit.name):
            shard.input_sha256 = digest
        if unit.digest and unit.digest != (digest or shard.footer_sha256):
            fix = "leave the input alone while a run is under way, and run the job again"
            raise UnitError(unit.name, "it has changed since the run began", fix)
        yield shard


def provenance(unit: Unit, shard: ParquetShard, settings: Settings) -> pl.DataFrame:
    """Read a unit's narrow columns and map them. Raises SchemaError."""
    settings.check(shard.schema, unit.name)
    wanted = [name for name in shard.schema.names if name in settings.reads()]
    groups = unit.groups(shard)
    shard.check_memory(wanted, groups, available)
    frame = pl.DataFrame(shard.read(wanted, groups))
    return map_columns(with_partitions(frame, unit.name), settings.sources, "input.columns")
