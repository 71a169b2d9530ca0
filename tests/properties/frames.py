"""Random facts: what rules read about each record, NULLs everywhere."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from corpusgate.filters.schema import Type
from corpusgate.filters.to_polars import DTYPES
from hypothesis import strategies as st
from properties.values import instants, integers, nullable, words

_VALUES = {
    Type.STRING: words,
    Type.INTEGER: integers,
    Type.BOOLEAN: st.booleans(),
    Type.TIMESTAMP: instants,
}

Row = dict[str, Any]


def fact_rows(columns: Mapping[str, Type], most: int = 6) -> st.SearchStrategy[list[Row]]:
    """Give rows with a value or NULL in each column."""
    row = st.fixed_dictionaries({name: nullable(_VALUES[kind]) for name, kind in columns.items()})
    return st.lists(row, min_size=1, max_size=most)


def fact_frame(rows: list[Row], columns: Mapping[str, Type]) -> pl.DataFrame:
    """Make a frame of rows."""
    return pl.DataFrame(rows, schema={name: DTYPES[kind] for name, kind in columns.items()})
