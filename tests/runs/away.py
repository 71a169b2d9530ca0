"""A workshop's corpus and registers elsewhere, and jobs over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import corpusgate
import pytest

from .workshop import CHANGING, Workshop, merge, tree
from .world import REGISTERS

SHARDS = ("a.parquet", "day=1/b c.parquet", "team=r%26d/c.parquet")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards, and the output of an undisturbed run."""
    workshop = Workshop(tmp_path_factory.mktemp("home"))
    for name in SHARDS:
        workshop.shard(name)
    workshop.run()
    return workshop.folder


class Away:
    """They lie in `store`, which may be HDFS: then `address` is None, it stands in the URIs."""

    def __init__(self, workshop: Workshop, store: Any, prefix: str) -> None:
        self.workshop, self.store, self.prefix = workshop, store, prefix
        store.upload(workshop.folder / "corpus", f"{prefix}/corpus")
        store.upload(workshop.folder / "registers", f"{prefix}/registers")

    def uri(self, path: str) -> str:
        return self.store.uri(f"{self.prefix}/{path}")

    def job(
        self,
        changes: Mapping[str, Any] | None = None,
        name: str = "away.yaml",
        address: str | None = None,
    ) -> Path:
        registers = {name: self.uri(f"registers/{name}.parquet") for name in REGISTERS}
        away = {
            "input": {"path": self.uri("corpus")},
            "registers": registers,
            "output": {"path": self.uri("out")},
            "storage": {"endpoint": address or self.store.address, "region": "us-east-1"},
        }
        return self.workshop.job(merge(away, changes or {}), name)

    def run(self, changes: Mapping[str, Any] | None = None, **options: Any) -> corpusgate.Summary:
        return corpusgate.run(self.job(changes), **{"workers": 1, **options})

    def tree(self, path: str = "out") -> dict[str, bytes]:
        """What must be equal, wherever it was made; units' results are named by their inputs."""
        found = self.store.tree(f"{self.prefix}/{path}")
        return {name: data for name, data in found.items() if comparable(name)}


def comparable(name: str) -> bool:
    return not (name in CHANGING or name.startswith("audit/units/") or name == "manifest.json")


def at_home(workshop: Workshop, out: Path | None = None) -> dict[str, bytes]:
    return {name: data for name, data in tree(out or workshop.out).items() if comparable(name)}
