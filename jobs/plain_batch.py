"""Batches of plain Python values as Arrow tables: types for what is None throughout a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from ..filters.texts.paths import parse_path

Steps = tuple[str | None, ...]


def plain_table(batch: Mapping[str, list[Any]], texts: Iterable[str]) -> pa.Table:
    """Make a table; where the paths `texts` lead to nothing but None, there are strings.

    >>> plain_table({"id": [1], "chat": [[]], "b": [None]}, ["chat[].text"]).schema.types
    [DataType(int64), ListType(list<item: struct<text: string>>), DataType(null)]
    """
    table = pa.table(dict(batch))
    ends: dict[str, list[Steps]] = {}
    for text in texts:
        path = parse_path(text, table.column_names)
        ends.setdefault(path.column, []).append(path.steps)
    fields = [
        field.with_type(_filled(field.type, _least(ends[field.name])))
        if field.name in ends
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _least(ends: Sequence[Steps]) -> pa.DataType:
    """Give the least type in which all these steps lead to strings."""
    if () in ends:
        return pa.string()
    if ends[0][0] is None:
        return pa.list_(_least([steps[1:] for steps in ends]))
    names = dict.fromkeys(steps[0] for steps in ends)
    return pa.struct(
        {name: _least([steps[1:] for steps in ends if steps[0] == name]) for name in names}
    )


def _filled(kind: pa.DataType, least: pa.DataType) -> pa.DataType:
    """Put the least type where nothing is known of the type that is there."""
    if pt.is_null(kind):
        return least
    if pt.is_list(kind) and pt.is_list(least):
        return pa.list_(_filled(kind.value_type, least.value_type))
    if pt.is_struct(kind) and pt.is_struct(least):
        known = {field.name: field.type for field in least}
        return pa.struct(
            [
                field.with_type(_filled(field.type, known.get(field.name, field.type)))
                for field in kind
            ]
        )
    return kind
