"""The page on storage: its schemes are those there are, its job is one, its commands run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from corpusgate.connectors import lease
from corpusgate.connectors.storage import open_folder, resolve
from corpusgate.connectors.stores import SCHEMES, Storage
from corpusgate.jobs.spec import StorageSpec

from docs.conftest import run_command
from docs.pages import blocks, codes, page, section, table

PAGE = page("storage.md")
URIS = [uri for row in table(PAGE) if "URI" in row for uri in codes(row["URI"])]


def test_the_schemes_are_those_there_are():
    listed = {uri.partition("://")[0] for uri in URIS if "://" in uri}
    assert listed == {"file", "hdfs", *SCHEMES}


@pytest.mark.parametrize("uri", URIS)
def test_every_uri_is_taken(uri):
    resolve(uri.replace("…", "container@account/a"), Path())


def test_the_settings_shown_are_taken():
    (block,) = [block for block in blocks(PAGE) if block.kind == "yaml"]
    job = yaml.safe_load(block.text)
    settings = Storage(**StorageSpec.model_validate(job["storage"]).model_dump())
    for uri in (*job["output"].values(), *job["registers"].values(), job["input"]["path"]):
        assert open_folder(uri, Path(), settings).remote


def test_the_times_are_those_of_the_lock():
    text = section(PAGE, "One run at a time")
    assert f"every {lease.BEAT:.0f} seconds" in text
    assert f"{lease.LEASE:.0f} seconds old" in text


def test_the_commands_run(inside):
    assert run_command("corpusgate run build/demo/job.yaml --quiet")[0] == 0
    states = {codes(row["`state`"])[0] for row in table(section(PAGE, "How far a run is"))}
    for block in blocks(PAGE):
        for line in block.text.splitlines() if block.kind == "sh" else ():
            code, printed = run_command(line)
            assert code == 0, line
            if "--json" in line:
                assert json.loads(printed)["state"] in states
            else:
                assert "finished" in printed
