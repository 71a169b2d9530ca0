"""Compiled patterns are kept, and never relied on."""

from __future__ import annotations

import os
import stat

import pytest
from corpusgate.connectors.compiled import cached


@pytest.fixture
def folder(tmp_path, monkeypatch):
    place = tmp_path / "cache"
    monkeypatch.setenv("CORPUSGATE_CACHE", str(place))
    return place


def test_made_once(folder):
    calls = []

    def make():
        calls.append(1)
        return b"database"

    assert cached("key", make) == b"database"
    assert cached("key", make) == b"database"
    assert cached("other", make) == b"database"
    assert len(calls) == 2
    (first, _) = folder.iterdir()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"", b"x", b"corpusgate compiled 1\n" + bytes(40)])
def test_a_damaged_file_is_made_again(folder, damage):
    cached("key", lambda: b"old")
    (file,) = folder.iterdir()
    file.write_bytes(damage)
    assert cached("key", lambda: b"new") == b"new"
    assert cached("key", lambda: b"newer") == b"new"


def test_without_a_cache_it_is_made(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("CORPUSGATE_CACHE", str(blocked / "cache"))
    assert cached("key", lambda: b"made") == b"made"


def test_the_user_s_own_cache_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("CORPUSGATE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cached("key", lambda: os.urandom(8))
    assert list((tmp_path / "corpusgate").rglob("*"))
