"""`manifest.json` proves a run; `run.json` says when and how fast it went, and whether it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from ..filters.errors import OutputError
from .folder import PARTIAL, Folder
from .lease import CLOCK, LOCK
from .staged import Written, publish_json

MANIFEST: Final = "manifest.json"
RUN: Final = "run.json"
SCHEMA: Final = 1
RUNNING: Final = "running"
STOPPED: Final = "stopped"
"""Workers elsewhere had to be told that the run was interrupted."""

OURS: Final = frozenset({"eligible", "audit", MANIFEST, RUN, "report.html", LOCK})
"""What a run leaves in its output folder; anything else is somebody else's."""


@dataclass(frozen=True)
class RunState:
    """What `run.json` holds: the clock, the place, the speed.

    `state` is `running`, `finished`, or `incomplete` where some shard could not be read; `digest`
    names all that decides the output, the input's own identity aside. Of `units` in all,
    `units_kept` were done before this run; `unreadable` says what was wrong with shards so far.
    `registers` says where they lay, `job` where the job file did, if there was one, `audit` where
    the audit folder is, if not in the output.
    """

    state: str
    as_of: str
    default_as_of: bool
    digest: str
    started_at: str
    job: str | None = None
    audit: str | None = None
    units: int | None = None
    units_kept: int | None = None
    input_bytes: int | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)
    finished_at: str | None = None
    registers: Mapping[str, str] = field(default_factory=dict)
    host: str | None = None
    engine: str | None = None
    workers: int | None = None
    seconds: float | None = None
    input_megabytes_per_second: float | None = None


def write_run_state(output: Folder, state: RunState) -> None:
    """Say how far a run is."""
    publish_json(output, RUN, asdict(state))


def read_run_state(output: Folder) -> RunState | None:
    """Read how far an earlier run came; None if there was none."""
    data = _read(output, RUN, "start anew with --fresh")
    if data is None:
        return None
    known = RunState.__dataclass_fields__
    try:
        return RunState(**{k: v for k, v in data.items() if k in known})
    except TypeError:
        what = "it does not say how far a run is"
        raise OutputError(output.show(RUN), what, "start anew with --fresh") from None


def write_manifest(output: Folder, facts: Mapping[str, Any]) -> Written:
    """Write the manifest. Equal facts give equal bytes."""
    return publish_json(output, MANIFEST, {"schema": SCHEMA, **facts})


def read_manifest(output: Folder) -> dict[str, Any] | None:
    """Read the manifest of a finished run; None if there is none."""
    return _read(output, MANIFEST, "remove it, and run again")


def check_ours(output: Folder, audit: Folder) -> None:
    """Raise OutputError if a folder holds something that no run of this output has written."""
    for folder in (output, audit):
        if not folder.remote and folder.local.is_file():
            raise OutputError(str(output), "it is a file", "give a folder as output.path")
    apart = audit != output.at("audit")
    if apart and (output.holds(audit) or audit.holds(output)):
        what = "output.audit and output.path lie inside each other"
        raise OutputError(str(audit), what, "give two folders apart, or leave output.audit out")
    if _names(output) - {LOCK} and RUN not in _names(output):
        what = "it holds files that are not a run's output"
        raise OutputError(str(output), what, "give a new or empty folder as output.path")
    if apart and _names(audit):
        mark = (
            _read(audit, RUN, "give a new or empty folder as output.audit")
            if RUN in _names(audit)
            else None
        )
        if mark is None or mark.get("output") != place(output, audit):
            what = "it holds files that are not this output's"
            raise OutputError(str(audit), what, "give a new or empty folder as output.audit")


def audit_place(output: Folder, audit: Folder) -> str | None:
    """Say where an audit folder is, as seen from its output; None if it lies in there."""
    if audit == output.at("audit"):
        return None
    if output.remote or audit.remote:
        return str(audit)
    return Path(os.path.relpath(audit.local, output.local)).as_posix()


def place(output: Folder, audit: Folder) -> str:
    """Say where an output lies: as seen from its audit folder, if both are on this machine."""
    if output.remote or audit.remote:
        return str(output)
    return Path(os.path.relpath(output.local, audit.local)).as_posix()


def _names(folder: Folder) -> set[str]:
    names = (name for name in folder.names() if not name.startswith(CLOCK))
    return {name for name in names if not name.endswith(PARTIAL)}


def _read(output: Folder, name: str, fix: str) -> dict[str, Any] | None:
    try:
        data = json.loads(output.read(name))
    except FileNotFoundError:
        return None
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise OutputError(output.show(name), "it is no JSON object", fix)
    return data
