"""A lock elsewhere: one owner, and a dead owner's lock passes on, by the store's clock."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import pytest
from corpusgate.connectors import lease
from corpusgate.connectors.lock import cells_of, is_locked, locked
from corpusgate.filters.errors import OutputError
from runs.object_stores import STORES
from runs.s3 import address_of, proxy

FIX = "wait for it"


@pytest.fixture
def bucket(store, request):
    """A folder in an object store."""
    return store.folder(f"lease/{request.node.name}")


@pytest.fixture(params=[*STORES, pytest.param("hdfs", marks=pytest.mark.slow)])
def folder(request, tmp_path):
    """A folder in an object store, or in HDFS."""
    return request.getfixturevalue(request.param).folder(f"lease/{tmp_path.name}")


def job(folder, run="job"):
    return locked(folder, FIX, run=run)


def somebody(folder, **changes):
    """Leave the lock of an owner on another machine."""
    owner = {"id": "x", "run": "job", "host": "far", "pid": 1, "machine": "other", "began": "1",
             "started_at": "2023-08-01T00:00:00+00:00", "beat": 3, **changes}  # fmt: skip
    cells_of(folder).create(lease.LOCK, json.dumps(owner).encode())


def later(monkeypatch, seconds):
    """Let the store's clock be ahead."""
    now = lease._now
    monkeypatch.setattr(lease, "_now", lambda folder: now(folder) + seconds)


def test_one_owner_at_a_time(folder):
    with job(folder) as still_ours:
        still_ours()
        assert is_locked(folder)
        with pytest.raises(OutputError, match="another run is writing") as caught, job(folder):
            pass
        assert FIX in caught.value.fix
        assert "seconds" in caught.value.fix
        still_ours()
    assert not is_locked(folder)
    assert folder.names() == set()
    with locked(folder, FIX, run="another"):
        pass


def test_of_many_who_try_at_once_one_has_it(folder):
    gate, held = threading.Barrier(8), []

    def one():
        gate.wait()
        try:
            with job(folder):
                held.append("held")
                time.sleep(1)
        except OutputError:
            held.append("kept out")

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held) == ["held", *["kept out"] * 7]


def test_a_live_owner_elsewhere_is_left_alone_whatever_the_clock_here_says(folder, monkeypatch):
    somebody(folder)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    with (
        pytest.raises(OutputError, match="on far since 2023-08-01"),
        job(folder),
    ):
        pass
    assert is_locked(folder)


def test_the_same_job_takes_over_from_a_dead_owner(folder, monkeypatch):
    somebody(folder)
    later(monkeypatch, lease.LEASE + 1)
    assert not is_locked(folder)
    with job(folder):
        assert json.loads(cells_of(folder).read(lease.LOCK))["host"] != "far"
    assert folder.names() == set()


def test_another_job_does_not_unless_it_starts_anew(folder, monkeypatch):
    somebody(folder)
    later(monkeypatch, lease.LEASE + 1)
    with (
        pytest.raises(OutputError, match="another job died here") as caught,
        job(folder, "other"),
    ):
        pass
    assert "--fresh" in caught.value.fix
    with locked(folder, FIX, run="other", fresh=True):
        pass


def test_a_dead_process_of_this_machine_is_known_at_once(folder):
    """It gets no chance to take its lock away."""
    code = f"""if True:
        import pickle, sys
        from corpusgate.connectors.lock import locked
        with locked(pickle.loads({pickle.dumps(folder)!r}), "", run="job"):
            print("held", flush=True)
            sys.stdin.read()
    """
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdout.readline() == b"held\n"
    assert is_locked(folder)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert lease.LOCK in folder.names()
    assert not is_locked(folder)
    with job(folder):
        pass


def test_a_number_used_again_is_not_the_same_process(folder):
    somebody(folder, machine=lease._machine(), pid=os.getpid(), began="1")
    with job(folder):
        pass


def test_signs_of_life_keep_the_lock(folder, monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.05)
    with job(folder) as still_ours:
        until = time.monotonic() + 30
        while json.loads(cells_of(folder).read(lease.LOCK))["beat"] < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        still_ours()


def test_who_has_lost_the_lock_hears_it_and_leaves_the_new_owners(folder, monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.05)
    with job(folder) as still_ours:
        folder.delete([lease.LOCK])
        somebody(folder)
        time.sleep(1)
        with pytest.raises(OutputError, match="has taken over"):
            still_ours()
    assert json.loads(cells_of(folder).read(lease.LOCK))["host"] == "far"


def test_who_cannot_reach_the_store_for_too_long_stops(store, bucket, monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.05)
    monkeypatch.setattr(lease, "LEASE", 0.3)
    broken = [""]
    with proxy(store, lambda *_: broken[0]) as front:
        away = store.folder(bucket.prefix, address_of(front))
        with locked(away, FIX, run="job") as still_ours:
            broken[0] = "403"
            time.sleep(1)
            with pytest.raises(OutputError, match="not answered for too long"):
                still_ours()
            broken[0] = ""


@pytest.mark.parametrize("kind", ["500", "lost", "half"])
def test_an_answer_that_gets_lost_does_not_lock_its_owner_out(store, bucket, kind, monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.05)
    puts = []

    def fault(method, path):
        puts.append(path)
        return kind if method == "PUT" and path.endswith("lock") and len(puts) in (1, 4, 6) else ""

    with proxy(store, fault) as front:
        away = store.folder(bucket.prefix, address_of(front))
        with locked(away, FIX, run="job") as still_ours:
            time.sleep(0.5)
            still_ours()
        assert kind in {seen for _, _, seen in front.seen}
    assert bucket.names() == set()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_a_damaged_lock_says_how_to_get_rid_of_it(folder, content):
    cells_of(folder).create(lease.LOCK, content)
    with pytest.raises(OutputError, match="its lock is damaged") as caught, job(folder):
        pass
    assert folder.show(lease.LOCK) in caught.value.fix


def test_what_asking_for_the_time_has_left_is_swept(folder):
    cells_of(folder).create(f"{lease.CLOCK}-1", b"")
    with job(folder):
        assert folder.names() == {lease.LOCK}


def test_who_may_only_read_can_see_whether_a_run_is_alive(store, bucket):
    somebody(bucket)
    with proxy(store, lambda method, _: "403" if method == "PUT" else "") as front:
        assert is_locked(store.folder(bucket.prefix, address_of(front)))


def test_a_lock_holds_no_secret(store, bucket):
    with job(bucket):
        data = cells_of(bucket).read(lease.LOCK)
    assert not [secret for secret in store.secrets if secret.encode() in data]
