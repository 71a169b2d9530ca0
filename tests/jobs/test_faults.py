"""Runs that are killed, interrupted or run out of space; nothing half-done looks done."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from runs.cluster import until
from runs.workshop import CLI, Workshop, stable, tree
from runs.world import CANARY, COLUMNS, NAMES, REGISTERS

pytestmark = pytest.mark.faults

SHARDS = 40


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A workshop with forty shards whose job ran in one go."""
    workshop = Workshop(tmp_path_factory.mktemp("faults"))
    for number in range(SHARDS):
        workshop.shard(f"{number % 4}/{number:02}.parquet", NAMES, repeat=40, row_group_size=100)
    done = workshop.cli("run", workshop.job(), "--workers", "1")
    assert done.returncode == 0, done.stderr
    return workshop


def start(workshop: Workshop, job: Path, *flags: str, **options: object) -> subprocess.Popen[str]:
    """Begin a run, and wait until it has looked at everything and begins to write."""
    run = subprocess.Popen(
        [*CLI, "run", str(job), "--workers", "2", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=workshop.folder,
        **options,
    )
    assert run.stderr is not None
    first = run.stderr.readline()
    assert "units to do" in first, first
    return run


def check_unfinished(good: dict[str, bytes], output: Path) -> int:
    """Hold what a broken run left: released files are whole and the right ones, no manifest."""
    found = 0
    for path in (output / "eligible").rglob("*.parquet"):
        if path.name.startswith("."):
            continue
        assert pq.ParquetFile(path).read().num_columns == 5
        assert path.read_bytes() == good[path.relative_to(output).as_posix()]
        found += 1
    assert not (output / "manifest.json").exists()
    return found


def partials(output: Path) -> list[Path]:
    return [*output.rglob("*.partial")]


def done_units(output: Path) -> int:
    return len([*(output / "audit/units").glob("[0-9a-f]*.json")])


def test_a_killed_run_leaves_nothing_that_only_looks_finished(undisturbed):
    good = stable(undisturbed.out)
    job = undisturbed.job({"output": {"path": "killed"}}, "killed.yaml")
    output = undisturbed.folder / "killed"
    moments = random.Random(20230801)  # noqa: S311 - the same moments each time
    killed, seen = 0, set()
    for _ in range(60):
        # Machines differ in speed: count the units instead of the seconds.
        done = done_units(output)
        units = moments.randint(min(done, SHARDS - 1), SHARDS - 1)
        run = start(undisturbed, job)
        until(lambda: done_units(output) >= units or run.poll() is not None)  # noqa: B023
        time.sleep(moments.uniform(0, 0.05))
        run.kill()
        run.communicate()
        if run.returncode == 0 or (output / "manifest.json").exists():
            shutil.rmtree(output)  # too late for this one
            continue
        assert run.returncode == -signal.SIGKILL
        seen.add(check_unfinished(good, output))
        killed += 1
        if killed == 20:
            break
        if moments.random() < 0.5:
            shutil.rmtree(output)
    assert killed == 20
    assert len(seen) > 3, "the moments lie too close together"
    assert undisturbed.cli("run", job).returncode == 0
    assert stable(output) == good
    assert partials(output) == []


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3])
def test_an_interrupted_run_says_so_and_goes_on_later(undisturbed, delay):
    good = stable(undisturbed.out)
    name = f"interrupted{delay}"
    job = undisturbed.job({"output": {"path": name}}, f"{name}.yaml")
    output = undisturbed.folder / name
    run = start(undisturbed, job)
    time.sleep(delay)
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=30)
    assert run.returncode == 130, stderr
    assert stdout == ""
    assert "interrupted; run it again to go on" in stderr
    assert "Traceback" not in stderr
    assert partials(output) == []
    check_unfinished(good, output)
    assert undisturbed.cli("run", job, "--quiet").returncode == 0
    assert stable(output) == good


def test_a_second_run_stops_while_the_first_goes_on(undisturbed):
    job = undisturbed.job({"output": {"path": "twice"}}, "twice.yaml")
    first = start(undisturbed, job)
    second = undisturbed.cli("run", job)
    first.communicate(timeout=60)
    assert first.returncode == 0
    if "another run" not in second.stderr:
        # It came when the first was through: then it had nothing to do.
        assert second.returncode == 0, second.stderr
    assert stable(undisturbed.folder / "twice") == stable(undisturbed.out)


def one_line(stderr: str) -> str:
    """Give the last line, and see that nothing but the run's own lines stands above it."""
    assert "Traceback" not in stderr, stderr[-300:]
    *progress, last = stderr.strip().splitlines()
    assert all(line.startswith("[") or "units to do" in line for line in progress), stderr
    assert CANARY not in stderr
    return last


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_clear_line_and_a_run_with_space_goes_on(undisturbed, small_disk):
    good = stable(undisturbed.out)
    output = small_disk / "out"
    job = undisturbed.job({"output": {"path": str(output)}}, "full.yaml")
    done = undisturbed.cli("run", job, "--workers", "1")
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert "space" in one_line(done.stderr)
    assert partials(output) == []
    check_unfinished(good, output)
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    again = undisturbed.cli("run", job)
    assert again.returncode == 0, again.stderr
    assert stable(output) == good


@pytest.mark.parametrize("limit", [0, 100, 2_000, 6_000, 9_000])
def test_a_limit_on_file_sizes_is_one_clear_line(undisturbed, limit):
    good = stable(undisturbed.out)
    name = f"limited{limit}"
    job = undisturbed.job({"output": {"path": name}}, f"{name}.yaml")
    output = undisturbed.folder / name

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = undisturbed.cli("run", job, "--workers", "1", preexec_fn=small_files)
    assert done.returncode == 1, done.stderr
    assert "too large" in one_line(done.stderr)
    assert partials(output) == []
    check_unfinished(good, output)
    again = undisturbed.cli("run", job)
    assert again.returncode == 0, again.stderr
    assert stable(output) == good


def test_json_lines_that_do_not_fit_are_not_called_unreadable(tmp_path):
    """As Parquet they are larger than what is held in memory, and than the limit."""
    workshop = Workshop(tmp_path)
    line = b'{"id": "%d", "source": "public_web", "text": "%s"}\n'
    noise = random.Random(1)  # noqa: S311 - does not compress, and is the same each time
    workshop.write("a.jsonl", b"".join(line % (n, noise.randbytes(400).hex().encode())
                                       for n in range(5000)))  # fmt: skip
    columns = dict.fromkeys(COLUMNS) | {"record_id": "id", "surface": "source"}
    absent = [name for name in COLUMNS if columns[name] is None]
    job = workshop.job(
        {
            "input": {"columns": columns, "absent": absent, "text": "text", "keep": [],
                      "keep_raw": []},
            "registers": {name: {"empty": True, "path": None} for name in REGISTERS},
        }
    )  # fmt: skip
    done = workshop.cli(
        "run", job, "--quiet",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )  # fmt: skip
    assert done.returncode == 1, (done.returncode, done.stderr[-300:])
    assert "too large" in done.stderr
    assert "unreadable" not in done.stderr
    assert partials(workshop.out) == []


def test_a_folder_that_cannot_be_written_is_one_clear_line(undisturbed):
    if os.geteuid() == 0:
        place = Path("/proc/corpusgate-out")
    else:
        place = undisturbed.folder / "locked/out"
        place.parent.mkdir(mode=0o500)
    job = undisturbed.job({"output": {"path": str(place)}}, "locked.yaml")
    done = undisturbed.cli("run", job)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert tree(undisturbed.out)
