"""A job's choices in the form a unit needs them, and whether a shard has what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from ..connectors.storage import partitions
from ..filters.document import suggest
from ..filters.errors import SchemaError
from ..filters.mapping import Source, map_columns
from ..filters.provenance import id_kinds, require_types
from ..filters.registers import RegisterSet
from ..filters.texts.paths import TextPath, holds_text, parse_path
from .spec import Job


@dataclass(frozen=True)
class Settings:
    """What a job reads of every shard, and what it releases."""

    sources: dict[str, Source]
    id_column: str
    text: tuple[str, ...]
    keep: tuple[str, ...]
    keep_raw: tuple[str, ...]
    unique: str
    compression_level: int | None

    @classmethod
    def of(cls, job: Job) -> Settings:
        """Take them from a job."""
        given = job.input
        return cls(
            given.sources(),
            str(given.columns["record_id"].column),
            tuple(given.text),
            tuple(given.keep),
            tuple(given.keep_raw),
            given.unique,
            job.output.compression_level,
        )

    def reads(self) -> frozenset[str]:
        """Name the columns of the corpus that provenance comes from."""
        return frozenset[str]().union(*(source.reads() for source in self.sources.values()))

    def blank(self, name: str) -> dict[str, pl.DataType]:
        """Give the columns of a file without records that has no schema: those asked for."""
        columns: dict[str, pl.DataType] = {
            **dict.fromkeys(sorted({*self.reads(), *self.keep}), pl.Null()),
            **dict.fromkeys((self.id_column, *self.keep_raw), pl.String()),
        }
        paths = [parse_path(text) for text in self.text]
        for path in paths:
            ends = [other.steps for other in paths if other.column == path.column]
            columns[path.column] = _leading_to_text(ends)
        in_path = {"", *partitions(name)}
        return {column: dtype for column, dtype in columns.items() if column not in in_path}

    def paths(self, schema: pa.Schema) -> tuple[TextPath, ...]:
        """Read the text paths against a shard's schema. Raises SchemaError."""
        paths = tuple(parse_path(text, schema.names) for text in self.text)
        for path in paths:
            path.check(schema)
        ends = [(path.column, path.steps) for path in paths]
        for index, end in enumerate(ends):
            if end in ends[:index]:
                what = "two text paths lead to the same texts"
                raise SchemaError(f"text path `{paths[index].text}`", what, "leave one out")
        return paths

    def released(self, schema: pa.Schema) -> list[str]:
        """Name the columns that are released, in the shard's order.

        Those are the id, the columns with text, and those kept by name. Raises SchemaError for a
        column that is not there, and for text under `keep`, which nobody has looked at.
        """
        wanted = {self.id_column, *(path.column for path in self.paths(schema))}
        for key, names in (("keep", self.keep), ("keep_raw", self.keep_raw)):
            for name in names:
                if name not in schema.names:
                    raise SchemaError(
                        f"input.{key}", f"there is no column `{name}`", "leave it out"
                    )
                if key == "keep" and name not in wanted and holds_text(schema.field(name).type):
                    fix = "list it under keep_raw to release it as it is"
                    raise SchemaError(f"input.{key}", f"`{name}` holds text", fix)
        wanted.update(self.keep, self.keep_raw)
        return [name for name in schema.names if name in wanted]

    def check(self, schema: pa.Schema, name: str) -> None:
        """Raise SchemaError unless a shard has what is read and released."""
        self.released(schema)
        there = {*schema.names, *partitions(name)}
        for target, source in self.sources.items():
            for column in sorted(source.reads() - there):
                what = f"there is no column `{column}`"
                raise SchemaError(f"input.columns.{target}", what, suggest(column, there))
            for column in sorted(source.reads() & set(schema.names) & set(partitions(name))):
                what = f"`{column}` stands both in the file and in its path"
                raise SchemaError(f"input.columns.{target}", what, "rename one")

    def check_types(self, schema: pa.Schema, name: str, registers: RegisterSet) -> None:
        """Map and conform no rows: what is wrong with types shows before anything is written.

        Raises SchemaError, and RegisterError for a register whose ids are of another type.
        """
        wanted = [column for column in schema.names if column in self.reads()]
        # An empty table of arrays would make pyarrow import pandas, a quarter of a second.
        nothing = pa.Table.from_batches([], schema).select(wanted)
        frame = with_partitions(pl.DataFrame(nothing), name)
        records = map_columns(frame, self.sources, "input.columns")
        require_types(records.schema)
        registers.match_ids(id_kinds(records.schema))


def with_partitions(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Put the Hive partitions of a shard's path beside its columns, as strings."""
    there = {c: value for c, value in partitions(name).items() if c not in frame.columns}
    if not there:
        return frame
    return frame.with_columns(
        pl.lit(value, dtype=pl.String).alias(column) for column, value in there.items()
    )


def _leading_to_text(ends: Sequence[tuple[str | None, ...]]) -> pl.DataType:
    """Give the type in which these steps lead to strings."""
    if not all(ends):
        return pl.String()
    if None in {steps[0] for steps in ends}:
        return pl.List(_leading_to_text([steps[1:] for steps in ends]))
    fields = dict.fromkeys(str(steps[0]) for steps in ends)
    return pl.Struct(
        {
            name: _leading_to_text([steps[1:] for steps in ends if steps[0] == name])
            for name in fields
        }
    )
