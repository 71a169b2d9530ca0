"""The page on pipelines: its examples run and print what they say."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from corpusgate import EligibilityFilter
from corpusgate.jobs import cli

from docs.conftest import run_command
from docs.pages import Block, blocks, codes, page, section, table

PAGE = page("pipelines.md")
BLOCKS = blocks(PAGE)
PROGRAMS = {block.file: block for block in BLOCKS if block.file}


def shown_after(block: Block) -> str:
    following = BLOCKS[BLOCKS.index(block) + 1]
    assert following.kind == ""
    return following.text


def run_program(code: str, folder: Path) -> str:
    quiet = {"HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0", "LOGURU_LEVEL": "WARNING"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **quiet, "HF_DATASETS_CACHE": str(folder / "hf")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_batch_is_decided_as_shown(python):
    first = next(block for block in BLOCKS if block.kind == "python")
    assert python(first.text, {}) == shown_after(first)


def test_options_are_those_of_the_class():
    told = [codes(row["option"])[0] for row in table(section(PAGE, "What it does"))]
    assert told == [*inspect.signature(EligibilityFilter).parameters]


@pytest.mark.slow
def test_hugging_face(inside):
    pytest.importorskip("datasets")
    block = PROGRAMS["with_datasets.py"]
    assert run_program(block.text, inside) == shown_after(block)


@pytest.mark.slow
def test_datatrove(inside):
    pytest.importorskip("datatrove")
    code = PROGRAMS["with_datatrove.py"].text
    run_program(code.replace('("released")', '("released", compression=None)'), inside)
    [released] = (inside / "released").glob("*.jsonl")
    documents = [json.loads(line) for line in released.read_text("utf-8").splitlines()]
    assert documents
    assert all(each["metadata"]["reason"] for each in documents)
    assert [*(inside / "dropped").iterdir()]


@pytest.mark.slow
def test_ray_data(inside):
    code = PROGRAMS["with_ray.py"].text.replace("/path/to", f"{inside}/build/demo")
    local = "import ray; ray.init(address='local', num_cpus=2, include_dashboard=False)\n"
    out = run_program(local + code, inside)
    assert int(out.split()[-1]) > 0


def test_a_step_gives_its_summary_and_its_exit_code(inside):
    told = section(PAGE, "A step of a DAG")
    rows = [int(row["exit code"]) for row in table(told)]
    assert rows == [cli.DONE, cli.FAILED, cli.USAGE, cli.INCOMPLETE, cli.INTERRUPTED]
    [line] = [block.text.strip() for block in blocks(told) if block.kind == "sh"]
    code, _ = run_command(line)
    assert code == cli.DONE
    summary = json.loads(Path("summary.json").read_text("utf-8"))
    for name in re.findall(r"`(\w+)` of the JSON", told):
        assert name in summary
    assert summary["unreadable"] == []
