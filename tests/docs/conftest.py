"""A small demo, and a place to run a page's examples in."""

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from corpusgate.jobs.cli import main

from docs.pages import ROOT

RECORDS = 3_000


def make_demo(folder: Path, *arguments: str) -> Path:
    """Build the demo below `build/demo`, as `make demo` does."""
    program = ROOT / "examples" / "demo" / "make_corpus.py"
    target = folder / "build" / "demo"
    subprocess.run([sys.executable, program, target, *arguments], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small demo that has run; only looked at, but for new outputs beside it."""
    folder = make_demo(tmp_path_factory.mktemp("docs"), "--records", str(RECORDS), "--shards", "12")
    code, _ = run_command(f"corpusgate run {folder}/build/demo/job.yaml --quiet")
    assert code == 0
    return folder


def run_command(line: str) -> tuple[int, str]:
    """Run a `corpusgate` command line in this process; give its exit code and its stdout."""
    program, *arguments = shlex.split(line, comments=True)
    assert program == "corpusgate", line
    target = None
    if ">" in arguments:
        arguments, (_, target) = arguments[:-2], arguments[-2:]
    out, code = io.StringIO(), 0
    with redirect_stdout(out):
        try:
            main(arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
    if target is not None:
        Path(target).write_text(out.getvalue(), "utf-8")
        return code, ""
    return code, out.getvalue()


@pytest.fixture
def inside(demo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in the demo's folder, on a wide page without colours."""
    monkeypatch.chdir(demo)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    return demo


@pytest.fixture
def python(inside: Path) -> Callable[[str, dict[str, Any]], str]:
    """Run a page's Python in the demo's folder and give what it prints."""

    def run(code: str, names: dict[str, Any]) -> str:
        out = io.StringIO()
        with redirect_stdout(out):
            exec(compile(code, os.fspath(inside), "exec"), names)  # noqa: S102 - our own page
        return out.getvalue()

    return run
