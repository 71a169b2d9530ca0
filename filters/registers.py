"""Consent, accounts, deletions, holds: what is known about people and organisations.

A register is a table of events. Here it is checked and brought into one form; what it says about
a record at its time is `state`'s.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import polars as pl
import pyarrow as pa

from .errors import RegisterError
from .schema import CONSENT_SUBJECTS, PURPOSES, SUBJECTS, SURFACES, Type
from .times import from_text, from_zoned
from .to_polars import TIMESTAMP

REGISTERS: Final = ("consent", "accounts", "deletions", "holds")

_STRINGS: Final = pl.List(pl.String())
_TRUE: Final = ("true", "t", "1", "yes")
_FALSE: Final = ("false", "f", "0", "no")


@dataclass(frozen=True)
class Field:
    """One column of a register: its type, and whether a row may leave it out."""

    dtype: Any
    optional: bool = False
    known: tuple[str, ...] = ()


FIELDS: Final[dict[str, dict[str, Field]]] = {
    "consent": {
        "subject_kind": Field(pl.String(), known=tuple(CONSENT_SUBJECTS)),
        "subject_id": Field(pl.String()),
        "choice": Field(pl.String(), known=("opt_in", "opt_out")),
        "effective_at": Field(TIMESTAMP),
        "recorded_at": Field(TIMESTAMP, optional=True),
        "surfaces": Field(_STRINGS, optional=True, known=SURFACES),
        "purposes": Field(_STRINGS, optional=True, known=PURPOSES),
    },
    "accounts": {
        "org_id": Field(pl.String()),
        "plan": Field(pl.String(), optional=True),
        "zero_retention": Field(pl.Boolean()),
        "baa": Field(pl.Boolean()),
        "effective_at": Field(TIMESTAMP),
        "recorded_at": Field(TIMESTAMP, optional=True),
    },
    "deletions": {
        "subject_kind": Field(pl.String(), known=tuple(SUBJECTS)),
        "subject_id": Field(pl.String()),
        "requested_at": Field(TIMESTAMP),
        "scope_until": Field(TIMESTAMP, optional=True),
        "recorded_at": Field(TIMESTAMP, optional=True),
    },
    "holds": {
        "subject_kind": Field(pl.String(), known=tuple(SUBJECTS)),
        "subject_id": Field(pl.String()),
        "from": Field(TIMESTAMP),
        "until": Field(TIMESTAMP, optional=True),
        "recorded_at": Field(TIMESTAMP, optional=True),
    },
}
"""Columns of each register, with the values that are known. All times are UTC, microseconds."""


def field_types(name: str) -> dict[str, Type]:
    """Map a register's columns to the types of the rule language."""
    kinds = {TIMESTAMP: Type.TIMESTAMP, pl.Boolean(): Type.BOOLEAN, _STRINGS: Type.LIST}
    return {column: kinds.get(f.dtype, Type.STRING) for column, f in FIELDS[name].items()}


@dataclass(frozen=True)
class Register:
    """One checked register.

    `frame` has exactly the columns of FIELDS, sorted by all of them, so equal registers are equal
    whatever order their source gave. `id_kind` is the type the source stored ids in (`string`,
    `integer`), or None where the source has no types. `snapshot_at` is None where unknown.
    """

    name: str
    frame: pl.DataFrame
    id_kind: str | None
    snapshot_at: datetime | None
    source: str
    declared_empty: bool = False

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hex over the sorted rows, written as an Arrow IPC stream.

        NULLs are written as flags beside a fixed value: what lies under them in memory differs
        between sources.
        """
        sink = io.BytesIO()
        flags = pl.all().is_null().name.suffix("?")
        values = [_filled(name, dtype) for name, dtype in self.frame.schema.items()]
        self.frame.select(*values, flags).rechunk().write_ipc_stream(
            sink, compat_level=pl.CompatLevel.oldest()
        )
        return hashlib.sha256(sink.getbuffer()).hexdigest()

    def kinds(self) -> frozenset[str]:
        """Name the subject kinds that occur."""
        if "subject_kind" not in self.frame.columns:
            return frozenset({"org"}) if self.frame.height else frozenset()
        return frozenset(self.frame["subject_kind"].unique().to_list())


@dataclass(frozen=True)
class RegisterSet:
    """The registers of one run; None where none was given, which is unknown and not empty."""

    consent: Register | None = None
    accounts: Register | None = None
    deletions: Register | None = None
    holds: Register | None = None

    def given(self) -> dict[str, Register]:
        """Map the names of the given registers to them, in the order of REGISTERS."""
        pairs = ((name, getattr(self, name)) for name in REGISTERS)
        return {name: register for name, register in pairs if register is not None}

    def require(self, readers: Mapping[str, Iterable[str]]) -> None:
        """Refuse to go on without a register that rules read. Raises RegisterError."""
        for name, rules in readers.items():
            if name != "holds" and getattr(self, name) is None:
                what = f"no {name} register, but rules read it ({', '.join(rules)})"
                fix = f"give one, or say that there is nothing in it: `{name}: {{empty: true}}`"
                raise RegisterError(f"registers.{name}", what, fix)

    def match_ids(self, kinds: Mapping[str, str | None]) -> None:
        """Refuse registers whose subjects the corpus cannot be asked for.

        `kinds` maps each provenance column that the corpus has to the type its ids are stored
        in, None where it stores none. Raises RegisterError for a subject kind whose column is
        not there, and for ids of another type than the corpus's: neither would ever match, which
        looks like a clean record.
        """
        for name, register in self.given().items():
            for kind in sorted(register.kinds()):
                column = SUBJECTS[kind]
                where = f"registers.{name}"
                if column not in kinds:
                    what = f"names subjects of kind `{kind}`, but the job maps no `{column}`"
                    raise RegisterError(where, what, f"map `{column}` under input.columns")
                known = (register.id_kind, kinds[column])
                if None not in known and known[0] != known[1]:
                    what = f"its ids are {known[0]}s, `{column}` holds {known[1]}s"
                    raise RegisterError(where, what, "store both in one type")


def empty_register(name: str) -> Register:
    """Give a register that is declared to hold nothing."""
    schema = {column: field.dtype for column, field in FIELDS[name].items()}
    return Register(name, pl.DataFrame(schema=schema), None, None, "empty", declared_empty=True)


def make_register(
    name: str,
    table: pl.DataFrame | pl.LazyFrame | pa.Table,
    *,
    snapshot_at: datetime | None = None,
    typed: bool = True,
    source: str = "frame",
) -> Register:
    """Check a table and make it a register.

    Times may be zoned timestamps or ISO 8601 strings with an offset, flags booleans, 0 and 1 or
    `true` and `false`, lists may be JSON text; other columns are left out. Raises RegisterError
    for a missing column, and for a row whose subject, choice, flag or time is missing or unknown.

    >>> make_register("accounts", pl.DataFrame({"org_id": ["a"], "plan": ["free"], "baa": [False],
    ...     "zero_retention": [False], "effective_at": ["2020-01-01T00:00:00Z"]})).frame.height
    1
    """
    frame = _frame(table)
    where = f"registers.{name}"
    wanted = FIELDS[name]
    for column, field in wanted.items():
        if column not in frame.columns and not field.optional:
            fix = f"map it under {where}.columns; the table has {', '.join(frame.columns)}"
            raise RegisterError(where, f"there is no column `{column}`", fix)
    id_column = "org_id" if name == "accounts" else "subject_id"
    id_kind = _id_kind(frame.schema[id_column], where, id_column) if typed else None
    columns = [
        _column(frame, column, field, where)
        if column in frame.columns
        else pl.Series(column, [None], dtype=field.dtype).new_from_index(0, frame.height)
        for column, field in wanted.items()
    ]
    checked = pl.DataFrame(columns)
    newest = checked["recorded_at"].max() if "recorded_at" in checked.columns else None
    known = snapshot_at or (newest if isinstance(newest, datetime) else None)
    return Register(name, _sorted(checked), id_kind, known, source)


def _filled(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype == _STRINGS:
        return column.list.join("\x00").fill_null("")
    if dtype == TIMESTAMP:
        return column.to_physical().fill_null(0)
    return column.fill_null("" if dtype == pl.String() else False)


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    keys = [
        pl.col(column).list.join("\x00") if frame.schema[column] == _STRINGS else pl.col(column)
        for column in frame.columns
    ]
    return frame.sort(keys, nulls_last=True).rechunk()


def _frame(table: pl.DataFrame | pl.LazyFrame | pa.Table) -> pl.DataFrame:
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    if isinstance(table, pa.Table):
        return pl.DataFrame(table)
    return table


def id_kind(dtype: pl.DataType) -> str | None:
    """Say what ids a column stores: `string`, `integer`, or None for what cannot be an id."""
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "string"
    return "integer" if dtype.is_integer() else None


def _id_kind(dtype: pl.DataType, where: str, column: str) -> str | None:
    if isinstance(dtype, pl.Null):
        return None
    kind = id_kind(dtype)
    if kind is None:
        raise RegisterError(where, f"`{column}` is {dtype}, not an id", "store ids as strings")
    return kind


def _column(frame: pl.DataFrame, column: str, field: Field, where: str) -> pl.Series:
    raw = frame[column]
    values = _cast(raw, field, where)
    bad = values.is_null() & raw.is_not_null()
    if bad.any():
        what = f"`{column}` holds no {_spelled(field)} in {_rows(bad)}"
        raise RegisterError(where, what, _how(field))
    empty = values.is_null()
    if field.dtype == pl.String() and not field.known:
        empty |= (values.str.strip_chars() == "").fill_null(value=False)
    if not field.optional and empty.any():
        fix = "a register with gaps permits nothing: mend the extract"
        raise RegisterError(where, f"`{column}` is empty in {_rows(empty)}", fix)
    if field.known:
        strange = values.is_not_null() & ~_all_known(values, field.known)
        if strange.any():
            what = f"`{column}` holds something unknown in {_rows(strange)}"
            raise RegisterError(where, what, f"known are {', '.join(field.known)}")
    return values.alias(column)


def _all_known(values: pl.Series, known: tuple[str, ...]) -> pl.Series:
    """Say where a value is known; a list, where it has members and all of them are."""
    if values.dtype != _STRINGS:
        return values.is_in(list(known)).fill_null(value=False)
    members = values.list.eval(pl.element().is_in(list(known)).fill_null(value=False))
    return (members.list.all() & (members.list.len() > 0)).fill_null(value=False)


def _cast(raw: pl.Series, field: Field, where: str) -> pl.Series:
    """Cast to a field's type; what does not fit becomes NULL."""
    dtype, target = raw.dtype, field.dtype
    if isinstance(dtype, pl.Null):
        return raw.cast(target)
    if target == TIMESTAMP:
        return _times(raw, where)
    if target == pl.Boolean():
        if dtype == pl.Boolean():
            return raw
        text = raw.cast(pl.String(), strict=False).str.to_lowercase()
        return text.replace_strict(
            [*_TRUE, *_FALSE],
            [True] * len(_TRUE) + [False] * len(_FALSE),
            default=None,
            return_dtype=pl.Boolean(),
        )
    if target == _STRINGS:
        if isinstance(dtype, pl.List | pl.Array):
            return raw.cast(_STRINGS)
        return pl.Series(raw.name, [_json_list(item) for item in raw.to_list()], dtype=_STRINGS)
    return raw.cast(pl.String(), strict=False)


def _times(raw: pl.Series, where: str) -> pl.Series:
    dtype = raw.dtype
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return raw.to_frame().select(from_zoned(pl.col(raw.name), dtype)).to_series()
    if isinstance(dtype, pl.String):
        return from_text(raw)
    column = f"{where}.columns.{raw.name}"
    if dtype.is_numeric():
        what = f"`{raw.name}` is {dtype}, a time of which nobody knows the unit"
        raise RegisterError(where, what, f"say it: {column}: {{column: …, unit: s}}")
    what = f"`{raw.name}` is {dtype}, a time without a zone"
    fix = f"store zoned timestamps, or say which zone: {column}: {{column: …, timezone: UTC}}"
    raise RegisterError(where, what, fix)


def _json_list(text: str | None) -> list[str] | None:
    if text is None or text == "":
        return None
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return ["\x00not a list"]
    good = isinstance(items, list) and all(isinstance(item, str) for item in items)
    return items if good else ["\x00not a list"]


def _rows(mask: pl.Series) -> str:
    count = int(mask.sum())
    return f"{count} row{'s' if count != 1 else ''}"


def _spelled(field: Field) -> str:
    return {TIMESTAMP: "time with an offset", pl.Boolean(): "flag"}.get(field.dtype, "value")


def _how(field: Field) -> str:
    if field.dtype == TIMESTAMP:
        return "write 2023-03-01T00:00:00Z"
    return "write true or false" if field.dtype == pl.Boolean() else "write strings"
