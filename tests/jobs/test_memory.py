"""Memory: a unit takes little of it whatever the file's size, and says what it cannot have."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.connectors import memory
from runs.world import NAMES, table

if TYPE_CHECKING:
    from runs.workshop import Workshop

MEASURED = """
import json, resource, sys
from corpusgate import run
run(sys.argv[1], workers=1)
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10))
"""

FREED = """
import sys, resource
import numpy as np
if sys.argv[1] == "ours":
    from corpusgate.jobs.lean import in_a_program_of_our_own
    in_a_program_of_our_own()
def batch():
    return [np.ones(4 << 20, np.uint8) for _ in range(6)]
batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_a_row_group_that_memory_cannot_hold_is_named(workshop, monkeypatch, capsys):
    from corpusgate.jobs import shard

    workshop.shard("small.parquet")
    workshop.shard("large.parquet", NAMES, repeat=100, row_group_size=1_200)
    monkeypatch.setattr(shard, "available", lambda: 1_000_000)
    done = workshop.command(capsys, "run", workshop.job())
    assert done.returncode == 3
    [line] = [line for line in done.stderr.splitlines() if line.startswith("unreadable")]
    assert "large.parquet: cannot be read as Parquet" not in line
    assert "large.parquet" in line
    assert "row group 0: 1,200 rows want about 0.0 GB" in line
    assert (workshop.out / "eligible/small.parquet").exists()


def test_free_memory_is_the_least_of_machine_and_container(tmp_path, monkeypatch):
    free = memory.available()
    assert 0 < free < 1 << 50
    files = {"memory.max": "1000000", "memory.current": "900000", "memory.stat": "inactive_file 5"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    container = (str(tmp_path / "memory.max"), str(tmp_path / "memory.current"), "inactive_file")
    monkeypatch.setattr(memory, "_CONTAINERS", (container,))
    assert memory.available() == 100_005
    (tmp_path / "memory.max").write_text("max")
    assert memory.available() > 1_000_000


def test_short_rows_are_cut_by_their_number(workshop):
    workshop.shard("a.parquet", NAMES, repeat=20, row_group_size=100)
    job = {"input": {"max_unit_bytes": 100_000}}
    workshop.run(job)
    parts = workshop.shards()["rows"].to_list()
    assert parts == [100, 100, 100]


def peak(workshop: Workshop, name: str) -> int:
    """Give the peak of a run over one file, in MB."""
    changes = {
        "input": {"path": name, "max_unit_bytes": 16_000_000},
        "output": {"path": f"out-{name}"},
    }
    command = [sys.executable, "-c", MEASURED, str(workshop.job(changes, f"{name}.yaml"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout))


@pytest.mark.slow
def test_a_file_of_two_hundred_row_groups_takes_the_memory_of_its_parts(workshop):
    rows = table("a", ["web", "refused"], 1_000)
    place = rows.schema.get_field_index("text")
    texts = [f"{number} " + "word " * 800 for number in range(len(rows))]
    long = pa.array(texts, pa.large_string())
    rows = rows.set_column(place, "text", long)
    for name, groups in (("few", 10), ("many", 200)):
        folder = workshop.folder / name
        folder.mkdir()
        with pq.ParquetWriter(folder / "file.parquet", rows.schema) as file:
            for number in range(groups):
                ids = pa.array([f"{number}#{row}#web" for row in range(len(rows))])
                file.write_table(rows.set_column(0, "id", ids))
    few, many = peak(workshop, "few"), peak(workshop, "many")
    size = (workshop.folder / "many/file.parquet").stat().st_size
    assert many < few + 150, (few, many, size)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="wants GNU's C library")
def test_programs_of_ours_keep_what_is_freed():
    def faults(whose: str) -> int:
        command = [sys.executable, "-c", FREED, whose]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("ours") < faults("anybody's") / 2
