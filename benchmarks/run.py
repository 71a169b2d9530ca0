"""All benchmarks, one table. Each figure stands beside a baseline measured in the same run.

    python benchmarks/run.py [CASE …] [--data FOLDER] [--repeat 3] [--write]

release    deciding and releasing 2 million records, against what one would write by hand
memory     peak memory at one and at four times that size
registers  five million consent events: time to prepare, time to decide
pii        detection, beside Presidio and other detectors, on the same texts
quality    detection against texts in which people marked what is there, where --data gives some
reduce     the whole job with reduction, against reading and writing alone
scale      the whole job with reduction: workers, Ray, very many files, resuming
sql        deciding in a session, against DuckDB by hand; pii_reduce, against no DuckDB
verify     checking a finished run, against the run itself
real       the whole job over real text, where --data or CORPUSGATE_DATA gives some
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import generate
import pii
import quality
import real
import reduction
import scale as scale_
import schedule
from programs import THREADS, Measured, machine, measure

HERE = Path(__file__).parent
WORK = HERE.parent / "build" / "bench"
PII_MEGABYTES = 16
PROSE = 16


def main() -> None:
    """Run the cases asked for and print their rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="CASE")
    parser.add_argument("--data", default=os.environ.get("CORPUSGATE_DATA"))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--records", type=int, default=generate.RECORDS)
    parser.add_argument("--narrow", type=int, default=20_000_000, help="records, for `sql`")
    parser.add_argument("--megabytes", type=int, default=1000, help="of prose, for `reduce`")
    parser.add_argument("--scale", type=int, default=2000, help="megabytes of prose, for `scale`")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    options = parser.parse_args()
    unknown = set(options.cases) - CASES.keys()
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    lines = [f"# Results\n\n{machine()}\n"]
    for name in options.cases:
        lines.append(f"## {name}\n\nPrinted by `python benchmarks/run.py {name}`.\n")
        print(lines[-1], flush=True)
        for line in CASES[name](options):
            lines.append(line)
            print(line, flush=True)
        lines.append("")
    if options.write:
        (HERE / "RESULTS.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def build(records: int, *, text: bool = True) -> Path:
    """Generate a corpus in a process of its own: a child's peak memory begins at its parent's."""
    folder = WORK / f"{'release' if text else 'narrow'}-{records}"
    code = f"import pathlib, generate; generate.build(pathlib.Path({str(folder)!r}), {records}"
    code += f", text={text})"
    subprocess.run([sys.executable, "-c", code], cwd=HERE, check=True)
    return folder


def gate(folder: Path) -> list[str]:
    """Give the command that runs the job, and says how much memory it took."""
    return [
        sys.executable,
        str(HERE / "gate.py"),
        str(folder / "job.yaml"),
        "--workers",
        str(THREADS),
    ]


def by_hand(which: str, folder: Path) -> list[str]:
    """Give the command that does the same by hand."""
    return [
        sys.executable,
        str(HERE / "by_hand.py"),
        which,
        str(folder),
        str(WORK / f"{which}.parquet"),
    ]


def release(options: argparse.Namespace) -> Iterator[str]:
    """Compare the gate with Polars and DuckDB by hand, in turns."""
    folder = build(options.records)
    commands = {
        "corpusgate run": gate(folder),
        "Polars by hand, one chain": by_hand("chain", folder),
        "Polars by hand, text last": by_hand("text-last", folder),
        "DuckDB by hand, one COPY": by_hand("duckdb", folder),
    }
    runs: dict[str, list[Measured]] = {name: [] for name in commands}
    for _ in range(options.repeat):
        for name, command in commands.items():
            runs[name].append(measure(command, folder))
    rows = {name: {run.facts["rows"] for run in measured} for name, measured in runs.items()}
    if len(set.union(*rows.values())) != 1:
        raise SystemExit(f"they release different numbers of records: {rows}")
    released = rows["corpusgate run"].pop()
    yield f"{options.records:,} records of about 1 KB, {released / options.records:.0%} eligible,"
    yield f"zstd level {generate.LEVEL}, {THREADS} threads; median of {options.repeat}, in turns.\n"
    yield "| who | seconds | peak MB | corpusgate / it, pair by pair |"
    yield "| --- | ---: | ---: | ---: |"
    ours = runs["corpusgate run"]
    for name, measured in runs.items():
        ratios = [a.seconds / b.seconds for a, b in zip(ours, measured, strict=True)]
        yield (
            f"| {name} | {statistics.median(r.seconds for r in measured):.2f}"
            f" | {max(r.megabytes for r in measured):.0f} | {statistics.median(ratios):.2f} |"
        )


def memory(options: argparse.Namespace) -> Iterator[str]:
    """Compare peak memory at one and at four times the size."""
    yield "| records | seconds | peak MB | peak / peak of the first |"
    yield "| ---: | ---: | ---: | ---: |"
    first = 0.0
    for records in (options.records, 4 * options.records):
        folder = build(records)
        run = measure(gate(folder), folder)
        first = first or run.megabytes
        yield (
            f"| {records:,} | {run.seconds:.1f} | {run.megabytes:.0f}"
            f" | {run.megabytes / first:.2f} |"
        )


def reduce(options: argparse.Namespace) -> Iterator[str]:
    """Compare a run that reduces prose with reading and writing the same files."""
    folder = WORK / f"prose-{options.megabytes}"
    command = [sys.executable, str(HERE / "reduction.py"), str(folder), str(options.megabytes)]
    subprocess.run(command, cwd=HERE, check=True)
    size = options.megabytes
    yield f"{size} MB of prose, all of it eligible, zstd level {reduction.LEVEL},"
    yield f"{THREADS} threads; median of {options.repeat}, in turns.\n"
    yield "| who | seconds | MB/s | peak MB of one process | speed / its speed |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    ours, copies = [], []
    for _ in range(options.repeat):
        ours.append(measure(gate(folder), folder))
        copies.append(measure(by_hand("rewrite", folder), folder))
    if ours[0].facts["rows"] != copies[0].facts["rows"]:
        raise SystemExit("they release different numbers of records")
    for name, runs in (("corpusgate run, reducing", ours), ("Polars, reading and writing", copies)):
        seconds = statistics.median(run.seconds for run in runs)
        ratio = statistics.median(b.seconds / a.seconds for a, b in zip(ours, runs, strict=True))
        megabytes = max(run.megabytes for run in runs)
        yield (f"| {name} | {seconds:.2f} | {size / seconds:.0f} | {megabytes:.0f} | {ratio:.2f} |")


def scale(options: argparse.Namespace) -> Iterator[str]:
    """Compare one worker, two, Ray; few files, very many; a finished run and a new one."""
    folder = WORK / f"scale-{options.scale}"
    build_ = [sys.executable, str(HERE / "scale.py"), str(folder), str(options.scale)]
    subprocess.run(build_, cwd=HERE, check=True)
    # What was deleted shortly before makes some file systems slow to make new files.
    shutil.rmtree(folder / "tiny/out", ignore_errors=True)

    def run(which: str, workers: int, *flags: str) -> Measured:
        job = str(folder / which / "job.yaml")
        command = [sys.executable, str(HERE / "gate.py"), job, "--workers", str(workers), *flags]
        return measure(command, folder)

    small, ray_small = run("one", 2), run("one", 2, "--engine", "ray")
    start_up = ray_small.seconds - small.seconds
    ones, twos = [], []
    for _ in range(options.repeat):
        ones.append(run("large", 1))
        twos.append(run("large", 2))
    one, two = middle(ones), middle(twos)
    faster = median_ratio([each.seconds for each in ones], [each.seconds for each in twos])
    ray = run("large", 2, "--engine", "ray")
    tiny, again = run("tiny", 2), run("tiny", 2, "--resume")
    if len({r.facts["rows"] for r in (one, two, ray)}) != 1:
        raise SystemExit("they release different numbers of records")
    files = f"{scale_.LARGE} files and in {scale_.TINY:,}"
    yield f"{options.scale:,} MB of prose in {files}, reduction on."
    yield f"One worker and two: medians of {options.repeat}, in turns; the others once."
    yield "A CPU second counts all processes, on Ray those of the driver alone.\n"
    yield "| run | seconds | MB/s | CPU seconds | peak MB of one process | compared |"
    yield "| --- | ---: | ---: | ---: | ---: | --- |"
    per_thousand = 1000 * again.seconds / scale_.TINY
    ray_share = (ray.seconds - start_up) / two.seconds
    beside = f"{ray_share:.2f} of two workers' time, beside {start_up:.1f} s of start-up"
    for name, each, compared in (
        ("one worker", one, ""),
        ("two workers", two, f"{faster:.2f} times as fast as one"),
        ("Ray, two CPUs", ray, beside),
        ("two workers, tiny files", tiny, f"{tiny.seconds / two.seconds:.2f} of the large files'"),
        ("the same, finished before", again, f"{per_thousand:.2f} s a thousand units"),
    ):
        cpu = each.facts["cpu_seconds"]
        yield (
            f"| {name} | {each.seconds:.1f} | {options.scale / each.seconds:.1f} | {cpu:.1f}"
            f" | {each.megabytes:.0f} | {compared} |"
        )
    runs = [(scale_.LARGE, two), (scale_.TINY, tiny)]
    cost = schedule.fit([(n, options.scale, r.facts["cpu_seconds"]) for n, r in runs])
    yield f"\nFitted: {1 / cost.megabyte:.1f} MB/s a core, {1000 * cost.file:.1f} ms a file."


def detect(options: argparse.Namespace) -> Iterator[str]:
    """Compare detection with Presidio and others."""
    return pii.table(
        argparse.Namespace(data=options.data, repeat=options.repeat, megabytes=PII_MEGABYTES)
    )


def grade(options: argparse.Namespace) -> Iterator[str]:
    """Hold findings against gold."""
    if not options.data:
        return iter(["No data: give --data FOLDER, or set CORPUSGATE_DATA. Nothing was measured."])
    return quality.table(Path(options.data), [])


def registers(_: argparse.Namespace) -> Iterator[str]:
    """State what five million events cost."""
    facts = measure([sys.executable, str(HERE / "registers.py")], HERE).facts
    yield "| step | seconds |"
    yield "| --- | ---: |"
    for name in ("read", "prepare", "decide_20000", "decide_20000_plain_join"):
        yield f"| {name.replace('_', ' ')} | {facts[name]:.2f} |"
    ratio = facts["decide_20000"] / facts["decide_20000_plain_join"]
    yield f"\nPeak {facts['peak_megabytes']:.0f} MB. Deciding / plain as-of join: {ratio:.2f}."


def real_text(options: argparse.Namespace) -> Iterator[str]:
    """Run the whole job over real text."""
    if not options.data:
        yield "No data: give --data FOLDER, or set CORPUSGATE_DATA. Nothing was measured."
        return
    results = real.measure(Path(options.data))
    yield "| kind | records | MB of text | eligible | reasons | seconds | MB/s | checked |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for result in results:
        yield f"| {' | '.join(str(value) for value in result.values())} |"


def sql(options: argparse.Namespace) -> Iterator[str]:
    """Compare a session with DuckDB by hand, and its functions with the same without DuckDB."""
    folder = build(options.narrow, text=False)
    program = [sys.executable, str(HERE / "session.py"), str(folder), str(options.repeat)]
    facts = measure(program, HERE).facts
    yield f"`SELECT reason, count(*)` over {options.narrow:,} records, narrow columns alone,"
    yield f"median of {options.repeat}, in turns.\n"
    yield "| who | seconds | processor seconds | session / it, seconds |"
    yield "| --- | ---: | ---: | ---: |"
    for who, shown in (("session", "corpusgate sql"), ("by_hand", "DuckDB by hand")):
        ratio = median_ratio(facts["session_s"], facts[f"{who}_s"])
        seconds, cpu = (statistics.median(facts[f"{who}_{of}"]) for of in ("s", "cpu"))
        yield f"| {shown} | {seconds:.2f} | {cpu:.2f} | {ratio:.2f} |"
    turns = 15 * options.repeat
    program = [sys.executable, str(HERE / "functions.py"), str(PROSE), str(turns)]
    facts = measure(program, HERE).facts
    yield f"\n{facts['megabytes']:.0f} MB of prose, one thread, processor time;"
    yield f"median of {turns}, in turns.\n"
    yield "| who | MB/s | pii_reduce's speed / its speed |"
    yield "| --- | ---: | ---: |"
    for who, shown in (
        ("pii_reduce", "`pii_reduce(text)` in DuckDB"),
        ("reduced", "reducing the column"),
        ("scanned", "scanning it: `PiiScanner.scan`"),
        ("searched", "searching it alone"),
    ):
        speed = facts["megabytes"] / statistics.median(facts[who])
        ratio = median_ratio(facts[who], facts["pii_reduce"])
        yield f"| {shown} | {speed:.1f} | {ratio:.2f} |"


def middle(runs: list[Measured]) -> Measured:
    """Give the run that took the median time."""
    return sorted(runs, key=lambda each: each.seconds)[len(runs) // 2]


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """Divide pair by pair, give the median."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def verify(options: argparse.Namespace) -> Iterator[str]:
    """Compare a verification with the run that it checks: deciding alone, and reducing."""
    prose = WORK / f"prose-{options.megabytes}"
    command = [sys.executable, str(HERE / "reduction.py"), str(prose), str(options.megabytes)]
    subprocess.run(command, cwd=HERE, check=True)
    yield f"{THREADS} threads, a sample of 1% scanned; median of {options.repeat}, in turns.\n"
    yield "| what | run, seconds | verify, seconds | verify / run | run, MB | verify, peak MB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    whats = {
        f"{options.records:,} records of 1 KB, no reduction": build(options.records),
        f"{options.megabytes} MB of prose, reduced": prose,
    }
    for what, folder in whats.items():
        second = [sys.executable, str(HERE / "second.py"), str(folder / "out")]
        runs, checks = [], []
        for _ in range(options.repeat):
            runs.append(measure(gate(folder), folder))
            checks.append(measure([*second, "--workers", str(THREADS)], folder))
        if {run.facts["rows"] for run in runs} != {check.facts["rows"] for check in checks}:
            raise SystemExit("they count different numbers of records")
        ran, checked = ([each.seconds for each in measured] for measured in (runs, checks))
        yield (
            f"| {what} | {statistics.median(ran):.2f} | {statistics.median(checked):.2f}"
            f" | {median_ratio(checked, ran):.2f} | {max(r.megabytes for r in runs):.0f}"
            f" | {max(c.megabytes for c in checks):.0f} |"
        )


CASES: dict[str, Callable[[argparse.Namespace], Iterator[str]]] = {
    "release": release,
    "memory": memory,
    "registers": registers,
    "pii": detect,
    "quality": grade,
    "reduce": reduce,
    "scale": scale,
    "sql": sql,
    "verify": verify,
    "real": real_text,
}

if __name__ == "__main__":
    main()
