"""A lock elsewhere: a small file that its owner writes anew as long as it lives.

Every write is conditional, so of two who try one has it. Ages are those of the store's own clock:
the lock's last change against that of an object written just now. No machine's clock counts.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from ..filters.errors import OutputError
from .folder import Entry
from .stores import StoreError

LOCK: Final = ".lock"
CLOCK: Final = ".clock"
BEAT: Final = 15.0
LEASE: Final = 60.0
"""Seconds between two signs of life; and without one until an owner counts as dead."""
_SILENT: Final = "the store has not answered for too long to keep the lock"


class Cells(Protocol):
    """A folder in which small files are written on condition: an ObjectFolder, or HdfsCells."""

    def show(self, path: str) -> str:
        """Say where a file is."""

    def names(self) -> set[str]:
        """Name what lies in the folder."""

    def entry(self, path: str) -> Entry | None:
        """Look at a file; None if there is none."""

    def read(self, path: str) -> bytes:
        """Read a file. Raises FileNotFoundError, OSError."""

    def create(self, path: str, data: bytes) -> str:
        """Write a file where there is none; give its version. Raises FileExistsError."""

    def replace(self, path: str, data: bytes, version: str) -> str:
        """Write a file over its version `version`. Raises FileExistsError."""

    def delete(self, paths: Iterable[str]) -> None:
        """Remove files; one that is not there is no error."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock: `run` names the job, `machine` and `began` tell processes apart."""

    id: str
    run: str
    host: str
    pid: int
    machine: str
    began: str
    started_at: str
    beat: int = 0


class Lease:
    """A lock that is held; `check` raises OutputError once it is somebody else's."""

    def __init__(self, folder: Cells, owner: Owner, version: str) -> None:
        """Begin to give signs of life."""
        self._folder = folder
        self._owner = owner
        self._version = version
        self._alive_at = time.monotonic()
        self._lost = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise OutputError if the lock was lost."""
        lost = self._lost
        if not lost and time.monotonic() - self._alive_at > LEASE - BEAT:
            lost = _SILENT
        if lost:
            fix = "run the job again once the other run has ended"
            raise OutputError(str(self._folder), lost, fix)

    def release(self) -> None:
        """Give no more signs of life, and take the lock away if it is still ours."""
        self._stop.set()
        self._thread.join()
        with suppress(OSError, OutputError):
            there = self._folder.entry(LOCK)
            ours = there is not None and there.version == self._version
            if ours or _owner(self._folder).id == self._owner.id:
                self._folder.delete([LOCK])

    def _live(self) -> None:
        while not self._stop.wait(BEAT) and not self._lost:
            owner = replace(self._owner, beat=self._owner.beat + 1)
            began = time.monotonic()
            try:
                self._version = _write(self._folder, owner, self._version)
                self._owner = owner
                self._alive_at = began
            except FileExistsError:
                self._lost = "another run has taken over this output"
            except OSError:
                if time.monotonic() - self._alive_at > LEASE:
                    self._lost = _SILENT


@contextmanager
def leased(folder: Cells, run: str, fix: str, *, fresh: bool = False) -> Iterator[Lease]:
    """Hold a folder's lock. Raises OutputError, which ends with `fix`, if somebody else has it.

    `run` names the job. A dead owner's lock passes to a run of the same job; with `fresh`, to any.
    """
    owner = _myself(run)
    lease = Lease(folder, owner, _acquired(folder, owner, fix, fresh=fresh))
    try:
        folder.delete([name for name in folder.names() if name.startswith(CLOCK)])
        yield lease
    finally:
        lease.release()


def _acquired(folder: Cells, owner: Owner, fix: str, *, fresh: bool) -> str:
    try:
        return _write(folder, owner, None)
    except FileExistsError:
        found = peek(folder)
    if found is None:  # gone since
        fix = "run the job again"
        raise OutputError(str(folder), "another run has just ended here", fix)
    holder, version, age = found
    since = f"on {holder.host} since {holder.started_at}"
    if not dead(holder, age):
        left = max(0, LEASE - age)
        what = f"another run is writing here, {since}"
        fix = f"{fix}; if it was killed, its lock can be taken over in {left:.0f} seconds"
        raise OutputError(str(folder), what, fix)
    if holder.run != owner.run and not fresh:
        what = f"a run of another job died here, {since}"
        fix = "finish it by running that job again, start anew with --fresh, or " + fix
        raise OutputError(str(folder), what, fix)
    try:
        return _write(folder, owner, version)
    except FileExistsError:
        what = "another run has just taken over this output"
        raise OutputError(str(folder), what, fix) from None


def peek(folder: Cells) -> tuple[Owner, str, float] | None:
    """Look at a lock: its owner, its version, its age in seconds; None if there is none."""
    for _ in range(3):
        before = folder.entry(LOCK)
        if before is None:
            return None
        try:
            owner = _owner(folder)
        except FileNotFoundError:
            return None
        after = folder.entry(LOCK)
        if after is not None and after.version == before.version:
            return owner, after.version, max(0.0, _now(folder) - after.modified)
    raise OutputError(str(folder), "its lock changes all the time", "run the job again")


def _owner(folder: Cells) -> Owner:
    try:
        return Owner(**json.loads(folder.read(LOCK)))
    except (ValueError, TypeError):
        what, fix = "its lock is damaged", f"remove {folder.show(LOCK)} if no run is writing"
        raise OutputError(str(folder), what, fix) from None


def dead(owner: Owner, age: float) -> bool:
    """Say whether a lock's owner is gone: at once if it was a process of this machine."""
    if age > LEASE:
        return True
    machine = _machine()
    return bool(machine) and owner.machine == machine and _began(owner.pid) != owner.began


def _write(folder: Cells, owner: Owner, version: str | None) -> str:
    """Write the lock where there is none, or over `version`. Raises FileExistsError, OSError.

    A write may have come through although its answer did not: then what stands there is ours.
    """
    data = json.dumps(asdict(owner), indent=2, sort_keys=True).encode()
    try:
        if version is None:
            return folder.create(LOCK, data)
        return folder.replace(LOCK, data, version)
    except FileExistsError:
        there = folder.entry(LOCK)
        if there is not None and folder.read(LOCK) == data:
            return there.version
        raise


def _now(folder: Cells) -> float:
    """Ask the store for the time, in seconds since 1970: by writing, and looking at when."""
    for _ in range(3):  # who gets the lock sweeps what others have left
        name = f"{CLOCK}-{uuid.uuid4().hex}"
        try:
            with suppress(FileExistsError):  # written, though the answer got lost
                folder.create(name, b"")
            entry = folder.entry(name)
            folder.delete([name])
        except StoreError as error:
            if error.errno != errno.EACCES:
                raise
            return time.time()  # who may only read asks its own clock
        if entry is not None:
            return entry.modified
    raise OutputError(str(folder), "the store's clock cannot be asked", "run the job again")


def _myself(run: str) -> Owner:
    return Owner(
        uuid.uuid4().hex,
        run,
        platform.node(),
        os.getpid(),
        _machine(),
        _began(os.getpid()),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _machine() -> str:
    """Name the machine and the space of its process numbers; nothing where that is not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
        space = str(Path("/proc/self/ns/pid").readlink()).encode()
    except OSError:
        return ""
    return hashlib.sha256(boot + space).hexdigest()[:16]


def _began(pid: int) -> str:
    """Say when a process began, in the system's own ticks; nothing if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]
