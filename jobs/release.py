"""Decided units on their way out: survivors written, records listed, files published.

    read survivors ─▶ reduce ─▶ write       excluded after all? ─▶ list records ─▶ publish
    └─ each unit ─┘  together  └─ each ─┘   └───────────── together ─────────┘    └─ each ─┘

Small units go out together, since a look at many texts costs little more than a look at one, and so
do frames. Which of them do changes no byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, cast

from more_itertools import constrained_batches

from ..connectors.at_once import at_once
from ..connectors.audit import UnitResult, write_table
from ..connectors.folder import Folder
from ..connectors.parquet import ParquetShard
from ..connectors.pending import TABLE_BYTES, TABLE_ROWS
from ..connectors.staged import OWNER_ONLY, StagedFile
from ..filters.errors import UnitError
from ..filters.texts.paths import holds_text
from .context import Context
from .plan import Unit
from .records import Records
from .reducing import SCOPED, Reducing, reduce_together

if TYPE_CHECKING:
    from typing import BinaryIO

    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True)
class Decided:
    """A unit whose records are decided: what is known of them and the verdict, row for row.

    `columns` are those that are released; `scoped` is what reduction asks of the eligible records.
    """

    unit: Unit
    shard: ParquetShard
    columns: Sequence[str]
    facts: pl.DataFrame
    verdict: pl.DataFrame
    scoped: pl.DataFrame

    @classmethod
    def apart(
        cls,
        units: Iterable[tuple[Unit, ParquetShard, Sequence[str]]],
        rows: Iterable[int],
        facts: pl.DataFrame,
        verdict: pl.DataFrame,
    ) -> list[Decided]:
        """Cut what units were decided together into that of each, of so many rows."""
        eligible = verdict["eligible"]
        scoped, places = facts.select(SCOPED).filter(eligible), eligible.arg_true()
        decided = []
        start = first = 0
        for (unit, shard, columns), count in zip(units, rows, strict=True):
            mine = facts.slice(start, count), verdict.slice(start, count)
            start += count
            until = int(places.search_sorted(start))
            decided.append(cls(unit, shard, columns, *mine, scoped.slice(first, until - first)))
            first = until
        return decided

    @property
    def groups(self) -> range:
        """The unit's row groups."""
        return self.unit.groups(self.shard)


def blank(unit: Unit) -> UnitResult:
    """Give the result of a unit of which nothing is known yet."""
    return UnitResult(unit.name, unit.part, unit.parts, unit.size, unit.digest, unit.row_offset)


def bundles(decided: Sequence[Decided]) -> Iterator[Sequence[Decided]]:
    """Put neighbours together that look alike, and whose texts are no more than one table's."""

    def size(each: Decided) -> int:
        unpacked = each.shard.unpacked_bytes(each.columns, each.groups)
        return max(unpacked, each.facts.height * TABLE_BYTES // TABLE_ROWS)

    for _, alike in groupby(decided, key=lambda each: each.shard.schema):
        yield from constrained_batches(alike, TABLE_BYTES, get_len=size, strict=False)


def release(together: Sequence[Decided], context: Context) -> list[UnitResult]:
    """Write units' survivors and lists, and put them in their places; nothing is committed yet.

    Raises UnitError and SchemaError for what is wrong with one of them, before anything is in its
    place, and OSError where the output cannot be written.
    """
    with ExitStack() as stack:
        outgoing = [_Outgoing(each, context, stack) for each in together]
        _write_survivors(outgoing)
        records = Records(
            [each.unit for each in together],
            [each.facts for each in together],
            [each.verdict for each in together],
            [each.reducing for each in outgoing],
        )
        staged: list[dict[str, StagedFile]] = []
        for each, lists, counts in zip(outgoing, records.lists(), records.counts(), strict=True):
            each.check(counts["eligible"])
            listed = {name: each.list_records(name, table) for name, table in lists.items()}
            staged.append({"released": each.staged, **listed})
        context.check_goes_on()
        everything = [file for files in staged for file in files.values()]
        remote = context.output.remote or context.audit.remote
        written = at_once(StagedFile.publish, everything, remote=remote)
        results = []
        for each, files, counts in zip(outgoing, staged, records.counts(), strict=True):
            mine = {name: next(written) for name in files}
            result = replace(
                each.result,
                **counts,
                released=mine["released"],
                decisions=mine["decisions"],
                purge_list=mine["purge"],
                findings=mine.get("findings"),
            )
            results.append(result)
        return results


class _Outgoing:
    """One unit's files while they are written; `stack` drops those that are not published."""

    def __init__(self, decided: Decided, context: Context, stack: ExitStack) -> None:
        settings, reduction = context.settings, context.reduction
        self.unit, self.shard = decided.unit, decided.shard
        self.columns, self.groups = decided.columns, decided.groups
        self.eligible, self.height = decided.verdict["eligible"], decided.facts.height
        self.reducing = Reducing(
            reduction,
            self.unit.name,
            settings.paths(self.shard.schema),
            decided.scoped,
            settings.id_column,
        )
        self._audit, self._stack = context.audit, stack
        self.staged = self._stage(context.output, f"eligible/{self.unit.output}", 0o666)
        schema = self.shard.schema
        secret = {name for name in self.columns if holds_text(schema.field(name).type)}
        self.file = self.shard.released_file(
            self.columns,
            self.groups,
            cast("BinaryIO", self.staged),
            without_statistics={settings.id_column, *secret},
            compression_level=settings.compression_level,
            retyped=self.reducing.types,
        )
        self.result = replace(blank(self.unit), input_sha256=self.shard.input_sha256)

    def survivors(self) -> Iterator[pa.Table]:
        """Read the rows that are to go out."""
        return self.shard.survivors(self.columns, self.groups, self.eligible.to_arrow())

    def list_records(self, name: str, table: pa.Table) -> StagedFile:
        """Write a list of its records below the audit folder."""
        file = self._stage(self._audit, f"{name}/{self.unit.output}", OWNER_ONLY)
        write_table(table, file)
        return file

    def check(self, decided: int) -> None:
        """Raise UnitError unless as many rows were written as were decided to be eligible."""
        if self.file.rows != decided or len(self.eligible) != self.height:
            what = f"{self.file.rows} rows were written where {decided} were decided to be eligible"
            raise UnitError(self.unit.name, what, "report this: rows must never be lost")

    def _stage(self, root: Folder, path: str, mode: int) -> StagedFile:
        return self._stack.enter_context(StagedFile(root, path, mode))


def _write_survivors(outgoing: Sequence[_Outgoing]) -> None:
    """Read, reduce and write table by table; most units have one."""
    with ExitStack() as files:
        for each in outgoing:
            files.enter_context(each.file)
        for tables in zip_longest(*(each.survivors() for each in outgoing)):
            parts = [(e, t) for e, t in zip(outgoing, tables, strict=True) if t is not None]
            reduced = [table for _, table in parts]
            if parts[0][0].reducing.reduction.active:
                reduced = reduce_together([(each.reducing, table) for each, table in parts])
            for (each, table), released in zip(parts, reduced, strict=True):
                each.file.write(released, table.nbytes)
