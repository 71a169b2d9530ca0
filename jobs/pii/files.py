"""Personal information in files, without a job: finding it, and reducing it.

files ─▶ opened one by one ─▶ read some 16 MiB at a time ─┬▶ scanned ─▶ findings
                                                          └▶ reduced ─▶ findings, files
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np
import polars as pl
import pyarrow as pa

from ...connectors.folder import LocalFolder
from ...connectors.lock import locked
from ...connectors.staged import StagedFile
from ...connectors.storage import InputFile, open_folder
from ...filters.errors import Fault, JobError
from ...filters.reduce.reducer import UNREADABLE, Reducer
from ...filters.reduce.scanned import Finder
from ...filters.reduce.scopes import Scope
from ...filters.texts.leaves import Leaves, leaves
from ...filters.texts.paths import TextPath
from ..reducing import Reducing
from ..reduction import Reduction
from .listing import FOUND, Listing
from .options import SOURCE
from .progress import FileProgress
from .reading import Corpus, OpenFile, Totals, each_file, unit_of

if TYPE_CHECKING:
    from ...filters.found import Found

_SKIPPED: Final = (".", "_")
"""Files and folders that start so are not listed as input."""


def scan_files(
    corpus: Corpus, finder: Finder, *, listing: Path | None, progress: FileProgress
) -> Totals:
    """Scan texts in files, and list what is found at `listing`, if it is given.

    `excluded` counts records with a text that cannot be read: nobody knows what is in it. Raises
    CorpusgateError for what stops it before a file is scanned.
    """
    inputs = corpus.inputs()
    if listing is not None:
        _check_apart(corpus, inputs, listing, "--output")

    def scan(file: OpenFile) -> None:
        def see(table: pa.Table, first: int) -> pa.Table:
            found, unreadable = _scanned(table, file.paths, finder)
            if unreadable:
                file.excluded[UNREADABLE] += unreadable
            ids = pl.lit(file.ids(table, first)).gather("row").alias("record_id")
            file.findings.append(found.select(ids, pl.exclude("row")))
            return table.schema.empty_table()

        # Reading and its errors are those of reduction; what is written is a file without rows.
        names = {path.column for path in file.paths} | {file.id_column}
        file.copy([name for name in file.shard.schema.names if name in names], io.BytesIO(), see)

    with ExitStack() as stack:
        listed = stack.enter_context(Listing(listing)) if listing else None
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="corpusgate-"))
        totals = each_file(
            corpus, inputs, scan, scratch=Path(scratch), listing=listed, progress=progress
        )
        if listed is not None:
            listed.publish()
    return totals


def reduce_files(
    corpus: Corpus,
    reducer: Reducer,
    output: Path,
    *,
    scope: Scope,
    listing: Path | None,
    progress: FileProgress,
) -> Totals:
    """Write files again below `output`, with the personal information in their texts reduced.

    Relative paths, columns, types and codecs stay; records that cannot be read are left out and
    counted. A file appears when it is whole. Raises CorpusgateError for what stops it before a
    file is written, and OSError where the output cannot be written.
    """
    inputs = corpus.inputs()
    _check_apart(corpus, inputs, output, "--output")
    if listing is not None:
        _check_apart(corpus, inputs, listing, "--findings")
    _check_names(inputs)
    reduction = Reduction(reducer, None, None, scope, {})

    def reduce(file: OpenFile) -> None:
        def see(table: pa.Table, first: int) -> pa.Table:
            ids = file.ids(table, first)
            own = pl.lit(ids.cast(pl.String))
            if file.id_column is None:  # row 7 of one file is not row 7 of another
                own = pl.lit(f"{file.unit.name}:") + own
            facts = pl.select(own.alias("record_id"))
            reducing = Reducing(reduction, file.unit.name, file.paths, facts, "")
            reduced = reducing(table)
            file.excluded.update(reasons[0] for reasons in reducing.excluded.values())
            file.findings.append(
                reducing.findings().select(
                    pl.lit(ids).gather("row").alias("record_id"),
                    pl.col("path").alias("column"),
                    pl.exclude("record_id", "row", "path", "shard"),
                )
            )
            return reduced

        with StagedFile(output, file.unit.output) as target:
            file.copy(file.shard.schema.names, cast("BinaryIO", target), see)
            target.publish()

    with ExitStack() as stack:
        stack.enter_context(locked(output, "wait for it, or give another --output"))
        LocalFolder(output).sweep()
        listed = stack.enter_context(Listing(listing)) if listing else None
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix=".scratch-", dir=output))
        totals = each_file(
            corpus,
            inputs,
            reduce,
            scratch=Path(scratch),
            listing=listed,
            also=("operator",),
            progress=progress,
        )
        for item in inputs:
            if item.name in totals.unreadable:
                # What an earlier reduction made of it is not what is asked for now.
                (output / unit_of(item).output).unlink(missing_ok=True)
        if listed is not None:
            listed.publish()
    return totals


def _scanned(
    table: pa.Table, paths: Sequence[TextPath], finder: Finder
) -> tuple[pl.DataFrame, int]:
    """Give the findings of some rows, by row and path, and count the rows that cannot be read."""
    frames = []
    unreadable: set[int] = set()
    for path in paths:
        mine = leaves(table[path.column], path)
        found = finder.find(mine.texts)
        unreadable.update(mine.rows[found.unreadable].tolist())
        frames.append(_frame(mine, found))
    return pl.concat(frames).sort("row", maintain_order=True), len(unreadable)


def _frame(mine: Leaves, found: Found) -> pl.DataFrame:
    where = pa.array(found.text)
    columns = {
        "row": pl.Series(mine.rows[found.text], dtype=pl.Int64),
        "column": pl.repeat(mine.path.text, len(where), eager=True),
        "entity": pl.Series(found.entities, dtype=pl.String).gather(found.entity.astype(np.uint32)),
        "start": found.start,
        "end": found.end,
        "score": found.score,
        "index": pl.Series(mine.index.take(where)),
        "pointer": pl.Series(mine.pointer.take(where)),
    }
    return pl.DataFrame(columns).cast({name: FOUND[name] for name in columns if name in FOUND})


def _check_apart(corpus: Corpus, inputs: Sequence[InputFile], target: Path, option: str) -> None:
    """Refuse an output over the input, or where it would be input the next time."""
    place = target.resolve()
    what = ""
    if any(LocalFolder(place).holds(item.real) for item in inputs):
        what = "it would be written over the input"
    for pattern in corpus.patterns:
        read = open_folder(pattern, Path())
        if what or read.remote:
            continue
        folder = read.local
        if folder.is_dir() and place.is_relative_to(folder):
            parts = place.relative_to(folder).parts
            if not any(part.startswith(_SKIPPED) for part in parts):
                what = f"it lies in `{pattern}`, and would be input itself the next time"
    if what:
        fix = "write somewhere else, or under a name that starts with _"
        raise JobError(SOURCE, (Fault(option, what, fix),))


def _check_names(inputs: Sequence[InputFile]) -> None:
    names: dict[str, str] = {}
    for item in inputs:
        target = unit_of(item).output
        if target in names:
            what = f"{names[target]} and {item.name} would both be written as {target}"
            raise JobError(SOURCE, (Fault("FILES", what, "rename one of them"),))
        names[target] = item.name
