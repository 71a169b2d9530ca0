"""Folders that queries may read and write besides: none of them has a file of the job in it.

DuckDB opens a folder whole, or not at all, and what may be written there may be overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from ..connectors.storage import scheme_of, split_glob
from ..filters.errors import Fault, JobError
from .plan import output_folders
from .spec import Job


def allowed_folders(
    job: Job, folders: Sequence[str | Path], inputs: Sequence[str | Path]
) -> list[Path]:
    """Give the folders by their real paths; `inputs` are the job's input files.

    Raises JobError for a folder with one of the job's own files in it, or inside its output or its
    corpus: a query could overwrite what decides, or add to it.
    """
    real = [Path(folder).resolve() for folder in folders]
    if not real:
        return []
    own = [*((path, "an input file") for path in map(Path, inputs)), *_files(job)]
    whole = [*_folders(job)]
    faults = []
    for folder in real:
        mine = {what for path, what in (*own, *whole) if path.resolve().is_relative_to(folder)}
        mine |= {what for path, what in whole if folder.is_relative_to(path.resolve())}
        if mine:
            kept = f"{folder} has {' and '.join(sorted(mine))} of the job in it, or lies there"
            faults.append(Fault("--allow", kept, "name a folder apart from the job's files"))
    if faults:
        raise JobError("sql", tuple(faults))
    return real


def _files(job: Job) -> Iterator[tuple[Path, str]]:
    """List the files that a job names, its own among them."""
    yield job.base / Path(job.source).name, "the job file"
    if (job.base / job.policy).is_file():
        yield job.base / job.policy, "the policy"
    for name in type(job.registers).model_fields:
        spec = getattr(job.registers, name)
        path = None if spec is None or spec.path is None else _local(job, spec.path)
        if path is not None:
            yield path, f"registers.{name}"
    if job.key is not None and job.key.file is not None:
        yield job.base / job.key.file, "the key"
    for name in job.pii.recognizers if job.pii is not None else ():
        yield job.base / name, "recognizers"


def _folders(job: Job) -> Iterator[tuple[Path, str]]:
    """List folders that are the job's as a whole."""
    for folder in output_folders(job):
        if not folder.remote:
            yield folder.local, "the output"
    for pattern in job.input.path:
        path = _local(job, pattern)
        if path is not None and path.is_dir():
            yield path, "the corpus"
        elif path is not None and not path.exists():
            above, glob = split_glob(path)
            if len(glob) > 1 or "**" in glob:  # files may come to lie below
                yield above, "the corpus"


def _local(job: Job, uri: str) -> Path | None:
    """Find where a path or URI leads on this machine; None if it leads elsewhere."""
    scheme = scheme_of(uri)
    if not scheme:
        return job.base / uri
    if scheme not in ("file", "sqlite"):
        return None
    rest = uri.partition("://")[2].partition("#")[0]
    path = unquote(rest.partition("/")[2])
    return Path("/", path) if scheme == "file" else job.base / path
