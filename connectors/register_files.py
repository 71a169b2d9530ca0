"""Register tables from Parquet, CSV and JSON lines.

CSV and JSON are read by Python's own parsers, not by pyarrow's: those take an unclosed quote for
the rest of the file, turn text that looks like a time into one without its zone, and quote the
offending line in their errors. A register that loses an opt-out that way would look healthy.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..filters.errors import RegisterError, SchemaError
from .folder import Folder
from .storage import InputFile, list_inputs, partitions
from .stores import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_BATCH_ROWS = 65_536
_LISTED = 3


class _MalformedError(Exception):
    """What is wrong in a file, in words that hold no value of it."""


def read_files(where: str, uri: str, base: Path, storage: Storage) -> tuple[pa.Table, bool]:
    """Read a file, a folder or a glob into one table; say whether its columns have types.

    The files are of one format. Parquet and CSV files also have one set of columns; a key that a
    JSON line lacks is NULL. Hive partitions in the paths become string columns.
    """
    files, constants = _listed(where, uri, base, storage)
    kinds = sorted({_kind(file.path) for file in files})
    if len(kinds) > 1 or "" in kinds:
        raise RegisterError(
            where,
            f"`{uri}` is not of one known format: {', '.join(kind or 'unknown' for kind in kinds)}",
            "name .parquet, .csv, .jsonl or .ndjson files (the last three also .gz or .zst)",
        )
    reader = _READERS[kinds[0]]
    tables = [
        _with_partitions(_read(where, file, reader), values)
        for file, values in zip(files, constants, strict=True)
    ]
    if kinds != ["jsonl"]:
        _check_columns(where, files, tables)
    try:
        return _concat(tables), kinds != ["csv"]
    except _MalformedError as error:
        fault = str(error)
    raise RegisterError(where, f"`{uri}` {fault}", "write the column as one type")


def _listed(
    where: str, uri: str, base: Path, storage: Storage
) -> tuple[list[InputFile], list[dict[str, str | None]]]:
    """List the files and the partitions in their paths."""
    try:
        files = list_inputs([uri], base, storage)
        return files, [partitions(file.name) for file in files]
    except SchemaError as error:
        what, fix = error.what, error.fix
    raise RegisterError(where, what, fix)


def _kind(path: str) -> str:
    """Return which reader a file name asks for, or nothing."""
    plain = path.removesuffix(".gz").removesuffix(".zst")
    suffix = plain[plain.rfind(".") :]
    if suffix == ".parquet":
        return "parquet" if plain == path else ""
    return {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(suffix, "")


def _read(where: str, file: InputFile, reader: Callable[[Folder, str], pa.Table]) -> pa.Table:
    """Read one file. Raised after `except`, an error keeps no hold of one that quotes values."""
    try:
        return reader(file.folder, file.path)
    except _MalformedError as error:
        fault = str(error)
    except UnicodeDecodeError:
        fault = "is not UTF-8"
    except OSError:
        fault = "cannot be opened, or is cut short or damaged"
    except Exception:  # noqa: BLE001 - the message may quote a value
        fault = "is damaged or not what its name says"
    fix = "write the file again, whole and in UTF-8"
    raise RegisterError(where, f"`{file.place}` {fault}", fix)


def _read_parquet(folder: Folder, path: str) -> pa.Table:
    """Read every column, dictionaries as their values.

    INT96 times become microseconds: as nanoseconds, the year 9999 wraps round to one long past.
    """
    with folder.open_input_file(path) as source:
        table = pq.ParquetFile(
            source, coerce_int96_timestamp_unit="us", page_checksum_verification=True
        ).read()
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            values = table.column(index).cast(field.type.value_type)
            table = table.set_column(index, field.name, values)
    return table


def _read_csv(folder: Folder, path: str) -> pa.Table:
    """Read every column as strings, the empty string as NULL."""
    with (
        io.BufferedReader(folder.open_input_stream(path)) as source,
        io.TextIOWrapper(source, encoding="utf-8-sig", newline="") as text,
    ):
        reader = csv.reader(text, strict=True)
        rows = _csv_rows(reader)
        header = next(rows, None)
        if header is None:
            raise _MalformedError("is empty, without even a line of column names")
        batches = [
            pa.table([pa.array(column, pa.string()) for column in columns], names=header)
            for columns in _columns(rows, len(header))
        ]
    empty = pa.table([pa.array([], pa.string()) for _ in header], names=header)
    return pa.concat_tables([empty, *batches])


def _csv_rows(reader: Any) -> Iterator[Sequence[str | None]]:  # noqa: ANN401 - csv names no type
    """Yield the rows that are not blank; the header's width is every row's."""
    width = 0
    try:
        for row in reader:
            if not row:
                continue
            if not width:
                width = len(row)
                yield row
            elif len(row) != width:
                raise _MalformedError(
                    f"has {len(row)} fields in the row that ends in line {reader.line_num}, "
                    f"and {width} column names"
                )
            else:
                yield [cell or None for cell in row]
    except csv.Error:
        raise _MalformedError(
            f"has a misplaced or unclosed quote, or too long a field, before line "
            f"{reader.line_num + 1}"
        ) from None


def _columns(rows: Iterator[Sequence[str | None]], width: int) -> Iterator[list[list[str | None]]]:
    """Turn rows into batches of columns."""
    while batch := list(islice(rows, _BATCH_ROWS)):
        yield [[row[index] for row in batch] for index in range(width)]


def _read_jsonl(folder: Folder, path: str) -> pa.Table:
    """Read one object a line; a column is what all its values are, or an error."""
    with io.BufferedReader(folder.open_input_stream(path)) as source:
        objects = _objects(source)
        batches = []
        while batch := list(islice(objects, _BATCH_ROWS)):
            keys = dict.fromkeys(key for row in batch for key in row)
            batches.append(
                pa.table({key: _array(key, [row.get(key) for row in batch]) for key in keys})
            )
    return _concat(batches) if batches else pa.table({})


def _objects(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the objects of lines that are not blank."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(
                line.decode("utf-8-sig" if number == 1 else "utf-8"),
                object_pairs_hook=_object,
                parse_constant=_no_constant,
            )
        except (ValueError, RecursionError):
            raise _MalformedError(
                f"is malformed in line {number}: not JSON, or a key stands twice in an object"
            ) from None
        if not isinstance(value, dict):
            raise _MalformedError(f"is malformed in line {number}: not a JSON object")
        yield value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: which of the two counts is anyone's guess."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_constant(_: str) -> None:
    """Refuse NaN and Infinity, which JSON does not have."""
    raise ValueError


def _array(key: str, values: list[Any]) -> pa.Array:
    """Find the one type of a column's values."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        raise _MalformedError(
            f"mixes types, or has a number beyond 64 bits or broken text, in the column `{key}`"
        ) from None


def _concat(tables: list[pa.Table]) -> pa.Table:
    """Put tables below each other by column name; only null and numeric types may widen."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException:
        pass
    kinds: dict[str, set[str]] = {}
    for field in (field for table in tables for field in table.schema):
        kinds.setdefault(field.name, set()).add(str(field.type))
    mixed = next((name for name, types in kinds.items() if len(types) > 1), "")
    raise _MalformedError(f"mixes types in the column `{mixed}`")


def _with_partitions(table: pa.Table, values: dict[str, str | None]) -> pa.Table:
    """Add the partitions in a file's path that the file itself does not hold."""
    for key, value in values.items():
        if key not in table.column_names:
            table = table.append_column(key, pa.array([value] * table.num_rows, pa.string()))
    return table


def _check_columns(where: str, files: list[InputFile], tables: list[pa.Table]) -> None:
    """Refuse a name that stands twice, and files whose columns differ.

    Filling up with NULL would widen what a row says: an opt_in without purposes covers them all.
    """
    first = set(tables[0].column_names)
    for file, table in zip(files, tables, strict=True):
        twice = [name for name, times in Counter(table.column_names).items() if times > 1]
        if twice:
            raise RegisterError(
                where,
                f"`{file.place}` has more than one column called `{twice[0]}`",
                "give every column a name of its own",
            )
    for file, table in zip(files, tables, strict=True):
        differ = sorted(first ^ set(table.column_names))
        if differ:
            raise RegisterError(
                where,
                f"`{files[0].place}` and `{file.place}` differ in their columns: "
                f"{', '.join(f'`{name}`' for name in differ[:_LISTED])}",
                "give all files of a register the same columns",
            )


_READERS: dict[str, Callable[[Folder, str], pa.Table]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "jsonl": _read_jsonl,
}
