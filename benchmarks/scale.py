"""The same bytes in twenty files and in twenty thousand, for measuring workers, Ray and resuming.

python benchmarks/scale.py FOLDER MEGABYTES     writes FOLDER/large, FOLDER/tiny, FOLDER/one
"""

from __future__ import annotations

import sys
from itertools import cycle, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import texts
from reduction import JOB, LEVEL

DISTINCT = 128_000_000
"""Characters of prose that are drawn; they are repeated, under other ids, up to the wanted size."""

LARGE, TINY = 20, 20_000
_SEED = 17


def build(folder: Path, megabytes: int) -> None:
    """Write three corpora of public prose with a job file each, unless they stand there already."""
    if (folder / "one/job.yaml").exists():
        return
    size = megabytes * 1_000_000
    drawn = texts.generate("prose", min(size, DISTINCT), _SEED)
    average = sum(map(len, drawn)) / len(drawn)
    rows = round(size / average)
    names = {"large": LARGE, "tiny": TINY, "one": 1}
    for name, files in names.items():
        each = 100 if name == "one" else rows // files
        documents = cycle(drawn)
        place = folder / name / "corpus"
        place.mkdir(parents=True, exist_ok=True)
        for number in range(files):
            ids = [f"doc-{number * each + row:09d}" for row in range(each)]
            table = pa.table({"id": ids, "text": [*islice(documents, each)]})
            path = place / f"{number // 1000:02d}" / f"{number:05d}.parquet"
            path.parent.mkdir(exist_ok=True)
            pq.write_table(
                table,
                path,
                compression="zstd",
                compression_level=LEVEL,
                row_group_size=8192,
                use_dictionary=False,
            )
        (folder / name / "job.yaml").write_text(JOB, encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]), int(sys.argv[2]))
