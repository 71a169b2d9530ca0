"""The same units on a Ray cluster: groups in, results out, as `workers.py` does on one machine.

    groups, longest first ─▶ tasks, as many as the cluster takes ─▶ outcomes
      ▲                                                               │ a worker or node died
      └──────────────── again, elsewhere, unit by unit ◀──────────────┘ or cannot write

Units are idempotent and their committed results are what counts, so a task may run twice. Ray
itself runs a task again whose worker or node died; a group that ends its worker every time is tried
unit by unit, until the one that does it is known: that one is unreadable, and the run goes on.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from ..connectors.audit import UnitResult
from ..connectors.manifest import STOPPED, read_run_state, write_run_state
from ..filters.errors import OutputError
from .context import Context
from .plan import Unit, versions
from .ray_task import Outcome, Shared, process_group
from .release import blank
from .workers import grouped

if TYPE_CHECKING:
    from .spec import RaySpec

AHEAD: Final = 2
"""Tasks under way for each CPU: one works, one waits where it will."""

_NODES_OWN: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_TRIES: Final = 3  # of a unit that ends its worker, of a group whose node cannot write
_LOOK: Final = 5.0  # seconds between two looks at the cluster
_PATIENCE: Final = 30.0  # seconds without a result before the cluster is asked whether one can come
_SETTLE: Final = 30.0  # seconds that tasks get to end when a run is interrupted
_UPLOADS: Final = 600.0  # the same where they may be uploading


@dataclass
class _Task:
    """A group under way, how often it ended its worker, and where it cannot write."""

    pairs: list[tuple[Unit, str]]
    deaths: int = 0
    failures: int = 0


@dataclass(frozen=True)
class RayEngine:
    """Runs units on a Ray cluster; `workers` limits the tasks under way, by default one a CPU.

    Without an address, neither here nor in the job nor in RAY_ADDRESS, a Ray of one machine is
    started, which listens on the loopback interface alone, and ended after the run.
    """

    spec: RaySpec
    address: str | None = None
    workers: int | None = None
    warn: Callable[[str], None] = field(default=lambda _: None)

    def __call__(
        self, units: Sequence[Unit], keys: dict[Unit, str], context: Context
    ) -> Iterator[UnitResult]:
        """Process units, yield each result as it comes. Raises OutputError, OSError.

        On Ctrl-C, tasks that have not begun never do, and those under way are told to end.
        """
        address = self.address or self.spec.address or os.environ.get("RAY_ADDRESS")
        with _ray(address, self.workers) as ray:
            cluster = _Cluster(ray, self.workers)
            groups = grouped(units, cluster.slots())
            state = read_run_state(context.output)
            context = replace(context, began=state.started_at if state else None)
            shared = Shared(ray.put(context), versions())
            try:
                yield from _Run(ray, cluster, self, shared, context).results(
                    [(unit, keys[unit]) for unit in group] for group in groups
                )
            finally:
                # What workers that died had begun to write.
                context.output.sweep()
                context.audit.sweep()


class _Cluster:
    """What the cluster has, looked at now and then, since clusters grow and shrink."""

    def __init__(self, ray: Any, workers: int | None) -> None:  # noqa: ANN401 - the module
        self._ray = ray
        self._workers = workers
        self._looked = -_LOOK
        self._cpus = 1
        self.refused: dict[str, OSError] = {}
        """Nodes that could not write, and why."""

    def slots(self) -> int:
        """Count the tasks that can work at a time."""
        if time.monotonic() - self._looked >= _LOOK:
            self._looked = time.monotonic()
            self._cpus = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return min(self._cpus, self._workers) if self._workers else self._cpus

    def limit(self) -> int:
        """Count the tasks that may be under way."""
        return self.slots() if self._workers else AHEAD * self.slots()

    def good(self) -> int:
        """Count the nodes that can take a task and have not refused to write."""
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        return sum(
            1
            for node in nodes
            if node["NodeID"] not in self.refused and node["Resources"].get("CPU", 0) >= 1
        )

    def fits(self, memory: int) -> bool:
        """Say whether some living node could ever hold a task."""
        return any(
            node["Alive"]
            and node["Resources"].get("CPU", 0) >= 1
            and node["Resources"].get("memory", 0) >= memory
            for node in self._ray.nodes()
        )


class _Run:
    """Tasks under way, and what becomes of them."""

    def __init__(
        self,
        ray: Any,  # noqa: ANN401 - the module
        cluster: _Cluster,
        engine: RayEngine,
        shared: Shared,
        context: Context,
    ) -> None:
        self._ray = ray
        self._cluster = cluster
        self._engine = engine
        self._shared = shared
        self._output = context.output
        self._began = context.began
        self._again: deque[_Task] = deque()
        self._pending: dict[Any, _Task] = {}
        self._memory = engine.spec.task_memory_bytes
        self._remote = ray.remote(process_group)
        self._options: dict[str, Any] = {
            "num_cpus": 1,
            "memory": self._memory,
            "max_retries": engine.spec.retries,
            "runtime_env": {"env_vars": {"POLARS_MAX_THREADS": "1"}},
        }

    def results(self, groups: Iterator[list[tuple[Unit, str]]]) -> Iterator[UnitResult]:
        fresh = (_Task(pairs) for pairs in groups)
        heard, warned = time.monotonic(), False
        try:
            while self._submit(fresh):
                done = self._done()
                if done:
                    heard = time.monotonic()
                elif not warned and time.monotonic() - heard > _PATIENCE:
                    warned = self._warn_if_stuck()
                for ref in done:
                    yield from self._taken(ref, self._pending.pop(ref))
        finally:
            self._settle()

    def _submit(self, fresh: Iterator[_Task]) -> bool:
        """Keep the cluster busy; say whether anything is under way."""
        while len(self._pending) < self._cluster.limit():
            task = self._again.popleft() if self._again else next(fresh, None)
            if task is None:
                break
            options = {**self._options, "name": f"corpusgate {task.pairs[0][0].name}"}
            if self._cluster.refused:
                nodes = ",".join(sorted(self._cluster.refused))
                options["label_selector"] = {"ray.io/node-id": f"!in({nodes})"}
            ref = self._remote.options(**options).remote(task.pairs, self._shared)
            self._pending[ref] = task
        return bool(self._pending)

    def _done(self) -> list[Any]:
        refs = list(self._pending)
        done, _ = self._ray.wait(refs, num_returns=1, timeout=_LOOK)
        if done and len(refs) > 1:
            done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        return list(done)

    def _taken(self, ref: Any, task: _Task) -> Iterator[UnitResult]:  # noqa: ANN401
        errors = self._ray.exceptions
        try:
            outcome: Outcome = self._ray.get(ref)
        except errors.RayTaskError as error:
            what = f"a worker could not begin: {type(error.cause).__name__}"
            fix = "install the same corpusgate on every node, and look at the worker's log"
            raise OutputError("ray", what, fix) from None
        except (errors.LocalRayletDiedError, errors.RaySystemError):
            fix = "run again when the cluster is back; finished units are kept"
            raise OutputError("ray", "the cluster is gone", fix) from None
        except errors.RayError as error:
            yield from self._died(task, type(error).__name__)
            return
        if isinstance(outcome.error, OSError):
            self._refused(task, outcome, outcome.error)
        elif outcome.error is not None:
            raise outcome.error
        yield from outcome.results

    def _died(self, task: _Task, how: str) -> Iterator[UnitResult]:
        """Try what ended its worker again, unit by unit; give up on a unit that always does."""
        if len(task.pairs) > 1:
            self._again.extend(_Task([pair], task.deaths, task.failures) for pair in task.pairs)
        elif task.deaths + 1 < _TRIES:
            self._again.append(replace(task, deaths=task.deaths + 1))
        else:
            [(unit, _)] = task.pairs
            what = f"its worker died each time ({how}), most likely for want of memory"
            yield replace(blank(unit), error=what)

    def _refused(self, task: _Task, outcome: Outcome, error: OSError) -> None:
        """Have a group done elsewhere whose node cannot write. Raises OSError if all cannot."""
        if error.errno in _NODES_OWN and outcome.node not in self._cluster.refused:
            why = os.strerror(error.errno).lower()
            self._engine.warn(f"{outcome.host} cannot write and gets no more work: {why}")
            self._cluster.refused[outcome.node] = error
        if task.failures + 1 >= _TRIES or not self._cluster.good():
            raise error
        self._again.append(replace(task, failures=task.failures + 1))

    def _warn_if_stuck(self) -> bool:
        if self._cluster.fits(self._memory):
            return False
        size = f"{self._memory / 1e9:.1f} GB"
        self._engine.warn(
            f"no node of the cluster has a CPU and {size} for a task yet: waiting for one."
            " Lower ray.task_memory_bytes, or give Ray larger nodes"
        )
        return True

    def _settle(self) -> None:
        """Have nothing under way when the run is over.

        Tasks learn it from the run's state: `ray.cancel` can end the driver when a task completes
        at that moment (Ray 2.60).
        """
        refs = list(self._pending)
        self._pending.clear()
        if not refs or not self._ray.is_initialized():
            return
        state = read_run_state(self._output)
        if state is not None and state.started_at == self._began:  # and no other run's by now
            write_run_state(self._output, replace(state, state=STOPPED))
        # What a worker has begun to upload must not end in the next run's output.
        patience = _UPLOADS if self._output.remote else _SETTLE
        self._ray.wait(refs, num_returns=len(refs), timeout=patience)


@contextmanager
def _ray(address: str | None, workers: int | None) -> Iterator[Any]:
    """Give Ray, connected; let go of what was not there before."""
    # Read when Ray is imported or started: nothing is reported, nothing listens to the network.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address is None:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray

    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"address": address}
    if address is None:
        options = {"address": "local", "include_dashboard": False, "num_cpus": workers}
    try:
        ray.init(
            **options,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = "ray" if address is None else f"ray at {address}"
        what = f"cannot be reached: {type(error).__name__}"
        fix = "see that the cluster runs this version of Ray and Python, and give its --address"
        raise OutputError(where, what, fix) from None
    try:
        yield ray
    finally:
        ray.shutdown()
