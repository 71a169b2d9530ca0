"""Subjects of registers that no record of a run has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias

import polars as pl

from ..connectors.at_once import at_once
from ..connectors.audit import UnitResult
from ..connectors.folder import Folder
from ..connectors.parquet import ParquetShard
from ..filters.registers import Register, RegisterSet
from ..filters.schema import SUBJECTS

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
    with ThreadPoolExecutor() as pool:  # Polars counts each of them on one core
        heights = pool.map(_height, wanted.values())
        for (name, _), height in zip(wanted, heights, strict=True):
            counts[name] += height
    return counts


def _height(frame: pl.LazyFrame) -> int:
    return frame.collect(engine="streaming").height


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
