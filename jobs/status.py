"""How far a run is, from what it has left so far; nothing is asked of the run itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..connectors.audit import UNITS, UnitResult, committed, read_shards, unit_key
from ..connectors.folder import Folder
from ..connectors.lock import is_locked
from ..connectors.manifest import RunState, read_run_state
from ..connectors.storage import open_folder
from ..connectors.stores import USUAL, Storage
from ..filters.errors import OutputError
from .page import Page
from .plan import output_folders
from .spec import load_job


@dataclass(frozen=True)
class Status:
    """How far a run is.

    `state` is `running`, `stopped` half-way, `finished`, `damaged` where results of a finished run
    are gone since, or `incomplete`: finished, but for shards that could not be read. `rows` and
    `eligible` count what is done. The last three are known only of a run that has done something;
    `seconds_left` only while it is running.
    """

    output: str
    state: str
    as_of: str
    started_at: str
    host: str | None
    units: int | None
    units_done: int
    rows: int
    eligible: int
    shards_unreadable: int
    unreadable: Mapping[str, str] = field(default_factory=dict)
    finished_at: str | None = None
    rows_per_second: float | None = None
    megabytes_per_second: float | None = None
    seconds_left: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Give what `--json` prints."""
        return asdict(self)


def status(where: str | Path) -> Status:
    """Look at a run's output, by its path or URI or by its job file. Raises OutputError."""
    output, storage, audit = _folders(str(where))
    state = read_run_state(output)
    if state is None:
        fix = "give the folder that a job calls output.path, or the job file"
        raise OutputError(str(output), "no run has written here", fix)
    audit = audit or _audit(output, state, storage)
    running = state.state == "running"
    alive = running and is_locked(output)
    name = state.state if not running else "running" if alive else "stopped"
    results = committed(audit)
    if name == "finished" and len(results) < (state.units or 0):
        name = "damaged"
    bad = dict(state.unreadable) if running else _unreadable(audit)
    speed = _speed(audit, state, results) if running else {}
    if not alive:
        speed.pop("seconds_left", None)
    return Status(
        str(output),
        name,
        state.as_of,
        state.started_at,
        state.host,
        state.units,
        len(results),
        sum(result.rows or 0 for result in results.values()),
        sum(result.eligible or 0 for result in results.values()),
        len(bad),
        bad,
        state.finished_at,
        **speed,
    )


def _folders(where: str) -> tuple[Folder, Storage, Folder | None]:
    if Path(where).is_file():
        job = load_job(where)
        output, audit = output_folders(job)
        return output, job.stores, audit
    return open_folder(where, Path(), USUAL), USUAL, None


def _audit(output: Folder, state: RunState, storage: Storage) -> Folder:
    if state.audit is None:
        return output.at("audit")
    base = Path() if output.remote else output.local
    return open_folder(state.audit, base, storage)


def _unreadable(audit: Folder) -> dict[str, str]:
    shards = read_shards(audit)
    if shards is None:
        return {}
    bad = shards.filter(shards["rows"].is_null()).sort("shard")
    return dict(zip(bad["shard"], bad["error"], strict=True))


def _speed(
    audit: Folder, state: RunState, results: Mapping[str, UnitResult]
) -> dict[str, float | None]:
    """Say how fast units came, by the times at which their results were left.

    All of those are of one clock, whoever's it is.
    """
    listed = sorted(audit.files(UNITS), key=lambda entry: entry.modified)
    new = [entry for entry in listed[state.units_kept or 0 :] if unit_key(entry.path) in results]
    seconds = new[-1].modified - new[0].modified if new else 0.0
    if seconds <= 0:
        return {}
    first = new[0].modified
    since = [results[unit_key(entry.path)] for entry in new if entry.modified > first]
    megabytes = sum(_bytes(result) for result in since) / 1e6
    left = (state.input_bytes or 0) / 1e6 - sum(map(_bytes, results.values())) / 1e6
    return {
        "rows_per_second": round(sum(result.rows or 0 for result in since) / seconds, 1),
        "megabytes_per_second": round(megabytes / seconds, 3),
        "seconds_left": round(max(0.0, left) * seconds / megabytes, 1) if megabytes else None,
    }


def _bytes(result: UnitResult) -> float:
    return result.input_bytes / result.parts


def render_status(found: Status) -> None:
    """Print a status for people."""
    page = Page()
    of = "" if found.units is None else f" of {found.units:,}"
    fields = [
        ("output", found.output),
        ("state", found.state),
        ("as_of", found.as_of),
        ("started", f"{found.started_at} on {found.host or 'a machine unknown'}"),
        ("finished", found.finished_at or ""),
        ("units", f"{found.units_done:,}{of} done"),
        ("records", f"{found.rows:,} decided, {found.eligible:,} eligible"),
    ]
    if found.rows_per_second is not None:
        fields.append(("speed", f"{found.rows_per_second:,.0f} records/s"))
    if found.seconds_left is not None:
        fields.append(("left", f"about {_time(found.seconds_left)}"))
    page.fields([(name, value) for name, value in fields if value])
    for shard, error in found.unreadable.items():
        page.line(f"unreadable: {shard}: {error}")


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
