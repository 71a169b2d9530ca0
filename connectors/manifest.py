"""`manifest.json` proves a run; `run.json` says when and how fast it went, and whether it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ..filters.errors import OutputError
from .staged import Written, publish_json

MANIFEST: Final = "manifest.json"
RUN: Final = "run.json"
SCHEMA: Final = 1

OURS: Final = frozenset({"eligible", "audit", MANIFEST, RUN, "report.html", ".lock"})
"""What a run leaves in its output folder; anything else is somebody else's."""


@dataclass(frozen=True)
class RunState:
    """What `run.json` holds. `state` is `running` or `finished`; `digest` names the plan."""

    state: str
    as_of: str
    default_as_of: bool
    digest: str
    started_at: str
    finished_at: str | None = None
    host: str | None = None
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


def check_ours(output: Path) -> None:
    """Raise OutputError if the folder holds something that no run of ours has written."""
    if not output.exists():
        return
    if not output.is_dir():
        raise OutputError(str(output), "it is a file", "give a folder as output.path")
    names = {entry.name for entry in output.iterdir()}
    if names - {".lock"} and RUN not in names:
        what = "it holds files that are not a run's output"
        raise OutputError(str(output), what, "give a new or empty folder as output.path")


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
