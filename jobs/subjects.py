"""Questions about ids that only the whole run can answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import duckdb
import polars as pl
import pyarrow as pa

from ..connectors.audit import UnitResult
from ..connectors.folder import Folder
from ..filters.errors import SchemaError, UnitError
from ..filters.registers import RegisterSet
from ..filters.schema import SUBJECTS
from .plan import Plan
from .shard import opened, row_groups


def unmatched_subjects(
    registers: RegisterSet, audit: Folder, results: Iterable[UnitResult]
) -> dict[str, int]:
    """Count, for each register, the subjects that no record of the run has.

    Many of them hint at ids of another kind, or at a corpus that is not the one asked about.
    """
    written = (result.decisions for result in results if result.decisions is not None)
    paths = [audit.local / file.path for file in written]
    counts: dict[str, int] = {}
    for name, register in registers.given().items():
        frame = register.frame
        if name == "accounts":
            frame = frame.select(pl.lit("org").alias("subject_kind"), subject_id="org_id")
        counts[name] = 0
        for kind in sorted(register.kinds()):
            mine = frame.filter(pl.col("subject_kind") == kind)
            subjects = mine.lazy().select("subject_id").unique()
            if paths:
                ids = pl.scan_parquet(paths, glob=False).select(subject_id=SUBJECTS[kind])
                subjects = subjects.join(ids, on="subject_id", how="anti")
            counts[name] += subjects.collect(engine="streaming").height
    return counts


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
    with duckdb.connect() as connection:
        connection.execute("SET temp_directory = $1", [str(audit.local / "scratch")])
        connection.execute("SET memory_limit = '512MB'")
        connection.register("ids", reader)
        repeated = "SELECT id FROM ids WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1"
        found: pl.DataFrame = connection.sql(repeated).pl()
        return found["id"]
