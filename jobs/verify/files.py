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
from typing import IO, TYPE_CHECKING, Final, cast

from ...connectors.audit import SHARDS, UNITS, UnitResult
from ...connectors.folder import Folder
from ...connectors.jsonl import is_jsonl
from ...connectors.manifest import MANIFEST, RUN
from ...connectors.staged import Written
from ...connectors.storage import InputFile, list_inputs
from ...filters.errors import CorpusgateError
from .verdict import Tally
from .vouched import Vouched

if TYPE_CHECKING:
    import io

_TAIL: Final = 8  # the footer's length and the magic
_BESIDE: Final = frozenset({MANIFEST, RUN, "report.html", ".lock"})


def known_inputs(run: Vouched, pool: Executor, tally: Tally) -> dict[str, InputFile]:
    """Map the shards whose files are those that the run read to these files."""
    try:
        found = {
            item.name: item
            for item in list_inputs(run.job.input.path, run.job.base, run.job.stores)
        }
    except CorpusgateError:
        tally.wrong("input", "input.path", "no input file is where the job says")
        return {}
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
        if is_jsonl(item.name):
            with item.folder.reading(item.path) as whole:
                return item.size, _digest(whole)
        with item.folder.open_input_file(item.path) as file:
            end = file.size() - _TAIL
            (length,) = struct.unpack("<I", file.read_at(4, end))
            return item.size, hashlib.sha256(file.read_at(length, end - length)).hexdigest()
    except (OSError, ValueError, struct.error):
        return item.size, None


def files_hold(run: Vouched, pool: Executor, tally: Tally) -> None:
    """Compare every file with its size and digest, and name those that nobody knows."""
    shards = run.manifest["shards"]
    owners = {(unit, kind): file for unit in run.readable for kind, file in _files(unit)}
    places: list[tuple[Folder, str, Written]] = [
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


def _digest(file: IO[bytes]) -> str:
    return hashlib.file_digest(cast("io.BufferedReader", file), "sha256").hexdigest()


def _outside(root: Folder, path: str) -> bool:
    if root.remote:
        return not {"", ".", ".."}.isdisjoint(path.split("/"))
    return not (root.local / path).resolve().is_relative_to(root.local)


def _wrong(root: Folder, file: Written) -> str | None:
    """Say what is wrong with a file; None if nothing is."""
    if _outside(root, file.path):
        return "it lies outside the output"
    try:
        with root.reading(file.path) as opened:
            if os.fstat(opened.fileno()).st_size != file.bytes:
                return "the file has another size"
            digest = _digest(opened)
    except FileNotFoundError:
        return "the file is missing"
    except OSError:
        return "the file cannot be read"
    return None if digest == file.sha256 else "the file has another digest"


def _strangers(run: Vouched, known: Iterable[tuple[Folder, str]]) -> Iterator[tuple[str, str]]:
    """Find files that no unit vouches for, and results of units that say something else."""
    paths = {root.show(path) for root, path in known}
    paths |= {run.output.show(name) for name in _BESIDE} | {run.audit.show(RUN)}
    roots = [run.output] if run.output.holds(run.audit) else [run.output, run.audit]
    results = run.audit.show(UNITS) + "/"
    committed: set[str] = set()
    for root in roots:
        for path in _everything(root):
            place = root.show(path)
            name = place.removeprefix(results)
            if name != place and "/" not in name:
                committed.add(f"{UNITS}/{name}")
            elif place not in paths:
                yield path, "no run has written this file"
    yield from _odd_results(run, sorted(committed))


def _everything(root: Folder) -> Iterator[str]:
    """List all files of a folder, hidden ones too, and links to folders."""
    if root.remote:
        yield from sorted(entry.path for entry in root.files())
        return
    for folder, folders, names in os.walk(root.local):
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted((*names, *linked)):
            yield Path(folder, name).relative_to(root.local).as_posix()


def _odd_results(run: Vouched, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    expected = {(unit.shard, unit.part): unit for unit in run.readable}
    for name in paths:
        try:
            data = json.loads(run.audit.read(name))
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
