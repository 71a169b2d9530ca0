"""Runs on a Ray cluster of which parts fail: nothing is lost, nothing is there twice."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from runs.cluster import WORKER, Nodes, finish, python_of, start, two_nodes, until, workers
from runs.workshop import NOISY, Workshop, stable, tree
from runs.world import CANARY, NAMES, kind_of

pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore")]

SHARDS = 60
BIG = ("big/a.parquet", "big/b.parquet", "big/c.parquet", "big/d.parquet")
LARGE = ("big/e.parquet", "big/f.parquet")
"""Too large to be held in memory while they are written."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A workshop whose job ran locally in one go: many small shards and a large one."""
    workshop = Workshop(tmp_path_factory.mktemp("ray"))
    for number in range(SHARDS):
        workshop.shard(f"{number % 4}/{number:02}.parquet", NAMES, repeat=200, row_group_size=500)
    for name in BIG:
        workshop.shard(name, NAMES, repeat=2_000, row_group_size=5_000)
    for name in LARGE:
        workshop.noise(name, 8 << 20)
    done = workshop.cli("run", workshop.job(), "--workers", "1")
    assert done.returncode == 0, done.stderr
    return workshop


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Two nodes that a test leaves as it found them."""
    with two_nodes() as nodes:
        yield nodes


def checked(undisturbed: Workshop, output: Path) -> None:
    """See that the output is that of the undisturbed run, every row exactly once, no more files."""
    assert stable(output) == stable(undisturbed.out)
    assert [*output.rglob("*.partial")] == []
    decided = undisturbed.decisions(output / "audit")
    assert decided["record_id"].is_unique().all()
    assert decided.height == 15 * (SHARDS * 200 + len(BIG) * 2_000) + NOISY * len(LARGE)
    assert all(
        kind_of(record).eligible == eligible
        for record, eligible in decided.select("record_id", "eligible").head(200).rows()
    )


def job_to(workshop: Workshop, name: str) -> tuple[Path, Path]:
    return workshop.job({"output": {"path": name}}, f"{name}.yaml"), workshop.folder / name


def test_a_run_on_two_nodes_gives_the_same_bytes(undisturbed, nodes):
    job, output = job_to(undisturbed, "plain")
    code, said = finish(start(undisturbed, job, nodes))
    assert code == 0, said
    assert CANARY not in said
    checked(undisturbed, output)


def writes(process: psutil.Process, output: Path) -> bool:
    try:
        return any(
            file.path.startswith(str(output)) and file.path.endswith(".partial")
            for file in process.open_files()
        )
    except psutil.Error:
        return False


def test_a_worker_killed_while_it_writes(undisturbed, nodes):
    job, output = job_to(undisturbed, "killed")
    run = start(undisturbed, job, nodes)
    for _ in range(2):
        worker = until(lambda: [w for w in workers("corpusgate") if writes(w, output)])[0]
        worker.kill()
    code, said = finish(run)
    assert code == 0, said
    checked(undisturbed, output)


def done_units(output: Path) -> int:
    try:
        return len([*(output / "audit/units").glob("[0-9a-f]*.json")])
    except FileNotFoundError:  # a fresh run clears it while it is listed
        return 0


def reached(run: subprocess.Popen[str], output: Path, counts: range) -> bool:
    return done_units(output) in counts or run.poll() is not None


def test_a_driver_killed_at_thirty_moments(undisturbed, nodes):
    job, output = job_to(undisturbed, "moments")
    units = SHARDS + len(BIG) + len(LARGE)
    moments = random.Random(20230801)  # noqa: S311 - the same moments each time
    counts: Counter[int] = Counter()
    for number in range(30):
        # What a run does changes as units are done: start over now and then.
        fresh = number % 5 == 0 or done_units(output) == units
        run = start(undisturbed, job, nodes, *(["--fresh"] if fresh else []), wait=False)
        if number % 3 == 0:
            time.sleep(moments.uniform(0, 6))
        else:
            # Machines differ in speed: count the units instead of the seconds.
            over = partial(reached, run, output)
            if fresh:
                until(partial(over, range(1)))
            until(partial(over, range(moments.randint(done_units(output), units), units + 1)))
            time.sleep(moments.uniform(0, 0.3))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        counts[done_units(output)] += 1
    assert len(counts) > 3, counts
    code, said = finish(start(undisturbed, job, nodes, wait=False))
    assert code == 0, said
    checked(undisturbed, output)


@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_an_interrupted_run_leaves_nothing_under_way(undisturbed, nodes, delay):
    job, output = job_to(undisturbed, f"interrupted{delay}")
    run = start(undisturbed, job, nodes)
    time.sleep(delay)
    run.send_signal(signal.SIGINT)
    code, said = finish(run)
    assert code == 130, said
    assert "Traceback" not in said
    assert "run it again to go on" in said
    assert [*output.rglob("*.partial")] == []
    code, said = finish(start(undisturbed, job, nodes, wait=False))
    assert code == 0, said
    checked(undisturbed, output)


def test_a_node_that_is_gone(undisturbed):
    job, output = job_to(undisturbed, "node")
    with two_nodes() as nodes:
        run = start(undisturbed, job, nodes)
        until(lambda: [*(output / "audit/units").glob("*.json")])
        nodes.remove(nodes.second)
        code, said = finish(run)
    assert code == 0, said
    checked(undisturbed, output)


def test_another_run_takes_over_from_a_killed_one(undisturbed, nodes):
    other = undisturbed.job({"purpose": "alignment", "output": {"path": "other"}}, "other.yaml")
    assert undisturbed.cli("run", other, "--quiet").returncode == 0
    job, output = job_to(undisturbed, "taken")
    over = undisturbed.job({"purpose": "alignment", "output": {"path": "taken"}}, "over.yaml")
    run = start(undisturbed, job, nodes)
    until(lambda: [*(output / "audit/units").glob("*.json")])
    run.send_signal(signal.SIGKILL)
    run.communicate()
    code, said = finish(start(undisturbed, over, nodes, wait=False))
    assert code == 0, said
    assert stable(output) == stable(undisturbed.folder / "other")
    assert not [*output.rglob("*.partial")]


FULL = f"""
import resource, sys
if "{WORKER}" in " ".join(sys.orig_argv):
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
"""


def test_a_disk_that_is_full_on_one_node(undisturbed, tmp_path):
    job, output = job_to(undisturbed, "full")
    with two_nodes(python_of(tmp_path / "site", FULL)) as nodes:
        code, said = finish(start(undisturbed, job, nodes))
    assert code == 0, said
    assert said.count("cannot write and gets no more work: file too large") == 1
    checked(undisturbed, output)


def test_a_disk_that_is_full_everywhere_is_one_clear_line(undisturbed, tmp_path):
    small = python_of(tmp_path / "site", FULL)
    job, output = job_to(undisturbed, "fuller")
    with two_nodes(small, first=small) as nodes:
        code, said = finish(start(undisturbed, job, nodes))
    assert code == 1, said
    assert "Traceback" not in said
    assert "too large" in said.splitlines()[-1]
    assert not (output / "manifest.json").exists()
    assert [*output.rglob("*.partial")] == []


CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static const long ahead = 400L * 86400;
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, at);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) at->tv_sec += ahead;
    return code;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""
SKEWED = """
import os, sys, time
if "{worker}" in " ".join(sys.orig_argv):
    if "LD_PRELOAD" not in os.environ:
        os.environ["LD_PRELOAD"] = "{library}"
        os.execv(sys.executable, sys.orig_argv)
    open("{seen}", "a").write(f"{{time.time()}}\\n")
"""


def test_clocks_and_zones_of_workers_decide_nothing(undisturbed, tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a clock is set off by a C library, and there is no compiler")
    source, library, seen = (tmp_path / name for name in ("clock.c", "clock.so", "seen"))
    source.write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    skewed = python_of(tmp_path / "site", SKEWED.format(worker=WORKER, library=library, seen=seen))
    job, output = job_to(undisturbed, "skewed")
    with two_nodes({**skewed, "TZ": "Pacific/Kiritimati"}) as nodes:
        code, said = finish(start(undisturbed, job, nodes))
    assert code == 0, said
    assert all(float(line) > time.time() + 300 * 86_400 for line in seen.read_text().split())
    checked(undisturbed, output)


HUNDRED = 100
POISON = "deadly.parquet"


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A workshop of a hundred small shards, undisturbed."""
    workshop = Workshop(tmp_path_factory.mktemp("hundred"))
    for number in range(HUNDRED):
        workshop.shard(f"{number:03}.parquet", NAMES, repeat=10)
    assert workshop.cli("run", workshop.job(), "--quiet").returncode == 0
    return workshop


def others(workshop: Workshop, output: Path, poison: str) -> None:
    """See that all but the poisoned shard is released, as if that one had never been."""
    assert not (output / "eligible" / poison).exists()
    assert tree(output / "eligible") == tree(workshop.out / "eligible")
    assert tree(output / "audit/decisions") == tree(workshop.out / "audit/decisions")


def test_one_broken_shard_among_a_hundred(hundred, nodes):
    job, output = job_to(hundred, "broken")
    place = hundred.shard("broken.parquet", NAMES, repeat=100)
    data = bytearray(place.read_bytes())
    data[40:4000] = bytes(3960)  # the footer is whole, the pages are not
    place.write_bytes(data)
    code, said = finish(start(hundred, job, nodes))
    place.unlink()
    assert code == 3, said
    assert [line for line in said.splitlines() if "unreadable" in line] == [
        line for line in said.splitlines() if line.startswith("unreadable: broken.parquet: ")
    ]
    others(hundred, output, "broken.parquet")


def test_one_shard_among_a_hundred_that_ends_its_worker(hundred, nodes):
    job = hundred.job({"output": {"path": "deadly"}, "ray": {"retries": 1}}, "deadly.yaml")
    output = hundred.folder / "deadly"
    place = hundred.shard(POISON, NAMES, repeat=2_000)
    run = start(hundred, job, nodes)
    killed = 0
    while run.poll() is None:
        for worker in workers(POISON):
            worker.kill()
            killed += 1
    code, said = finish(run)
    assert code == 3, said
    assert killed >= 4
    assert f"unreadable: {POISON}: its worker died each time" in said
    assert said.count("unreadable: ") == 1
    others(hundred, output, POISON)
    # Whatever it died of may be over: the next run tries again.
    code, said = finish(start(hundred, job, nodes, wait=False))
    assert code == 0, said
    place.unlink()
