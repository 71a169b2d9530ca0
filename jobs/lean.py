"""What costs time for nothing: pandas, giving memory back, and looking for garbage in vain."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Final

# `malloc.h` of the GNU C library, and bytes: what is smaller is taken from what was freed before;
# so much that was freed is kept.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE: Final = 32 << 20
_KEPT: Final = 64 << 20
_SETTLED: Final = {"GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}


def in_a_program_of_our_own() -> None:
    """Settle what concerns a whole process, where nobody else's program runs in it."""
    leave_pandas_out()
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for what is wanted next.

    Batches of some megabytes come and go. By default each is given back to the system, which clears
    all of it once more for the next: a tenth of the time that scanning takes. Other C libraries
    than GNU's stay as they are, and so does what the environment settles.
    """
    if _SETTLED & os.environ.keys():
        return
    with contextlib.suppress(AttributeError, ImportError, OSError, TypeError):
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


def leave_pandas_out() -> None:
    """Let pyarrow believe that there is no pandas in this process.

    The first time it converts Python objects it imports pandas, if there is one, to know its types:
    a quarter of a second for nothing here. A program in which pandas is loaded keeps it.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(absent)


@contextmanager
def only_new_garbage() -> Iterator[None]:
    """Let Python look for garbage among what is made meanwhile, and not among all there is.

    Recognisers and their vocabulary are half a million objects that stay. Going through them takes
    a tenth of a second, and results by the thousand make Python do so again and again. Afterwards
    it looks at all again, also at what a caller had frozen before.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class _Absent(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ImportError(name)
