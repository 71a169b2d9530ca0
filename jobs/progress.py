"""How a run is going: a bar on a terminal, one line a shard elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ..connectors.audit import UnitResult


@contextmanager
def watch(*, quiet: bool) -> Iterator[Watcher]:
    """Watch a run: a bar where a person looks, else lines; `quiet` leaves warnings only."""
    console = Console(stderr=True)
    if quiet:
        yield Watcher()
    elif console.is_terminal:
        with _bar(console) as bar:
            yield Bar(bar)
    else:
        yield Lines()


class Watcher:
    """Passes on warnings and unreadable shards, and nothing else."""

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._print(f"warning: {text}")

    def begin(self, units: int, megabytes: float) -> None:
        """Hear what is to be done."""

    def unit(self, result: UnitResult) -> None:
        """Name a shard that cannot be read."""
        if result.rows is None:
            self._print(f"unreadable: {result.shard}: {result.error}")

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is the command line


class Lines(Watcher):
    """One line a shard."""

    def __init__(self) -> None:
        """Start the clock."""
        self._begun = time.perf_counter()
        self._units = self._done = 0

    def begin(self, units: int, megabytes: float) -> None:
        """Say what is to be done."""
        self._units = units
        self._print(f"{units} units to do, {megabytes:.1f} MB")

    def unit(self, result: UnitResult) -> None:
        """Say what became of one unit."""
        super().unit(result)
        if result.rows is None:
            return
        self._done += 1
        part = f" part {result.part + 1}/{result.parts}" if result.parts > 1 else ""
        self._print(
            f"[{self._done}/{self._units} {time.perf_counter() - self._begun:.1f}s]"
            f" {result.shard}{part}: {result.rows} rows, {result.eligible} eligible"
        )


class Bar(Watcher):
    """A bar with rows, MB/s and the time left."""

    def __init__(self, bar: Progress) -> None:
        """Take a bar that is being shown."""
        self._bar = bar
        self._task: TaskID = bar.add_task("looking", total=None, rows=0, speed=0.0)
        self._begun = time.perf_counter()
        self._rows = 0
        self._megabytes = 0.0

    def begin(self, units: int, megabytes: float) -> None:
        """Set the bar to its length."""
        self._begun = time.perf_counter()
        self._bar.update(self._task, description=f"{units} units", total=max(megabytes, 1e-9))

    def unit(self, result: UnitResult) -> None:
        """Move the bar on."""
        super().unit(result)
        self._rows += result.rows or 0
        self._megabytes += result.input_bytes / result.parts / 1e6
        speed = self._megabytes / max(time.perf_counter() - self._begun, 1e-9)
        self._bar.update(self._task, completed=self._megabytes, rows=self._rows, speed=speed)

    def _print(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%  {task.fields[rows]:,} rows"),
        TextColumn("{task.fields[speed]:.1f} MB/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
