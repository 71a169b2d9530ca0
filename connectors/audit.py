"""What a run writes beside the released shards: decisions, purge list, results of units.

Everything here is for auditors, never for trainers: files are readable by their owner only.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from .at_once import at_once
from .folder import Folder
from .manifest import RUN, place
from .staged import OWNER_ONLY, StagedFile, Written, publish_json

UNITS: Final = "units"
SHARDS: Final = "shards.parquet"
_ROW_GROUP_ROWS: Final = 1 << 18
_BUFFER: Final = 64 << 10
_FEW_ROWS: Final = 16  # in snappy they take about as many bytes as in zstd, and half the time
LISTS: Final = ("decisions", "purge", "findings")
"""Folders of what is listed by record, one file a unit in each."""

_WRITTEN: Final = pl.Struct({"path": pl.String, "bytes": pl.Int64, "sha256": pl.String})
SHARD_SCHEMA: Final[dict[str, Any]] = {
    "shard": pl.String,
    "part": pl.Int64,
    "parts": pl.Int64,
    "input_bytes": pl.Int64,
    "input_sha256": pl.String,
    "row_offset": pl.Int64,
    "rows": pl.Int64,
    "eligible": pl.Int64,
    "excluded": pl.Int64,
    "purge": pl.Int64,
    "released": _WRITTEN,
    "decisions": _WRITTEN,
    "purge_list": _WRITTEN,
    "findings": _WRITTEN,
    "error": pl.String,
}


@dataclass(frozen=True)
class UnitResult:
    """What became of one unit. `rows` is None for one that cannot be read; `error` says why.

    `counts` has one entry per surface and reason: (surface, eligible, reason, records); `found` one
    per surface and entity: (surface, entity, findings).
    `input_sha256` is the digest of the Parquet footer, or of a whole JSONL file.
    """

    shard: str
    part: int
    parts: int
    input_bytes: int
    input_sha256: str | None
    row_offset: int
    rows: int | None = None
    eligible: int | None = None
    excluded: int | None = None
    purge: int | None = None
    counts: tuple[tuple[str, bool, str, int], ...] = ()
    found: tuple[tuple[str, str, int], ...] = ()
    released: Written | None = None
    decisions: Written | None = None
    purge_list: Written | None = None
    findings: Written | None = None
    error: str | None = None

    def files(self, output: Folder, audit: Folder) -> list[tuple[Folder, Written]]:
        """List the files it wrote, each with the folder its path is relative to."""
        audited = (self.decisions, self.purge_list, self.findings)
        written = ((output, self.released), *((audit, file) for file in audited))
        return [(root, file) for root, file in written if file is not None]


def write_table(table: pa.Table, file: StagedFile) -> None:
    """Write a table of ids and reasons, compressed; without statistics, which would show ids."""
    with file.own_errors():
        if len(table):
            _write(table, file)
        else:
            file.write(_empty(table.schema.serialize().to_pybytes()))


@cache
def _empty(schema: bytes) -> bytes:
    """Give the file of a table without rows: most units have nothing to purge."""
    file = io.BytesIO()
    _write(pa.ipc.read_schema(pa.BufferReader(schema)).empty_table(), file)
    return file.getvalue()


def _write(table: pa.Table, file: io.IOBase) -> None:
    # Pages are small, and each of them is several writes.
    buffered = pa.BufferedOutputStream(pa.PythonFile(file, mode="w"), _BUFFER)
    codec: dict[str, Any] = {"compression": "zstd", "compression_level": 1}
    pq.write_table(
        table,
        buffered,
        row_group_size=_ROW_GROUP_ROWS,
        **({"compression": "snappy"} if len(table) <= _FEW_ROWS else codec),
        write_statistics=False,
        store_schema=False,
    )
    buffered.detach()


def write_shards(audit: Folder, results: Iterable[UnitResult]) -> Written:
    """Write `shards.parquet`: one row a unit, in the order of shards and parts."""
    ordered = sorted(results, key=lambda result: (result.shard, result.part))
    columns = {
        name: [
            vars(value) if isinstance(value, Written) else value
            for value in (getattr(result, name) for result in ordered)
        ]
        for name in SHARD_SCHEMA
    }
    frame = pl.DataFrame(columns, schema=SHARD_SCHEMA)
    with StagedFile(audit, SHARDS, OWNER_ONLY) as file:
        write_table(frame.to_arrow(), file)
        return file.publish()


def read_shards(audit: Folder) -> pl.DataFrame | None:
    """Read `shards.parquet`; None if there is none."""
    try:
        return pl.read_parquet(io.BytesIO(audit.read(SHARDS)))
    except FileNotFoundError:
        return None


def commit(audit: Folder, key: str, result: UnitResult) -> None:
    """Leave a unit's result under its key: from now on the unit is done."""
    data = json.dumps(result, default=vars, sort_keys=True, ensure_ascii=False).encode()
    with StagedFile(audit, f"{UNITS}/{key}.json", OWNER_ONLY) as file:
        file.write(data)
        file.publish()


def committed(audit: Folder) -> dict[str, UnitResult]:
    """List the results of units, by key; one that is damaged counts as not there."""
    paths = sorted(entry.path for entry in audit.files(UNITS))
    found = {}
    for path, data in zip(paths, at_once(audit.read, paths, remote=audit.remote), strict=True):
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            found[unit_key(path)] = _result(json.loads(data))
    return found


def withdraw(audit: Folder, keep: Collection[str]) -> None:
    """Take all other results back, before what they describe is touched."""
    audit.delete([e.path for e in audit.files(UNITS) if unit_key(e.path) not in keep])


def open_audit(audit: Folder, output: Folder) -> None:
    """Make the folder, for its owner only, and sweep what an earlier run left unfinished.

    A folder apart from the output gets a mark that says whose it is.
    """
    audit.prepare(private=True)
    audit.sweep()
    if audit != output.at("audit"):
        publish_json(audit, RUN, {"output": place(output, audit)}, OWNER_ONLY)


def clear_audit(audit: Folder) -> None:
    """Remove all that runs have written, and nothing else."""
    for name in (*LISTS, UNITS, "scratch", SHARDS):
        audit.clear(name)


def unit_key(path: str) -> str:
    """Give the key of which a path below the audit folder holds the result."""
    return path.removeprefix(f"{UNITS}/").removesuffix(".json")


def _result(data: Mapping[str, Any]) -> UnitResult:
    written = {
        name: Written(**data[name]) if data[name] else None
        for name in ("released", "decisions", "purge_list", "findings")
    }
    tables = {name: tuple(tuple(row) for row in data[name]) for name in ("counts", "found")}
    return UnitResult(**{**data, **written, **tables})
