"""The page on architecture lists the tree as it is."""

from __future__ import annotations

import re

import pytest

from docs.pages import ROOT, codes, page, section

PAGE = page("architecture.md")
LAYERS = ("filters", "connectors", "jobs")
TABLES = [line for line in section(PAGE, "Where things are").splitlines() if line.startswith("| `")]
LISTED = [codes(line.split("|")[1])[0] for line in TABLES]


@pytest.mark.parametrize("layer", LAYERS)
def test_every_module_is_listed_in_its_layer(layer):
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / layer).rglob("*")
        if path.suffix in {".py", ".yaml"} and path.name != "__init__.py"
    }
    assert there == {name for name in LISTED if name.startswith(f"{layer}/")}


def test_every_listed_file_exists_and_is_listed_once():
    assert len(LISTED) == len(set(LISTED))
    named = [name for name in re.findall(r"`([a-z_]+/[^`\\s]+)`", PAGE) if "*" not in name]
    assert [name for name in {*LISTED, *named} if not (ROOT / name).exists()] == []
