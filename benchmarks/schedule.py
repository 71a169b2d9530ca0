"""How long a run takes on a cluster, and what holds it up first: a simulated schedule.

    python benchmarks/schedule.py                          the table of docs/scale.md
    python benchmarks/schedule.py --terabytes 1 --file-megabytes 1
    python benchmarks/schedule.py --speed 12 --file-ms 9   with figures of your own

Megabytes are of text, before compression. `python benchmarks/run.py scale` measures the speed of a
core and the cost of a file. Files have sizes spread log-normally, are cut and grouped as `run` does
it, and go longest first to whichever core is free; nodes differ in speed, some tasks straggle, some
nodes are lost and their tasks begin again. Deterministic.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from corpusgate.jobs.workers import GROUP_FILES, GROUP_ROWS, GROUPS_EACH

TERABYTE = 1_000_000.0  # in megabytes
SIZES = (1, 10, 100)
CORES = (16, 64, 256, 1024, 4096)


@dataclass(frozen=True)
class Cost:
    """Seconds of one core: for a megabyte of text, for a file."""

    megabyte: float
    file: float


@dataclass(frozen=True)
class Cluster:
    """What is assumed of a cluster beside its cores; times in seconds."""

    cores_per_node: int = 16
    start: float = 30.0  # Ray is up, workers have begun, registers are loaded
    task: float = 0.001  # of the driver, for each task
    lost: float = 0.02  # nodes lost in an hour, of all
    notice: float = 15.0  # until a lost node is noticed
    straggling: float = 0.01  # of all tasks
    slow: float = 3.0  # times as long
    spread: float = 0.1  # of the nodes' speeds
    footer: float = 0.05  # of a first look at a file
    looks: int = 32  # at a time
    requests: int = 9  # to the store, for each file
    requests_per_second: float = 5500.0  # of one prefix of a store


@dataclass(frozen=True)
class Outcome:
    """What a simulated run came to: seconds, the cores' share of work, what held it up."""

    tasks: int
    seconds: float
    busy: float
    bounds: dict[str, float]

    def first(self) -> str:
        """Name what a run could not be shorter than, the longest of all."""
        return max(self.bounds, key=lambda name: self.bounds[name])


def fit(runs: Iterable[tuple[int, float, float]]) -> Cost:
    """Fit the cost to measured runs: each is files, megabytes, CPU seconds.

    >>> fit([(20, 1000, 102), (20_000, 1000, 300)])
    Cost(megabyte=0.1018, file=0.0099)
    """
    rows = np.array([(megabytes, files, seconds) for files, megabytes, seconds in runs])
    found, *_ = np.linalg.lstsq(rows[:, :2], rows[:, 2], rcond=None)
    megabyte, file = (max(0.0, round(float(value), 4)) for value in found)
    return Cost(megabyte, file)


def sizes(megabytes: float, mean: float, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the sizes of files, together `megabytes`."""
    count = max(1, round(megabytes / mean))
    drawn = rng.lognormal(0, sigma, count)
    return np.asarray(drawn * megabytes / drawn.sum())


def tasks(files: np.ndarray, cost: Cost, cores: int, unit: float, group: int) -> np.ndarray:
    """Cut files into units, put small ones together, give the tasks' seconds, longest first."""
    parts = np.ceil(files / unit).astype(int)
    units = np.sort(np.repeat(files / parts, parts))[::-1]
    # Megabytes in a group, of rows of a kilobyte.
    limit = min(GROUP_ROWS / 1000, units.sum() / (GROUPS_EACH * cores))
    filled = np.floor(np.cumsum(units) / max(limit, 1e-9))
    counted = np.arange(len(units)) // group
    edges = np.flatnonzero((np.diff(filled) > 0) | (np.diff(counted) > 0)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.append(starts, len(units)))
    seconds = np.add.reduceat(units, starts) * cost.megabyte + lengths * cost.file
    return np.sort(seconds)[::-1]


def simulate(
    files: np.ndarray, cost: Cost, cores: int, cluster: Cluster, rng: np.random.Generator
) -> Outcome:
    """Run the schedule once."""
    work = tasks(files, cost, cores, 1074.0, GROUP_FILES)
    nodes = max(1, cores // cluster.cores_per_node)
    drawn = rng.normal(1, cluster.spread, nodes).clip(0.5)
    speed = np.repeat(drawn / drawn.mean(), -(-cores // nodes))[:cores]
    straggling = rng.random(len(work)) < cluster.straggling
    seconds = np.where(straggling, work * cluster.slow, work)
    plan = len(files) * cluster.footer / cluster.looks
    begin = cluster.start + plan
    free = [(begin, core) for core in range(cores)]
    ends = begin
    dispatched = begin
    again = 0.0
    per_second = cluster.lost / 3600
    for length in seconds:
        at, core = heapq.heappop(free)
        dispatched += cluster.task
        at = max(at, dispatched)
        takes = length / speed[core]
        if rng.random() < takes * per_second:
            lost = takes * rng.random()
            again += lost
            takes += lost + cluster.notice
        heapq.heappush(free, (at + takes, core))
        ends = max(ends, at + takes)
    bounds = {
        "text": float(work.sum()) / cores,
        "the longest task": float(work[0]) if len(work) else 0.0,
        "first looks at files": plan,
        "the driver": len(work) * cluster.task,
        "requests to the store": len(files) * cluster.requests / cluster.requests_per_second,
        "start-up": cluster.start,
    }
    if len(files) * cost.file > float(files.sum()) * cost.megabyte:
        bounds["files"] = bounds.pop("text")
    ends = max(ends, bounds["requests to the store"] + begin)
    return Outcome(len(work), ends, float(work.sum()) / (ends * cores), bounds)


def table(
    cost: Cost, sizes_of_corpora: Sequence[int], mean: float, sigma: float, cluster: Cluster
) -> Sequence[str]:
    """Give the rows of the table."""
    lines = [
        "| text | cores | files | tasks | hours | cores at work | first bound | then |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for terabytes in sizes_of_corpora:
        for cores in CORES:
            rng = np.random.default_rng(5)
            files = sizes(terabytes * TERABYTE, mean, sigma, rng)
            done = simulate(files, cost, cores, cluster, rng)
            first = done.first()
            rest = {name: value for name, value in done.bounds.items() if name != first}
            then = max(rest, key=lambda name: rest[name])
            share = rest[then] / done.seconds
            lines.append(
                f"| {terabytes} TB | {cores:,} | {len(files):,} | {done.tasks:,}"
                f" | {done.seconds / 3600:,.2f} | {done.busy:.0%} | {first} | {then}, {share:.0%} |"
            )
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speed", type=float, default=SPEED, help="MB/s of a core")
    parser.add_argument("--file-ms", type=float, default=FILE_MS, help="of a core, for each file")
    parser.add_argument("--terabytes", type=int, nargs="*", default=SIZES, help="of text")
    parser.add_argument("--file-megabytes", type=float, default=256.0, help="mean size of a file")
    parser.add_argument("--sigma", type=float, default=1.0, help="spread of the files' sizes")
    options = parser.parse_args()
    cost = Cost(1 / options.speed, options.file_ms / 1000)
    for line in table(cost, options.terabytes, options.file_megabytes, options.sigma, Cluster()):
        print(line)


SPEED, FILE_MS = 23.0, 5.8
"""As `python benchmarks/run.py scale` fitted them; see docs/scale.md."""

if __name__ == "__main__":
    main()
