"""Everything corpusgate raises on purpose.

    CorpusgateError
    ├── PolicyError      a policy file, or one of its rules, is not one; carries every fault found
    ├── JobError         a job file cannot be run as it stands; carries every fault found
    ├── RegisterError    a register is stale, empty, contradictory or of the wrong type
    ├── SchemaError      a frame or a shard lacks a column, or has it in a wrong type
    ├── UnitError        one unit of input cannot be read; the run goes on without it
    └── OutputError      the output cannot be written, or belongs to something else

A message says what, where and what to do. No message carries a value of a record. Arguments
stay in `args`, so every error pickles across processes.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a file: where it stands, what it is, and the way out.

    >>> print(Fault("forbid[0].when", "unknown column `orgid`", "did you mean `org_id`?", "12:11"))
    12:11 forbid[0].when: unknown column `orgid`. Did you mean `org_id`?
    """

    where: str
    what: str
    fix: str = ""
    position: str = ""

    def __str__(self) -> str:
        """Render as `line:column place: what. Fix`."""
        head = f"{self.position} {self.where}".strip()
        tail = f". {self.fix[0].upper()}{self.fix[1:]}" if self.fix else ""
        return f"{head}: {self.what}{tail}"


class CorpusgateError(Exception):
    """Base of all errors that corpusgate raises on purpose."""


class FaultsError(CorpusgateError):
    """A file with at least one fault; all of them are in `faults`."""

    def __init__(self, source: str, faults: tuple[Fault, ...]) -> None:
        """Keep the name of the file and what is wrong in it."""
        super().__init__(source, faults)
        self.source = source
        self.faults = faults

    def __str__(self) -> str:
        """Render one line a fault, the file first."""
        count = len(self.faults)
        head = f"{self.source}: {count} fault{'s' if count != 1 else ''}"
        return "\n".join([head, *(f"  {fault}" for fault in self.faults)])


class PolicyError(FaultsError):
    """A policy file, or one of its rules, cannot be used."""


class JobError(FaultsError):
    """A job file cannot be run as it stands."""


class _PlacedError(CorpusgateError):
    """An error about one thing: its place, what is wrong, what to do."""

    def __init__(self, where: str, what: str, fix: str = "") -> None:
        """Keep the parts apart, so that callers can read them."""
        super().__init__(where, what, fix)
        self.where = where
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        """Render as `place: what. Fix`."""
        return str(Fault(self.where, self.what, self.fix))


class RegisterError(_PlacedError):
    """A register cannot be relied on; the run stops before anything is written."""


class SchemaError(_PlacedError):
    """A column is missing or has a type that cannot be used."""


class UnitError(_PlacedError):
    """One unit of input cannot be read; it releases nothing and the run goes on."""


class OutputError(_PlacedError):
    """The output cannot be written, or holds something that is not ours."""


def unforeseen(error: Exception, where: str) -> OutputError:
    """Say of an error that nobody has raised on purpose what and where it is, not what it says.

    >>> try:
    ...     int("a value of a record")
    ... except ValueError as error:
    ...     str(unforeseen(error, "a.parquet")).partition(" at ")[0]
    'a.parquet: ValueError'
    """
    frame = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__} at {PurePath(frame.filename).name}:{frame.lineno}"
    return OutputError(where, what, "report this with the columns' types")
