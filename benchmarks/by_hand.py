"""What somebody would write by hand for the release benchmark: Polars, and DuckDB.

Both decide as the built-in policy does on the generated corpus, and write the survivors with the
same codec and level. They write no decisions, give no reasons and check nothing.

    python benchmarks/by_hand.py chain FOLDER OUT.parquet
    python benchmarks/by_hand.py text-last FOLDER OUT.parquet
    python benchmarks/by_hand.py duckdb FOLDER OUT.parquet

    python benchmarks/by_hand.py rewrite FOLDER OUT.parquet   reads and writes all, decides nothing
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl

CUTOFF = datetime(2023, 3, 1, tzinfo=UTC)
AS_OF = datetime(2023, 8, 1, tzinfo=UTC)
CODEC = {"compression": "zstd", "compression_level": 3, "statistics": False}
API = ["api", "playground", "file_upload"]


def in_one_chain(folder: Path, out: Path) -> int:
    """Scan, join as of the submission, filter, sink: one query. Order is that of time."""
    corpus = pl.scan_parquet(folder / "corpus/*.parquet")
    decided(folder, corpus).select("id", "text").sink_parquet(out, **CODEC)
    return int(pl.scan_parquet(out).select(pl.len()).collect().item())


def text_last(folder: Path, out: Path) -> int:
    """Decide on narrow columns alone, then fetch the text of what is left, in the input's order."""
    corpus = pl.scan_parquet(folder / "corpus/*.parquet", row_index_name="row")
    kept = decided(folder, corpus.drop("text")).select("row").sort("row").collect()
    survivors = corpus.join(kept.lazy(), on="row", how="semi", maintain_order="left")
    survivors.select("id", "text").sink_parquet(out, **CODEC)
    return kept.height


def decided(folder: Path, corpus: pl.LazyFrame) -> pl.LazyFrame:
    """Leave the eligible rows of a corpus, in order of time."""
    consent = pl.read_parquet(folder / "registers/consent.parquet")
    deletions = pl.scan_parquet(folder / "registers/deletions.parquet")
    accounts = pl.scan_parquet(folder / "registers/accounts.parquet")
    rows = corpus.sort("created_at")
    for kind in ("org", "user"):
        events = consent.filter(subject_kind=kind)
        # An opt-in counts strictly before the submission, an opt-out at it, too.
        choices = events.select(
            pl.col("subject_id").alias(kind),
            at=pl.when(pl.col("choice") == "opt_in")
            .then(pl.col("effective_at") + timedelta(microseconds=1))
            .otherwise("effective_at"),
            **{f"{kind}_choice": "choice"},
        )
        last_out = (
            events.filter(choice="opt_out")
            .group_by(pl.col("subject_id").alias(kind))
            .agg(pl.col("effective_at").max().alias(f"{kind}_out"))
        )
        rows = rows.join_asof(
            choices.sort("at", f"{kind}_choice").lazy(),
            left_on="created_at",
            right_on="at",
            by=kind,
            check_sortedness=False,
        ).join(last_out.lazy(), on=kind, how="left", maintain_order="left")
    rows = rows.join_asof(
        accounts.select("plan", "zero_retention", "baa", org="org_id", since="effective_at").sort(
            "since"
        ),
        left_on="created_at",
        right_on="since",
        by="org",
        check_sortedness=False,
    ).join(deletions.select(id="subject_id"), on="id", how="anti")
    surface, at = pl.col("source"), pl.col("created_at")
    opted_out = pl.any_horizontal(
        (pl.col("org_choice") == "opt_out").fill_null(value=False),
        (pl.col("user_choice") == "opt_out").fill_null(value=False),
        (pl.col("org_out") >= at).fill_null(value=False),
        (pl.col("user_out") >= at).fill_null(value=False),
    )
    # An opt-in is for API data: a consumer's opt-out stands, whatever came after it.
    never_out = pl.col("org_out").is_null() & pl.col("user_out").is_null()
    account = (pl.col("plan") == "payg") & ~pl.col("zero_retention") & ~pl.col("baa")
    api = surface.is_in(API) & (
        (at < CUTOFF) | (pl.col("org_choice") == "opt_in").fill_null(value=False)
    )
    model = ~pl.col("model").fill_null("").str.starts_with("ft:")
    keep = (surface == "public_web") | (
        (api & ~opted_out | (surface == "consumer") & never_out) & account & model
    )
    return rows.filter(keep)


def rewrite(folder: Path, out: Path) -> int:
    """Read a corpus and write it again, nothing else: the limit of anything that copies text."""
    corpus = pl.scan_parquet(folder / "corpus/*.parquet")
    corpus.sink_parquet(out, **CODEC)
    return int(pl.scan_parquet(out).select(pl.len()).collect().item())


def by_duckdb(folder: Path, out: Path) -> int:
    """Write the same as one COPY."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 2")
    query = _SQL.format(folder=folder)
    connection.execute(
        f"COPY ({query}) TO '{out}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)"
    )
    count: int = connection.execute(f"SELECT count(*) FROM '{out}'").fetchall()[0][0]
    return count


_SQL = """
WITH consent AS (
    SELECT subject_kind, subject_id, choice, effective_at,
           CASE choice WHEN 'opt_in' THEN effective_at + INTERVAL 1 microsecond
                ELSE effective_at END AS moment
    FROM '{folder}/registers/consent.parquet'),
org AS (SELECT subject_id, moment, max(choice) AS choice FROM consent
        WHERE subject_kind = 'org' GROUP BY ALL),
person AS (SELECT subject_id, moment, max(choice) AS choice FROM consent
           WHERE subject_kind = 'user' GROUP BY ALL),
outs AS (SELECT subject_kind, subject_id, max(effective_at) AS last_out FROM consent
         WHERE choice = 'opt_out' GROUP BY ALL)
SELECT c.id, c.text
FROM '{folder}/corpus/*.parquet' c
ASOF LEFT JOIN org o ON c.org = o.subject_id AND c.created_at >= o.moment
ASOF LEFT JOIN person p ON c."user" = p.subject_id AND c.created_at >= p.moment
ASOF LEFT JOIN '{folder}/registers/accounts.parquet' a
    ON c.org = a.org_id AND c.created_at >= a.effective_at
LEFT JOIN outs oo ON oo.subject_kind = 'org' AND c.org = oo.subject_id
LEFT JOIN outs po ON po.subject_kind = 'user' AND c."user" = po.subject_id
ANTI JOIN '{folder}/registers/deletions.parquet' d ON c.id = d.subject_id
WHERE c.source = 'public_web' OR (
    a.plan = 'payg' AND NOT a.zero_retention AND NOT a.baa
    AND coalesce(c.model, '') NOT LIKE 'ft:%'
    AND (c.source = 'consumer' AND oo.last_out IS NULL AND po.last_out IS NULL
        OR c.source IN ('api', 'playground', 'file_upload')
        AND (c.created_at < TIMESTAMPTZ '2023-03-01 00:00:00+00' OR o.choice = 'opt_in')
        AND coalesce(o.choice, '') <> 'opt_out' AND coalesce(p.choice, '') <> 'opt_out'
        AND coalesce(oo.last_out < c.created_at, TRUE)
        AND coalesce(po.last_out < c.created_at, TRUE)))
"""


CASES = {
    "chain": in_one_chain,
    "text-last": text_last,
    "duckdb": by_duckdb,
    "rewrite": rewrite,
}


def main() -> None:
    """Run one of them; print seconds and rows as JSON."""
    _, which, folder, out = sys.argv
    begun = time.perf_counter()
    rows = CASES[which](Path(folder), Path(out))
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "rows": rows, "peak_megabytes": peak}))


if __name__ == "__main__":
    main()
