"""Real text through the whole job: provenance is attached, the job runs, the result is checked.

    python benchmarks/real.py --data FOLDER

Takes every Parquet file directly in FOLDER that has string columns `id` and `text`. Long texts
become several records, cut at line ends. Who submitted a record, when and where is drawn from a
hash of its id, so a rerun sees the same corpus. Files with `messages` keep them beside `text`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

PIECE = 4_000  # characters
SURFACES = ["consumer", "api", "playground", "public_web", "enterprise", "human_review"]
START = 1_661_990_400_000_000  # 2022-09-01T00:00:00Z in microseconds
SPAN = 330 * 86_400_000_000


def main() -> None:
    """Print one line a corpus: what went in, what came out, how fast."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", default=os.environ.get("CORPUSGATE_DATA"))
    folder = parser.parse_args().data
    if not folder:
        print("no data: give --data FOLDER, or set CORPUSGATE_DATA; nothing was measured")
        return
    for result in measure(Path(folder)):
        print(json.dumps(result))


def measure(data: Path) -> list[dict[str, object]]:
    """Run the job over each corpus in `data`, one after the other."""
    results = []
    for source in sorted(data.glob("*.parquet")):
        schema = pl.read_parquet_schema(source)
        if schema.get("id") != pl.String or schema.get("text") != pl.String:
            continue
        with tempfile.TemporaryDirectory() as work:
            results.append(_run(source, Path(work)))
    return results


def _run(source: Path, work: Path) -> dict[str, object]:
    frame = attach(pl.read_parquet(source))
    (work / "corpus").mkdir()
    for index in range(4):
        part = frame.filter(pl.int_range(pl.len()) % 4 == index)
        part.write_parquet(work / f"corpus/part-{index}.parquet", row_group_size=512)
    _registers(frame, work)
    text = ["text"] + (["messages[].content"] if "messages" in frame.columns else [])
    (work / "job.yaml").write_text(JOB.format(text=json.dumps(text)), encoding="utf-8")
    command = [sys.executable, "-m", "corpusgate.jobs.cli", "run", "job.yaml", "--json", "--quiet"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    summary = json.loads(done.stdout)
    size = int(frame["text"].str.len_bytes().sum())
    return {
        "kind": "chat" if "messages" in frame.columns else "documents",
        "records": summary["rows_in"],
        "text_megabytes": round(size / 1e6, 1),
        "eligible": summary["eligible"],
        "reasons": len(summary["reasons"]),
        "seconds": summary["seconds"],
        "megabytes_per_second": round(size / 1e6 / summary["seconds"], 1),
        "checked": check(frame, work),
    }


def check(frame: pl.DataFrame, work: Path) -> str:
    """Compare what was released with what went in, row by row."""
    released = pl.read_parquet(work / "out/eligible/*.parquet")
    decisions = pl.read_parquet(work / "out/audit/decisions/*.parquet")
    if sorted(decisions["record_id"]) != sorted(frame["record_id"]):
        return "FAILED: some record has no decision"
    wanted = frame.filter(
        pl.col("record_id").is_in(decisions.filter("eligible")["record_id"].implode())
    )
    columns = released.columns
    same = wanted.select(columns).sort("record_id").equals(released.sort("record_id"))
    return "same text, all records decided" if same else "FAILED: released text differs"


def attach(frame: pl.DataFrame) -> pl.DataFrame:
    """Cut long texts into records and give each a submitter, a time and a surface."""
    pieces = frame.with_columns(
        text=pl.col("text").map_elements(cut, return_dtype=pl.List(pl.String))
    ).explode("text")
    if "messages" in frame.columns:
        # A conversation stays whole beside its first piece; the other pieces have none.
        first = pl.int_range(pl.len()).over("id") == 0
        pieces = pieces.with_columns(messages=pl.when(first).then("messages"))
    number = pl.int_range(pl.len()).over("id")
    pieces = pieces.with_columns(record_id=pl.format("{}#{}", "id", number))
    draw = pl.col("record_id").hash(seed=1)
    surface = pl.lit(pl.Series(SURFACES)).gather(draw % len(SURFACES))
    account = surface.is_in(["public_web", "human_review"]).not_()
    return pieces.with_columns(
        source=surface,
        created_at=(START + (draw // 7 % SPAN).cast(pl.Int64)).cast(pl.Datetime("us", "UTC")),
        org=pl.when(account).then(pl.format("org-{}", draw // 11 % 50)),
        user=pl.when(account).then(pl.format("user-{}", draw // 13 % 400)),
        endpoint=pl.when(account).then(pl.lit("/v1/chat/completions")),
        model=pl.when(account).then(pl.lit("gpt-4")),
        part=pl.lit("input"),
    )


def cut(text: str) -> list[str]:
    """Cut a text at line ends into pieces of at most PIECE characters, longer lines aside."""
    pieces, size = [[]], 0
    for line in text.splitlines(keepends=True):
        if size + len(line) > PIECE and pieces[-1]:
            pieces.append([])
            size = 0
        pieces[-1].append(line)
        size += len(line)
    return ["".join(piece) for piece in pieces]


def _registers(frame: pl.DataFrame, work: Path) -> None:
    draw = pl.col("subject_id").hash(seed=2)
    organisations = frame.select(subject_id="org").drop_nulls().unique().sort("subject_id")
    users = frame.select(subject_id="user").drop_nulls().unique().sort("subject_id")
    subjects = pl.concat(
        [
            organisations.with_columns(subject_kind=pl.lit("org")),
            users.filter(draw % 8 == 0).with_columns(subject_kind=pl.lit("user")),
        ]
    )
    subjects.select(
        "subject_kind",
        "subject_id",
        choice=pl.when((draw % 3 > 0) & (pl.col("subject_kind") == "org"))
        .then(pl.lit("opt_in"))
        .otherwise(pl.lit("opt_out")),
        effective_at=pl.lit("2022-12-01T00:00:00Z"),
        recorded_at=pl.lit("2022-12-01T00:00:00Z"),
    ).write_csv(work / "consent.csv")
    organisations.select(
        org_id="subject_id",
        plan=pl.when(draw % 10 == 0).then(pl.lit("enterprise")).otherwise(pl.lit("payg")),
        zero_retention=draw % 17 == 0,
        baa=draw % 19 == 0,
        effective_at=pl.lit("2020-01-01T00:00:00Z"),
    ).write_csv(work / "accounts.csv")


JOB = """\
policy: openai-api-data
purpose: pretraining
as_of: 2023-08-01T00:00:00Z
input:
  path: corpus
  columns:
    record_id: record_id
    surface: source
    submitted_at: created_at
    org_id: org
    user_id: user
    endpoint: endpoint
    model: model
    part: part
  absent: [license_ends_at]
  text: {text}
registers:
  consent: {{path: consent.csv, snapshot_at: 2023-08-01T00:00:00Z}}
  accounts: {{path: accounts.csv, snapshot_at: 2023-08-01T00:00:00Z}}
  deletions: {{empty: true}}
  holds: {{empty: true}}
output: {{path: out}}
pii: off
"""


if __name__ == "__main__":
    main()
