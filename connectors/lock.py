"""One writer to a folder at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from ..filters.errors import OutputError
from .folder import Folder, folder_of
from .hdfs_cells import HdfsCells
from .hdfs_folder import HdfsFolder
from .lease import LOCK, Cells, dead, leased, peek
from .object_folder import ObjectFolder

_GLANCE: Final = 0.5
"""Seconds for which somebody who only looks whether a run is alive may hold the lock."""


@contextmanager
def locked(
    output: Folder | Path, fix: str, *, run: str = "", fresh: bool = False
) -> Iterator[Callable[[], None]]:
    """Keep others out of a folder, and give a function that raises once that has failed.

    On this machine the system lets go of the lock if this process dies; elsewhere, `run` names who
    may take it over then, see lease.py. Raises OutputError, which ends with `fix`, if
    somebody else has it.
    """
    folder = folder_of(output)
    cells = cells_of(folder)
    if cells is not None:
        with leased(cells, run, fix, fresh=fresh) as lease:
            yield lease.check
        return
    folder.prepare()
    lock = FileLock(folder.local / LOCK, timeout=_GLANCE)
    try:
        lock.acquire()
    except Timeout:
        raise OutputError(str(output), "another run is writing here", fix) from None
    try:
        yield _nothing
    finally:
        lock.release()


def is_locked(output: Folder) -> bool:
    """Say whether a run that is alive is writing to a folder."""
    cells = cells_of(output)
    if cells is not None:
        found = peek(cells)
        return found is not None and not dead(found[0], found[2])
    path = output.local / LOCK
    if not path.exists():
        return False
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False


def cells_of(folder: Folder) -> Cells | None:
    """Give what a lock elsewhere is written with; None for a folder of this machine."""
    if isinstance(folder, HdfsFolder):
        return HdfsCells(folder)
    return folder if isinstance(folder, ObjectFolder) else None


def _nothing() -> None:
    """Do nothing: the system keeps a lock."""
