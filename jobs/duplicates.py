"""Record ids that stand more than once in a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from ..connectors.folder import Folder
from ..filters.errors import RegisterError, SchemaError, UnitError
from .plan import Plan, ids_needed
from .shard import opened

if TYPE_CHECKING:
    import polars as pl


def duplicate_ids(plan: Plan, audit: Folder) -> pl.Series:
    """Find the record ids that occur more than once in the whole run.

    A pass over the id columns alone; DuckDB spills to disk what memory does not hold. Raises
    UnitError where ids cannot be read: they may stand in other shards as well.
    """
    for shard in plan.unreadable:
        raise _needed(shard.name, shard.error)
    column = plan.settings.id_column
    failed: list[UnitError] = []  # DuckDB, which asks for the batches, would wrap what is raised

    def batches() -> Iterator[pa.RecordBatch]:
        for unit in plan.units:
            try:
                with opened(unit, audit, plan.settings) as shard:
                    plan.settings.check_types(shard.schema, unit.name, plan.registers)
                    for group in unit.groups(shard):
                        table = shard.read([column], range(group, group + 1))
                        ids = table.column(0).cast(pa.large_string())
                        yield from pa.table({"id": ids}).to_batches()
            except (UnitError, SchemaError, RegisterError) as error:
                failed.append(_needed(unit.name, error))
                return

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
    if failed:
        raise failed[0]
    return found["id"]


def _needed(shard: str, error: UnitError | SchemaError | RegisterError) -> UnitError:
    where = "" if isinstance(error, UnitError) else f"{error.where}: "
    return ids_needed(shard, f"{where}{error.what}")
