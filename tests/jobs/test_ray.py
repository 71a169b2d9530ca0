"""A run on Ray: the same bytes as a local one, and nothing that a cluster can see too much of."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace

import pytest
from corpusgate.filters.errors import OutputError, UnitError
from corpusgate.jobs import ray_task
from corpusgate.jobs.plan import versions
from corpusgate.jobs.ray_task import Shared, outcome
from corpusgate.jobs.spec import parse_job
from runs.world import CANARY

SHARED = Shared("a run", versions())


@pytest.fixture(autouse=True)
def _no_run_is_held(monkeypatch):
    monkeypatch.setattr(ray_task, "_held", {})


class _Context:
    """Stands for a run's context where only its loading counts."""

    def __init__(self, loads: list[str]) -> None:
        self.reduction = self
        self.began = None
        self._loads = loads

    def load(self) -> None:
        self._loads.append("loaded")

    def check_goes_on(self) -> None:
        """It does."""


def test_a_process_fetches_a_runs_context_once(monkeypatch):
    from corpusgate.jobs import shard

    monkeypatch.setattr(shard, "process", lambda *_: [])
    loads, fetches = [], []

    def fetch():
        fetches.append("fetched")
        return _Context(loads)

    for shared in (SHARED, SHARED, Shared("another", versions()), SHARED):
        assert outcome([], shared, fetch, "n").error is None
    assert len(fetches) == len(loads) == 3


def test_a_worker_with_other_versions_gives_no_result():
    other = {**versions(), "polars": "0.1"}
    done = outcome([], Shared("a run", other), lambda: pytest.fail("fetched"), "n")
    assert isinstance(done.error, OutputError)
    assert "polars is" in str(done.error)
    assert "0.1" in str(done.error)


def test_what_nobody_foresaw_comes_back_without_its_words(monkeypatch):
    from corpusgate.jobs import shard

    def broken(*_):
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(shard, "process", broken)
    done = outcome([], SHARED, lambda: _Context([]), "n")
    assert "ZeroDivisionError at test_ray.py" in str(done.error)
    assert CANARY not in str(done.error)


@pytest.mark.parametrize("error", [OSError(28, "full"), UnitError("a", "b", "c")])
def test_what_is_raised_on_purpose_comes_back_as_it_is(monkeypatch, error):
    from corpusgate.jobs import shard

    def failing(*_):
        raise error

    monkeypatch.setattr(shard, "process", failing)
    assert outcome([], SHARED, lambda: _Context([]), "n").error is error


def test_where_a_job_runs_does_not_decide_its_output():
    text = "policy: p\npurpose: search\noutput: {path: o}\npii: off\ninput:\n  path: c\n  text: t\n"
    text += "  columns: {record_id: id, surface: {constant: public_web}}\n"
    ray = "engine: ray\nray: {address: 'a:1', task_memory_bytes: 5, retries: 0}\n"
    assert parse_job(text + ray).ray.retries == 0
    assert parse_job(text + ray).settings() == parse_job(text).settings()


def test_an_address_wants_ray(workshop, capsys):
    workshop.shard("a.parquet")
    done = workshop.command(capsys, "run", workshop.job(), "--address", "127.0.0.1:1")
    assert done.returncode == 2
    assert "--engine ray" in done.stderr
    with pytest.raises(ValueError, match="engine"):
        workshop.run(address="127.0.0.1:1")


def test_a_cluster_that_is_not_there_is_one_clear_line(workshop):
    workshop.shard("a.parquet")
    done = workshop.cli("run", workshop.job(), "--engine", "ray", "--address", "nowhere")
    assert done.returncode == 1
    assert "ray at nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_that_outlives_its_run_publishes_nothing(workshop, monkeypatch):
    from corpusgate.jobs import local, shard

    def outlived(units, keys, context):
        return iter(shard.process(units, keys, replace(context, began="before")))

    monkeypatch.setattr(local, "_engine", lambda *_: nullcontext(outlived))
    workshop.shard("a.parquet")
    with pytest.raises(OutputError, match="has ended"):
        workshop.run()
    assert not [*(workshop.out / "eligible").rglob("*")]
    assert not [*(workshop.out / "audit").rglob("*.parquet")]


def test_ray_is_imported_only_when_asked_for(workshop):
    workshop.shard("a.parquet")
    code = (
        "import sys; from corpusgate.jobs.cli import main\n"
        "try: main(['run', 'job.yaml', '--quiet'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "import corpusgate.jobs.ray_task\n"
        "assert 'ray' not in sys.modules"
    )
    workshop.job()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=workshop.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
