"""The page on job files: its keys are the models', its jobs run."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from corpusgate.connectors.storage import INPUT_SUFFIXES
from corpusgate.filters.document import parse_document
from corpusgate.filters.schema import PROVENANCE, REQUIRED
from corpusgate.jobs import cli
from corpusgate.jobs.plan import ENGINES
from corpusgate.jobs.spec import (
    InputSpec,
    Job,
    KeySpec,
    OutputSpec,
    PiiSpec,
    RaySpec,
    RegisterSpec,
    RegistersSpec,
    SourceSpec,
    StorageSpec,
    parse_job,
)
from pydantic_core import PydanticUndefined

from docs.conftest import run_command
from docs.pages import blocks, codes, page, section, table

PAGE = page("job.md")
(WHOLE,) = [block for block in blocks(PAGE) if block.file]
SECTIONS = {
    "Keys": Job,
    "`input`": InputSpec,
    "`input.columns`": SourceSpec,
    "`registers`": RegisterSpec,
    "`output`": OutputSpec,
    "`storage`": StorageSpec,
    "`pii`": PiiSpec,
    "`key`": KeySpec,
    "`ray`": RaySpec,
}
INPUT = {"path": ["c"], "columns": {"record_id": "id"}, "text": ["t"]}
LEAST: dict[Any, dict[str, Any]] = {
    Job: {"policy": "p", "purpose": "search", "input": INPUT, "output": {"path": "o"}},
    InputSpec: INPUT,
    OutputSpec: {"path": "o"},
}


@pytest.mark.parametrize("heading", SECTIONS)
def test_keys_are_those_of_the_model(heading):
    rows = table(section(PAGE, heading))
    assert [codes(row["key"])[0] for row in rows] == list(SECTIONS[heading].model_fields)


@pytest.mark.parametrize("heading", SECTIONS)
def test_defaults_are_those_of_the_model(heading):
    for row in table(section(PAGE, heading)):
        (key,) = codes(row["key"])
        field = SECTIONS[heading].model_fields[key]
        if field.is_required():
            assert row["default"] == "required", key
            continue
        default = field.get_default(call_default_factory=True, validated_data={})
        assert default is not PydanticUndefined
        if isinstance(default, (RegistersSpec, PiiSpec, RaySpec, StorageSpec)):
            default = default.model_dump(exclude_defaults=True)
        told = None if row["default"] == "none" else parse_document(codes(row["default"])[0]).data
        assert told == default, key


@pytest.mark.parametrize("heading", SECTIONS)
def test_examples_are_taken(heading):
    model = SECTIONS[heading]
    for row in table(section(PAGE, heading)):
        if row["example"] == "see below":
            continue
        example = parse_document(codes(row["example"])[0]).data
        assert list(example) == codes(row["key"])
        model.model_validate({**LEAST.get(model, {}), **example})


def test_the_whole_job_runs(inside):
    (inside / "build/demo/whole.yaml").write_text(WHOLE.text, "utf-8")
    lines = [line for b in blocks(PAGE) if b.kind == "sh" for line in b.text.splitlines()]
    assert len(lines) == 2
    for line in lines:
        code, out = run_command(line.replace("whole.yaml", "build/demo/whole.yaml"))
        assert code == 0, line
        assert out
    assert (inside / "build/demo/whole-audit/decisions").is_dir()


def test_provenance_columns_are_those_of_the_schema():
    told = section(PAGE, "`input.columns`")
    rows = table(told[told.index("| provenance column") :])
    assert {codes(row["provenance column"])[0]: row["type"] for row in rows} == {
        name: str(kind) for name, kind in PROVENANCE.items()
    }
    required = [
        codes(r["provenance column"])[0] for r in rows if r["meaning"].startswith("required")
    ]
    assert tuple(required) == REQUIRED


def test_forms_of_times_are_taken():
    for row in table(section(PAGE, "`input.columns`").partition("Times:")[2]):
        (form,) = codes(row["map it as"])
        job = yaml.safe_load(WHOLE.text)
        text = WHOLE.text.replace("submitted_at: created_at", form)
        assert parse_job(text).input.columns["submitted_at"].source().column == "ts"
        assert job["input"]["columns"]["submitted_at"] == "created_at"


FORMS = section(PAGE, "`registers`")
URIS = [uri for row in table(FORMS[FORMS.index("| form") :]) for uri in codes(row["example"])]


@pytest.mark.parametrize("uri", URIS)
def test_forms_of_registers_are_taken(uri):
    text = WHOLE.text.replace("registers/consent.parquet", f'"{uri}"')
    assert parse_job(text).registers.consent.path == uri


def test_suffixes_are_those_that_are_read():
    told = {*codes(section(PAGE, "`input`"))}
    assert {".parquet", ".jsonl", ".ndjson", ".gz", ".zst"} <= told
    plain = {re.sub(r"\.(gz|zst)$", "", suffix) for suffix in INPUT_SUFFIXES}
    assert plain == {".parquet", ".jsonl", ".ndjson"}


def test_exit_codes_are_those_of_the_command_line():
    rows = table(section(PAGE, "Running"))
    assert [int(row["exit code"]) for row in rows] == [
        cli.DONE, cli.FAILED, cli.USAGE, cli.INCOMPLETE, cli.INTERRUPTED,
    ]  # fmt: skip


def test_versions_that_a_unit_depends_on_are_named():
    told = " ".join(section(PAGE, "Running").split()).lower()
    assert all(name in told for name in ENGINES)
