"""Make the demo: a corpus with provenance, the registers that belong to it, and a job file.

    python examples/demo/make_corpus.py DIR [--records 240000] [--shards 24]

Everything in it is invented, and the same arguments give the same bytes every time.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import registers
import shards
from draw import Draw
from phrases import Phrasebook
from sources import COLUMNS, SOURCES, Source, provenance

SEED: Final = 20230301


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and make the demo."""
    parser = argparse.ArgumentParser(description="Make the demo corpus, its registers and its job.")
    parser.add_argument("directory", type=Path, help="where to write; made if missing")
    parser.add_argument("--records", type=int, default=240_000, help="records in all (%(default)s)")
    parser.add_argument("--shards", type=int, default=24, help="Parquet files (%(default)s)")
    options = parser.parse_args(arguments)
    if options.shards < len(SOURCES):
        parser.error(f"--shards: at least {len(SOURCES)}, one for each source")
    if options.records < options.shards:
        parser.error("--records: at least one for each shard")
    make(options.directory, options.records, options.shards)
    print(f"{options.records:,} records in {options.shards} shards: {options.directory}")


def make(directory: Path, records: int, count: int) -> None:
    """Write `corpus/`, `registers/` and `job.yaml` under the directory, over what is there."""
    shutil.rmtree(directory / "corpus", ignore_errors=True)
    book = Phrasebook(np.random.default_rng(SEED))
    sizes = [len(part) for part in np.array_split(np.arange(records), count)]
    seen = []
    for number, (source, shard, of) in enumerate(deal(count)):
        draw = Draw(np.random.default_rng([SEED, number]), sizes[number], shard, of)
        frame = provenance(source, draw)
        path = directory / "corpus" / source.folder / f"{source.folder}-{shard:05}.parquet"
        shards.write(with_text(frame, source, draw, book), path, source.folder, shard, of)
        seen.append(frame.select(*registers.SEEN, "model"))
    write_registers(directory / "registers", pl.concat(seen))
    shutil.copyfile(Path(__file__).with_name("job.yaml"), directory / "job.yaml")


def deal(count: int) -> list[tuple[Source, int, int]]:
    """Deal shards to the sources by weight, each at least one: (source, shard, of how many)."""
    dealt = [1] * len(SOURCES)
    for _ in range(count - len(SOURCES)):
        behind = [have / source.weight for have, source in zip(dealt, SOURCES, strict=True)]
        dealt[behind.index(min(behind))] += 1
    return [
        (source, shard, have)
        for have, source in zip(dealt, SOURCES, strict=True)
        for shard in range(have)
    ]


def with_text(frame: pl.DataFrame, source: Source, draw: Draw, book: Phrasebook) -> pa.Table:
    """Add what the records say: `messages` to chats, `text` to everything else."""
    columns = frame.to_arrow().cast(pa.schema([shards.SCHEMA.field(name) for name in COLUMNS]))
    if source.kind is None:
        text = pa.nulls(draw.rows, pa.string())
        messages = book.converse(draw.rng, frame["lang"], shards.MESSAGES)
    else:
        kinds = pl.select(
            pl.when(frame["part"] == "output").then(pl.lit("answer")).otherwise(pl.lit(source.kind))
        ).to_series()
        text = book.compose(draw.rng, kinds, frame["lang"], source.contacts)
        messages = pa.nulls(draw.rows, shards.MESSAGES)
    table = columns.append_column("text", text).append_column("messages", messages)
    return table.cast(shards.SCHEMA)


def write_registers(directory: Path, corpus: pl.DataFrame) -> None:
    """Write the four registers; `corpus` has `registers.SEEN` of every record."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([SEED, 0, 1])
    requests = registers.deletions(rng, corpus)
    tables = {
        "consent": registers.consent(rng),
        "accounts": registers.accounts(rng),
        "deletions": requests,
        "holds": registers.holds(rng, requests),
    }
    for name, table in tables.items():
        table.write_parquet(directory / f"{name}.parquet")


if __name__ == "__main__":
    main()
