"""A verification, from the manifest to the verdict.

manifest ─▶ registers ─▶ input, files ─▶ every record decided again ─▶ every unit's values, a sample
scanned ─▶ totals

Nothing is taken from the run but what is compared: the manifest's settings and policy, and the
lists of what it decided and found.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...connectors.audit import UnitResult
from ...connectors.duckdb_names import DuckNames
from ...connectors.jsonl import is_jsonl
from ...connectors.storage import InputFile
from ...filters.errors import CorpusgateError, JobError, PolicyError
from ...filters.policy import BoundPolicy
from ...filters.reduce.pseudonyms import Key
from ...filters.registers import RegisterSet
from ..reduction import open_key
from ..session import add_registers, new_database, register_kinds
from ..settings import Settings
from .decided import Court, decide_again
from .facts import Totals, bound_policy, opened_registers, settings_hold, totals_hold
from .files import files_hold, known_inputs
from .jsonl import in_parquet
from .released import Look, look
from .replay import Replay
from .rows import Rows
from .scan import Scan, open_scan, operators_of
from .values import Watch
from .verdict import Fault, Tally
from .vouched import Vouched, read_run

SHARE: Final = 0.01
_AHEAD: Final = 4


@dataclass(frozen=True)
class Verdict:
    """What a verification came to.

    `share` of the released records was scanned, None where that was off; `seed` drew them.
    """

    output: str
    manifest_sha256: str
    tally: Tally
    share: float | None
    seed: int
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.tally.sound

    @property
    def faults(self) -> list[Fault]:
        """What is wrong, by check, place and kind."""
        return self.tally.ordered()

    def as_json(self) -> dict[str, Any]:
        """Give what `--json` prints."""
        return {
            "output": self.output,
            "manifest_sha256": self.manifest_sha256,
            "sound": self.sound,
            "checks": self.tally.rows(),
            "faults": [
                {"check": f.check, "where": f.where, "kind": f.kind, "count": f.count}
                for f in self.faults
            ],
            "unchecked": [
                {"check": check, "what": what, "count": count}
                for (check, what), count in sorted(self.tally.doubts.items())
            ],
            "scanned_share": self.share,
            "seed": self.seed,
            "seconds": self.seconds,
        }


def verify(
    output: str | Path,
    *,
    job: Path | None = None,
    audit: str | Path | None = None,
    pii: float | None = SHARE,
    key: bytes | None = None,
    seed: int | None = None,
    workers: int | None = None,
) -> Verdict:
    """Check a finished run against its input, its registers and its own word.

    `job` is the job file, by default where the run noted it; of it, only places count. `pii` is
    the share of released records to scan, None for none; `key` the secret of keyed operators and
    ids, by default where the job file says. Raises CorpusgateError where there is no finished run,
    or nothing to hold it against.
    """
    begun = time.perf_counter()
    run = read_run(output, job, audit)
    drawn = secrets.randbits(32) if seed is None else seed
    tally = Tally()
    scratch = Path(tempfile.mkdtemp(prefix="corpusgate-verify-"))
    try:
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            _checks(run, tally, _Means(pool, scratch, pii, key or _key(run), drawn))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    seconds = round(time.perf_counter() - begun, 3)
    return Verdict(str(run.output), run.digest, tally, pii, drawn, seconds)


@dataclass(frozen=True)
class _Means:
    """What a verification works with."""

    pool: Executor
    scratch: Path
    share: float | None
    key: bytes | None
    seed: int


def _checks(run: Vouched, tally: Tally, means: _Means) -> None:
    """Make all checks, in their order."""
    totals = Totals()
    settings_hold(run, tally)
    policy = _policy(run, tally)
    registers = opened_registers(run, policy, tally) if policy is not None else None
    inputs = known_inputs(run, means.pool, tally)
    files_hold(run, means.pool, tally)
    with ThreadPoolExecutor(1) as bench:  # DuckDB decides while values are compared
        decided = None
        if policy is None or registers is None:
            rows = sum(unit.rows or 0 for unit in run.readable)
            tally.unchecked("decisions", "records, without the run's policy and registers", rows)
        else:
            decided = bench.submit(_decisions, run, inputs, (policy, registers), means)
        for mine, found in _units(run, inputs, tally, means):
            tally.add(mine)
            totals.add(found)
        if decided is not None:
            mine, found = decided.result()
            tally.add(mine)
            totals.add(found)
    if policy is not None and registers is not None and inputs.keys() == run.shards.keys():
        totals_hold(run, totals, tally)


def _policy(run: Vouched, tally: Tally) -> BoundPolicy | None:
    try:
        return bound_policy(run, tally)
    except (PolicyError, JobError):
        tally.wrong("manifest", "policy.text", "it is no policy that these settings can be put to")
        return None


def _decisions(
    run: Vouched,
    inputs: dict[str, InputFile],
    law: tuple[BoundPolicy, RegisterSet],
    means: _Means,
) -> tuple[Tally, Totals]:
    policy, registers = law
    tally, totals = Tally(), Totals()
    with new_database() as database:
        database.execute("SET temp_directory = $1", [str(means.scratch / "duckdb")])
        tables = add_registers(database, registers, "TABLE")
        kinds = register_kinds(registers)
        names = DuckNames(database)
        court = Court(database, policy, tables, kinds, names, means.scratch, means.pool)
        decide_again(run, inputs, court, tally, totals)
    return tally, totals


def _key(run: Vouched) -> bytes | None:
    """Read the key where the job file says that it is; None where it is not."""
    try:
        return open_key(run.job)
    except JobError:
        return None


def _scan(run: Vouched, means: _Means, tally: Tally) -> Scan | None:
    if means.share is None:
        return None
    try:
        return open_scan(run.job, means.key, run.manifest.get("pii"), tally)
    except CorpusgateError:
        tally.wrong("manifest", "pii", "the scanner cannot be made from these settings")
        return None


def _units(
    run: Vouched, inputs: dict[str, InputFile], tally: Tally, means: _Means
) -> Iterator[tuple[Tally, Totals]]:
    """Look at all shards, some at a time."""
    scan = _scan(run, means, tally)
    try:
        key = None if means.key is None else Key(means.key)
        operators = operators_of(run.job)
    except JobError:
        tally.wrong("manifest", "pii", "the key, or the operators, cannot be used")
        return
    again = scan.again if scan is not None and scan.reducer is not None else None
    ids = Key(key.derive("record ids")) if key is not None else None
    job = run.job
    watch = Watch(
        tuple(job.input.text),
        job.pii.scope if job.pii is not None and key is not None else "run",
        Replay(operators, key, again),
        scan,
        means.share or 0.0,
        means.seed,
    )
    what = Look(run, watch, ids)
    waiting: list[Future[tuple[Tally, Totals]]] = []
    for shard, units in run.shards.items():
        if len(waiting) >= _AHEAD:
            yield waiting.pop(0).result()
        waiting.append(means.pool.submit(_shard, units, inputs.get(shard), what, means.scratch))
    for future in waiting:
        yield future.result()


def _shard(
    units: list[UnitResult], item: InputFile | None, what: Look, scratch: Path
) -> tuple[Tally, Totals]:
    """Look at one shard."""
    if item is not None and is_jsonl(item.name):
        try:
            settings = Settings.of(what.run.job)
            with in_parquet(item, scratch / "values", settings) as read:
                return _parts(units, read, what)
        except (CorpusgateError, OSError):
            tally = Tally()
            tally.wrong("input", item.name, "it cannot be read")
            return tally, Totals()
    return _parts(units, item, what)


def _parts(units: list[UnitResult], item: InputFile | None, what: Look) -> tuple[Tally, Totals]:
    tally, totals = Tally(), Totals()
    if item is not None:
        _tiled(units, item, tally)
    for unit in units:
        mine, found = look(unit, item, what)
        tally.add(mine)
        totals.add(found)
    return tally, totals


def _tiled(units: list[UnitResult], item: InputFile, tally: Tally) -> None:
    """Compare the units' rows with those of their file: none left out, none twice."""
    at, parts = 0, len(units)
    sound = [unit.part for unit in units] == list(range(parts))
    for unit in units:
        sound &= unit.row_offset == at and unit.parts == parts
        at += unit.rows or 0
    with Rows(item.folder, item.path) as given:
        sound &= given.count == at
    wrong = "its units' rows are not the rows of its file"
    tally.settle("conservation", units[0].shard, wrong=wrong, holds=sound)
