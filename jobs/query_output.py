"""The rows of a query: as a table or a chart on a terminal, as CSV, as JSON, as a Parquet file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..connectors.staged import OWNER_ONLY, StagedFile
from ..filters.errors import SchemaError
from .page import printable
from .query import Rows

if TYPE_CHECKING:
    from typing import TextIO

SHOWN: Final = 100
"""How many rows a terminal is given."""

_WIDE: Final = 200


def print_table(answer: Rows) -> None:
    """Print the first rows as a table, and say so if there are more."""
    rows = _rows(answer)
    if answer.schema.names == ["explain_key", "explain_value"]:  # a drawing of many lines
        for _, drawing in rows:
            _console().print(Text(printable(str(drawing)), no_wrap=True, overflow="crop"))
        return
    shown = list(islice(rows, SHOWN))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for field in answer.schema:
        right = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        table.add_column(
            printable(field.name), justify="right" if right else "left", overflow="fold"
        )
    for row in shown:
        table.add_row(*(_cell(value) for value in row))
    console = _console()
    console.print(table)
    if next(rows, None) is not None:
        console.print(Text(f"the first {SHOWN} rows; --csv, --json and --output give all"))
    elif not shown:
        console.print(Text("no rows"))


def print_csv(answer: Rows, out: TextIO | None = None) -> None:
    """Print all rows as CSV: NULL is empty, lists and structs are JSON, times ISO 8601.

    Decimals have all their digits.
    """
    writer = csv.writer(out or sys.stdout, lineterminator="\n")
    writer.writerow(answer.schema.names)
    for row in _rows(answer):
        writer.writerow(["" if value is None else _spelled(value) for value in row])


def print_json(answer: Rows, out: TextIO | None = None) -> None:
    """Print all rows as one JSON list of objects, one a line.

    A number that is none, or infinite, is null; a decimal that a double cannot hold is a string.
    Of columns with one name, all but the first are numbered.
    """
    stream = out or sys.stdout
    names = _distinct(answer.schema.names)
    stream.write("[")
    for number, row in enumerate(_rows(answer)):
        text = _json(dict(zip(names, row, strict=True)))
        stream.write(f"{',' if number else ''}\n{text}")
    stream.write("\n]\n")


def write_parquet(answer: Rows, target: Path) -> int:
    """Write all rows to a Parquet file, readable by its owner only; say how many."""
    if target.suffix != ".parquet":
        raise SchemaError("--output", "it writes Parquet", "name a file that ends in .parquet")
    if target.exists():
        raise SchemaError("--output", f"{target} exists already", "remove it, or name another")
    rows = 0
    with StagedFile(target.parent, target.name, OWNER_ONLY) as file:
        with file.own_errors(), pq.ParquetWriter(file, answer.schema) as writer:
            for batch in answer.batches:
                writer.write_batch(batch)
                rows += batch.num_rows
        file.publish()
    return rows


def print_chart(answer: Rows) -> None:
    """Print bars: of the first number of each row, under the row's other values before it."""
    numbers = [
        index
        for index, field in enumerate(answer.schema)
        if pa.types.is_integer(field.type)
        or pa.types.is_floating(field.type)
        or pa.types.is_decimal(field.type)
    ]
    if not numbers or numbers[0] == 0:
        what = "a chart wants names or times first, then a number"
        raise SchemaError("--plot", what, "for example: SELECT reason, count(*) … GROUP BY 1")
    at = numbers[0]
    rows = list(islice(_rows(answer), SHOWN))
    values = [_length(row[at]) for row in rows]
    most = max(values, default=0.0)
    table = Table(box=None, show_header=True, header_style="dim", pad_edge=False, expand=True)
    for field in list(answer.schema)[:at]:
        table.add_column(printable(field.name), no_wrap=True)
    table.add_column(printable(answer.schema.names[at]), justify="right")
    table.add_column("", ratio=1)
    for row, value in zip(rows, values, strict=True):
        bar = Bar(most or 1.0, 0, max(value, 0.0))
        table.add_row(*(_cell(cell) for cell in row[: at + 1]), bar)
    _console().print(table)


def _length(value: float | Decimal | None) -> float:
    number = float(value or 0)
    return number if isfinite(number) else 0.0


def _console() -> Console:
    console = Console(highlight=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=_WIDE)


def _cell(value: object) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    return Text(printable(_spelled(value)).replace("\n", "\\n"), overflow="fold")


def _spelled(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return _json(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return _plain(value) if isinstance(value, str) else str(_plain(value))


def _rows(answer: Rows) -> Iterator[Sequence[Any]]:
    """Give rows as Python values: times and bytes are strings, all others as Arrow gives them."""
    batches = (
        zip(*map(_values, batch.columns), strict=True) for batch in answer.batches if batch.num_rows
    )
    return chain.from_iterable(batches)


def _values(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return [_plain(value) for value in column.to_pylist()]


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
    return value


def _json(value: object) -> str:
    return json.dumps(_writable(value), default=str, ensure_ascii=False, allow_nan=False)


def _writable(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    """Give what JSON has: it knows no NaN, and who reads it takes its numbers for doubles."""
    match value:
        case float():
            return value if isfinite(value) else None
        case Decimal():
            return _number(value)
        case list() | tuple():
            return [_writable(item) for item in value]
        case dict():
            return {name: _writable(item) for name, item in value.items()}
    return value


def _number(value: Decimal) -> int | float | str:
    if value == value.to_integral_value():
        return int(value)
    near = float(value)
    return near if Decimal(repr(near)) == value else format(value, "f")


def _distinct(names: Sequence[str]) -> list[str]:
    """Put numbers behind names that stand twice, as DuckDB does where it writes JSON.

    >>> _distinct(["a", "a", "a_1", "A"])
    ['a', 'a_1', 'a_1_1', 'A_2']
    """
    times: dict[str, int] = {}
    given = []
    for name in names:
        one = name
        while one.lower() in times:
            one = f"{name}_{times[name.lower()]}"
            times[name.lower()] += 1
        times[one.lower()] = 1
        given.append(one)
    return given
