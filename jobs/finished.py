# ruff: noqa: S608 - SQL is what this file writes, of names and literals that it quotes
"""What a job's finished run has left, as relations in DuckDB: `released`, `findings`, `purge`.

A relation of which a file is gone or damaged is left out as a whole: nobody would see that the
rest of it is not all.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb
import polars as pl

from ..connectors.duckdb_names import DuckNames
from ..connectors.folder import Folder
from ..connectors.manifest import MANIFEST, read_manifest
from ..filters.errors import Fault, OutputError
from ..filters.sql.provenance import text
from .plan import output_folders
from .spec import Job

RUN: Final = {"released": "released", "findings": "findings", "purge": "purge_list"}
"""The relations, and the columns of `shards.parquet` that name their files."""

_FIX: Final = (
    "run the job again, which makes anew what is missing;"
    " `corpusgate verify` names all that is wrong"
)


@dataclass(frozen=True)
class Finished:
    """A finished run, or what `there` says is none.

    `files` are those that its relations read, by the names under which DuckDB reads them;
    `left_out` maps relations that cannot be read to what is wrong.
    """

    there: bool = False
    files: tuple[str, ...] = ()
    left_out: Mapping[str, Fault] = field(default_factory=dict)


@dataclass(frozen=True)
class _File:
    """A file that the run has written: how DuckDB calls it, how people do, how long it was."""

    name: str
    shown: str
    path: str
    bytes: int


def add_finished(job: Job, database: duckdb.DuckDBPyConnection, names: DuckNames) -> Finished:
    """Add a view for each relation that can be read; the manifest vouches for its files."""
    output, audit = output_folders(job)
    try:
        manifest = read_manifest(output)
        if manifest is None:
            return Finished()
        shards = _shards(audit, _place(output, manifest))
    except OutputError as error:
        what = f"{error.where}: {error.what}"
        return Finished(there=True, left_out={name: _left_out(name, what) for name in RUN})
    files: list[str] = []
    left_out: dict[str, Fault] = {}
    for name, column in RUN.items():
        root = output if name == "released" else audit
        listed = _listed(shards, column, root, names)
        if listed and (wrong := _wrong(root, listed) or _add(database, name, listed)):
            left_out[name] = _left_out(name, wrong)
        elif listed:
            files += [file.name for file in listed]
    return Finished(there=True, files=tuple(files), left_out=left_out)


def _left_out(name: str, what: str) -> Fault:
    return Fault(f"{name} is left out", what, _FIX)


def _place(output: Folder, manifest: Mapping[str, Any]) -> str:
    listed = manifest.get("shards")
    path = listed.get("path") if isinstance(listed, dict) else None
    if not isinstance(path, str):
        raise OutputError(output.show(MANIFEST), "it does not say where its shards are listed")
    return path


def _shards(audit: Folder, path: str) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(audit.read(path)))
    except (FileNotFoundError, pl.exceptions.PolarsError):
        raise OutputError(audit.show(path), "it is missing or damaged") from None


def _listed(shards: pl.DataFrame, column: str, root: Folder, names: DuckNames) -> list[_File]:
    written = shards[column].to_list() if column in shards.columns else []
    return [
        _File(
            names.name(root, file["path"], file["bytes"]),
            root.show(file["path"]),
            file["path"],
            file["bytes"],
        )
        for file in written
        if file and file["path"]
    ]


def _wrong(root: Folder, listed: Sequence[_File]) -> str | None:
    """Say which file is not there as it was written, by its length alone."""
    there: dict[str, int] = {}
    for folder in {file.path.partition("/")[0] for file in listed}:
        there |= root.sizes(folder)
    for file in listed:
        if file.path not in there:
            return f"{file.shown} is missing"
        if there[file.path] != file.bytes:
            return f"{file.shown} is not as long as it was written"
    return None


def _add(database: duckdb.DuckDBPyConnection, name: str, listed: Sequence[_File]) -> str | None:
    """Add the view; else say which file DuckDB does not open."""
    try:
        database.execute(f"CREATE VIEW {name} AS {_sql(name, listed)}")
    except duckdb.Error:
        return next(_damaged(database, name, listed), "its files do not fit together")
    return None


def _damaged(
    database: duckdb.DuckDBPyConnection, name: str, listed: Sequence[_File]
) -> Iterator[str]:
    for file in listed:
        try:
            database.execute(f"DESCRIBE {_sql(name, [file])}")
        except duckdb.Error:
            yield f"{file.shown} is damaged"


def _sql(name: str, listed: Sequence[_File]) -> str:
    files = ", ".join(text(file.name) for file in listed)
    same = "true" if name == "released" else "false"
    return f"SELECT * FROM read_parquet([{files}], union_by_name={same}, hive_partitioning=false)"
