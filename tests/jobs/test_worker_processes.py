"""Worker processes: the same bytes, a death that is told, and no program run twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from corpusgate.filters.errors import OutputError
from corpusgate.jobs import workers
from corpusgate.jobs.worker_process import WorkerProcess
from runs.reducing import KEY, RECORDS, Reducing
from runs.workshop import stable


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("CG_KEY", KEY)
    monkeypatch.setattr(workers, "LARGE", 0.0)
    world = Reducing(tmp_path)
    for index in range(4):
        world.records(
            f"{index}.parquet", [{**each, "id": f"{index}{each['id']}"} for each in RECORDS]
        )
    return world


class Watched(WorkerProcess):
    """A worker process that counts what it does, and may be dead by then."""

    groups = 0
    dies = False

    def __call__(self, group, keys):
        if self.dies:
            self._process.kill()
            self._process.wait()
        type(self).groups += 1
        return super().__call__(group, keys)


def wait_for(others, function, *arguments):
    """Leave the first groups to the processes."""
    until = time.monotonic() + 60
    while not others.groups and time.monotonic() < until:
        time.sleep(0.01)
    return function(*arguments)


def test_processes_give_the_same_bytes(world, monkeypatch):
    world.run(workers=1)
    before = stable(world.out)
    others = type("Others", (Watched,), {})
    monkeypatch.setattr(workers, "WorkerProcess", others)
    monkeypatch.setattr(workers, "process", partial(wait_for, others, workers.process))
    world.run(workers=2, fresh=True)
    assert others.groups
    assert stable(world.out) == before


@pytest.mark.faults
def test_a_worker_that_dies_is_told_and_what_is_done_is_kept(world, monkeypatch):
    others = type("Others", (Watched,), {"dies": True})
    monkeypatch.setattr(workers, "WorkerProcess", others)
    monkeypatch.setattr(workers, "process", partial(wait_for, others, workers.process))
    with pytest.raises(OutputError, match="fewer --workers"):
        world.run(workers=2)
    monkeypatch.undo()
    assert not (world.out / "manifest.json").exists()
    monkeypatch.setenv("CG_KEY", KEY)
    assert world.run(workers=1).shards_unreadable == 0


@pytest.mark.faults
def test_a_program_that_does_not_guard_its_run_is_not_run_twice(world, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import corpusgate\n"
        "from corpusgate.jobs import workers\n"
        "workers.LARGE = 0\n"
        f"print(corpusgate.run({str(world.job())!r}, workers=2).shards)\n"
    )
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout, done.returncode) == ("4\n", 0), done.stderr


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_worker_ends_with_its_parent():
    program = (
        "import os, signal\n"
        "from corpusgate.jobs.worker_process import WorkerProcess\n"
        "print(WorkerProcess()._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    worker = int(done.stdout)
    until = time.monotonic() + 30
    while _alive(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _alive(worker)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    return state.rpartition(")")[2].split()[0] != "Z"
