"""Workers on one machine: groups of units in, results out, in threads, and some in processes.

Deciding and copying is Arrow's and Polars' work, which leave Python's lock to each other: threads
do it side by side. Looking at findings is Python: from some size on, all threads but one have a
process each that works for them.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from queue import SimpleQueue
from typing import Final, Self

from more_itertools import constrained_batches

from ..connectors.audit import UnitResult
from .context import Context
from .plan import Unit
from .shard import process
from .spec import Job, PiiSpec
from .worker_process import WorkerProcess

LARGE: Final = 64.0
"""Megabytes of input from which processes pay where texts are looked at."""

GROUP_ROWS: Final = 1 << 18
GROUP_FILES: Final = 128
OPEN_FILES: Final = 512  # of all threads together; a process may often open 1,024
GROUPS_EACH: Final = 16
_ROW_BYTES: Final = 1000  # of JSON lines, which are counted only when they are read

Task = Callable[[list[Unit]], list[UnitResult]]
Engine = Callable[[Sequence[Unit], dict[Unit, str], Context], Iterator[UnitResult]]
"""Who processes units: takes them with their keys, yields each result as it comes."""


class LocalEngine:
    """Processes units on this machine, so many at a time; by default one a core.

    Use as a context manager, which ends its processes.
    """

    def __init__(self, workers: int | None = None) -> None:
        """Begin without a process."""
        self.workers = workers or os.cpu_count() or 1
        self._others: list[WorkerProcess] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self._stack.close()

    def expect(self, job: Job, megabytes: float) -> None:
        """Start processes, if they will pay: they load their modules meanwhile."""
        if job.pii is not None and megabytes >= LARGE:
            self._start(self.workers - 1, job.pii)

    def _start(self, count: int, pii: PiiSpec | None = None) -> None:
        while len(self._others) < count:
            self._others.append(self._stack.enter_context(WorkerProcess(pii)))

    def __call__(
        self, units: Sequence[Unit], keys: dict[Unit, str], context: Context
    ) -> Iterator[UnitResult]:
        """Process units, yield each result as it comes.

        On Ctrl-C, or when the output cannot be written, units that have not begun never do, and
        those under way end before the exception goes on, so nobody writes after the run is over.
        """
        groups = list(grouped(units, self.workers, max(1, OPEN_FILES // self.workers)))
        workers = max(1, min(self.workers, len(groups)))
        size = sum(unit.size / unit.parts for unit in units) / 1e6
        looks = context.reduction.reducer is not None
        others = workers - 1 if looks and size >= LARGE else 0
        free: SimpleQueue[Task] = SimpleQueue()
        for _ in range(workers - others):
            free.put(lambda group: process(group, keys, context))
        self._start(others)
        shared = pickle.dumps(context, pickle.HIGHEST_PROTOCOL) if others else b""
        for other in self._others[:others]:
            other.begin(shared)
            free.put(partial(other, keys=keys))
        yield from _in_threads(groups, free, workers)


def grouped(units: Sequence[Unit], workers: int, most: int | None = None) -> Iterator[list[Unit]]:
    """Put small units together: what the registers say is then looked up once for all of them.

    Every worker still gets several groups, so that none waits long for the last. Parts of one file
    stand alone: each holds the whole file's footer in memory. A group has at most `most` files.
    """

    def rows(unit: Unit) -> int:
        return unit.size // _ROW_BYTES if unit.rows is None else unit.rows

    limit = max(1, min(GROUP_ROWS, sum(map(rows, units)) // (GROUPS_EACH * workers)))
    groups = constrained_batches(
        units,
        limit,
        min(GROUP_FILES, most or GROUP_FILES),
        get_len=lambda unit: rows(unit) if unit.parts == 1 else limit + 1,
        strict=False,
    )
    return map(list, groups)


def _in_threads(
    groups: list[list[Unit]], free: SimpleQueue[Task], workers: int
) -> Iterator[UnitResult]:
    """Give each group to whoever is free, in a thread that waits for the results."""
    stop = threading.Event()

    def one(group: list[Unit]) -> list[UnitResult]:
        if stop.is_set():
            return []
        task = free.get()
        try:
            return task(group)
        finally:
            free.put(task)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="unit")
    try:
        pending: set[Future[list[UnitResult]]] = {pool.submit(one, group) for group in groups}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield from future.result()
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
