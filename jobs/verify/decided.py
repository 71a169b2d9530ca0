# ruff: noqa: S608 - SQL is what this file writes, of names and literals that it quotes
"""Every record decided again, by DuckDB, and compared with what the run has written.

Shards are decided some millions of records at a time, as one relation; what differs is counted by
shard and kind in DuckDB. A record that the run excluded for the personal information in it is
eligible here: whether it had to be is asked of a scan (`released.py`).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
from more_itertools import constrained_batches

from ...connectors.audit import UnitResult
from ...connectors.jsonl import is_jsonl
from ...connectors.storage import InputFile
from ...filters.errors import SchemaError
from ...filters.policy import BoundPolicy
from ...filters.reduce.record_rules import TOO_DENSE
from ...filters.reduce.reducer import UNREADABLE
from ...filters.schema import PARTS, SURFACES
from ...filters.sql.decide import DECISION, PURGE, Question, decision_sql
from ...filters.sql.mapping import quoted
from ...filters.sql.provenance import text
from ..corpus_sql import CorpusFiles, Shard
from ..spec import Job
from .facts import Totals
from .jsonl import in_parquet
from .verdict import Tally
from .vouched import Vouched

GROUP_ROWS: Final = 1 << 21
FACTS: Final = ("submitted_at", "license_ends_at", "org_id", "user_id", "end_user_id", "file_id",
                "conversation_id", "model")  # fmt: skip
_SCANNED: Final = f"['{UNREADABLE}', '{TOO_DENSE}']"


@dataclass(frozen=True)
class Court:
    """What decides again: a database with the registers in it as tables, and the policy."""

    database: duckdb.DuckDBPyConnection
    policy: BoundPolicy
    registers: Mapping[str, str]
    kinds: Mapping[str, frozenset[str]]
    scratch: Path


def decide_again(
    run: Vouched, inputs: Mapping[str, InputFile], court: Court, tally: Tally, totals: Totals
) -> None:
    """Decide all records of these shards and compare; count what they come to.

    With `unique: run` an id may stand in two shards, and all of them are decided as one.
    """
    shards = [name for name in run.shards if name in inputs]

    def rows(name: str) -> int:
        return sum(unit.rows or 0 for unit in run.shards[name])

    limit = GROUP_ROWS if run.job.input.unique == "unit" else sys.maxsize
    for names in constrained_batches(shards, limit, get_len=rows, strict=False):
        _decide(run, {name: inputs[name] for name in names}, court, tally, totals)


def _decide(
    run: Vouched,
    inputs: Mapping[str, InputFile],
    court: Court,
    tally: Tally,
    totals: Totals,
) -> None:
    """Decide a group; one that cannot be decided as a whole is parted, to find the shard."""
    mine, counted = Tally(), Totals()
    try:
        _compare(run, inputs, court, mine, counted)
    except (duckdb.Error, SchemaError, OSError):
        if len(inputs) == 1:
            (shard,) = inputs
            tally.wrong("decisions", shard, "its records cannot be decided again, or compared")
            return
        names = list(inputs)
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            _decide(run, {name: inputs[name] for name in half}, court, tally, totals)
        return
    tally.add(mine)
    totals.add(counted)


def _compare(
    run: Vouched,
    inputs: Mapping[str, InputFile],
    court: Court,
    tally: Tally,
    totals: Totals,
) -> None:
    units = [unit for name in inputs for unit in run.shards[name]]
    database = court.database
    with contextlib.ExitStack() as stack:
        items = [
            stack.enter_context(in_parquet(inputs[name], court.scratch))
            if is_jsonl(name)
            else inputs[name]
            for name in inputs
        ]
        corpus = _corpus(run.job, items, run.shards, database).corpus()
        asked = ("record_id", *DECISION, "surface", "part", *FACTS, *PURGE)
        place = {"shard": '"corpusgate:shard"', "row": '"corpusgate:row"'}
        query = decision_sql(
            court.policy,
            court.registers,
            corpus,
            Question(asked, place, at_once=True),
            kinds=court.kinds,
        )
        database.execute(f"CREATE OR REPLACE TEMP TABLE decided AS {query}")
    _list_units(run, units, database)
    database.execute(f"CREATE OR REPLACE TEMP VIEW audited AS {_audited(run, units)}")
    database.execute(f"CREATE OR REPLACE TEMP TABLE differing AS {_differences(run.job)}")
    for shard, rows, *counts in database.sql(f"SELECT {_BY_SHARD}").fetchall():
        for kind, count in zip(_KINDS, counts, strict=True):
            tally.wrong("decisions", str(shard), kind, count)
        tally.right("decisions", max(0, rows - max(counts)))
    for surface, reason, count in database.sql(_COUNTS).fetchall():
        totals.reasons[surface, reason] += count
    _purge(run, units, database, tally)


def _corpus(
    job: Job,
    items: Sequence[InputFile],
    shards: Mapping[str, Sequence[UnitResult]],
    database: duckdb.DuckDBPyConnection,
) -> CorpusFiles:
    found = []
    for item in items:
        scan = f"read_parquet([{text(item.path)}], hive_partitioning=false)"
        rows = database.sql(f"SELECT column_name, column_type FROM (DESCRIBE FROM {scan})")
        types = tuple((str(name), str(kind)) for name, kind in rows.fetchall())
        cuts = tuple(unit.row_offset for unit in shards.get(item.name, ())[1:])
        found.append(Shard(item, types, cuts))
    return CorpusFiles(job, tuple(found))


def _list_units(
    run: Vouched, units: Sequence[UnitResult], database: duckdb.DuckDBPyConnection
) -> None:
    """Put the units at hand: their files, and what their shards are called among the decided."""
    table = pa.table(
        {
            "shard": [unit.shard for unit in units],
            "called": [f"{u.shard}.parquet" if is_jsonl(u.shard) else u.shard for u in units],
            "part": [unit.part for unit in units],
            "row_offset": [unit.row_offset for unit in units],
            "rows": [unit.rows for unit in units],
            "file": [_path(run, unit, "decisions") for unit in units],
            "purge_file": [_path(run, unit, "purge_list") for unit in units],
        }
    )
    database.register("corpusgate_units", table)
    database.execute("CREATE OR REPLACE TEMP TABLE units AS FROM corpusgate_units")
    database.unregister("corpusgate_units")


def _path(run: Vouched, unit: UnitResult, kind: str) -> str:
    file = getattr(unit, kind)
    if file is None:
        raise SchemaError(unit.shard, f"it has no file of {kind}")
    return str(run.audit / file.path)


def _audited(run: Vouched, units: Sequence[UnitResult]) -> str:
    """Read the run's decisions, with where each of them should stand."""
    files = ", ".join(text(_path(run, unit, "decisions")) for unit in units)
    columns = ("record_id", *DECISION, "row", "shard", "surface", "part", *FACTS)
    return (
        f"SELECT {', '.join(f'a.{quoted(name)}' for name in columns)}, u.called,"
        " u.row_offset + a.file_row_number AS place, u.shard AS of_shard"
        f" FROM (SELECT *, file_row_number FROM read_parquet([{files}],"
        " filename='corpusgate:file', hive_partitioning=false)) a"
        ' JOIN units u ON u.file = a."corpusgate:file"'
    )


def _differ(names: Sequence[str]) -> str:
    return " OR ".join(f"d.{quoted(name)} IS DISTINCT FROM a.{quoted(name)}" for name in names)


def _known(name: str, vocabulary: Sequence[str]) -> str:
    known = ", ".join(map(text, vocabulary))
    shown = f"CASE WHEN d.{name} IN ({known}) THEN d.{name} END"
    return f"{shown} IS DISTINCT FROM a.{name}"


_REDUCED: Final = (
    "coalesce(d.eligible AND NOT a.eligible AND len(a.reasons) > 0"
    f" AND list_has_all({_SCANNED}, a.reasons) AND a.reason = a.reasons[1], false)"
)
"""The run excluded it for what was found in its text, which is no question of SQL."""


def _differences(job: Job) -> str:
    """Compare record by record; where the job looks for nothing, nothing is excluded for it."""
    return _DIFFERENCES.replace(_REDUCED, "false") if job.pii is None else _DIFFERENCES


_DIFFERENCES: Final = f"""
    SELECT coalesce(a.of_shard, u.shard) AS shard,
        a.place IS NULL AS missing,
        d.row IS NULL AS unknown,
        a.row IS DISTINCT FROM a.place OR a.shard IS DISTINCT FROM a.of_shard AS misplaced,
        {_differ(["record_id"])} AS another,
        NOT {_REDUCED} AND ({_differ(["eligible"])}) AS eligible,
        NOT {_REDUCED} AND ({_differ(["reason", "reasons"])}) AS reasons,
        {_differ(FACTS)} OR {_known("surface", SURFACES)} OR {_known("part", PARTS)} AS facts
    FROM decided d FULL JOIN audited a ON d.shard = a.called AND d.row = a.place
    LEFT JOIN (SELECT DISTINCT shard, called FROM units) u ON u.called = d.shard
"""
_KINDS: Final = (
    "a record has no decision",
    "a decision is of no record",
    "a decision stands in the wrong place",
    "a decision is of another record",
    "a record's eligibility differs",
    "a record's reasons differ",
    "a record's provenance differs",
)
_BOTH: Final = "NOT missing AND NOT unknown"
_BY_SHARD: Final = f"""
    shard, count(*),
    count(*) FILTER (missing), count(*) FILTER (unknown),
    count(*) FILTER ({_BOTH} AND misplaced),
    count(*) FILTER ({_BOTH} AND another),
    count(*) FILTER ({_BOTH} AND NOT another AND eligible),
    count(*) FILTER ({_BOTH} AND NOT another AND NOT eligible AND reasons),
    count(*) FILTER ({_BOTH} AND NOT another AND facts)
    FROM differing GROUP BY shard ORDER BY shard
"""
_COUNTS: Final = """
    SELECT coalesce(surface, 'unknown'), reason, count(*) FROM audited GROUP BY ALL
"""


def _purge(
    run: Vouched,
    units: Sequence[UnitResult],
    database: duckdb.DuckDBPyConnection,
    tally: Tally,
) -> None:
    """Compare the lists of what is due, line by line."""
    files = ", ".join(text(_path(run, unit, "purge_list")) for unit in units)
    query = f"""
        WITH due AS (
            SELECT u.shard, u.part, d.record_id, d.purge_reason AS reason,
                d.purge_deadline AS deadline,
                row_number() OVER (PARTITION BY u.shard, u.part ORDER BY d.row) - 1 AS line
            FROM decided d JOIN units u
                ON u.called = d.shard AND d.row >= u.row_offset AND d.row < u.row_offset + u.rows
            WHERE d.purge_reason IS NOT NULL
        ), listed AS (
            SELECT u.shard, u.part, p.record_id, p.reason, p.deadline, p.file_row_number AS line
            FROM (SELECT *, file_row_number FROM read_parquet([{files}],
                filename='corpusgate:file', hive_partitioning=false)) p
            JOIN units u ON u.purge_file = p."corpusgate:file"
        )
        SELECT coalesce(d.shard, a.shard), count(*), count(*) FILTER (a.line IS NULL),
            count(*) FILTER (d.line IS NULL),
            count(*) FILTER (a.line IS NOT NULL AND d.line IS NOT NULL AND (
                {_differ(["record_id", "reason", "deadline"])}))
        FROM due d FULL JOIN listed a
            ON d.shard = a.shard AND d.part = a.part AND d.line = a.line
        GROUP BY 1 ORDER BY 1
    """
    kinds = ("a record that is due is not listed", "a record that is not due is listed",
             "an entry differs")  # fmt: skip
    for shard, rows, *counts in database.sql(query).fetchall():
        for kind, count in zip(kinds, counts, strict=True):
            tally.wrong("purge", str(shard), kind, count)
        tally.right("purge", rows - sum(counts))
