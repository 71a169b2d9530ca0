"""Detection of personal information, on the same texts, beside Presidio and other detectors.

    python benchmarks/pii.py [--data FOLDER] [--repeat 5] [--megabytes 16]

Figures are for one core: processor time of one thread, a process for each measurement, in turns,
the fastest of the repetitions, since what else a machine does only ever makes one slower. Each has
seen some values of each kind before the clock starts. Slow detectors get the first megabytes only
(column MB). Prose and chats are generated (`texts.py`); web text, source code and IRC logs come
from --data, else they are generated or left out. Each promise is printed with what was measured.

`recognised`: of the kinds of values that are planted (`planted.py`), of how many a detector sees
most, each in a sentence of its own; `knows`: how many kinds it says it finds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import texts
from programs import Measured, machine, measure

HERE = Path(__file__).parent
STRICT: Final = "corpusgate strict"
EXACT: Final = "corpusgate presidio"
ALL: Final = "corpusgate presidio, all English"
PRESIDIO: Final = "Presidio"
SHARES: Final = {
    STRICT: 1.0,
    EXACT: 1.0,
    ALL: 0.25,
    PRESIDIO: 0.02,
    "datatrove PIIFormatter": 1.0,
    "Dolma pii_regex_v2": 1.0,
    "Dolma fast_v2": 1.0,
    "MaskOps mask_pii": 1.0,
}
"""Of the texts, how much each detector gets."""

HEADER: Final = """\
| who | MB | MB/s | ours / it | recognised | knows | findings a MB | peak MB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""
FAST: Final = ("prose", "chat", "support chat", "web text", "IRC messages")
PACKAGES: Final = (
    "hyperscan",
    "presidio-analyzer",
    "spacy",
    "phonenumbers",
    "datatrove",
    "dolma",
    "maskops",
)


@dataclass(frozen=True)
class Result:
    """The best of one detector on one kind of text."""

    speed: float
    megabytes: float
    recognised: int
    knows: int
    findings: float
    peak: float


def main() -> None:
    """Print the tables and the promises."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("CORPUSGATE_DATA"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=16.0)
    parser.add_argument("--only", nargs="*", help="kinds of text", metavar="KIND")
    options = parser.parse_args()
    print(machine())
    for line in table(options):
        print(line, flush=True)


def table(options: argparse.Namespace) -> Iterator[str]:
    """Measure, line by line. Reads `data` and `repeat`, and `megabytes` and `only` if given."""
    size = getattr(options, "megabytes", None) or 16.0
    only = getattr(options, "only", None)
    yield f"With {', '.join(_versions(PACKAGES))}.\n"
    results: dict[str, dict[str, Result]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, rows in sources(options.data, int(size * 1e6)).items():
            if only and kind not in only:
                continue
            path = Path(folder) / "texts.parquet"
            pq.write_table(pa.table({"text": pa.array(rows(), pa.large_string())}), path)
            results[kind] = dict(in_turns(path, int(size * 1e6), options.repeat))
            yield f"### {kind}\n"
            yield HEADER
            for who in SHARES:
                yield row(who, results[kind].get(who), results[kind])
            yield ""
        yield from setup(Path(folder))
    yield "| promise | measured | |"
    yield "| --- | --- | --- |"
    for what, got, kept in promises(results):
        yield f"| {what} | {got} | {'kept' if kept else 'FALLS SHORT'} |"


def sources(data: str | None, size: int) -> dict[str, Callable[[], list[str]]]:
    """Name the kinds of text there are, and how to get each."""
    found: dict[str, Callable[[], list[str]]] = {
        "prose": lambda: texts.generate("prose", size),
        "chat": lambda: texts.generate("chat", size),
        "support chat": lambda: texts.generate("support chat", size),
    }
    if data is None:
        return found | {
            "source code": lambda: texts.generate("code", size),
            "IRC logs": lambda: texts.generate("logs", size),
        }
    folder = Path(data)
    return found | {
        "web text": lambda: _column(folder.glob("gold/*ewt*.parquet")),
        "source code": lambda: _column(folder.glob("code*.parquet")),
        "IRC logs": lambda: _column(folder.glob("*irc*.parquet")),
        "IRC messages": lambda: _messages(folder.glob("*irc*.parquet")),
    }


def in_turns(path: Path, characters: int, repeat: int) -> Iterator[tuple[str, Result]]:
    """Measure the detectors that are installed, each a few times, in turns; Presidio once."""
    runs: dict[str, list[Measured]] = {who: [] for who in SHARES}
    for turn in range(repeat):
        for who, share in SHARES.items():
            if turn and (who == PRESIDIO or not runs[who]):
                continue
            command = [sys.executable, str(HERE / "detectors.py"), who, str(path)]
            run = measure([*command, str(int(characters * share))], HERE)
            if "missing" not in run.facts:
                runs[who].append(run)
            elif who in {STRICT, EXACT, ALL, PRESIDIO}:
                raise SystemExit(f"{who}: there is no module {run.facts['missing']}")
    for who, measured in runs.items():
        if measured:
            facts = measured[0].facts
            yield (
                who,
                Result(
                    speed=facts["megabytes"] / min(run.seconds for run in measured),
                    megabytes=facts["megabytes"],
                    recognised=int(facts["recognised"]),
                    knows=int(facts["knows"]),
                    findings=facts["findings"] / facts["megabytes"],
                    peak=max(run.megabytes for run in measured),
                ),
            )


def row(who: str, result: Result | None, others: dict[str, Result]) -> str:
    """Say what was measured in one line of a table."""
    if result is None:
        return f"| {who} | | not installed | | | | | |"
    return (
        f"| {who} | {result.megabytes:.1f} | {result.speed:.2f}"
        f" | {others[STRICT].speed / result.speed:.1f} | {result.recognised}"
        f" | {result.knows} | {result.findings:.0f} | {result.peak:.0f} |"
    )


def setup(folder: Path) -> Iterator[str]:
    """Time making a scanner, without and with a compiled database at hand."""
    yield "### Making a scanner\n"
    yield "| profile | cache | seconds |"
    yield "| --- | --- | ---: |"
    for profile in ("strict", "presidio"):
        for state in ("cold", "cached"):
            seconds = _setup(profile, folder / "cache")
            yield f"| {profile} | {state} | {seconds:.2f} |"
    yield ""


def promises(results: dict[str, dict[str, Result]]) -> Iterator[tuple[str, str, bool]]:
    """Hold each promise against what was measured."""
    for kind, by in results.items():
        least = 50 if kind in FAST else 10
        for who in (STRICT, EXACT):
            speed = by[who].speed
            yield f"{kind}, {who}: at least {least} MB/s", f"{speed:.1f}", speed >= least
            if kind in FAST and PRESIDIO in by:
                ratio = speed / by[PRESIDIO].speed
                yield f"{kind}, {who}: 100 times Presidio", f"{ratio:.0f}", ratio >= 100
        yield f"{kind}: peak under 1,500 MB", f"{by[STRICT].peak:.0f}", by[STRICT].peak < 1_500
    for who, peer in results.get("prose", {}).items():
        if who in {STRICT, EXACT, ALL, PRESIDIO}:
            continue
        mine = results["prose"][STRICT]
        ratio = mine.speed / peer.speed
        yield f"prose: 3 times {who}", f"{ratio:.1f}", ratio >= 3
        kinds = f"{mine.recognised} against {peer.recognised}"
        yield f"more kinds recognised than {who}", kinds, mine.recognised > peer.recognised


def _setup(profile: str, folder: Path) -> float:
    program = r"""
import pathlib, sys, time
import presidio_analyzer, pyarrow as pa, spacy
from corpusgate.filters.detect.scanner import Scanner
folder = pathlib.Path(sys.argv[2])
folder.mkdir(exist_ok=True)
def cache(key, make):
    path = folder / key
    if not path.exists():
        path.write_bytes(make())
    return path.read_bytes()
began = time.process_time()
Scanner(profile=sys.argv[1], cache=cache).find(pa.array(["caf\u00e9"], pa.large_string()))
print(time.process_time() - began)
"""
    command = [sys.executable, "-c", program, profile, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def _column(paths: Iterable[Path]) -> list[str]:
    return [text for path in sorted(paths) for text in pq.read_table(path)["text"].to_pylist()]


def _messages(paths: Iterable[Path]) -> list[str]:
    found: list[Any] = [m for p in sorted(paths) for m in pq.read_table(p)["messages"].to_pylist()]
    return [message["content"] for each in found for message in each]


def _versions(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} not installed"


if __name__ == "__main__":
    main()
