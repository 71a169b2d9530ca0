"""Programs that are ours alone need not load pandas."""

from __future__ import annotations

import sys
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


class _Absent(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ImportError(name)
