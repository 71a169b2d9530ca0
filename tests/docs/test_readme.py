"""Everything the README tells people to run, run; everything it shows, shown."""

from __future__ import annotations

import json
import re
import shlex
import tomllib

import pytest
import yaml

from docs.conftest import RECORDS, make_demo, run_command
from docs.pages import ROOT, Block, blocks, page, section

README = page("README.md")
BLOCKS = blocks(README)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def lines_of(kind: str) -> list[str]:
    return [line for block in BLOCKS if block.kind == kind for line in block.text.splitlines()]


def shown_after(block: Block) -> Block:
    """Give the output that the page shows for a block."""
    after = BLOCKS[BLOCKS.index(block) + 1]
    assert after.kind == "text", f"line {block.line}"
    return after


COMMANDS = [line for line in lines_of("sh") if line.startswith("corpusgate ")]
MADE = [line for line in lines_of("sh") if line.startswith("make ")]
INSTALLS = [line for line in lines_of("sh") if line.startswith("pip ")]


def test_every_command_is_of_a_kind_that_is_tested():
    assert {*lines_of("sh")} == {*COMMANDS, *MADE, *INSTALLS}
    assert {block.kind for block in BLOCKS} == {"sh", "text", "yaml", "python"}
    assert len(README.splitlines()) <= 166


@pytest.mark.parametrize("line", MADE)
def test_every_make_target_exists(line):
    assert line.removeprefix("make ") in TARGETS


@pytest.mark.parametrize("line", INSTALLS)
def test_every_extra_that_is_installed_exists(line):
    extras = [name for group in re.findall(r"\[([\w,]+)\]", line) for name in group.split(",")]
    assert re.fullmatch(r'pip install (\.|"\.\[[\w,]+\]")', line)
    assert {*extras} <= PROJECT["optional-dependencies"].keys()


def test_commands_run_in_their_order(inside):
    for block in BLOCKS:
        if block.file:
            (inside / block.file).write_text(block.text, "utf-8")
    for line in COMMANDS:
        code, out = run_command(line)
        assert code == 0, line
        if "explain" in line or "plan" in line:
            assert "openai-api-data" in out
    assert yaml.safe_load((inside / "build/demo/draft.yaml").read_text("utf-8"))["input"]
    summary = json.loads((inside / "summary.json").read_text("utf-8"))
    assert summary["rows_in"] == RECORDS == summary["eligible"] + summary["excluded"]


def test_python_prints_what_it_shows(inside, python):
    (block,) = [block for block in BLOCKS if block.kind == "python"]
    (job,) = [block for block in BLOCKS if block.file]
    (inside / job.file).write_text(job.text, "utf-8")
    assert python(block.text, {}) == shown_after(block).text


def bare(line: str) -> str:
    """Leave out what differs between a small and a large demo: numbers and how wide they are."""
    return " ".join(re.sub(r"[\d,.]*\d%?", "#", line).split())


def test_the_demo_ends_with_a_table_as_shown(inside):
    block = next(block for block in BLOCKS if "make demo" in block.text)
    code, out = run_command("corpusgate run build/demo/job.yaml")
    assert code == 0
    seen = {bare(line) for line in out.splitlines()}
    for line in shown_after(block).text.splitlines():
        assert line == "…" or bare(line) in seen, line


@pytest.mark.slow
def test_the_whole_demo_gives_the_numbers_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    make_demo(tmp_path)
    code, out = run_command(f"corpusgate run {tmp_path}/build/demo/job.yaml")
    assert code == 0
    seen = {" ".join(line.split()) for line in out.splitlines()}
    block = next(block for block in BLOCKS if "make demo" in block.text)
    for line in shown_after(block).text.splitlines():
        assert line == "…" or " ".join(line.split()) in seen, line


def test_exit_codes_are_those_of_the_command_line():
    from corpusgate.jobs import cli

    told = section(README, "What comes out").partition("Exit codes:")[2]
    codes = {int(code) for code in re.findall(r"(?:^|;)\s*(\d+) ", told)}
    assert codes == {cli.DONE, cli.FAILED, cli.USAGE, cli.INCOMPLETE, cli.INTERRUPTED}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["run", "no-such-job.yaml"], 2), (["run"], 2), (["policy", "check", "no-such-policy"], 2)],
)
def test_bad_usage_is_told_by_its_exit_code(arguments, code, inside):
    assert run_command(shlex.join(["corpusgate", *arguments]))[0] == code


@pytest.mark.parametrize("name", ["README.md", *(path.name for path in ROOT.glob("docs/*.md"))])
def test_every_link_leads_somewhere(name):
    text = page(name)
    base = ROOT if name == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if not target.startswith(("http://", "https://")):
            assert (base / target.partition("#")[0]).exists(), target


def test_the_readme_is_the_project_s_page():
    assert PROJECT["readme"] == "README.md"
