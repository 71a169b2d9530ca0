"""Compiled patterns, kept in the user's cache folder from one process to the next.

The cache is a convenience: where it cannot be read or written, the patterns are compiled anew.
`CORPUSGATE_CACHE` names another folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .staged import OWNER_ONLY, StagedFile

_MAGIC: Final = b"corpusgate compiled 1\n"
_DIGEST: Final = 32


def cached(key: str, make: Callable[[], bytes]) -> bytes:
    """Give what `make` gives, from the cache if it was made on a machine of this kind before.

    `key` names all that it is made of. A file that is damaged counts as not there.
    """
    folder = _folder()
    name = hashlib.sha256("\n".join((key, *_machine())).encode()).hexdigest()
    with contextlib.suppress(OSError):
        data = _read((folder / name).read_bytes())
        if data is not None:
            return data
    data = make()
    with contextlib.suppress(OSError), StagedFile(folder, name, OWNER_ONLY) as file:
        file.write(_MAGIC + hashlib.sha256(data).digest() + data)
        file.publish()
    return data


def _read(stored: bytes) -> bytes | None:
    head = len(_MAGIC) + _DIGEST
    digest, data = stored[len(_MAGIC) : head], stored[head:]
    whole = stored.startswith(_MAGIC) and hashlib.sha256(data).digest() == digest
    return data if whole else None


def _folder() -> Path:
    if chosen := os.environ.get("CORPUSGATE_CACHE"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("corpusgate", appauthor=False) / "compiled"


def _machine() -> tuple[str, ...]:
    """Name what compiled patterns depend on beside themselves: the processor and what it can do."""
    flags = ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                flags = line
                break
    return platform.system(), platform.machine(), platform.processor(), flags
