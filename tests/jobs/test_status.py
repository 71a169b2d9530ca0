"""How far a run is, seen from outside; and trying unreadable shards again, and nothing else."""

import json
import os
import shutil
import threading

import pytest
from corpusgate.connectors.folder import LocalFolder
from corpusgate.connectors.lock import is_locked, locked
from corpusgate.filters.errors import OutputError
from corpusgate.jobs.status import status
from filelock import FileLock
from runs.s3 import BUCKET
from runs.workshop import Workshop, merge, stable
from runs.world import NAMES, REGISTERS

TWO = len(NAMES) * 2


@pytest.fixture
def full(workshop: Workshop) -> Workshop:
    for name in ("a", "b"):
        workshop.shard(f"{name}.parquet")
    return workshop


def stopped(monkeypatch, workshop, changes=None, units=1):
    """Run until some units are done, then die."""
    from corpusgate.jobs import workers

    process, seen = workers.process, []

    def short(group, keys, context):
        seen.append(group)
        if len(seen) > units:
            raise KeyboardInterrupt
        return process(group, keys, context)

    with monkeypatch.context() as patch:
        patch.setattr(workers, "process", short)
        with pytest.raises(KeyboardInterrupt):
            workshop.run(changes)


def test_a_finished_run_whose_lists_are_gone(full):
    full.run()
    shutil.rmtree(full.out / "audit")
    found = status(full.out)
    assert (found.state, found.units, found.units_done) == ("damaged", 2, 0)


def test_a_finished_run(full, capsys):
    full.run()
    found = status(full.out)
    assert (found.state, found.units, found.units_done) == ("finished", 2, 2)
    assert (found.rows, found.eligible) == (TWO, 10)
    assert found.finished_at
    machine = full.command(capsys, "status", full.out, "--json")
    assert json.loads(machine.stdout) == found.as_json()
    people = full.command(capsys, "status", full.job())
    assert "2 of 2 done" in people.stdout
    assert "finished" in people.stdout


def test_a_stopped_run_and_nothing_is_touched(full, monkeypatch):
    stopped(monkeypatch, full)
    before = stable(full.out)
    found = status(full.out)
    assert (found.state, found.units, found.units_done) == ("stopped", 2, 1)
    assert (found.rows, found.eligible) == (TWO // 2, 5)
    assert found.seconds_left is None
    assert stable(full.out) == before


def test_a_running_run(full, monkeypatch):
    """Seen from inside: it is alive as long as it holds its lock."""
    from corpusgate.jobs import workers

    process, seen = workers.process, []

    def looking(group, keys, context):
        results = process(group, keys, context)
        seen.append(status(full.out))
        return results

    monkeypatch.setattr(workers, "process", looking)
    full.shard("c.parquet")
    full.run()
    assert [(each.state, each.units_done, each.units) for each in seen] == [
        ("running", 1, 3),
        ("running", 2, 3),
        ("running", 3, 3),
    ]
    assert seen[0].rows_per_second is None
    assert seen[1].rows_per_second > 0
    assert seen[1].seconds_left is not None
    assert seen[2].seconds_left == 0


def test_what_is_left_is_told_by_the_times_of_what_is_done(full, monkeypatch):
    """Shards of one size, 100 seconds apart: two are left."""
    for name in ("c", "d"):
        shutil.copy(full.folder / "corpus/a.parquet", full.folder / f"corpus/{name}.parquet")
    shutil.copy(full.folder / "corpus/a.parquet", full.folder / "corpus/b.parquet")
    stopped(monkeypatch, full, units=2)
    for number, path in enumerate((full.out / "audit/units").iterdir()):
        os.utime(path, (0, 1e9 + 100 * number))
    with FileLock(full.out / ".lock"):
        found = status(full.out)
    assert found.state == "running"
    assert found.seconds_left == pytest.approx(200, abs=0.1)
    assert found.rows_per_second == pytest.approx(len(NAMES) / 100, abs=0.1)


def test_looking_does_not_keep_a_run_out(tmp_path):
    """Who looks whether a run is alive has the lock itself for a moment."""
    folder = LocalFolder(tmp_path)
    for _ in range(50):
        assert not is_locked(folder)
    looking = FileLock(tmp_path / ".lock", thread_local=False)
    looking.acquire()
    threading.Timer(0.2, looking.release).start()
    with locked(folder, ""):
        assert is_locked(folder)


def test_a_run_without_some_shards_names_them(full, capsys):
    full.write("bad.parquet", b"bad")
    full.run()
    found = status(full.out)
    assert (found.state, found.units, found.units_done) == ("incomplete", 3, 2)
    assert found.shards_unreadable == 1
    assert "cannot be read as Parquet" in found.unreadable["bad.parquet"]
    assert "unreadable: bad.parquet" in full.command(capsys, "status", full.out).stdout


def test_a_stopped_run_names_the_shards_that_were_unreadable_so_far(full, monkeypatch):
    full.write("bad.parquet", b"bad")
    stopped(monkeypatch, full)
    assert list(status(full.out).unreadable) == ["bad.parquet"]


def test_an_audit_folder_elsewhere_is_found(full, capsys):
    full.run({"output": {"audit": "elsewhere"}})
    assert status(full.out).units_done == 2


def test_where_no_run_has_written_is_an_error(full, capsys, tmp_path):
    done = full.command(capsys, "status", tmp_path / "nothing")
    assert done.returncode == 1
    assert "no run has written here" in done.stderr


def test_a_run_in_an_object_store(full, s3, monkeypatch):
    changes = {
        "output": {"path": f"s3://{BUCKET}/status/out", "audit": f"s3://{BUCKET}/status/audit"},
        "storage": {"endpoint": s3.address},
    }
    stopped(monkeypatch, full, changes)
    job = full.job(changes)
    assert (status(job).state, status(job).units_done) == ("stopped", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.address)
    full.run(changes)
    found = status(f"s3://{BUCKET}/status/out")
    assert (found.state, found.units_done, found.rows) == ("finished", 2, TWO)


# --retry-unreadable


@pytest.fixture
def incomplete(full, capsys):
    """A run at a moment of its own choosing, without one of three shards."""
    full.write("bad.parquet", b"bad")
    assert full.command(capsys, "run", full.job({"as_of": None})).returncode == 3
    return full


def retry(workshop, capsys, changes=None, *flags):
    job = workshop.job(merge({"as_of": None}, changes or {}))
    return workshop.command(capsys, "run", job, "--retry-unreadable", *flags)


def test_a_mended_shard_alone_is_done(incomplete, capsys):
    before = {p: p.stat().st_mtime_ns for p in (incomplete.out / "eligible").iterdir()}
    as_of = status(incomplete.out).as_of
    incomplete.shard("bad.parquet")
    done = retry(incomplete, capsys)
    assert done.returncode == 0, done.stderr
    assert status(incomplete.out).state == "finished"
    assert status(incomplete.out).as_of == as_of
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert len(list((incomplete.out / "eligible").iterdir())) == 3


def test_a_shard_that_is_still_unreadable_is_named_again(incomplete, capsys):
    done = retry(incomplete, capsys)
    assert done.returncode == 3
    assert "bad.parquet" in done.stderr


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda w: w.shard("new.parquet"), "new.parquet would be done as well"),
        (lambda w: w.shard("a.parquet", NAMES[:3]), "a.parquet would be done as well"),
        (lambda w: (w.folder / "corpus/a.parquet").unlink(), "taken out of the input"),
        (lambda w: w.register(deletions=REGISTERS["deletions"][:1]), "the job, the policy, a regi"),
    ],
)
def test_whatever_else_has_changed_stops_it(incomplete, capsys, change, what):
    change(incomplete)
    before = stable(incomplete.out)
    done = retry(incomplete, capsys)
    assert done.returncode == 1
    assert what in done.stderr
    assert "Run without --retry-unreadable" in done.stderr
    assert stable(incomplete.out) == before


def test_a_finished_run_has_nothing_to_retry(full, capsys):
    full.command(capsys, "run", full.job({"as_of": None}))
    done = retry(full, capsys)
    assert done.returncode == 0
    assert "done as of" in done.stderr


def test_a_stopped_run_is_finished_first(full, monkeypatch, capsys):
    stopped(monkeypatch, full, {"as_of": None})
    done = retry(full, capsys)
    assert done.returncode == 1
    assert "has not ended" in done.stderr


def test_it_does_not_go_with_fresh(full, capsys):
    assert retry(full, capsys, None, "--fresh").returncode == 2


def test_without_a_run_it_is_an_ordinary_one(full):
    assert full.run(retry_unreadable=True).rows_in == TWO
    with pytest.raises(OutputError, match="no run has written"):
        status(full.folder / "nowhere")
