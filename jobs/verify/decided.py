# ruff: noqa: S608 - SQL is what this file writes, of names and literals that it quotes
"""Every record decided again, by DuckDB, in the order in which the run has listed them.

What the registers come to is found once; then a million records are decided at a time, as one
relation. What comes of it is compared unit by unit with the run's lists (`decisions.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import pyarrow as pa
from more_itertools import constrained_batches

from ...connectors.audit import UnitResult
from ...connectors.duckdb_names import DuckNames
from ...connectors.jsonl import is_jsonl
from ...connectors.storage import InputFile
from ...filters.errors import SchemaError
from ...filters.policy import BoundPolicy
from ...filters.sql.decide import (
    Corpus,
    Question,
    decision_sql,
    register_tables,
    twice_sql,
)
from ...filters.sql.marks import Reasons
from ...filters.sql.provenance import text
from ...filters.sql.purge import PURGE
from ..corpus_sql import CorpusFiles, Shard, named
from ..settings import Settings
from ..spec import Job
from .decisions import ANSWERS, DUE, FACTS, Decided, Listed, compare
from .facts import Totals
from .jsonl import in_parquet
from .verdict import Tally
from .vouched import Vouched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

GROUP_ROWS: Final = 1 << 20
_VERDICT: Final = Question(PURGE, marks=True, told=True)
_KNOWN: Final = Question(("record_id", *FACTS), told=True)
_TWICE: Final = "corpusgate_twice"
_TOGETHER: Final = 512
"""Rows that stand together, on average, from which they are not moved one by one."""

_ROW_BITS: Final = 40  # of a place: which shard it is stands above them


@dataclass(frozen=True)
class Court:
    """What decides again: a database with the registers in it as tables, and the policy."""

    database: duckdb.DuckDBPyConnection
    policy: BoundPolicy
    registers: Mapping[str, str]
    kinds: Mapping[str, frozenset[str]]
    names: DuckNames
    scratch: Path
    pool: Executor


def decide_again(
    run: Vouched, inputs: Mapping[str, InputFile], court: Court, tally: Tally, totals: Totals
) -> None:
    """Decide all records of these shards and compare; count what they come to.

    With `unique: run` an id may stand in two shards, so ids are counted first, in all of them.
    """
    # Large strings: a group's texts of one column may be longer than an Arrow string can be.
    court.database.execute("SET arrow_large_buffer_size=true")
    known = {name: item for name, item in inputs.items() if name in run.shards}
    tables = register_tables(court.policy, court.registers, _VERDICT, court.kinds)
    for name, query in tables.items():
        court.database.execute(f"CREATE TEMP TABLE {name} AS {query}")
    twice = None
    if run.job.input.unique == "run":
        with contextlib.suppress(duckdb.Error, SchemaError, OSError):  # told shard by shard, below
            with _corpus(run, list(known.values()), court) as corpus:
                court.database.execute(f"CREATE TEMP TABLE {_TWICE} AS {twice_sql(corpus)}")
            twice = _TWICE

    def rows(name: str) -> int:
        return sum(unit.rows or 0 for unit in run.shards[name])

    shards = [name for name in run.shards if name in known]
    for names in constrained_batches(shards, GROUP_ROWS, get_len=rows, strict=False):
        group = {name: known[name] for name in names}
        _decide(run, group, (court, twice), (tally, totals))


def _decide(
    run: Vouched,
    inputs: Mapping[str, InputFile],
    means: tuple[Court, str | None],
    counts: tuple[Tally, Totals],
) -> None:
    """Decide a group; one that cannot be decided as a whole is parted, to find the shard."""
    mine, counted = Tally(), Totals()
    tally, totals = counts
    try:
        _compare(run, inputs, means, (mine, counted))
    except (duckdb.Error, SchemaError, OSError, pa.ArrowException):
        if len(inputs) == 1:
            (shard,) = inputs
            tally.wrong("decisions", shard, "its records cannot be decided again, or compared")
            return
        names = list(inputs)
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            _decide(run, {name: inputs[name] for name in half}, means, counts)
        return
    tally.add(mine)
    totals.add(counted)


def _compare(
    run: Vouched,
    inputs: Mapping[str, InputFile],
    means: tuple[Court, str | None],
    counts: tuple[Tally, Totals],
) -> None:
    court, twice = means
    tally, totals = counts
    with _corpus(run, [inputs[name] for name in inputs], court) as corpus:
        # As an enumeration, a shard's name is a small number in every row.
        names = ", ".join(text(_called(name)) for name in inputs)
        place = {"shard": f'CAST("corpusgate:shard" AS ENUM({names}))', "row": '"corpusgate:row"'}
        # What is not mapped is NULL, and needs no column to say so.
        mapped = [name for name in _KNOWN.asked if name in corpus.columns]

        def ask(corpus: Corpus, question: Question) -> pa.Table:
            query = decision_sql(
                court.policy,
                court.registers,
                corpus,
                replace(question, carried=place),
                kinds=court.kinds,
            )
            return in_order(court.database.sql(query).to_arrow_table())

        # What is only compared takes no part in the joins, which part rows that stand together.
        verdicts = ask(replace(corpus, twice=twice), _VERDICT)
        known = ask(replace(corpus, unit=None), replace(_KNOWN, asked=mapped))
    pairs = list(_units(run, list(inputs), known, verdicts, court.policy))
    listed = court.pool.map(lambda pair: Listed.read(run, pair[0]), pairs)
    for (_, decided), theirs in zip(pairs, listed, strict=True):
        compare(decided, theirs, tally, reduced=run.job.pii is not None)
        totals.reasons += theirs.reasons()


def _called(shard: str) -> str:
    """Give the name under which DuckDB reads a shard: JSON lines are Parquet by then."""
    return f"{shard}.parquet" if is_jsonl(shard) else shard


@contextlib.contextmanager
def _corpus(run: Vouched, items: Sequence[InputFile], court: Court) -> Iterator[Corpus]:
    """Give files as a relation for as long as it is read."""
    with contextlib.ExitStack() as stack:
        settings = Settings.of(run.job)
        read = [
            stack.enter_context(in_parquet(item, court.scratch, settings))
            if is_jsonl(item.name)
            else item
            for item in items
        ]
        read = [named(item, court.names) for item in read]
        yield _files(run.job, read, run.shards, court.database).corpus()


def _files(
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


def in_order(table: pa.Table) -> pa.Table:
    """Put rows in the order of shards and rows: DuckDB promises none, but some stand together."""
    places = _places(table)
    begins = np.flatnonzero(np.diff(places, prepend=-2) != 1)
    if len(begins) > len(table) // _TOGETHER:
        return table.take(pa.array(np.argsort(places, kind="stable")))
    ends = np.append(begins[1:], len(table))
    order = np.argsort(places[begins], kind="stable")
    parts = zip(begins[order].tolist(), ends[order].tolist(), strict=True)
    return pa.concat_tables([table.slice(0, 0), *(table.slice(a, b - a) for a, b in parts)])


def _places(table: pa.Table) -> Ints:
    """Say where each record stands: which shard, above which row."""
    numbers = _ints(table["shard"].combine_chunks().indices)
    return (numbers << _ROW_BITS) + _ints(table["row"])


def _units(
    run: Vouched,
    shards: Sequence[str],
    known: pa.Table,
    verdicts: pa.Table,
    policy: BoundPolicy,
) -> Iterator[tuple[UnitResult, Decided]]:
    """Part a group's records by unit, each in the order of its rows."""
    places = _places(verdicts)
    if not np.array_equal(places, _places(known)):
        raise SchemaError(shards[0], "it has changed while it was read")
    bounds = np.searchsorted(places, np.arange(len(shards) + 1) << _ROW_BITS)
    said, which = _said(verdicts, policy)
    rows = np.flatnonzero(verdicts["purge_reason"].is_valid())
    columns = (known["record_id"], *(verdicts[name] for name in PURGE))
    due = pa.table([column.take(pa.array(rows)) for column in columns], schema=DUE)
    facts = known.drop_columns(["shard", "row"])
    for number, shard in enumerate(shards):
        first, count = int(bounds[number]), int(bounds[number + 1] - bounds[number])
        units = run.shards[shard]
        # What lies between one unit's first row and the next one's is the unit's.
        begins = np.array([0, *(unit.row_offset for unit in units[1:]), count])
        begins = first + np.maximum.accumulate(np.clip(begins, 0, count))
        for unit, (begin, end) in zip(units, pairwise(begins.tolist()), strict=True):
            records = facts.slice(begin, end - begin)
            answers = said.take(pa.array(which[begin:end]))
            from_, to = np.searchsorted(rows, [begin, end]).tolist()
            yield unit, Decided(unit, records, answers, due.slice(from_, to - from_))


def _said(table: pa.Table, policy: BoundPolicy) -> tuple[pa.Table, Ints]:
    """Give the answers that there are, and which of them each record has."""
    words = [_ints(table[name]) for name in table.column_names if name.startswith("marks_")]
    which = np.zeros(len(table), np.int64)
    for word in words:
        mine = pa.array(word).dictionary_encode()
        both = pa.array(which * len(mine.dictionary) + _ints(mine.indices))
        which = _ints(both.dictionary_encode().indices)
    # Numbers are given in the order in which they are first met.
    first = np.flatnonzero(np.diff(np.maximum.accumulate(which), prepend=-2))
    reasons = Reasons(policy)
    said = [reasons.of([int(word[row]) for word in words]) for row in first.tolist()]
    columns: dict[str, list[Any]] = {
        "eligible": [eligible for eligible, _ in said],
        "reason": [listed[0] for _, listed in said],
        "reasons": [listed for _, listed in said],
    }
    return pa.table(columns, schema=ANSWERS), which


def _ints(column: pa.Array | pa.ChunkedArray) -> Ints:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64)
