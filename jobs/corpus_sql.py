# ruff: noqa: S608 - SQL is what this file writes, of names and literals that it quotes
"""A job's corpus as a DuckDB relation: its files as they are, grouped by the types they have."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final
from urllib.parse import quote

import duckdb
import polars as pl

from ..connectors.duckdb_names import DuckNames
from ..connectors.jsonl import is_jsonl, jsonl_schema
from ..connectors.parquet import ParquetShard
from ..connectors.storage import InputFile, list_inputs, partitions
from ..filters.errors import Fault, JobError, SchemaError, UnitError
from ..filters.schema import PROVENANCE
from ..filters.sql.decide import Corpus
from ..filters.sql.mapping import mapped, quoted, require_types
from ..filters.sql.provenance import SQL_TYPES, text
from .plan import ids_needed
from .settings import Settings
from .spec import Job
from .text_sql import texts_sql

FILE: Final = "corpusgate:file"
"""The column in which DuckDB gives a row's file; no corpus has one that is called so."""

_ROW: Final = "file_row_number"


@dataclass(frozen=True)
class Shard:
    """One input file that can be read: its columns' types as DuckDB spells them, and its units.

    The file's path is the name under which DuckDB reads it.
    `cuts` are the rows at which its units begin, the first left out.
    """

    file: InputFile
    types: tuple[tuple[str, str], ...]
    cuts: tuple[int, ...] = ()

    @property
    def jsonl(self) -> bool:
        """Say whether it holds JSON lines."""
        return is_jsonl(self.file.name)


@dataclass(frozen=True)
class CorpusFiles:
    """All input files of a job; `unreadable` maps names to what is wrong with them."""

    job: Job
    shards: tuple[Shard, ...]
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def groups(self) -> tuple[tuple[Shard, ...], ...]:
        """Group shards that one scan can read."""
        alike: dict[object, list[Shard]] = {}
        for shard in self.shards:
            alike.setdefault((shard.jsonl, shard.types, _keys(shard)), []).append(shard)
        return tuple(map(tuple, alike.values()))

    def columns(self) -> tuple[str, ...]:
        """Name all columns, partitions included, in the order in which they are met."""
        names = (n for group in self.groups for n in (*dict(group[0].types), *_keys(group[0])))
        return tuple(dict.fromkeys(names))

    def corpus(self, *, original: bool = False, texts: bool = False) -> Corpus:
        """Give it as the decision reads it, with `shard` and `row`.

        Besides with its own columns, or with its texts as `corpusgate:texts`.

        Raises SchemaError for a column of a type that cannot become the wanted one.
        """
        scans = [self._scan(group, original=original, texts=texts) for group in self.groups]
        relation = "\nUNION ALL BY NAME\n".join(scans)
        names = {name: f'"mapped:{name}"' for name in self.job.input.columns}
        unit = '"corpusgate:unit"' if self.job.input.unique == "unit" else "0"
        return Corpus(f"(\n{relation}\n)", names, unit)

    def _scan(self, group: Sequence[Shard], *, original: bool, texts: bool) -> str:
        one = group[0]
        types = {**dict(one.types), **dict.fromkeys(_keys(one), "VARCHAR")}
        own = {name: quoted(name) for name, _ in one.types}
        own |= {name: partition(name, _name(group)) for name in _keys(one)}
        sources = self.job.input.sources()
        read = frozenset[str]().union(*(source.reads() for source in sources.values()))
        below = [f"{own[n]} AS {quoted(n)}" for n in _keys(one) if n in read or original]
        row = "CAST(NULL AS BIGINT)" if one.jsonl else _ROW
        columns = [
            *(
                f"{sql} AS {quoted('mapped:' + name)}"
                for name, sql in mapped(sources, types, "input.columns").items()
            ),
            f"{_unit(group)} AS {quoted('corpusgate:unit')}",
            f"{_name(group)} AS {quoted('corpusgate:shard')}",
            f"{row} AS {quoted('corpusgate:row')}",
            *(f"{quoted(n)} AS {quoted('own:' + n)}" for n in own if original),
        ]
        if texts:
            listed = texts_sql(self.job.input.text, dict(one.types))
            columns.append(f"{listed} AS {quoted('corpusgate:texts')}")
        inner = ", ".join(["*", *([] if one.jsonl else [_ROW]), *below])
        return f"SELECT {', '.join(columns)}\nFROM (SELECT {inner} FROM {_reader(group)})"


def corpus_files(job: Job, database: duckdb.DuckDBPyConnection, names: DuckNames) -> CorpusFiles:
    """Look at a job's input files; no record is read, but JSON lines for their types.

    Raises JobError where no file fits the job, UnitError where ids must be unique in all files and
    one cannot be read.
    """
    settings = Settings.of(job)
    shards: list[Shard] = []
    unreadable: dict[str, str] = {}
    first: SchemaError | None = None
    known: dict[object, tuple[tuple[str, str], ...]] = {}
    for item in list_inputs(job.input.path, job.base, job.stores):
        try:
            file = named(item, names)
            if is_jsonl(item.name):
                schema = _jsonl_schema(item, settings.reads())
                if schema is None:
                    continue
                settings.check(schema.to_arrow(), item.name)
                types = tuple((name, _json_type(dtype)) for name, dtype in schema.items())
                _no_clash([*dict(types), *partitions(item.name)], item.name)
                shards.append(_checked(job, Shard(file, types)))
                continue
            with ParquetShard(item.folder, item.path, item.name) as shard:
                settings.check(shard.schema, item.name)
                _no_clash([*shard.schema.names, *partitions(item.name)], item.name)
                if shard.schema not in known:
                    known[shard.schema] = _parquet_types(database, file)
                cuts = _cuts(shard, job.input.max_unit_bytes)
                shards.append(_checked(job, Shard(file, known[shard.schema], cuts)))
        except UnitError as error:
            unreadable[item.name] = error.what
        except SchemaError as error:
            first = first or error
            unreadable[item.name] = f"{error.where}: {error.what}"
    if first is not None and not shards:
        raise JobError(job.source, (Fault(first.where, first.what, first.fix),))
    if job.input.unique == "run":
        for name, what in unreadable.items():
            raise ids_needed(name, what)
    return CorpusFiles(job, tuple(shards), unreadable)


def nothing_to_read() -> str:
    """Give a relation of a corpus in which no file can be read."""
    names = ", ".join(
        f"CAST(NULL AS {SQL_TYPES[kind]}) AS {quoted('mapped:' + name)}"
        for name, kind in PROVENANCE.items()
    )
    rest = '\'\' AS "corpusgate:unit", \'\' AS "corpusgate:shard", 0 AS "corpusgate:row"'
    rest += ', CAST([] AS STRUCT("path" VARCHAR, "text" VARCHAR)[]) AS "corpusgate:texts"'
    return f"(SELECT {names}, {rest} WHERE FALSE)"


def _checked(job: Job, shard: Shard) -> Shard:
    """Raise SchemaError unless a shard has what the job maps, in types that can be mapped."""
    types = {**dict(shard.types), **dict.fromkeys(_keys(shard), "VARCHAR")}
    sources = job.input.sources()
    mapped(sources, types, "input.columns")
    require_types(sources, types)
    return shard


def _no_clash(names: Sequence[str], shard: str) -> None:
    """Refuse names that DuckDB cannot tell apart, or has a meaning of its own for."""
    lower = [name.lower() for name in names]
    for name in names:
        if lower.count(name.lower()) > 1 or name.lower() == _ROW:
            what = f"SQL cannot tell the column `{name}` from another"
            raise SchemaError(shard, what, "rename it, or use `corpusgate run`")


def named(item: InputFile, names: DuckNames) -> InputFile:
    """Give an input file by the name under which DuckDB reads it."""
    path = names.name(item.folder, item.path, item.size, item.modified)
    return replace(item, path=path)


def _parquet_types(
    database: duckdb.DuckDBPyConnection, item: InputFile
) -> tuple[tuple[str, str], ...]:
    scan = f"read_parquet([{text(item.path)}], hive_partitioning=false)"
    query = f"SELECT column_name, column_type FROM (DESCRIBE FROM {scan})"
    try:
        rows = database.execute(query).fetchall()
    except duckdb.Error:
        raise UnitError(item.name, "DuckDB cannot read it", "write it again") from None
    return tuple((str(name), str(kind)) for name, kind in rows)


def _jsonl_schema(item: InputFile, read: Collection[str]) -> pl.Schema | None:
    """Find the types that fit every line, as a run does; None if there is no line."""
    try:
        return jsonl_schema(item.folder, item.path, item.name, read)
    except OSError:
        raise UnitError(item.name, "cannot be opened", "check its permissions") from None


def _json_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List):
        return f"{_json_type(dtype.inner)}[]"  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        fields = ", ".join(f"{quoted(f.name)} {_json_type(f.dtype)}" for f in dtype.fields)  # type: ignore[arg-type]
        return f"STRUCT({fields})"
    if dtype.is_integer():
        return "BIGINT"
    if dtype.is_float():
        return "DOUBLE"
    return "BOOLEAN" if isinstance(dtype, pl.Boolean) else "VARCHAR"


def _cuts(shard: ParquetShard, limit: int) -> tuple[int, ...]:
    """Say at which rows a run begins a new unit of this file."""
    starts = []
    size = rows = 0
    for bytes_, count in zip(shard.row_group_weights, shard.row_group_rows, strict=True):
        if size and size + bytes_ > limit:
            starts.append(rows)
            size = 0
        size += bytes_
        rows += count
    return tuple(starts)


def _keys(shard: Shard) -> tuple[str, ...]:
    """Name the Hive partitions in a shard's path that are no columns of it."""
    there = {name for name, _ in shard.types}
    return tuple(key for key in partitions(shard.file.name) if key not in there)


def _reader(group: Sequence[Shard]) -> str:
    files = ", ".join(text(shard.file.path) for shard in group)
    options = f"filename={text(FILE)}, hive_partitioning=false"
    if not group[0].jsonl:
        return f"read_parquet([{files}], {options})"
    types = ", ".join(f"{text(name)}: {text(kind)}" for name, kind in group[0].types)
    lines = "format='newline_delimited', maximum_object_size=134217728"
    return f"read_json([{files}], {options}, {lines}, columns={{{types}}})"


def _name(group: Sequence[Shard]) -> str:
    """Give a row's shard: the path below the folder or pattern that the job names."""
    roots = sorted({len(s.file.path) - len(s.file.name) for s in group})
    file = quoted(FILE)
    if len(roots) == 1:
        return f"substr({file}, {roots[0] + 1})"
    branches = []
    for root in sorted({s.file.path[: -len(s.file.name)] for s in group}, key=len, reverse=True):
        within = [s for s in group if s.file.path == root + s.file.name]
        listed = ", ".join(text(s.file.path) for s in within)
        branches.append(f"WHEN {file} IN ({listed}) THEN substr({file}, {len(root) + 1})")
    return f"(CASE {' '.join(branches)} END)"


def _unit(group: Sequence[Shard]) -> str:
    """Give what a run decides together: a file, or a part of one that is too large."""
    file = quoted(FILE)
    branches = []
    for shard in group:
        if shard.cuts:
            part = " + ".join(f"CAST({_ROW} >= {cut} AS INTEGER)" for cut in shard.cuts)
            branches.append(f"WHEN {text(shard.file.path)} THEN {file} || '#' || ({part})")
    return f"(CASE {file} {' '.join(branches)} ELSE {file} END)" if branches else file


def partition(key: str, name: str) -> str:
    """Read a Hive partition from a shard's name."""
    spelled = "|".join(sorted({re.escape(key), re.escape(quote(key))}))
    found = f"regexp_extract({name}, {text(f'(?:^|/)(?:{spelled})=([^/]*)/')}, 1)"
    return f"(CASE WHEN {found} <> '__HIVE_DEFAULT_PARTITION__' THEN url_decode({found}) END)"


def paths(files: CorpusFiles) -> list[str]:
    """List every file that is read, by the names under which DuckDB reads them."""
    return [shard.file.path for shard in files.shards]
