"""docs/sql.md says what is there, and its examples run."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from corpusgate.jobs.cli import main
from corpusgate.jobs.queries import QUERIES
from corpusgate.jobs.session import open_session
from docs.pages import ROOT, blocks, codes, page, section, table

PAGE = page("sql.md")
PROGRAM = ROOT / "examples" / "demo" / "make_corpus.py"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    arguments = [folder / "build/demo", "--records", "3000", "--shards", "12"]
    subprocess.run([sys.executable, PROGRAM, *map(str, arguments)], check=True)
    return folder


@pytest.fixture
def inside(demo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(demo)
    for name in ("sample.parquet", "gate.sql"):
        Path(name).unlink(missing_ok=True)
    return demo


COMMANDS = [
    line for block in blocks(PAGE) if block.kind == "sh" for line in block.text.splitlines()
]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run(inside: Path, line: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(line)[1:])
    assert not stop.value.code, capsys.readouterr().err


CODE = [
    (block.text, after.text)
    for block, after in zip(blocks(PAGE), blocks(PAGE)[1:], strict=False)
    if block.kind == "python" and after.kind == "text"
]


@pytest.mark.parametrize(("code", "printed"), CODE)
def test_python_prints_what_it_says(inside: Path, code: str, printed: str):
    out = StringIO()
    with redirect_stdout(out):
        exec(code, {})  # noqa: S102 - the page's own example
    assert out.getvalue() == printed


def test_relations_are_those_of_a_session(demo: Path):
    named = {codes(row["relation"])[0] for row in table(section(PAGE, "Relations"))}
    database = open_session(demo / "build/demo/job.yaml").database
    there = {name for (name,) in database.sql("SHOW TABLES").fetchall()}
    assert named - there == {"released", "findings", "purge"}
    assert there <= named


def test_named_queries_are_those_there_are():
    rows = table(section(PAGE, "Named queries"))
    said = {codes(row["name"])[0]: row["what it answers"].replace("`", "") for row in rows}
    assert said == {name: query.answers.replace("`", "") for name, query in QUERIES.items()}
