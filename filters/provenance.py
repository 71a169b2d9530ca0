"""A frame's provenance columns in the one form that rules and registers compare.

Normalised is only what can forbid more: endpoints and models, which forbids read. Ids are never
touched, except that one of nothing but white space counts as empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import polars as pl

from .errors import SchemaError
from .registers import id_kind
from .schema import PROVENANCE, REQUIRED, SUBJECTS, TIMES, Type
from .times import UNREADABLE, from_zoned
from .to_polars import DTYPES, TIMESTAMP

_UPPER: Final = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER: Final = [letter.lower() for letter in _UPPER]
_IDS: Final = frozenset(SUBJECTS.values())


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """Give all provenance columns, typed and normalised; one that is not there is NULL.

    `parent_ids` becomes the boolean `has_parents`. Raises SchemaError for a missing `record_id`
    or `surface`, and for a column of a type that cannot be read as what it must be.
    """
    require_types(frame.schema)
    schema = frame.schema
    return frame.select(
        _expression(name, kind, schema[name]) if name in schema else _missing(name, kind)
        for name, kind in PROVENANCE.items()
    )


def require_types(schema: Mapping[str, pl.DataType]) -> None:
    """Raise SchemaError unless `conform` can take a frame of this schema."""
    for name in REQUIRED:
        if name not in schema:
            raise SchemaError(f"column `{name}`", "it is missing", "every record needs it")
    for name, dtype in schema.items():
        if name in PROVENANCE:
            _check(name, dtype)


def id_kinds(schema: Mapping[str, pl.DataType]) -> dict[str, str | None]:
    """Say for each id column of a schema what ids it stores: `string`, `integer`, or None."""
    return {name: id_kind(schema[name]) for name in sorted(_IDS & schema.keys())}


def _check(name: str, dtype: pl.DataType) -> None:
    if isinstance(dtype, pl.Null):
        return
    where = f"column `{name}`"
    if name in TIMES:
        if not isinstance(dtype, pl.Datetime):
            raise SchemaError(where, f"{dtype} is not a time", "say its unit or its time zone")
        if dtype.time_zone is None:
            raise SchemaError(
                where, "a time without a zone", "say which: {column: …, timezone: UTC}"
            )
    elif PROVENANCE[name] is Type.LIST:
        if not isinstance(dtype, pl.List):
            raise SchemaError(where, f"{dtype} is not a list", "map a list of record ids")
    elif id_kind(dtype) is None or (name not in _IDS and id_kind(dtype) != "string"):
        raise SchemaError(where, f"{dtype} is not a string", "map a string column")


def _expression(name: str, kind: Type, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Null):
        # Not a literal: of literals alone, there would be one row.
        return column.cast(DTYPES[kind]) if kind is not Type.LIST else _missing(name, kind)
    if isinstance(dtype, pl.Datetime):
        if dtype == TIMESTAMP:
            return column
        instants = from_zoned(column, dtype)
        return (
            pl.when(instants.is_null() & column.is_not_null())
            .then(UNREADABLE)
            .otherwise(instants)
            .alias(name)
        )
    if kind is Type.LIST:
        return (column.list.len() > 0).fill_null(value=False).alias("has_parents")
    text = column.cast(pl.String)
    if name in _NORMAL:
        text = text.map_batches(partial(_by_value, _NORMAL[name]), return_dtype=pl.String)
    elif name in _IDS:
        text = (
            pl.when(text.str.contains(r"\S")).then(text).when(text.is_not_null()).then(pl.lit(""))
        )
    return text.alias(name)


def _missing(name: str, kind: Type) -> pl.Expr:
    if kind is Type.LIST:
        return pl.lit(value=False).alias("has_parents")
    return pl.lit(None, dtype=DTYPES[kind]).alias(name)


def normal_model(column: pl.Expr) -> pl.Expr:
    """Bring a model's name into the form that rules compare: trimmed, ASCII lower case.

    >>> pl.select(normal_model(pl.lit("  FT:Davinci "))).item()
    'ft:davinci'
    """
    return _or_null(_lower(column.str.strip_chars()))


def normal_endpoint(column: pl.Expr) -> pl.Expr:
    """Bring an endpoint into the form that rules compare: a lower-case path, nothing else.

    >>> pl.select(normal_endpoint(pl.lit("POST https://host/V1/Audio//transcriptions/?a=b"))).item()
    '/v1/audio/transcriptions'
    """
    path = (
        _lower(column.str.strip_chars())
        .str.replace(r"^(?:get|post|put|patch|delete|head|options|connect|trace)\s+", "")
        .str.replace(r"\s+http/[0-9.]+$", "")
        .str.replace(r"^[a-z][a-z0-9+.-]*://[^/?#]*", "")
        .str.replace(r"^(?://)?(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?(/|$)", "$1")
        .str.replace(r"(?s)[?#].*$", "")
        .str.replace_all(r"/+", "/")
        .str.replace(r"[/\s]+$", "")
        .str.replace(r"^([^/])", "/$1")
    )
    return _or_null(path)


_NORMAL: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "model": normal_model,
    "endpoint": normal_endpoint,
}


def _by_value(normal: Callable[[pl.Expr], pl.Expr], column: pl.Series) -> pl.Series:
    """Normalise each distinct value once: a corpus has few endpoints and millions of records."""
    coded = column.cast(pl.Categorical(pl.Categories.random()))
    codes = coded.to_physical()
    values = pl.DataFrame({"code": codes, "value": coded}).unique("code")
    values = values.sort("code").select("code", normal(pl.col("value").cast(pl.String)).alias("n"))
    rows = codes.alias("code").to_frame()
    return rows.join(values, on="code", how="left", maintain_order="left")["n"]


def _or_null(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)


def _lower(column: pl.Expr) -> pl.Expr:
    return column.str.replace_many(_UPPER, _LOWER)
