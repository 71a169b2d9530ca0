"""Questions about ids that only the whole run can answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import duckdb
import polars as pl
import pyarrow as pa

from ..connectors.at_once import at_once
from ..connectors.audit import UnitResult
from ..connectors.folder import Folder
from ..connectors.parquet import ParquetShard
from ..filters.errors import SchemaError, UnitError
from ..filters.registers import Register, RegisterSet
from ..filters.schema import SUBJECTS
from .plan import Plan
from .shard import opened, row_groups

_FILES: Final = 256


def unmatched_subjects(
    registers: RegisterSet, audit: Folder, results: Iterable[UnitResult]
) -> dict[str, int]:
    """Count, for each register, the subjects that no record of the run has.

    Many of them hint at ids of another kind, or at a corpus that is not the one asked about.
    """
    files = [result.decisions.path for result in results if result.decisions is not None]
    wanted = {
        (name, kind): _subjects(name, register, kind)
        for name, register in registers.given().items()
        for kind in sorted(register.kinds())
    }
    if not files:
        pass
    elif audit.remote:
        wanted = _without_those_of(wanted, audit, files)
    else:
        paths = [audit.local / path for path in files]
        for (name, kind), subjects in wanted.items():
            ids = pl.scan_parquet(paths, glob=False).select(subject_id=SUBJECTS[kind])
            wanted[name, kind] = subjects.join(ids, on="subject_id", how="anti")
    counts = dict.fromkeys(registers.given(), 0)
    for (name, _), subjects in wanted.items():
        counts[name] += subjects.collect(engine="streaming").height
    return counts


def _subjects(name: str, register: Register, kind: str) -> pl.LazyFrame:
    frame = register.frame
    if name == "accounts":
        frame = frame.select(pl.lit("org").alias("subject_kind"), subject_id="org_id")
    mine = frame.filter(pl.col("subject_kind") == kind)
    return mine.lazy().select("subject_id").unique()


_Wanted: TypeAlias = dict[tuple[str, str], pl.LazyFrame]


def _without_those_of(wanted: _Wanted, audit: Folder, files: Sequence[str]) -> _Wanted:
    """Read the ids of decisions that lie elsewhere, some files at a time."""
    columns = sorted({SUBJECTS[kind] for _, kind in wanted})

    def ids(path: str) -> pl.DataFrame:
        with ParquetShard(audit, path, path) as shard:
            table = shard.read(columns, range(len(shard.row_group_rows)))
        return pl.DataFrame(table).unique()

    found: list[pl.DataFrame] = []
    for number, frame in enumerate(at_once(ids, files, remote=True), 1):
        found.append(frame)
        if number % _FILES == 0 or number == len(files):
            together = pl.concat(found)
            found.clear()
            wanted = {
                (name, kind): subjects.join(
                    together.lazy().select(subject_id=SUBJECTS[kind]), on="subject_id", how="anti"
                )
                .collect()
                .lazy()
                for (name, kind), subjects in wanted.items()
            }
    return wanted


def duplicate_ids(plan: Plan, audit: Folder) -> pl.Series:
    """Find the record ids that occur more than once in the whole run.

    A pass over the id columns alone; DuckDB spills to disk what memory does not hold. What
    cannot be read here will not be released either.
    """
    column = plan.settings.id_column

    def batches() -> Iterator[pa.RecordBatch]:
        for unit in plan.units:
            with contextlib.suppress(UnitError, SchemaError), opened(unit, audit) as shard:
                for group in row_groups(unit, shard):
                    table = shard.read([column], range(group, group + 1))
                    ids = table.column(0).cast(pa.large_string())
                    yield from pa.table({"id": ids}).to_batches()

    reader = pa.RecordBatchReader.from_batches(pa.schema([("id", pa.large_string())]), batches())
    with ExitStack() as stack:
        connection = stack.enter_context(duckdb.connect())
        if audit.remote:
            scratch = stack.enter_context(TemporaryDirectory(prefix="corpusgate-"))
        else:
            scratch = str(audit.local / "scratch")
        connection.execute("SET temp_directory = $1", [scratch])
        connection.execute("SET memory_limit = '512MB'")
        connection.register("ids", reader)
        repeated = "SELECT id FROM ids WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1"
        found: pl.DataFrame = connection.sql(repeated).pl()
        return found["id"]
