"""An unnamed file of this machine: what is to become a file elsewhere is written to it first."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress

import pyarrow as pa

from .folder import SMALL


class UnnamedFile:
    """What is written to it goes with the process; who sends it on adds `publish` to it.

    >>> file = UnnamedFile()
    >>> file.write(memoryview(b"text"))
    >>> with file.open_input_file() as again:
    ...     again.read()
    b'text'
    >>> file.drop()
    """

    def __init__(self) -> None:
        """Begin in memory; what grows large goes to the disk."""
        self._file = tempfile.SpooledTemporaryFile(SMALL, prefix="corpusgate-")  # noqa: SIM115

    def write(self, data: memoryview) -> None:
        """Write so many bytes."""
        self._file.write(data)

    def settle(self) -> None:
        """Hand what is held back to the system. Raises OSError."""
        self._file.flush()

    def open_input_file(self) -> pa.NativeFile:
        """Open what was written so far, to read it."""
        self._file.rollover()
        self._file.flush()
        again = os.fdopen(os.dup(self._file.fileno()), "rb")
        again.seek(0)
        return pa.PythonFile(again, mode="r")

    def drop(self) -> None:
        """Forget it."""
        with suppress(OSError):
            self._file.close()
