"""Many requests at a time, where each waits for a network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

REQUESTS: Final = 32

_Given = TypeVar("_Given")
_Got = TypeVar("_Got")


def at_once(
    work: Callable[[_Given], _Got], items: Iterable[_Given], *, remote: bool
) -> Iterator[_Got]:
    """Do `work` for each item and yield what comes of it, in the items' order.

    Without `remote`, one after the other. What `work` raises is raised when its turn comes.

    >>> list(at_once(str.upper, "abc", remote=True))
    ['A', 'B', 'C']
    """
    if not remote:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(REQUESTS, thread_name_prefix="request")
    try:
        ahead: deque[Future[_Got]] = deque()
        for item in items:
            ahead.append(pool.submit(work, item))
            if len(ahead) > 2 * REQUESTS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
