"""docs/verify.md says what is checked, and its commands run."""

from __future__ import annotations

import re

import pytest
from corpusgate.jobs.verify.verdict import CHECKS

from docs.conftest import run_command
from docs.pages import ROOT, blocks, codes, page, section, table

PAGE = page("verify.md")
COMMANDS = [
    line for block in blocks(PAGE) if block.kind == "sh" for line in block.text.splitlines()
]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_find_the_demo_sound(inside, line):
    code, out = run_command(line)
    assert code == 0, out


def test_checks_are_those_that_are_made():
    rows = table(section(PAGE, "What is checked"))
    assert {codes(row["check"])[0]: row["what holds if nothing is wrong"] for row in rows} == CHECKS


def test_options_are_those_that_there_are():
    source = (ROOT / "jobs/verify/cli.py").read_text("utf-8")
    there = set(re.findall(r'typer\.Option\(\s*"(--[a-z-]+)"', source))
    named = {name.split()[0] for row in table(PAGE) for name in codes(row["option"])}
    assert named == there
