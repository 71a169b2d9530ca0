"""The page on clusters: its commands print its figures, its manifest and flags are taken."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
import yaml
from corpusgate.jobs import cli, ray_engine
from corpusgate.jobs.spec import RaySpec
from typer.testing import CliRunner

from docs.pages import ROOT, blocks, codes, page, section, table

PAGE = page("scale.md")
LINES = [line for block in blocks(PAGE) if block.kind == "sh" for line in block.text.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_a_table_is_what_its_command_prints(line):
    program, *arguments = shlex.split(line)
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    printed = done.stdout.splitlines()
    told = [row for row in PAGE.partition(f"\n{line}\n")[2].splitlines() if row.startswith("|")]
    assert told[:2] == printed[:2]
    assert told[2 : len(printed)] == printed[2:]


def test_the_manifest_is_a_rayjob_whose_command_is_taken():
    [block] = [block for block in blocks(PAGE) if block.file == "rayjob.yaml"]
    job = yaml.safe_load(block.text)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    [worker] = cluster["workerGroupSpecs"][0]["template"]["spec"]["containers"]
    assert int(worker["resources"]["limits"]["memory"][:-2]) / 16 > 1.5 * 1.3
    taken(job["spec"]["entrypoint"])


def taken(line: str) -> None:
    """See that every option of a `corpusgate` command is one."""
    _, command, *arguments = shlex.split(line, comments=True)
    told = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    for option in arguments:
        if option.startswith("--"):
            assert option in told.output, option


def test_commands_are_taken():
    lines = re.findall(r"corpusgate run [^`\n#]+", PAGE)
    assert len(lines) > 5
    for line in lines:
        taken(line)


def test_words_of_failures_are_those_of_the_program():
    told = section(PAGE, "What failure looks like")
    source = " ".join(
        " ".join((ROOT / name).read_text("utf-8").split())
        for name in (
            "jobs/ray_engine.py", "jobs/ray_task.py", "jobs/cli.py", "connectors/lock.py",
            "jobs/progress.py", "connectors/lease.py",
        )
    )  # fmt: skip
    shown = [codes(row["what you see"]) for row in table(told)]
    words = [text for each in shown for text in each]
    assert len(words) > 6
    for text in words:
        fixed = re.split(r"NODE|NAME|\d+\.\d+[\d.]*|…|warning: |unreadable: |: polars", text)
        for part in fixed:
            assert part.strip(" :") in source.replace('" "', ""), part
    assert f"after {ray_engine._PATIENCE:.0f} s" in told
    assert f"{RaySpec().task_memory_bytes / 1e9:.1f} GB" in told
