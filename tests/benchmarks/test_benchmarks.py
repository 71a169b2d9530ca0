"""The benchmarks run, and what they compare is the same thing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # whole programs, each of them

HERE = Path(__file__).parents[2] / "benchmarks"


def run(program: str, *arguments: str) -> list[dict]:
    command = [sys.executable, str(HERE / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    build = "import sys, pathlib, generate; generate.build(pathlib.Path(sys.argv[1]), 12_000)"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=HERE, check=True)
    return folder


def test_what_is_written_by_hand_releases_what_the_gate_releases(corpus, tmp_path):
    [gate] = run("gate.py", str(corpus / "job.yaml"))
    assert gate["rows"] > 0
    for which in ("chain", "text-last", "duckdb"):
        [by_hand] = run("by_hand.py", which, str(corpus), str(tmp_path / f"{which}.parquet"))
        assert by_hand["rows"] == gate["rows"], which


def test_a_session_and_a_query_by_hand_count_the_same(corpus):
    [facts] = run("session.py", str(corpus), "1")
    assert facts["session_s"]
    assert facts["by_hand_s"]


@pytest.mark.slow
def test_functions_reduce_what_a_reducer_does():
    [facts] = run("functions.py", "1", "1")
    assert facts["megabytes"] > 0


def test_a_verification_is_timed(corpus):
    [gate] = run("gate.py", str(corpus / "job.yaml"))
    [second] = run("second.py", str(corpus / "out"))
    assert second["rows"] == gate["rows"]


def test_real_text_keeps_every_record_and_every_letter():
    data = os.environ.get("CORPUSGATE_DATA")
    if not data:
        pytest.skip("real text comes by CORPUSGATE_DATA, which is not set")
    results = run("real.py", "--data", data)
    assert {result["kind"] for result in results} == {"chat", "documents"}
    assert {result["checked"] for result in results} == {"same text, all records decided"}
    assert all(0 < result["eligible"] < result["records"] for result in results)


def test_the_cost_of_a_run_is_fitted_and_a_schedule_keeps_its_bounds(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import numpy as np
    import schedule

    cost = schedule.fit([(20, 1000, 102.0), (20_000, 1000, 300.0)])
    assert cost.megabyte * 1000 + cost.file * 20 == pytest.approx(102, rel=0.01)
    assert cost.megabyte * 1000 + cost.file * 20_000 == pytest.approx(300, rel=0.01)
    seconds = []
    for cores in (1, 16, 64):
        rng = np.random.default_rng(3)
        files = schedule.sizes(100_000, 256, 1.0, rng)
        assert files.sum() == pytest.approx(100_000)
        done = schedule.simulate(files, cost, cores, schedule.Cluster(), rng)
        assert done.seconds >= max(done.bounds.values())
        assert 0 < done.busy <= 1.01
        seconds.append(done.seconds)
    assert seconds == sorted(seconds, reverse=True)
