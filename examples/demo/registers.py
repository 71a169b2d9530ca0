"""What is known about the demo's organisations and people: consent, accounts, deletions, holds."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from draw import as_time, enterprise_ids, org_ids, user_ids
from instants import AS_OF, DAY, instant
from stories import ACCOUNTS, ENTERPRISES, ORG_CHOICES, TRAINABLE, USER_CHOICES, told

SEEN: Final = ("id", "source", "created_at", "user", "end_user", "org", "file", "conversation")
"""The columns of the corpus in which deletions look for their subjects; and `model`."""
LAST_ENTRY: Final = AS_OF - DAY // 4
"""No deletion was asked for later than this."""


def consent(rng: np.random.Generator) -> pl.DataFrame:
    """Give the choices of organisations and users, and when each was written down."""
    rows = [
        (
            kind,
            subject,
            event.choice,
            at,
            at + int(rng.integers(0, event.late * DAY + 1)),
            event.surfaces,
            event.purposes,
        )
        for kind, subjects, stories in (
            ("org", org_ids(), ORG_CHOICES),
            ("user", user_ids(), USER_CHOICES),
        )
        for subject, event, at in told(rng, subjects, stories)
    ]
    schema = {
        "subject_kind": pl.String,
        "subject_id": pl.String,
        "choice": pl.String,
        "effective_at": pl.Int64,
        "recorded_at": pl.Int64,
        "surfaces": pl.List(pl.String),
        "purposes": pl.List(pl.String),
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return _timed(frame, "effective_at", "recorded_at").sort("recorded_at", maintain_order=True)


def accounts(rng: np.random.Generator) -> pl.DataFrame:
    """Give the plans of organisations over time, with zero retention and health agreements."""
    rows = [
        (
            org,
            TRAINABLE[rng.integers(len(TRAINABLE))] if event.plan == "*" else event.plan,
            event.zero_retention,
            event.baa,
            at,
        )
        for subjects, stories in ((org_ids(), ACCOUNTS), (enterprise_ids(), ENTERPRISES))
        for org, event, at in told(rng, subjects, stories)
    ]
    names = ["org_id", "plan", "zero_retention", "baa", "effective_at"]
    frame = _timed(pl.DataFrame(rows, schema=names, orient="row"), "effective_at")
    return _recorded(frame, "effective_at")


def deletions(rng: np.random.Generator, corpus: pl.DataFrame) -> pl.DataFrame:
    """Give deletion requests of every kind of subject, most of them for things in the corpus.

    A third of what people and organisations ask reaches only up to a month before they asked.
    """
    plausible = as_time(pl.Series([instant("2020-01-01"), LAST_ENTRY]))
    seen = corpus.filter(pl.col("created_at").is_between(plausible[0], plausible[1]))
    wanted = (
        ("record", seen, "id", 0.004, 0.0),
        ("file", seen, "file", 0.06, 0.0),
        ("conversation", seen, "conversation", 0.02, 0.0),
        ("user", seen, "user", 0.012, 1 / 3),
        ("end_user", seen, "end_user", 0.02, 1 / 3),
        ("org", seen.filter(pl.col("source") == "api"), "org", 0.01, 1 / 2),
        ("model", seen.filter(pl.col("model").str.contains("ft[:-]")), "model", 0.05, 0.0),
    )
    parts = [
        _asked(rng, kind, frame.select(pl.col(column), "created_at").drop_nulls(), share, scoped)
        for kind, frame, column, share, scoped in wanted
    ]
    lost = [f"chat-lost-{number:06}" for number in range(20)]  # in no shard of this corpus
    strangers = pl.DataFrame({"id": lost, "created_at": [AS_OF - 90 * DAY] * len(lost)})
    parts.append(_asked(rng, "record", _timed(strangers, "created_at"), 1.0, 0.0))
    return _recorded(pl.concat(parts), "requested_at")


def holds(rng: np.random.Generator, requests: pl.DataFrame) -> pl.DataFrame:
    """Give legal holds: on some of what was to be deleted, and on a few organisations."""
    some = requests.filter(pl.Series(rng.random(len(requests)) < 0.05))
    orgs = pl.DataFrame(
        {
            "subject_kind": ["org"] * 12,
            "subject_id": org_ids().sample(12, seed=int(rng.integers(1 << 32))),
            "from": [instant("2023-04-01")] * 12,
        }
    )
    columns = ("subject_kind", "subject_id", "from")
    held = some.rename({"requested_at": "from"}).select(columns)
    frame = pl.concat([held, _timed(orgs, "from")])
    closed = pl.Series(rng.random(len(frame)) < 0.4)
    until = pl.when(closed).then(pl.col("from") + pl.duration(days=45))
    return _recorded(frame.with_columns(until=until), "from")


def _asked(
    rng: np.random.Generator, kind: str, seen: pl.DataFrame, share: float, scoped: float
) -> pl.DataFrame:
    """Ask for the deletion of `share` of the subjects seen, some days after their last record.

    `seen` has a subject and the time of one of its records. The share `scoped` of the requests
    has a `scope_until`.
    """
    subject = seen.columns[0]
    last = seen.group_by(subject, maintain_order=True).agg(pl.col("created_at").max())
    count = max(1, round(len(last) * share))
    chosen = last[np.sort(rng.choice(len(last), min(count, len(last)), replace=False))]
    left = LAST_ENTRY - chosen["created_at"].cast(pl.Int64).to_numpy()
    wait = (np.minimum(left, 120 * DAY) * rng.random(len(chosen))).astype(np.int64)
    asked = (pl.col("created_at") + pl.Series(wait).cast(pl.Duration("us"))).dt.truncate("1s")
    partly = pl.Series(rng.random(len(chosen)) < scoped)
    return chosen.select(
        pl.lit(kind).alias("subject_kind"),
        pl.col(subject).alias("subject_id"),
        asked.alias("requested_at"),
        pl.when(partly).then(asked - pl.duration(days=30)).alias("scope_until"),
    )


def _recorded(frame: pl.DataFrame, since: str) -> pl.DataFrame:
    """Say that each entry was made within the minute of what it is about."""
    return frame.with_columns(recorded_at=pl.col(since) + pl.duration(seconds=30))


def _timed(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    return frame.with_columns(as_time(frame[name]) for name in names)
