"""The page on personal information: its tables are the code's, its commands run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.filters.reduce.operators import PARAMETERS
from corpusgate.filters.reduce.pseudonyms import Key, pseudonym, reserved
from corpusgate.filters.reduce.record_rules import parse_record_rules
from corpusgate.filters.texts.paths import parse_path
from corpusgate.jobs import cli
from corpusgate.jobs.pii import cli as pii_cli
from corpusgate.jobs.pii.catalogue import Entry, catalogue
from corpusgate.jobs.pii.listing import FOUND

from docs.conftest import run_command
from docs.pages import blocks, codes, page, section, table

PAGE = page("pii.md")
LOOKED_FOR = section(PAGE, "What is looked for")
LEFT_OUT = section(PAGE, "Records that are left out")
COMMAND_LINE = section(PAGE, "The command line")
LINES = [line for block in blocks(PAGE) if block.kind == "sh" for line in block.text.splitlines()]
KEY = Key(b"sixteen bytes or more")
VALUES = {
    "EMAIL_ADDRESS": "ada@lovelace.org", "URL": "https://lovelace.org", "PERSON": "Ada Lovelace",
    "PHONE_NUMBER": "+1 212 736 5000", "CREDIT_CARD": "4539 1488 0343 6467",
    "IBAN_CODE": "DE75512108001245126199", "IP_ADDRESS": "8.8.8.8", "LOCATION": "Turin",
    "MAC_ADDRESS": "3c:22:fb:00:11:22", "US_SSN": "536-22-1234", "US_ITIN": "912-78-1234",
    "UK_NHS": "401 023 2137", "UK_NINO": "AB123456C",
}  # fmt: skip


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return catalogue()


def spoken(languages: tuple[str, ...]) -> str:
    return ", ".join(languages) or "all"


def test_default_entities_are_those_of_the_catalogue(entries):
    told = [(*codes(r["entity"]), r["country"], r["languages"]) for r in table(LOOKED_FOR)]
    assert told == [
        (entry.entity, entry.country or "", spoken(entry.languages))
        for entry in entries
        if entry.asked == "default"
    ]


def test_entities_by_name_are_those_of_the_catalogue(entries):
    told = {
        (name, row["country"].strip("`").removeprefix("country:"), row["languages"])
        for row in table(LOOKED_FOR.partition("By name")[2])
        for name in codes(row["entities"])
    }
    assert told == {
        (entry.entity, entry.country or "none", spoken(entry.languages))
        for entry in entries
        if entry.asked == "by name"
    }


def test_operators_have_the_parameters_that_they_take():
    rows = table(section(PAGE, "What becomes of it"))
    told = {codes(row["operator"])[0]: tuple(codes(row["parameters"])) for row in rows}
    assert told == dict(PARAMETERS)


def test_entities_with_reserved_pseudonyms_are_listed(entries):
    listed = [codes(row["entity"])[0] for row in table(section(PAGE, "Pseudonyms"))]
    assert sorted(listed) == sorted(VALUES)
    for entity in listed:
        made = pseudonym(KEY, "run", entity, VALUES[entity])
        assert reserved(entity, made), entity
        assert not made.startswith("<"), entity
    for entry in entries:
        if entry.entity not in listed:
            assert pseudonym(KEY, "run", entry.entity, "abc").startswith(f"<{entry.entity}_")


def test_rules_for_records_are_those_that_are_read():
    rules = [codes(row["rule"])[0] for row in table(LEFT_OUT[LEFT_OUT.index("| rule") :])]
    values = {"entities": ["US_SSN"]}
    read, faults = parse_record_rules({name: values.get(name, 5) for name in rules})
    assert faults == []
    assert list(read.describe()) == rules


def test_paths_are_read():
    for row in table(section(PAGE, "Where it is looked for")):
        (path, *_) = codes(row["path"])
        assert parse_path(path).text == path
    assert parse_path("payload{}").json
    assert parse_path("messages[].tool_calls[].function.arguments").json


def test_columns_of_the_list_are_those_that_are_written():
    assert [codes(row["column"])[0] for row in table(COMMAND_LINE)] == ["record_id", *FOUND]


def test_exit_codes_are_those_of_the_command_line():
    rows = table(COMMAND_LINE[COMMAND_LINE.index("| exit code") :])
    told = [int(row["exit code"]) for row in rows]
    assert told == [cli.DONE, cli.FAILED, pii_cli.USAGE, pii_cli.INCOMPLETE]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the page's commands find: a corpus, gold, the page's files, a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PII_KEY", "0123456789abcdef0123")
    Path("corpus").mkdir()
    chat = [[{"role": "user", "content": "I am ada@lovelace.org"}]]
    text = ["case TKT-123456 of ada@lovelace.org"]
    pq.write_table(pa.table({"doc_id": ["a"], "text": text, "chat": chat}), "corpus/a.parquet")
    spans = [[{"start": 19, "end": 35, "label": "EMAIL"}]]
    pq.write_table(pa.table({"doc_id": ["a"], "text": text, "spans": spans}), "gold.parquet")
    for block in blocks(PAGE):
        if block.file:
            Path(block.file).write_text(block.text, "utf-8")
    return tmp_path


@pytest.mark.parametrize("line", LINES, ids=[f"command-{n}" for n in range(len(LINES))])
def test_commands_run(folder, line):
    code, printed = run_command(line)
    assert code == 0
    assert "lovelace" not in printed
    if "tickets.yaml" in shlex.split(line):
        assert "TICKET" in printed
    if "reduce" in line:
        files = folder.glob("*/a.parquet")
        (written,) = [path for path in files if path.parent.name != "corpus"]
        assert "ada@lovelace.org" not in pq.read_table(written)["text"].to_pylist()[0]
