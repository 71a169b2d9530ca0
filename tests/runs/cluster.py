"""A real Ray cluster of two nodes on this machine, and drivers that connect to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from .workshop import CLI, Workshop

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # all on the loopback interface
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


class Nodes:
    """Two nodes of one CPU each."""

    def __init__(
        self, temporary: str, first: Mapping[str, str] | None, second: Mapping[str, str] | None
    ) -> None:
        from ray._common.utils import get_default_ray_temp_dir
        from ray.cluster_utils import Cluster

        # The address of a cluster is noted there, wherever its nodes keep the rest.
        Path(get_default_ray_temp_dir()).mkdir(parents=True, exist_ok=True)
        self._cluster = Cluster()
        self._options: dict[str, Any] = {
            "num_cpus": 1,
            "memory": 4 << 30,
            "include_dashboard": False,
            "temp_dir": temporary,
        }
        self.first = self.add(first)
        self.second = self.add(second)

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, environment: Mapping[str, str] | None = None) -> Any:
        """Add a node whose processes see other variables."""
        return self._cluster.add_node(**self._options, env_vars=dict(environment or {}))

    def remove(self, node: Any) -> None:
        """End a node as a machine ends that loses its power."""
        self._cluster.remove_node(node, allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@contextmanager
def two_nodes(
    second: Mapping[str, str] | None = None, *, first: Mapping[str, str] | None = None
) -> Iterator[Nodes]:
    """Start two nodes; processes of each see the given variables, too."""
    os.environ.update(QUIET)
    temporary = tempfile.mkdtemp(prefix="cg", dir="/tmp")  # sockets want short paths
    nodes = Nodes(temporary, first, second)
    try:
        yield nodes
    finally:
        nodes.close()
        shutil.rmtree(temporary, ignore_errors=True)


def start(
    workshop: Workshop, job: Path, nodes: Nodes, *flags: str, wait: bool = True
) -> subprocess.Popen[str]:
    """Begin a run on the cluster; with `wait`, until it has looked at everything."""
    run = subprocess.Popen(
        [*CLI, "run", str(job), "--engine", "ray", "--address", nodes.address, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=workshop.folder,
    )
    while wait:
        assert run.stderr is not None
        line = run.stderr.readline()
        if "units to do" in line:
            break
        assert "unreadable" in line, line
    return run


def finish(run: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a run; give its exit code and what it said."""
    _, said = run.communicate(timeout=300)
    return run.returncode, said


def until(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is found, and give it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        what = found()
        if what:
            return what
        time.sleep(0.002)
    raise TimeoutError


def workers(title: str) -> list[psutil.Process]:
    """List the worker processes whose task has such a name."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if line.startswith("ray::") and title in line:
            found.append(process)
    return found


def python_of(folder: Path, code: str) -> dict[str, str]:
    """Give the variables under which every Python process first runs some code."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(code)
    rest = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join([str(folder), *([rest] if rest else [])])}


WORKER = "default_worker.py"
"""Stands in the command line of a Ray worker process."""
