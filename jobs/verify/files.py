"""Files: the input's by their footers, the output's by their digests, and no other."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path
from typing import Final

from ...connectors.audit import SHARDS, UNITS, UnitResult
from ...connectors.folder import elsewhere
from ...connectors.jsonl import is_jsonl
from ...connectors.manifest import MANIFEST, RUN
from ...connectors.staged import Written
from ...connectors.storage import InputFile, list_inputs
from ...filters.errors import CorpusgateError
from .verdict import Tally
from .vouched import Vouched

_TAIL: Final = 8  # the footer's length and the magic
_BESIDE: Final = frozenset({MANIFEST, RUN, "report.html", ".lock"})


def known_inputs(run: Vouched, pool: Executor, tally: Tally) -> dict[str, InputFile]:
    """Map the shards whose files are those that the run read to these files.

    Raises OutputError where they are not on this machine.
    """
    try:
        found = {
            item.name: item
            for item in list_inputs(run.job.input.path, run.job.base, run.job.stores)
        }
    except CorpusgateError:
        tally.wrong("input", "input.path", "no input file is where the job says")
        return {}
    remote = next((item.folder for item in found.values() if item.folder.remote), None)
    if remote is not None:
        raise elsewhere(remote, "verify")
    noted = {unit.shard: unit for unit in run.units}
    for name in sorted(found.keys() - noted.keys()):
        tally.wrong("input", name, "the run did not see this file")
    for name in sorted(noted.keys() - found.keys()):
        tally.wrong("input", name, "the file is no longer there")
    named = sorted(name for name in run.shards if name in found)
    digests = pool.map(lambda name: _identity(found[name]), named)
    known = {}
    for name, identity in zip(named, digests, strict=True):
        same = identity == (noted[name].input_bytes, noted[name].input_sha256)
        if tally.settle("input", name, wrong="it has changed since the run", holds=same):
            known[name] = found[name]
    return known


def _identity(item: InputFile) -> tuple[int, str | None]:
    """Give an input file's size, and the digest of its footer, or of all of it."""
    try:
        with Path(item.path).open("rb") as file:
            if is_jsonl(item.name):
                return item.size, hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(-_TAIL, os.SEEK_END)
            (length,) = struct.unpack("<I", file.read(4))
            file.seek(-_TAIL - length, os.SEEK_END)
            return item.size, hashlib.sha256(file.read(length)).hexdigest()
    except (OSError, struct.error):
        return item.size, None


def files_hold(run: Vouched, pool: Executor, tally: Tally) -> None:
    """Compare every file with its size and digest, and name those that nobody knows."""
    shards = run.manifest["shards"]
    owners = {(unit, kind): file for unit in run.readable for kind, file in _files(unit)}
    places: list[tuple[Path, str, Written]] = [
        (run.output if kind == "released" else run.audit, unit.shard, file)
        for (unit, kind), file in owners.items()
    ]
    try:
        listed = Written(str(shards["path"]), int(shards["bytes"]), str(shards["sha256"]))
        places.append((run.audit, SHARDS, listed))
    except (KeyError, TypeError, ValueError):
        tally.wrong("files", SHARDS, "the manifest does not say what it was")
    for (_, shard, file), kind in zip(
        places, pool.map(lambda place: _wrong(place[0], place[2]), places), strict=True
    ):
        where = shard if shard == SHARDS else f"{shard}: {file.path}"
        tally.settle("files", where, wrong=kind or "", holds=kind is None)
    for name, path in _strangers(run, {(root, file.path) for root, _, file in places}):
        tally.wrong("files", name, path)


def _files(unit: UnitResult) -> Iterator[tuple[str, Written]]:
    for kind in ("released", "decisions", "purge_list", "findings"):
        file = getattr(unit, kind)
        if file is not None:
            yield kind, file


def _wrong(root: Path, file: Written) -> str | None:
    """Say what is wrong with a file; None if nothing is."""
    path = root / file.path
    if not path.resolve().is_relative_to(root):
        return "it lies outside the output"
    try:
        with path.open("rb") as opened:
            if os.fstat(opened.fileno()).st_size != file.bytes:
                return "the file has another size"
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError:
        return "the file is missing"
    except OSError:
        return "the file cannot be read"
    return None if digest == file.sha256 else "the file has another digest"


def _strangers(run: Vouched, known: Iterable[tuple[Path, str]]) -> Iterator[tuple[str, str]]:
    """Find files that no unit vouches for, and results of units that say something else."""
    paths = {str(root / path) for root, path in known}
    beside = {str(run.output / name) for name in _BESIDE} | {str(run.audit / RUN)}
    roots = [run.output] if run.audit.is_relative_to(run.output) else [run.output, run.audit]
    results = run.audit / UNITS
    committed: set[str] = set()
    for root in roots:
        for folder, folders, names in os.walk(root):
            linked = [name for name in folders if Path(folder, name).is_symlink()]
            for name in sorted((*names, *linked)):
                path = Path(folder, name)
                if path.parent == results:
                    committed.add(str(path))
                elif str(path) not in paths and str(path) not in beside:
                    yield path.relative_to(root).as_posix(), "no run has written this file"
    yield from _odd_results(run, sorted(committed))


def _odd_results(run: Vouched, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    expected = {(unit.shard, unit.part): unit for unit in run.readable}
    for path in paths:
        name = f"{UNITS}/{Path(path).name}"
        try:
            data = json.loads(Path(path).read_bytes())
            unit = expected.pop((data["shard"], data["part"]), None)
        except (OSError, ValueError, TypeError, KeyError):
            yield name, "it is no result of a unit"
            continue
        if unit is None:
            yield name, "no run has written this file"
            continue
        said = {n: value for n, value in asdict(unit).items() if n not in ("counts", "found")}
        if any(data.get(n) != value for n, value in said.items()):
            yield f"{unit.shard}: {name}", "it says something else than shards.parquet"
    for shard, part in expected:
        yield shard, f"the result of its unit {part} is missing"
