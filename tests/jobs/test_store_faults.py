"""Runs that are killed, and stores that fail: the output is right, or it is not there."""

import os
import random
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from datetime import timedelta
from pathlib import Path

import corpusgate
import polars as pl
import pytest
from corpusgate.connectors import lease, stores
from corpusgate.jobs.status import status
from runs.away import comparable
from runs.s3 import BUCKET, KINDS, address_of, one_in_five, proxy
from runs.workshop import CLI, NOISY, Workshop, merge, tree
from runs.world import NAMES, REGISTERS

pytestmark = pytest.mark.faults

SHARDS = 24
REDUCED = {"pii": {"entities": ["EMAIL_ADDRESS", "PHONE_NUMBER"]}}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two dozen shards, and what an undisturbed run on this machine makes of them."""
    workshop = Workshop(tmp_path_factory.mktemp("faults"))
    for number in range(SHARDS):
        workshop.shard(f"{number % 4}/{number:02}.parquet", NAMES, repeat=30, row_group_size=100)
    done = workshop.cli("run", workshop.job(REDUCED), "--workers", "1")
    assert done.returncode == 0, done.stderr
    return workshop


@pytest.fixture
def place(home, s3, request):
    """The corpus in a bucket, under a name of the test's own."""
    prefix = f"faults/{request.node.name}".replace("[", "-").replace("]", "")
    s3.upload(home.folder / "corpus", f"{prefix}/corpus")
    s3.upload(home.folder / "registers", f"{prefix}/registers")
    return prefix


def good(home):
    return {name: data for name, data in tree(home.out).items() if comparable(name)}


def made(s3, place, out="out"):
    return {n: d for n, d in s3.tree(f"{place}/{out}").items() if comparable(n)}


def job(home, place, address, changes=None, out="out"):
    def uri(path):
        return f"s3://{BUCKET}/{place}/{path}"

    away = {
        "input": {"path": uri("corpus")},
        "registers": {name: uri(f"registers/{name}.parquet") for name in REGISTERS},
        "output": {"path": uri(out)},
        "storage": {"endpoint": address},
        **REDUCED,
    }
    return home.job(merge(away, changes or {}), f"{Path(place).name}.yaml")


def start(home, path, *flags, **options):
    return subprocess.Popen([*CLI, "run", str(path), "--workers", "2", *flags], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home.folder,
                            **options)  # fmt: skip


def finished(home, path):
    """Run to the end."""
    run = start(home, path)
    _, told = run.communicate()
    return run.returncode == 0 or told


@pytest.fixture
def quick(monkeypatch):
    """A client that gives up after some tries and seconds."""
    retry = {"max_retries": 6, "retry_timeout": timedelta(seconds=20),
             "backoff": {"init_backoff": timedelta(milliseconds=20),
                         "max_backoff": timedelta(milliseconds=300), "base": 2}}  # fmt: skip
    monkeypatch.setattr(stores, "_RETRY", retry)
    monkeypatch.setattr(stores, "_TIMEOUT", timedelta(seconds=2))


def test_killed_at_random_moments_and_resumed_it_ends_the_same(home, s3, place):
    """Every row once, the same digests; and in between nothing that only looks finished."""
    path, moments = job(home, place, s3.address), random.Random(20230801)  # noqa: S311
    seen, kills = set(), 0
    while kills < 10:
        run = start(home, path)
        for line in run.stderr:
            if "units to do" in line:
                break
        time.sleep(moments.uniform(0, 1.5))
        run.kill()
        run.communicate()
        there = s3.tree(f"{place}/out")
        if "manifest.json" in there:
            s3.folder(f"{place}/out").clear("")  # too late for this one
            continue
        assert run.returncode == -signal.SIGKILL
        kills += 1
        whole = good(home)
        eligible = {name: data for name, data in there.items() if name.startswith("eligible/")}
        assert not [name for name, data in eligible.items() if whole[name] != data]
        found = status(path)
        assert found.state == "stopped"
        # Units that are done together are committed together: count the objects as well.
        seen.add((found.units_done, len(there)))
        if moments.random() < 0.3:
            s3.folder(f"{place}/out").clear("")
    assert len(seen) > 3, "the moments lie too close together"
    assert finished(home, path) is True
    assert made(s3, place) == good(home)
    assert status(path).rows == SHARDS * 30 * len(NAMES)
    assert lease.LOCK not in s3.folder(f"{place}/out").names()


def test_the_second_of_two_runs_stops_and_disturbs_nobody(home, s3, place):
    path = job(home, place, s3.address)
    first = start(home, path)
    while lease.LOCK not in s3.folder(f"{place}/out").names() and first.poll() is None:
        time.sleep(0.02)
    second = start(home, path)
    _, told = second.communicate()
    first.communicate()
    assert first.returncode == 0
    if "another run" in told:
        assert second.returncode == 1
    else:  # it came when the first was through: then it had nothing to do
        assert second.returncode == 0
    assert made(s3, place) == good(home)


@pytest.mark.parametrize("seed", range(4))
def test_one_request_in_five_fails(home, s3, place, seed, quick):
    with proxy(s3, one_in_five(seed)) as front:
        summary = corpusgate.run(job(home, place, address_of(front)), workers=2)
        kinds = {kind for _, _, kind in front.seen}
    assert kinds == {"", *KINDS}
    assert summary.shards_unreadable == 0
    assert made(s3, place) == good(home)


@pytest.mark.parametrize("kind", ["stall", "503"])
def test_a_store_that_is_slow_or_asks_to_slow_down(home, s3, place, kind, quick):
    chance = random.Random(7)  # noqa: S311 - the same requests each time
    fault = lambda *_: kind if chance.random() < 0.03 else ""  # noqa: E731
    with proxy(s3, fault, stall=3) as front:
        corpusgate.run(job(home, place, address_of(front)), workers=2)
        assert kind in {seen for _, _, seen in front.seen}
    assert made(s3, place) == good(home)


@pytest.mark.parametrize("kind", ["500", "cut", "half", "403"])
def test_one_object_that_cannot_be_read_is_the_one_that_is_named(
    home, s3, place, kind, quick, capsys
):
    """At the first look at it, or when its pages are asked for."""
    name = "2/10.parquet"
    asked = []

    def fault(method, path):
        if method == "GET" and f"/corpus/{name}" in path:
            asked.append(path)
            return kind if len(asked) > (kind == "500") else ""
        return ""

    with proxy(s3, fault) as front:
        path = job(home, place, address_of(front))
        done = home.command(capsys, "run", path, "--workers", "2", "--json")
        assert done.returncode == 3, done.stderr
        assert list(status(path).unreadable) == [name]
        assert name in done.stderr
    written = made(s3, place)
    whole = good(home)
    assert {n: d for n, d in whole.items() if name not in n and "shards" not in n} == {
        n: d for n, d in written.items() if "shards" not in n
    }
    mended = home.command(capsys, "run", job(home, place, s3.address), "--retry-unreadable")
    assert mended.returncode == 0, mended.stderr
    assert made(s3, place) == whole


def test_a_store_that_takes_no_more_stops_the_run_and_the_next_one_goes_on(
    home, s3, place, quick, capsys
):
    """It ends half-way, with one clear line."""
    written = []

    def fault(method, path):
        if method == "PUT" and "/eligible/" in path:
            written.append(path)
        return "500" if method == "PUT" and len(written) > 8 and ".lock" not in path else ""

    with proxy(s3, fault) as front:
        done = home.command(capsys, "run", job(home, place, address_of(front)), "-q")
        assert done.returncode == 1
        assert "the object store answered 500" in done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert "manifest.json" not in s3.tree(f"{place}/out")
    assert corpusgate.run(job(home, place, s3.address), workers=2).shards_unreadable == 0
    assert made(s3, place) == good(home)


def test_a_lock_that_is_lost_ends_the_run_and_leaves_the_others_output(
    home, s3, place, capsys, monkeypatch
):
    """Somebody else starts anew while this run is under way: it publishes nothing more."""
    from corpusgate.jobs import workers

    process, seen = workers.process, []
    folder = s3.folder(f"{place}/out")
    monkeypatch.setattr(lease, "BEAT", 0.1)

    def robbed(group, keys, context):
        if len(seen) == 1:
            folder.clear("")
            folder.create(lease.LOCK, b'{"id": "x", "run": "y", "host": "far", "pid": 1, "beat": 0,'
                          b'"machine": "", "began": "", "started_at": "now"}')  # fmt: skip
        seen.append(group)
        return process(group, keys, context)

    monkeypatch.setattr(workers, "process", robbed)
    done = home.command(capsys, "run", job(home, place, s3.address), "--workers", "1", "-q")
    assert done.returncode == 1
    assert "has ended" in done.stderr or "taken over" in done.stderr
    assert folder.names() == {lease.LOCK}


def test_a_full_disk_for_what_is_to_be_uploaded(home, s3, place, tmp_path):
    """What is small is held in memory: the released file has to be large."""
    Workshop(tmp_path).noise("big.parquet", 4 << 20)
    s3.upload(tmp_path / "corpus", f"{place}/corpus")
    path = job(home, place, s3.address)
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        run = start(home, path, "-q", env={**os.environ, "TMPDIR": str(disk)})
        _, told = run.communicate()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert run.returncode == 1, told
    assert "space" in told
    assert "Traceback" not in told
    assert "manifest.json" not in s3.tree(f"{place}/out")
    assert finished(home, path) is True
    released = made(s3, place)
    assert released.keys() > {name for name in good(home) if name.startswith("eligible/")}
    assert pl.read_parquet(released["eligible/big.parquet"]).height == NOISY


def test_killed_in_the_middle_of_a_large_upload_nothing_is_seen_of_it(home, s3, place, tmp_path):
    """Parts that were uploaded are left to the bucket's own rules; no object is there."""
    Workshop(tmp_path).noise("big.parquet", 40 << 20)
    s3.upload(tmp_path / "corpus", f"{place}/large")
    begun = []

    def fault(method, path):
        if "partNumber" in path:
            begun.append(path)
        return "stall" if len(begun) > 1 else ""

    with proxy(s3, fault, stall=60) as front:
        path = job(home, place, address_of(front),
                   {"input": {"path": f"s3://{BUCKET}/{place}/large"}, "pii": "off"})  # fmt: skip
        run = start(home, path)
        while len(begun) < 2 and run.poll() is None:
            time.sleep(0.05)
        run.kill()
        run.communicate()
    assert run.returncode == -signal.SIGKILL
    assert not [n for n in s3.tree(f"{place}/out") if n.startswith(("eligible", "audit/units"))]
    listed = ET.fromstring(s3.request("GET", f"/{BUCKET}?uploads"))  # noqa: S314 - our server
    assert [each for each in listed.iter() if each.tag.endswith("UploadId")]
    straight = job(home, place, s3.address,
                   {"input": {"path": f"s3://{BUCKET}/{place}/large"}, "pii": "off"})  # fmt: skip
    assert finished(home, straight) is True
    released = s3.folder(f"{place}/out").read("eligible/big.parquet")
    assert pl.read_parquet(released).height == NOISY
