"""Subjects of registers that no record of a run has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import polars as pl
from more_itertools import constrained_batches

from ..connectors.at_once import at_once
from ..connectors.audit import UnitResult
from ..connectors.folder import Folder
from ..connectors.parquet import ParquetShard
from ..filters.registers import Register, RegisterSet
from ..filters.schema import SUBJECTS

_ROWS: Final = 1 << 20
_FILES: Final = 256


def unmatched_subjects(
    registers: RegisterSet, audit: Folder, results: Iterable[UnitResult]
) -> dict[str, int]:
    """Count, for each register, the subjects that no record of the run has.

    Many of them hint at ids of another kind, or at a corpus that is not the one asked about.
    """
    wanted = {
        (name, kind): _subjects(register, kind)
        for name, register in registers.given().items()
        for kind in sorted(register.kinds())
    }
    columns = sorted({SUBJECTS[kind] for _, kind in wanted})
    with ThreadPoolExecutor() as pool:  # Polars does each of them on one core
        for files in _batches(results):
            if all(subjects.is_empty() for subjects in wanted.values()):
                break
            ids = _ids(audit, files, columns)
            left = pool.map(
                lambda one, ids=ids: _without(one[1], ids, SUBJECTS[one[0][1]]), wanted.items()
            )
            wanted = dict(zip(wanted, left, strict=True))
    counts = dict.fromkeys(registers.given(), 0)
    for (name, _), subjects in wanted.items():
        counts[name] += subjects.height
    return counts


def _subjects(register: Register, kind: str) -> pl.DataFrame:
    frame = register.frame
    if register.name == "accounts":
        frame = frame.select(pl.lit("org").alias("subject_kind"), subject_id="org_id")
    return frame.filter(pl.col("subject_kind") == kind).select("subject_id").unique()


def _batches(results: Iterable[UnitResult]) -> Iterator[list[str]]:
    """Put files of decisions together: many, but no more rows than memory should hold."""
    files = ((r.decisions.path, r.rows) for r in results if r.decisions is not None and r.rows)
    for batch in constrained_batches(
        files, _ROWS, _FILES, get_len=lambda file: file[1], strict=False
    ):
        yield [path for path, _ in batch]


def _ids(audit: Folder, files: Sequence[str], columns: Sequence[str]) -> pl.LazyFrame:
    if not audit.remote:
        return pl.scan_parquet([audit.local / path for path in files], glob=False)

    def read(path: str) -> pl.DataFrame:
        with ParquetShard(audit, path, path) as shard:
            return pl.DataFrame(shard.read(columns, range(len(shard.row_group_rows))))

    return pl.concat(at_once(read, files, remote=True)).lazy()


def _without(subjects: pl.DataFrame, ids: pl.LazyFrame, column: str) -> pl.DataFrame:
    met = ids.select(subject_id=column)
    return subjects.lazy().join(met, on="subject_id", how="anti").collect(engine="streaming")
