"""Workers on one machine: groups of units in, results out, in threads or in processes.

Deciding and copying is Arrow's and Polars' work, which leave Python's lock to each other: threads
do it side by side. Looking at findings is Python: from some size on, processes pay for their start.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from ..connectors.audit import UnitResult
from ..filters.errors import OutputError
from .plan import Unit
from .shard import Context, process

LARGE: Final = 64 << 20
"""Bytes of input from which processes pay where texts are looked at."""

GROUP_ROWS: Final = 1 << 18
GROUP_FILES: Final = 128
GROUPS_EACH: Final = 3
_ROW_BYTES: Final = 1000  # of JSON lines, which are counted only when they are read

Task = Callable[[list[Unit]], list[UnitResult]]
Engine = Callable[[Sequence[Unit], dict[Unit, str], Context], Iterator[UnitResult]]
"""Who processes units: takes them with their keys, yields each result as it comes."""


def work(
    units: Sequence[Unit], keys: dict[Unit, str], context: Context, workers: int
) -> Iterator[UnitResult]:
    """Process units, yield each result as it comes.

    On Ctrl-C, or when the output cannot be written, units that have not begun never do, and
    those under way end before the exception goes on, so nobody writes after the run is over.
    """
    groups = list(grouped(units, workers))
    workers = min(workers, len(groups))
    looks = context.reduction.reducer is not None
    if workers > 1 and looks and sum(unit.size / unit.parts for unit in units) >= LARGE:
        return _in_processes(groups, keys, context, workers)
    return _in_threads(groups, lambda group: process(group, keys, context), workers)


def grouped(units: Sequence[Unit], workers: int) -> Iterator[list[Unit]]:
    """Put small units together: what the registers say is then looked up once for all of them.

    Every worker still gets several groups, so that none waits long for the last.
    """
    rows = [unit.size // _ROW_BYTES if unit.rows is None else unit.rows for unit in units]
    limit = min(GROUP_ROWS, sum(rows) // (GROUPS_EACH * workers))
    group: list[Unit] = []
    held = 0
    for unit, count in zip(units, rows, strict=True):
        if group and (held + count > limit or len(group) == GROUP_FILES):
            yield group
            group, held = [], 0
        group.append(unit)
        held += count
    if group:
        yield group


def _in_threads(groups: list[list[Unit]], task: Task, workers: int) -> Iterator[UnitResult]:
    stop = threading.Event()

    def one(group: list[Unit]) -> list[UnitResult]:
        return [] if stop.is_set() else task(group)

    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="unit")
    try:
        yield from _results(pool, [(one, group) for group in groups])
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _in_processes(
    groups: list[list[Unit]], keys: dict[Unit, str], context: Context, workers: int
) -> Iterator[UnitResult]:
    # Started anew, never forked: threads of Polars and Arrow do not survive a fork.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(keys, context),
    )
    try:
        yield from _results(pool, [(_one, group) for group in groups])
    except BrokenProcessPool:
        what = "a worker process died, most likely for want of memory"
        fix = "run again, with fewer --workers; finished units are kept"
        raise OutputError("workers", what, fix) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _results(pool: Executor, tasks: list[tuple[Task, list[Unit]]]) -> Iterator[UnitResult]:
    pending: set[Future[list[UnitResult]]] = {pool.submit(task, group) for task, group in tasks}
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            yield from future.result()


_keys: dict[Unit, str] = {}
_context: Context | None = None


def _begin(keys: dict[Unit, str], context: Context) -> None:
    """Begin a worker process: Ctrl-C is its parent's business, and it ends with its parent."""
    global _keys, _context
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _keys, _context = keys, context
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _one(group: list[Unit]) -> list[UnitResult]:
    if _context is None:
        raise RuntimeError("this process was not begun as a worker")
    return process(group, _keys, _context)
