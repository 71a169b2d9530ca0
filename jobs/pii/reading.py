"""Files with texts in them, read one after the other, each some 16 MiB at a time.

A file that cannot be read is named and passed over; what it had so far does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.types as pt

from ...connectors.parquet import ParquetShard
from ...connectors.storage import InputFile, list_inputs
from ...filters.document import suggest
from ...filters.errors import CorpusgateError, Fault, JobError, SchemaError, UnitError
from ...filters.texts.paths import TextPath, is_text, storage, text_paths
from ..plan import Unit
from ..settings import Settings
from ..shard import opened
from .listing import Listing
from .options import SOURCE
from .progress import FileProgress

if TYPE_CHECKING:
    from typing import BinaryIO

_BASE: Final = ("column", "entity", "start", "end", "score")
_NESTED: Final = ("index", "pointer")


@dataclass(frozen=True)
class Corpus:
    """Texts in files: paths into their columns, and the column that names records.

    Without `id_column`, a record's id is its row number in its file, from 0.
    """

    patterns: tuple[str, ...]
    columns: tuple[str, ...]
    id_column: str | None = None

    def inputs(self) -> list[InputFile]:
        """List the files. Raises SchemaError."""
        return list_inputs(self.patterns, Path())

    def paths(self, schema: pa.Schema) -> tuple[TextPath, ...]:
        """Read the text paths against a file's schema. Raises SchemaError."""
        if not self.columns:
            there = [path.text for each in schema for path in text_paths(each.name, each.type)]
            fix = f"name those with texts among {', '.join(there)}" if there else ""
            raise SchemaError("--columns", "no column is named", fix)
        return self.settings.paths(schema)

    @property
    def settings(self) -> Settings:
        """Give what it asks of a file, as a job would say it."""
        return Settings({}, self.id_column or "", self.columns, (), (), "unit", None)


@dataclass
class Totals:
    """What was found, and what became of records. Counts are of readable files.

    `excluded` counts the records of which a text could not be read, by reason; `unreadable` has the
    files, each with its error.
    """

    files: int = 0
    rows: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    found: Counter[tuple[str, str]] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Give what `--json` prints; `findings` by column and entity."""
        findings: dict[str, dict[str, int]] = {}
        for (column, entity), count in sorted(self.found.items()):
            findings.setdefault(column, {})[entity] = count
        return {
            "files": self.files,
            "files_unreadable": len(self.unreadable),
            "rows": self.rows,
            "excluded": dict(sorted(self.excluded.items())),
            "findings": findings,
            "unreadable": sorted(self.unreadable),
        }


@dataclass(frozen=True)
class OpenFile:
    """One file being read, and what was found in it so far.

    `findings` have `record_id` and the columns of `pii_listing.FOUND` but `shard`.
    """

    unit: Unit
    shard: ParquetShard
    paths: tuple[TextPath, ...]
    id_column: str | None
    id_type: pa.DataType
    progress: FileProgress
    findings: list[pl.DataFrame] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)

    def ids(self, table: pa.Table, first: int) -> pl.Series:
        """Give the ids of some rows, of which `first` is the first. Raises UnitError for NULL."""
        if self.id_column is None:
            return pl.int_range(first, first + len(table), dtype=pl.Int64, eager=True)
        column = table[self.id_column]
        if column.null_count:
            what = f"`{self.id_column}` is NULL in some rows"
            raise UnitError(self.unit.name, what, "choose another column, or leave --id out")
        return pl.Series(column.cast(self.id_type))

    def copy(self, columns: Sequence[str], sink: BinaryIO, see: See) -> None:
        """Read all rows, and write what `see` makes of them.

        Raises UnitError where that fails, without a word of theirs.
        """
        shard, first = self.shard, 0
        groups = range(len(shard.row_group_rows))
        plain = {path.column for path in self.paths}
        with shard.released_file(columns, groups, sink, without_statistics=plain) as written:
            for table in shard.survivors(columns, groups, np.ones(shard.rows, dtype=np.bool_)):
                with without_text(self.unit.name):
                    seen = see(table, first)
                first += len(table)
                share = len(table) / max(shard.rows, 1)
                self.progress.rows(self.unit.name, len(table), self.unit.size * share)
                written.write(seen, table.nbytes)


See: TypeAlias = Callable[[pa.Table, int], pa.Table]
"""Some rows, and the place of the first → the rows that are written instead."""


def each_file(
    corpus: Corpus,
    inputs: Sequence[InputFile],
    work: Callable[[OpenFile], None],
    *,
    scratch: Path,
    listing: Listing | None,
    also: Sequence[str] = (),
    progress: FileProgress,
) -> Totals:
    """Do some work on every file, list what it finds, and add up what it comes to.

    JSON lines become Parquet below `scratch`; `also` names further columns of the list. The first
    file with rows that can be opened settles the types: raises JobError where it does not fit.
    """
    totals = Totals(files=len(inputs))
    progress.begin(len(inputs), sum(item.size for item in inputs))
    settled: pa.DataType | None = None
    for item in inputs:
        unit = unit_of(item)
        try:
            with opened(unit, scratch, corpus.settings) as shard:
                file = _opened(unit, shard, corpus, settled, progress)
                if settled is None and listing is not None:
                    listing.begin(file.id_type, [*_BASE, *also, *_places(file, len(inputs))])
                settled = file.id_type if shard.rows else settled
                work(file)
        except SchemaError as error:
            if settled is None:
                where = f"{error.where} in {item.name}"
                raise JobError(SOURCE, (Fault(where, error.what, error.fix),)) from None
            totals.unreadable[item.name] = f"{error.where}: {error.what}"
        except UnitError as error:
            totals.unreadable[item.name] = error.what
        else:
            _add(totals, file, listing)
            progress.file(item.name, shard.rows, sum(map(len, file.findings)))
        if item.name in totals.unreadable:
            progress.unreadable(item.name, totals.unreadable[item.name])
    return totals


@contextmanager
def without_text(name: str) -> Iterator[None]:
    """Raise UnitError, with a file's name, for errors that may quote a text.

    >>> with without_text("a.parquet"):
    ...     raise ValueError("write to ann@example.com")
    Traceback (most recent call last):
        ...
    corpusgate.filters.errors.UnitError: a.parquet: its text cannot be looked at: ValueError. \
Report this with the columns' types
    """
    try:
        yield
    except CorpusgateError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a recogniser raises
        what = f"its text cannot be looked at: {type(error).__name__}"
        raise UnitError(name, what, "report this with the columns' types") from None


def unit_of(item: InputFile) -> Unit:
    """Give a whole file as what a run calls a unit."""
    return Unit(
        item.name, item.path, item.size, item.modified, "", range(1), 0, None, folder=item.folder
    )


def _opened(
    unit: Unit,
    shard: ParquetShard,
    corpus: Corpus,
    settled: pa.DataType | None,
    progress: FileProgress,
) -> OpenFile:
    paths = corpus.paths(shard.schema)
    name = corpus.id_column
    if name is not None and name not in shard.schema.names:
        fix = suggest(name, shard.schema.names)
        raise SchemaError("--id", f"there is no column `{name}`", fix)
    kind = pa.int64() if name is None else _id_type(name, shard.schema.field(name).type)
    if shard.rows and settled not in {None, kind}:
        raise SchemaError("--id", f"`{name}` is not {settled}, as it is in earlier files")
    return OpenFile(unit, shard, paths, name, kind, progress)


def _id_type(name: str, kind: pa.DataType) -> pa.DataType:
    """Give the type that ids are listed in: strings, or integers that fit."""
    held = storage(kind)
    held = held.value_type if pt.is_dictionary(held) else held
    if is_text(held) or pt.is_uint64(held):
        return pa.string()
    if pt.is_integer(held):
        return pa.int64()
    what = f"`{name}` is {kind}, neither a string nor an integer"
    raise SchemaError("--id", what, "choose another column, or leave --id out")


def _places(file: OpenFile, files: int) -> list[str]:
    """Name the columns that place a finding: in a nested column, among several files."""
    kinds = [path.into(file.shard.schema.field(path.column).type)[1] for path in file.paths]
    nested = any(path.steps or path.json for path in file.paths)
    nested = nested or any(isinstance(kind, pa.JsonType) for kind in kinds)
    return [*(_NESTED if nested else ()), *(("shard",) if not file.id_column and files > 1 else ())]


def _add(totals: Totals, file: OpenFile, listing: Listing | None) -> None:
    totals.rows += file.shard.rows
    totals.excluded += file.excluded
    for findings in file.findings:
        for column, entity, count in findings.group_by("column", "entity").len().iter_rows():
            totals.found[column, entity] += count
        if listing is not None:
            listing.add(findings.with_columns(shard=pl.lit(file.unit.name)))
