"""A folder with a corpus, registers and a job file, and ways to run the job."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import corpusgate
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from corpusgate.jobs.cli import main

from .world import AS_OF, COLUMNS, NAMES, REGISTERS, table

if TYPE_CHECKING:
    import pytest

CHANGING = {"run.json", "report.html", ".lock"}  # differ from run to run
CLI = [sys.executable, "-m", "corpusgate.jobs.cli"]

JOB: dict[str, Any] = {
    "policy": "openai-api-data",
    "purpose": "pretraining",
    "as_of": AS_OF.isoformat(),
    "input": {
        "path": "corpus",
        "columns": COLUMNS,
        "text": ["text", "messages[].content"],
        "keep": ["score"],
        "keep_raw": ["lang"],
    },
    "registers": {
        **{name: f"registers/{name}.parquet" for name in REGISTERS},
        "holds": {"empty": True},
    },
    "output": {"path": "out"},
    "pii": "off",
}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def stable(folder: Path) -> dict[str, bytes]:
    """What must be equal, byte by byte, for equal inputs."""
    return {name: data for name, data in tree(folder).items() if name not in CHANGING}


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay changes over nested settings; None takes a key away."""
    merged = dict(copy.deepcopy(base))
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


NOISY = 40
"""Records of a shard of noise."""


class Done(NamedTuple):
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


class Workshop:
    """One folder: `corpus/`, `registers/`, `job.yaml`, and what the job writes to `out/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.register()

    def register(self, **changes: list[dict[str, Any]]) -> None:
        """Write the registers, some of them with other rows."""
        place = self.folder / "registers"
        place.mkdir(exist_ok=True)
        for name, events in {**REGISTERS, **changes}.items():
            pq.write_table(pa.Table.from_pylist(events), place / f"{name}.parquet")

    def shard(
        self, name: str, kinds: Sequence[str] = NAMES, repeat: int = 1, **options: Any
    ) -> Path:
        """Write a shard of the small world."""
        return self.write(name, table(name, kinds, repeat), **options)

    def noise(self, name: str, size: int) -> Path:
        """Write a shard of forty records that are released, `size` bytes of text as compressed."""
        shard = table(name, ["web"] * NOISY)
        noise = np.random.default_rng(1).bytes(size).hex()
        each = len(noise) // NOISY
        texts = pa.array([noise[i * each : (i + 1) * each] for i in range(NOISY)], pa.string())
        index = shard.schema.get_field_index("text")
        field = shard.schema.field(index)
        return self.write(name, shard.set_column(index, field, texts.cast(field.type)))

    def write(self, name: str, content: pa.Table | bytes, **options: Any) -> Path:
        """Write a file of the corpus."""
        path = self.folder / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            pq.write_table(content, path, **options)
        return path

    def job(self, changes: Mapping[str, Any] | None = None, name: str = "job.yaml") -> Path:
        """Write the job file, changed where a test wants it."""
        path = self.folder / name
        path.write_text(yaml.safe_dump(merge(JOB, changes or {}), allow_unicode=True), "utf-8")
        return path

    def run(self, changes: Mapping[str, Any] | None = None, **options: Any) -> corpusgate.Summary:
        """Run the job in this process."""
        return corpusgate.run(self.job(changes), **{"workers": 1, **options})

    def command(self, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Done:
        """Run the command line in this process: quicker, and the same up to the exit."""
        code = 0
        capsys.readouterr()
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Done(code, *capsys.readouterr())

    def cli(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the command line as a user would."""
        return subprocess.run(
            [*CLI, *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    def decisions(self, audit: Path | None = None) -> pl.DataFrame:
        """All decisions, in the order of shards and rows."""
        paths = sorted((audit or self.out / "audit").joinpath("decisions").rglob("*.parquet"))
        return pl.concat([pl.read_parquet(path, glob=False) for path in paths]).sort("shard", "row")

    def shards(self) -> pl.DataFrame:
        """One row a unit."""
        return pl.read_parquet(self.out / "audit/shards.parquet")

    def manifest(self) -> dict[str, Any]:
        """What the run says of itself."""
        return json.loads((self.out / "manifest.json").read_bytes())

    def released(self, name: str) -> pa.Table:
        """One released file."""
        return pq.ParquetFile(self.out / "eligible" / name).read()
