"""What costs time for nothing: pandas where nobody wants it, and looking for garbage in vain."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder


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
