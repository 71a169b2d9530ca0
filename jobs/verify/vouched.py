"""What a finished run says of itself, read for somebody who does not take its word.

The manifest says what was decided by which policy and settings; where the corpus, the registers
and the key lie is the job file's to say.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import polars as pl
from pydantic import ValidationError

from ...connectors.audit import SHARDS, UnitResult
from ...connectors.folder import Folder
from ...connectors.manifest import MANIFEST, RUN, SCHEMA
from ...connectors.staged import Written
from ...connectors.storage import open_folder
from ...connectors.stores import USUAL, Storage
from ...filters.errors import Fault, JobError, OutputError
from ..spec import Job, load_job

_WRITTEN: Final = ("released", "decisions", "purge_list", "findings")


@dataclass(frozen=True)
class Vouched:
    """A finished run's word.

    `job` has the manifest's settings, and the places of the job file. `units` are in the order of
    shards and parts; those of a shard that the run could not read have `rows` None. `digest` is the
    manifest's own.
    """

    output: Folder
    audit: Folder
    manifest: Mapping[str, Any]
    digest: str
    job: Job
    as_of: datetime
    units: tuple[UnitResult, ...]

    @cached_property
    def readable(self) -> list[UnitResult]:
        """List the units that the run could read."""
        return [unit for unit in self.units if unit.rows is not None]

    @cached_property
    def shards(self) -> dict[str, list[UnitResult]]:
        """Map shards that the run could read to their units."""
        found: dict[str, list[UnitResult]] = {}
        for unit in self.readable:
            found.setdefault(unit.shard, []).append(unit)
        return found


def read_run(
    output: str | Path, job: Path | None = None, audit: str | Path | None = None
) -> Vouched:
    """Read what a run left in a folder, here or in an object store.

    `job` is its job file, by default where `run.json` says that it lay; `audit` its audit folder,
    by default where that says, or in the output. Raises OutputError where there is no finished
    run, and JobError for a job file that cannot be read.
    """
    # A job that is named says how the store is reached in which it is said where the job is.
    places = None if job is None else load_job(job)
    storage = USUAL if places is None else places.stores
    folder = open_folder(str(output), Path(), storage)
    manifest, digest = _manifest(folder)
    noted = _noted(folder)
    places = places or load_job(_job_file(noted))
    spec = _job(manifest, places, folder)
    lists = _audit(folder, noted, places.stores)
    if audit is not None:
        lists = open_folder(str(audit), Path(), places.stores)
    units = _units(lists)
    try:
        as_of = datetime.fromisoformat(manifest["as_of"])
    except (KeyError, TypeError, ValueError):
        raise _no_manifest(folder) from None
    return Vouched(folder, lists, manifest, digest, spec, as_of, units)


def _audit(folder: Folder, noted: Mapping[str, Any], storage: Storage) -> Folder:
    where = noted.get("audit")
    if not isinstance(where, str):
        return folder.at("audit")
    return open_folder(where, Path() if folder.remote else folder.local, storage)


def _manifest(folder: Folder) -> tuple[dict[str, Any], str]:
    try:
        content = folder.read(MANIFEST)
    except OSError:
        what, fix = "there is no manifest.json", "give the output folder of a finished run"
        raise OutputError(str(folder), what, fix) from None
    try:
        data = json.loads(content)
    except ValueError:
        data = None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise _no_manifest(folder)
    for name in ("job", "policy", "registers", "totals", "shards", "unreadable"):
        if not isinstance(data.get(name), dict):
            raise _no_manifest(folder)
    return data, hashlib.sha256(content).hexdigest()


def _no_manifest(folder: Folder) -> OutputError:
    what = f"it is not a manifest of schema {SCHEMA}"
    return OutputError(folder.show(MANIFEST), what, "verify it with the version that wrote it")


def _noted(folder: Folder) -> dict[str, Any]:
    """Read what the run noted about the place where it ran."""
    try:
        noted = json.loads(folder.read(RUN))
    except (OSError, ValueError):
        noted = None
    return noted if isinstance(noted, dict) else {}


def _job_file(noted: Mapping[str, Any]) -> Path:
    """Find the job file by what the run noted."""
    path = noted.get("job")
    if not isinstance(path, str) or not Path(path).is_file():
        what = "nobody knows where the run's job file is"
        raise JobError("verify", (Fault("--job", what, "name it: --job job.yaml"),))
    return Path(path)


def _job(manifest: Mapping[str, Any], places: Job, folder: Folder) -> Job:
    """Put the manifest's settings at the job file's places."""
    data = dict(manifest["job"])
    data["output"] = {**data.get("output", {}), "path": str(folder)}
    try:
        job = Job.model_validate(data)
    except (ValidationError, TypeError):
        raise _no_manifest(folder) from None
    return job.placed(places)


def _units(audit: Folder) -> tuple[UnitResult, ...]:
    try:
        rows = pl.read_parquet(io.BytesIO(audit.read(SHARDS))).sort("shard", "part").to_dicts()
        return tuple(_unit(row) for row in rows)
    except (OSError, pl.exceptions.PolarsError, TypeError, ValueError):
        what, fix = "it cannot be read", "name the audit folder: --audit FOLDER"
        raise OutputError(audit.show(SHARDS), what, fix) from None


def _unit(row: dict[str, Any]) -> UnitResult:
    files = {
        name: Written(**row[name]) if row[name] and row[name]["path"] is not None else None
        for name in _WRITTEN
    }
    return UnitResult(**{**row, **files})
