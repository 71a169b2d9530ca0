"""How much memory this process may still take: what the machine has left, or its container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_UNKNOWN: Final = 1 << 62
_MACHINE: Final = Path("/proc/meminfo")
_CONTAINERS: Final = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "inactive_file"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def available() -> int:
    """Give the bytes that are free, or can be freed; very many where nobody says."""
    return min([_UNKNOWN, *_free()])


def _free() -> Iterator[int]:
    with suppress(OSError, ValueError, StopIteration):
        lines = _MACHINE.read_text(encoding="ascii").splitlines()
        yield int(next(line.split()[1] for line in lines if line.startswith("MemAvailable"))) << 10
    for limit, used, cached in _CONTAINERS:
        with suppress(OSError, ValueError):
            most, now = (int(Path(file).read_text(encoding="ascii")) for file in (limit, used))
            facts = Path(limit).with_name("memory.stat").read_text(encoding="ascii").split()
            # Pages of files count as used, and go when they are wanted.
            reclaimable = int(facts[facts.index(cached) + 1])
            yield max(0, most - now + reclaimable)
