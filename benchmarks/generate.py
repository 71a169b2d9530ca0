"""A corpus for measuring: records with provenance and about 1 KB of text each, and registers.

Deterministic. A third of the records is eligible under the built-in policy. A larger corpus has
more shards, not larger ones, of the same people.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

SHARDS = 24
RECORDS = 2_000_000
ROW_GROUP = 16_384
LEVEL = 3

_START = int(datetime(2022, 9, 1, tzinfo=UTC).timestamp() * 1e6)
_SPAN = int(330 * 86_400e6)
_ENDPOINTS = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]
_MODELS = ["gpt-4", "gpt-3.5-turbo", "text-davinci-003", "ft:gpt-3.5-turbo:acme"]
_SURFACES = ["api", "playground", "consumer", "public_web", "enterprise"]
_SHARES = [0.55, 0.1, 0.15, 0.06, 0.14]


def build(folder: Path, records: int, *, text: bool = True) -> Path:
    """Write corpus, registers and job file below `folder`, unless they stand there already.

    Without `text`, texts are of one letter.
    """
    done = folder / "job.yaml"
    if done.exists():
        return done
    rng = np.random.default_rng(7)
    known = min(records, RECORDS)
    organisations, users = max(100, known // 100), max(200, known // 20)
    soup = _soup(rng) if text else b""
    shards = SHARDS * max(1, records // RECORDS)
    each = records // shards
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        table = _shard(rng, soup, shard, each, (organisations, users))
        pq.write_table(
            table,
            folder / "corpus" / f"part-{shard:03d}.parquet",
            compression="zstd",
            compression_level=LEVEL,
            row_group_size=ROW_GROUP,
            use_dictionary=["source", "org", "endpoint", "model", "part"],
            write_statistics=["created_at"],
        )
    _registers(rng, folder / "registers", known, organisations, users)
    done.write_text(_JOB, encoding="utf-8")
    return done


def events(rng: np.random.Generator, count: int, organisations: int, users: int) -> pl.DataFrame:
    """Draw consent events: opt-ins and opt-outs of organisations and users over time."""
    is_org = rng.random(count) < 0.5
    number = np.where(is_org, rng.integers(0, organisations, count), rng.integers(0, users, count))
    frame = pl.DataFrame({"is_org": is_org, "number": number, "at": times(rng, count)})
    opt_in = pl.Series(rng.random(count) < np.where(is_org, 0.75, 0.5))
    return frame.select(
        subject_kind=pl.when("is_org").then(pl.lit("org")).otherwise(pl.lit("user")),
        subject_id=pl.when("is_org")
        .then(_spelled("org", pl.col("number")))
        .otherwise(_spelled("user", pl.col("number"))),
        choice=pl.when(opt_in).then(pl.lit("opt_in")).otherwise(pl.lit("opt_out")),
        effective_at=pl.col("at"),
        recorded_at=pl.col("at"),
    )


def _shard(
    rng: np.random.Generator, soup: bytes, shard: int, rows: int, people: tuple[int, int]
) -> pa.Table:
    organisations, users = people
    surface = pl.Series("source", _SURFACES).gather(rng.choice(5, rows, p=_SHARES))
    draw = {
        "org": name("org", pl.Series(rng.integers(0, organisations, rows))),
        "user": name("user", pl.Series(rng.integers(0, users, rows))),
        "endpoint": pl.Series(_ENDPOINTS).gather(rng.integers(0, 3, rows)),
        "model": pl.Series(_MODELS).gather(rng.choice(4, rows, p=[0.5, 0.3, 0.15, 0.05])),
    }
    account = surface != "public_web"
    frame = pl.DataFrame(
        {
            "id": name("rec", pl.Series(np.arange(shard * rows, (shard + 1) * rows))),
            "source": surface,
            "created_at": times(rng, rows),
            **draw,
        }
    ).with_columns(pl.when(account).then(pl.col(column)).alias(column) for column in draw)
    frame = frame.with_columns(part=pl.lit("input"))
    texts = [b"-"] * rows
    if soup:
        starts = rng.integers(0, len(soup) - 2048, rows)
        lengths = rng.integers(600, 1400, rows)
        texts = [soup[a : a + n] for a, n in zip(starts.tolist(), lengths.tolist(), strict=True)]
    table = frame.select(
        "id", "source", "created_at", "org", "user", "endpoint", "model", "part"
    ).to_arrow()
    strings = [
        pa.field(f.name, pa.string() if f.type == pa.large_string() else f.type)
        for f in table.schema
    ]
    table = table.cast(pa.schema(strings))
    return table.append_column("text", pa.array(texts, pa.binary()).cast(pa.string()))


def _registers(
    rng: np.random.Generator, folder: Path, records: int, organisations: int, users: int
) -> None:
    folder.mkdir(exist_ok=True)
    events(rng, records // 20, organisations, users).write_parquet(folder / "consent.parquet")
    plans = pl.Series(["payg", "enterprise"]).gather(rng.choice(2, organisations, p=[0.95, 0.05]))
    pl.DataFrame(
        {
            "org_id": name("org", pl.Series(np.arange(organisations))),
            "plan": plans,
            "zero_retention": rng.random(organisations) < 0.03,
            "baa": rng.random(organisations) < 0.02,
            "effective_at": pl.Series([datetime(2020, 1, 1, tzinfo=UTC)] * organisations),
        }
    ).write_parquet(folder / "accounts.parquet")
    gone = records // 200
    pl.DataFrame(
        {
            "subject_kind": ["record"] * gone,
            "subject_id": name("rec", pl.Series(rng.choice(records, gone, replace=False))),
            "requested_at": times(rng, gone),
        }
    ).write_parquet(folder / "deletions.parquet")


def times(rng: np.random.Generator, count: int) -> pl.Series:
    """Draw instants on both sides of the policy's cutoff."""
    return pl.Series(_START + rng.integers(0, _SPAN, count)).cast(pl.Datetime("us", "UTC"))


def name(prefix: str, numbers: pl.Series) -> pl.Series:
    """Spell numbers as ids: `org-000000042`."""
    return pl.select(_spelled(prefix, pl.lit(numbers))).to_series()


def _spelled(prefix: str, numbers: pl.Expr) -> pl.Expr:
    return pl.format(f"{prefix}-{{}}", numbers.cast(pl.String).str.zfill(9))


def _soup(rng: np.random.Generator) -> bytes:
    """Make 64 MB of made-up words, frequent ones often, as in text."""
    letters = np.frombuffer(b"etaoinshrdlucmfwypvbgkjqxz", dtype=np.uint8)
    weights = 1 / np.arange(1, 27)
    drawn = rng.choice(letters, 9 * 50_000, p=weights / weights.sum()).tobytes()
    cuts = rng.integers(2, 10, 50_000)
    words = [drawn[9 * i : 9 * i + n] for i, n in enumerate(cuts.tolist())]
    ranks = np.minimum(rng.zipf(1.3, 11_000_000), 50_000) - 1
    return b" ".join([words[rank] for rank in ranks.tolist()])


_JOB = """\
policy: openai-api-data
purpose: pretraining
as_of: 2023-08-01T00:00:00Z
input:
  path: corpus
  columns:
    record_id: id
    surface: source
    submitted_at: created_at
    org_id: org
    user_id: user
    endpoint: endpoint
    model: model
    part: part
  absent: [license_ends_at]
  text: text
registers:
  consent: registers/consent.parquet
  accounts: registers/accounts.parquet
  deletions: registers/deletions.parquet
  holds: {empty: true}
output: {path: out, compression_level: 3}
pii: off
"""
