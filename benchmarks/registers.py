"""Five million consent events: what it costs to read, prepare and ask them.

The baseline is one plain Polars as-of join of 20,000 records against all events.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import generate
import numpy as np
import polars as pl
from corpusgate import Registers, load_policy
from corpusgate.filters.decide import Judge, bind

EVENTS = 5_000_000
RECORDS = 20_000
T = TypeVar("T")


def main() -> None:
    """Print seconds by step and peak memory as JSON."""
    rng = np.random.default_rng(3)
    seconds: dict[str, float] = {}

    def timed(name: str, call: Callable[[], T]) -> T:
        begun = time.perf_counter()
        result = call()
        seconds[name] = time.perf_counter() - begun
        return result

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "consent.parquet")
        generate.events(rng, EVENTS, 500_000, 2_000_000).write_parquet(path)
        empty = ["accounts", "deletions", "holds"]
        given = timed("read", lambda: Registers(consent=path, empty=empty))
        records = _records(rng)
        policy = bind(
            load_policy("openai-api-data"), purpose="pretraining", as_of="2023-08-01T00:00:00Z"
        )
        judge = timed("prepare", lambda: Judge.prepare(policy, given))
        judge(records)  # the first call also starts threads and caches
        timed("decide_20000", lambda: judge(records))
        events = pl.read_parquet(path).sort("effective_at")
        timed("decide_20000_plain_join", lambda: _plain(records, events))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**seconds, "seconds": sum(seconds.values()), "peak_megabytes": peak}))


def _plain(records: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    return records.sort("submitted_at").join_asof(
        events,
        left_on="submitted_at",
        right_on="effective_at",
        by_left="org_id",
        by_right="subject_id",
        check_sortedness=False,
    )


def _records(rng: np.random.Generator) -> pl.DataFrame:
    times = generate.times(rng, RECORDS)
    numbers = pl.Series(rng.integers(0, 500_000, RECORDS))
    return pl.DataFrame(
        {
            "record_id": generate.name("rec", pl.Series(np.arange(RECORDS))),
            "surface": ["api"] * RECORDS,
            "submitted_at": times,
            "org_id": generate.name("org", numbers),
            "endpoint": ["/v1/chat/completions"] * RECORDS,
            "model": ["gpt-4"] * RECORDS,
            "part": ["input"] * RECORDS,
        }
    )


if __name__ == "__main__":
    main()
