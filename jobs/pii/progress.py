"""How a scan or a reduction of files is going. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ...connectors.audit import UnitResult
from ..progress import Bar, Lines, Watcher, watch


@contextmanager
def watch_files(*, quiet: bool) -> Iterator[FileProgress]:
    """Watch as `watch` does."""
    with watch(quiet=quiet) as watcher:
        yield FileProgress(watcher)


class FileProgress:
    """Tells a watcher of runs about files: a bar moves within a file, lines come one a file."""

    def __init__(self, watcher: Watcher) -> None:
        """Start the clock."""
        self._watcher = watcher
        self._begun = time.perf_counter()
        self._files = self._done = 0

    def begin(self, files: int, size: int) -> None:
        """Say what is to be done, in files and bytes."""
        self._files = files
        self._watcher.begin(files, size / 1e6)

    def rows(self, name: str, rows: int, size: float) -> None:
        """Hear that some rows are done, and about how many bytes of the file that is."""
        if isinstance(self._watcher, Bar):
            self._watcher.unit(UnitResult(name, 0, 1, round(size), None, 0, rows=rows))

    def file(self, name: str, rows: int, findings: int) -> None:
        """Say what became of one file."""
        self._done += 1
        if isinstance(self._watcher, Lines):
            seconds = time.perf_counter() - self._begun
            line = f"[{self._done}/{self._files} {seconds:.1f}s] {name}: {rows} rows"
            print(f"{line}, {findings} findings", file=sys.stderr, flush=True)  # noqa: T201 - lines

    def unreadable(self, name: str, error: str) -> None:
        """Name a file that cannot be read."""
        self._done += 1
        self._watcher.unit(UnitResult(name, 0, 1, 0, None, 0, error=error))

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._watcher.warn(text)
