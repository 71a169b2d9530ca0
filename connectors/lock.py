"""One writer to a folder at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..filters.errors import OutputError


@contextmanager
def locked(output: Path, fix: str) -> Iterator[None]:
    """Keep others out of a folder; the system lets go of the lock if this process dies.

    Raises OutputError, which ends with `fix`, if somebody else has it.
    """
    output.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OutputError(str(output), "another run is writing here", fix) from None
    try:
        yield
    finally:
        lock.release()
