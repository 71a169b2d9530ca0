"""`manifest.json` proves a run; `run.json` says when and how fast it went, and whether it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from ..filters.errors import OutputError
from .staged import PARTIAL, Written, publish_json

MANIFEST: Final = "manifest.json"
RUN: Final = "run.json"
SCHEMA: Final = 1

OURS: Final = frozenset({"eligible", "audit", MANIFEST, RUN, "report.html", ".lock"})
"""What a run leaves in its output folder; anything else is somebody else's."""


@dataclass(frozen=True)
class RunState:
    """What `run.json` holds: the clock, the place, the speed.

    `state` is `running`, `finished`, or `incomplete` where some shard could not be read; `digest`
    names all that decides the output, the input's own identity aside. `registers` says where
    they lay.
    """

    state: str
    as_of: str
    default_as_of: bool
    digest: str
    started_at: str
    finished_at: str | None = None
    registers: Mapping[str, str] = field(default_factory=dict)
    host: str | None = None
    engine: str | None = None
    workers: int | None = None
    seconds: float | None = None
    input_megabytes_per_second: float | None = None


def write_run_state(output: Path, state: RunState) -> None:
    """Say how far a run is."""
    publish_json(output, RUN, asdict(state))


def read_run_state(output: Path) -> RunState | None:
    """Read how far an earlier run came; None if there was none."""
    data = _read(output, RUN)
    known = RunState.__dataclass_fields__
    return RunState(**{k: v for k, v in data.items() if k in known}) if data else None


def write_manifest(output: Path, facts: Mapping[str, Any]) -> Written:
    """Write the manifest. Equal facts give equal bytes."""
    return publish_json(output, MANIFEST, {"schema": SCHEMA, **facts})


def read_manifest(output: Path) -> dict[str, Any] | None:
    """Read the manifest of a finished run; None if there is none."""
    return _read(output, MANIFEST)


def check_ours(output: Path, audit: Path) -> None:
    """Raise OutputError if a folder holds something that no run of this output has written."""
    if output.is_file() or audit.is_file():
        raise OutputError(str(output), "it is a file", "give a folder as output.path")
    apart = audit != output / "audit"
    if apart and (audit.is_relative_to(output) or output.is_relative_to(audit)):
        what = "output.audit and output.path lie inside each other"
        raise OutputError(str(audit), what, "give two folders apart, or leave output.audit out")
    if _names(output) - {".lock"} and RUN not in _names(output):
        what = "it holds files that are not a run's output"
        raise OutputError(str(output), what, "give a new or empty folder as output.path")
    if apart and _names(audit):
        mark = _read(audit, RUN) if RUN in _names(audit) else None
        if mark is None or mark.get("output") != place(output, audit):
            what = "it holds files that are not this output's"
            raise OutputError(str(audit), what, "give a new or empty folder as output.audit")


def place(output: Path, audit: Path) -> str:
    """Say where an output lies, as seen from its audit folder."""
    return Path(os.path.relpath(output, audit)).as_posix()


def _names(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    return {entry.name for entry in folder.iterdir() if not entry.name.endswith(PARTIAL)}


def _read(output: Path, name: str) -> dict[str, Any] | None:
    try:
        data = json.loads((output / name).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise OutputError(str(output / name), "it is no JSON object", "remove it, or use --fresh")
    return data
