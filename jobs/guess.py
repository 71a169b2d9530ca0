"""Which of a corpus's columns may say what: guesses from names and types.

Looked at is one shard: a Parquet footer, or the first JSON lines. Values are looked at only for
how large numbers are, and none is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt
import yaml

from ..connectors.jsonl import is_jsonl
from ..connectors.parquet import ParquetShard
from ..connectors.storage import InputFile, partitions
from ..filters.document import parse_document
from ..filters.errors import SchemaError, UnitError
from ..filters.schema import PROVENANCE, TIMES, Type
from ..filters.texts.paths import is_text, parse_path

_NAMES: Final[dict[str, str]] = {
    "record_id": "record_id id doc_id document_id uuid guid sample_id example_id row_id message_id"
    " request_id",
    "surface": "surface source data_source source_type origin channel product",
    "submitted_at": "submitted_at created_at submitted created received_at inserted_at"
    " creation_time created_time request_time event_time crawled_at fetched_at timestamp datetime"
    " ts time date day dt created_ms created_us created_ns created_ts timestamp_ms timestamp_us"
    " timestamp_ns ts_ms ts_us ts_ns time_ms epoch epoch_ms",
    "org_id": "org_id org organization_id organisation_id organization organisation account_id"
    " tenant_id tenant workspace_id customer_id company_id",
    "user_id": "user_id user member_id uid",
    "end_user_id": "end_user_id end_user external_user_id safety_identifier",
    "endpoint": "endpoint route api_path request_path",
    "model": "model model_id model_name engine",
    "part": "part",
    "file_id": "file_id file upload_id attachment_id",
    "conversation_id": "conversation_id conversation chat_id thread_id session_id dialog_id"
    " dialogue_id",
    "parent_ids": "parent_ids parents parent_id parent derived_from source_ids",
    "license_ends_at": "license_ends_at licence_ends_at license_end licence_end license_until"
    " licence_until license_expires_at licence_expires_at license_expiry licence_expiry",
    "region": "region data_region processing_region geo",
}
"""What corpora call the provenance columns, the likeliest name first."""

_TEXT: Final = (
    "text texts content contents body prompt completion response instruction instructions input"
    " output question answer title transcript raw_content markdown html message summary chosen"
    " rejected value arguments abstract description caption code system context reply query"
    " paragraphs"
)
"""What corpora call text; the last name of a path decides."""

_UNITS: Final = {"s": 1e11, "ms": 1e14, "us": 1e17, "ns": float("inf")}
"""Epoch units, and the number below which a time of our day is one."""


_NUMBERS: Final = ("INT32", "INT64", "DOUBLE")


@dataclass(frozen=True)
class Look:
    """What one readable shard shows: names and types; of numbers, how large they are."""

    name: str
    files: int
    schema: pa.Schema
    in_path: tuple[str, ...]
    largest: dict[str, float] = field(default_factory=dict)

    def columns(self) -> dict[str, pa.DataType]:
        """Map the shard's columns and those in its path to their types."""
        in_path = {n: pa.string() for n in self.in_path}
        # What stands in both cannot be mapped.
        both = in_path.keys() & set(self.schema.names)
        found = dict(zip(self.schema.names, self.schema.types, strict=True)) | in_path
        return {name: kind for name, kind in found.items() if name not in both}


@dataclass(frozen=True)
class Guess:
    """Where a provenance column may come from, as YAML, and what to check."""

    column: str
    yaml: str
    check: str = ""


def look_at(corpus: str, files: list[InputFile]) -> Look:
    """Look at the first shard that can be read. Raises SchemaError if none can."""
    first = ""
    for item in files:
        in_path = tuple(partitions(item.name))
        try:
            if is_jsonl(item.name):
                schema, largest = _first_lines(item)
            else:
                schema, largest = _footer(item)
        except UnitError as error:
            first = first or str(error)
            continue
        return Look(item.name, len(files), schema, in_path, largest)
    raise SchemaError(corpus, f"none of its {len(files):,} files can be read", first)


def _footer(item: InputFile) -> tuple[pa.Schema, dict[str, float]]:
    """Give a file's schema, and how large its whole numbers are by its own statistics."""
    with ParquetShard(item.folder, item.path, item.name) as shard:
        schema = shard.schema
    largest: dict[str, float] = {}
    with item.folder.open_input_file(item.path) as file:
        metadata = pq.read_metadata(file)
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            known = chunk.statistics if chunk.physical_type in _NUMBERS else None
            if known is not None and known.has_min_max:
                name = chunk.path_in_schema
                largest[name] = max(largest.get(name, 0), abs(known.max_raw))
    return schema, largest


def _first_lines(item: InputFile) -> tuple[pa.Schema, dict[str, float]]:
    try:
        with item.folder.reading(item.path) as file:
            frame = pl.scan_ndjson(file, infer_schema_length=100).head(100).collect()
    except (pl.exceptions.PolarsError, OSError):
        fix = "mend the file, and check it with `jq -c . FILE`"
        raise UnitError(
            item.name, "it does not begin with lines that are JSON objects", fix
        ) from None
    numbers = frame.select(pl.selectors.numeric().abs().max().cast(pl.Float64))
    largest = {column.name: float(column[0] or 0) for column in numbers if len(column)}
    return frame.to_arrow().schema, largest


def guess_columns(look: Look) -> Iterator[tuple[str, Guess]]:
    """Find a column for each provenance column; as no two share a name, none is taken twice."""
    columns = look.columns()
    by_name: dict[str, str] = {}
    for name in columns:
        by_name.setdefault(_bare(name), name)
    for target, kind in PROVENANCE.items():
        for word in _NAMES[target].split():
            name = by_name.get(_bare(word), "")
            guess = _guess(target, kind, name, columns[name], look) if name else None
            if guess is not None:
                yield target, guess
                break


def _guess(target: str, kind: Type, name: str, dtype: pa.DataType, look: Look) -> Guess | None:
    """Say how a column would be mapped; None if its type does not allow it."""
    if target in TIMES:
        return _time(name, dtype, look)
    if pt.is_dictionary(dtype):
        dtype = dtype.value_type
    if kind is Type.LIST:
        is_list = pt.is_list(dtype) or pt.is_large_list(dtype)
        return Guess(name, quoted(name)) if is_list and is_text(dtype.value_type) else None
    is_id = target.endswith("_id") and pt.is_integer(dtype)
    if not (is_text(dtype) or is_id):
        return None
    check = "its values must be the names above, exactly" if target == "surface" else ""
    return Guess(name, quoted(name), check)


def _time(name: str, dtype: pa.DataType, look: Look) -> Guess | None:
    spelled = quoted(name)
    in_utc = f"{{column: {spelled}, timezone: UTC}}"
    if pt.is_timestamp(dtype) and dtype.tz is not None:
        return Guess(name, spelled)
    if pt.is_timestamp(dtype) or pt.is_date(dtype):
        return Guess(name, in_utc, f"it is {dtype}, without a zone; UTC is a guess")
    if is_text(dtype) and name in look.in_path:
        return Guess(name, in_utc, "from the path, without a zone; UTC is a guess")
    if is_text(dtype):
        return Guess(name, spelled, "text must state its offset, or give a timezone here")
    if pt.is_integer(dtype) or pt.is_floating(dtype):
        unit, why = _unit(name, look.largest.get(name))
        return Guess(name, f"{{column: {spelled}, unit: {unit}}}", f"the unit is {why}")
    return None


def _unit(name: str, largest: float | None) -> tuple[str, str]:
    """Guess an epoch's unit. A wrong one gives an implausible time, which excludes."""
    tail = re.search(r"_?(ms|us|ns|millis|micros|nanos)$", name, re.IGNORECASE)
    if tail:
        known = {"millis": "ms", "micros": "us", "nanos": "ns"}
        word = tail[1].lower()
        return known.get(word, word), "guessed from the name"
    if not largest:
        return "s", "a guess: s, ms, us or ns"
    return next(unit for unit, top in _UNITS.items() if largest < top), "guessed from the size"


def text_paths(look: Look, used: set[str]) -> Iterator[str]:
    """Find the strings that are called as text is, however deep they lie."""
    for name, kind in zip(look.schema.names, look.schema.types, strict=True):
        if name in used:
            continue
        for path in _leaves(name, name, kind):
            try:
                parse_path(path, look.schema.names).check(look.schema)
            except SchemaError:
                continue  # a name that a path cannot spell
            yield path


def _leaves(path: str, name: str, kind: pa.DataType) -> Iterator[str]:
    if pt.is_dictionary(kind):
        kind = kind.value_type
    if is_text(kind):
        if _bare(name) in map(_bare, _TEXT.split()):
            yield path
    elif pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        yield from _leaves(f"{path}[]", name, kind.value_type)
    elif pt.is_struct(kind):
        for index in range(kind.num_fields):
            inner = kind.field(index)
            yield from _leaves(f"{path}.{inner.name}", inner.name, inner.type)


def _bare(name: str) -> str:
    """Reduce a name to what counts.

    >>> _bare("Created_At") == _bare("createdAt")
    True
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def quoted(text: str) -> str:
    r"""Write a string as YAML, in one line, with quotes only where it needs them.

    >>> print(quoted("text"), quoted("messages[].content"), quoted("true"), quoted("a\nb"))
    text "messages[].content" "true" "a\nb"
    """
    if (
        re.fullmatch(r"[A-Za-z0-9_.][\w./*-]*", text, re.ASCII)
        and parse_document(text).data == text
    ):
        return text
    return str(
        yaml.safe_dump(text, default_style='"', allow_unicode=True, width=float("inf")).rstrip("\n")
    )
