"""Compiled detectors, kept on disk between runs.

A compiled database depends on what it was made of, which its name tells, and on the processor: it
uses the instructions that this one has. So each kind of machine keeps its own. A file that is not
whole is as good as none.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

_DIGEST: Final = hashlib.sha256().digest_size
_CPU_FLAGS: Final = Path("/proc/cpuinfo")


class CompiledCache:
    """Gives what was made before under a name, or makes and keeps it.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     kept = CompiledCache(Path(folder))
    ...     made = kept("some-name", lambda: b"made"), kept("some-name", lambda: b"made again")
    >>> made
    (b'made', b'made')
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Keep files in a folder, by default the user's cache folder."""
        self.folder = folder

    def __call__(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Give the bytes of this name. A disk that cannot be read or written costs time only."""
        path = self._path(name)
        known = _read(path)
        if known is None:
            known = make()
            _write(path, known)
        return known

    def _path(self, name: str) -> Path:
        folder = self.folder or user_cache_path("corpusgate") / "compiled"
        return folder / hashlib.sha256(f"{name}\n{machine()}".encode()).hexdigest()


@cache
def machine() -> str:
    """Name this kind of machine: system, architecture, and the processor's instructions."""
    flags = ""
    with suppress(OSError):
        lines = _CPU_FLAGS.read_text("utf-8", "replace").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.system()}\n{platform.machine()}\n{platform.processor()}\n{flags}"


def _read(path: Path) -> bytes | None:
    """Give what a file holds, None if it is not there or not whole."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, body = stored[:_DIGEST], stored[_DIGEST:]
    return body if hashlib.sha256(body).digest() == digest else None


def _write(path: Path, body: bytes) -> None:
    """Put a file in place whole or not at all; where that fails, it is made again next time."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
