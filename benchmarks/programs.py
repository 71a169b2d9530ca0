"""Running a program that measures itself, and saying on what machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

THREADS: Final = 2


@dataclass(frozen=True)
class Measured:
    """One run of a program: its own seconds, its peak memory in MB, what it printed."""

    seconds: float
    megabytes: float
    facts: dict[str, Any]


def machine() -> str:
    """Say where and with what it was measured."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    names = ("polars", "pyarrow", "duckdb", "sqlglot")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{model}, {os.cpu_count()} CPUs, {platform.system()}, Python"
        f" {platform.python_version()}, {versions}, commit {commit or 'unknown'}."
    )


def measure(command: list[str], cwd: Path) -> Measured:
    """Run a program that prints one JSON object with `seconds`."""
    environment = os.environ | {"POLARS_MAX_THREADS": str(THREADS)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # installed programs have their bytecode
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        out, err = process.communicate()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}\n{err}")
    facts = json.loads(out.splitlines()[-1])
    return Measured(facts["seconds"], facts.get("peak_megabytes", 0.0), facts)
