"""A corpus of prose for measuring whole runs that reduce personal information.

python benchmarks/reduction.py FOLDER MEGABYTES
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import texts

SHARDS = 16
LEVEL = 3
_SEED = 11


def build(folder: Path, megabytes: int) -> None:
    """Write public prose and its job file below `folder`, unless they stand there already."""
    job = folder / "job.yaml"
    if job.exists():
        return
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for shard in range(SHARDS):
        drawn = texts.generate("prose", megabytes * 1_000_000 // SHARDS, _SEED + shard)
        ids = [f"doc-{shard:02d}-{row:07d}" for row in range(len(drawn))]
        pq.write_table(
            pa.table({"id": ids, "text": drawn}),
            folder / "corpus" / f"part-{shard:02d}.parquet",
            compression="zstd",
            compression_level=LEVEL,
            row_group_size=8192,
            use_dictionary=False,
        )
    job.write_text(JOB, encoding="utf-8")


JOB = """\
policy: openai-api-data
purpose: pretraining
as_of: 2023-08-01T00:00:00Z
input:
  path: corpus
  columns: {record_id: id, surface: {constant: public_web}}
  absent: [submitted_at, org_id, user_id, endpoint, model, part, license_ends_at]
  text: text
registers: {consent: {empty: true}, accounts: {empty: true}, deletions: {empty: true}}
output: {path: out, compression_level: 3}
"""

if __name__ == "__main__":
    build(Path(sys.argv[1]), int(sys.argv[2]))
