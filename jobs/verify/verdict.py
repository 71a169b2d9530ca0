"""What a verification came to: a row for each check, and what is wrong, by shard and kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

CHECKS: Final = {
    "manifest": "policy, settings and totals are what the run's own files come to",
    "registers": "the registers are those that the run read",
    "input": "the input's files are those that the run read",
    "files": "every file is as it was written, and there is no other",
    "conservation": "rows in are eligible and excluded ones, in every shard",
    "decisions": "every record is decided again, with the same reasons",
    "purge": "what is due for deletion is listed, and nothing else",
    "rows": "the eligible records are released, all of them, in their order",
    "types": "columns are those that the job releases, of the input's types",
    "columns": "what is kept is what the input has",
    "texts": "texts are the input's, with the findings replaced and nothing else",
    "findings": "a scan of the input's texts finds what is listed",
    "remaining": "a scan of the released texts finds nothing that is left",
}
"""The checks, in the order in which they are made and shown."""

UNITS: Final = {
    "manifest": "facts",
    "registers": "registers",
    "input": "files",
    "files": "files",
    "conservation": "shards",
    "types": "columns",
    "columns": "values",
    "texts": "texts",
}
"""What a check counts, where that is not records."""


@dataclass(frozen=True)
class Fault:
    """One kind of thing that is wrong in one place: a shard, a file, a register, a fact."""

    check: str
    where: str
    kind: str
    count: int = 1

    def __str__(self) -> str:
        """Render as `check: where: kind (count)`."""
        many = f" ({self.count:,})" if self.count > 1 else ""
        return f"{self.check}: {self.where}: {self.kind}{many}"


@dataclass
class Tally:
    """Counts of what was right and of what nobody could check, and everything that is wrong.

    >>> tally = Tally()
    >>> tally.right("rows", 7)
    >>> tally.wrong("rows", "a.parquet", "records are missing", 2)
    >>> [row for row in tally.rows() if row["right"]]
    [{'check': 'rows', 'counts': 'records', 'right': 7, 'wrong': 2, 'unchecked': 0}]
    """

    passed: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    doubts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def right(self, check: str, count: int = 1) -> None:
        """Count what is as it should be."""
        self.passed[check] += count

    def wrong(self, check: str, where: str, kind: str, count: int = 1) -> None:
        """Count what is not; nothing, where `count` is 0."""
        if count:
            self.faults[check, where, kind] += count

    def unchecked(self, check: str, why: str, count: int = 1) -> None:
        """Count what could not be looked at."""
        if count:
            self.doubts[check, why] += count

    def add(self, other: Tally) -> None:
        """Add the counts of another."""
        self.passed += other.passed
        self.faults += other.faults
        self.doubts += other.doubts

    def settle(self, check: str, where: str, *, wrong: str, holds: bool) -> bool:
        """Count one thing as right or wrong; say which."""
        if holds:
            self.right(check)
        else:
            self.wrong(check, where, wrong)
        return holds

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong; what could not be checked does not count."""
        return not self.faults

    def ordered(self) -> list[Fault]:
        """List what is wrong, in the order of checks and places."""
        order = list(CHECKS)
        keys = sorted(self.faults, key=lambda key: (order.index(key[0]), *key[1:]))
        return [Fault(*key, self.faults[key]) for key in keys]

    def rows(self) -> list[dict[str, Any]]:
        """Give one row for each check."""
        wrong: Counter[str] = Counter()
        for (check, _, _), count in self.faults.items():
            wrong[check] += count
        unchecked: Counter[str] = Counter()
        for (check, _), count in self.doubts.items():
            unchecked[check] += count
        return [
            {
                "check": name,
                "counts": UNITS.get(name, "records"),
                "right": self.passed[name],
                "wrong": wrong[name],
                "unchecked": unchecked[name],
            }
            for name in CHECKS
        ]
