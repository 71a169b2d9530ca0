"""`SELECT reason, count(*)` in a session, and the same written by hand, in turns.

    python benchmarks/session.py FOLDER REPEAT

By hand is one query with the policy's conditions in one CASE, and as-of joins with the registers.
It trusts the registers and does not look for ids that stand twice. Both give the same counts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from corpusgate.filters.predicate import FALSE
from corpusgate.filters.to_duckdb import to_duckdb
from corpusgate.jobs.session import open_session

if TYPE_CHECKING:
    from corpusgate.filters.policy import BoundPolicy, BoundRule

QUERY = "SELECT reason, count(*) FROM {} GROUP BY reason ORDER BY reason"
THREADS = 2


def by_hand(folder: Path, policy: BoundPolicy) -> str:
    """Write the query that decides, as somebody would who knows this corpus."""
    return _BY_HAND.format(folder=folder, case=_case(policy))


def _case(policy: BoundPolicy) -> str:
    """Write every condition of the policy into one CASE."""
    branches = [
        *(f"WHEN {_sql(rule)} THEN '{rule.reason}'" for rule in _reached(policy.inputs)),
        *(
            f"WHEN {_sql(rule)} IS NOT FALSE THEN"
            f" CASE WHEN {_sql(rule)} THEN '{rule.reason}' ELSE '{rule.reason}?' END"
            for rule in _reached(policy.forbids)
        ),
        *(f"WHEN {_sql(rule)} THEN '{rule.reason}'" for rule in _reached(policy.permits)),
    ]
    return f"CASE {' '.join(branches)} ELSE 'no-permit' END"


def _reached(rules: tuple[BoundRule, ...]) -> list[BoundRule]:
    return [rule for rule in rules if rule.condition != FALSE]


def _sql(rule: BoundRule) -> str:
    return to_duckdb(rule.condition)


_BY_HAND = """
WITH moments AS (
    SELECT subject_kind, subject_id, choice = 'opt_out' AS is_out,
        CASE choice WHEN 'opt_in' THEN greatest(effective_at, recorded_at) + INTERVAL 1 microsecond
            ELSE least(effective_at, recorded_at) END AS moment
    FROM '{folder}/registers/consent.parquet'),
choices AS (SELECT subject_kind, subject_id, moment, bool_or(is_out) AS is_out
            FROM moments GROUP BY ALL),
orgs AS (SELECT * FROM choices WHERE subject_kind = 'org'),
users AS (SELECT * FROM choices WHERE subject_kind = 'user'),
outs AS (SELECT subject_kind, subject_id, max(moment) AS last FROM choices
         WHERE is_out GROUP BY ALL),
later AS (SELECT org_id, max(effective_at) FILTER (baa) AS baa,
              max(effective_at) FILTER (plan = 'enterprise') AS business
          FROM '{folder}/registers/accounts.parquet' GROUP BY org_id),
gone AS (SELECT subject_id, min(requested_at) AS at FROM '{folder}/registers/deletions.parquet'
         GROUP BY subject_id),
facts AS (
    SELECT r.*, FALSE AS duplicate_id, FALSE AS has_parents, d.at IS NOT NULL AS deleted,
        CASE WHEN o.is_out THEN 'opt_out' WHEN o.is_out IS NULL THEN 'none' ELSE 'opt_in' END
            AS org_consent_at_submission,
        CASE WHEN u.is_out THEN 'opt_out' WHEN u.is_out IS NULL THEN 'none' ELSE 'opt_in' END
            AS user_consent_at_submission,
        -- An opt-in is for API data: a consumer's opt-out stands, whatever came after it.
        coalesce(oo.last >= submitted_at OR surface = 'consumer', FALSE) AND oo.last IS NOT NULL
            OR coalesce(uo.last >= submitted_at OR surface = 'consumer', FALSE)
            AND uo.last IS NOT NULL AS opted_out_since,
        a.plan, a.zero_retention,
        CASE WHEN a.plan = 'enterprise' OR l.business > submitted_at THEN TRUE
            WHEN a.plan IS NOT NULL THEN FALSE END AS business_plan,
        CASE WHEN a.baa OR l.baa > submitted_at THEN TRUE
            WHEN a.org_id IS NOT NULL THEN FALSE END AS baa
    FROM (SELECT id AS record_id, source AS surface, created_at AS submitted_at, org AS org_id,
              "user" AS user_id, endpoint, model, part, NULL::VARCHAR AS end_user_id,
              NULL::VARCHAR AS file_id, NULL::VARCHAR AS conversation_id,
              NULL::TIMESTAMPTZ AS license_ends_at, NULL::VARCHAR AS region
          FROM '{folder}/corpus/*.parquet') r
    ASOF LEFT JOIN orgs o ON o.subject_id = r.org_id AND o.moment <= r.submitted_at
    ASOF LEFT JOIN users u ON u.subject_id = r.user_id AND u.moment <= r.submitted_at
    ASOF LEFT JOIN '{folder}/registers/accounts.parquet' a
        ON a.org_id = r.org_id AND a.effective_at <= r.submitted_at
    LEFT JOIN outs oo ON oo.subject_kind = 'org' AND oo.subject_id = r.org_id
    LEFT JOIN outs uo ON uo.subject_kind = 'user' AND uo.subject_id = r.user_id
    LEFT JOIN later l ON l.org_id = r.org_id
    LEFT JOIN gone d ON d.subject_id = r.record_id)
SELECT {case} AS reason FROM facts
"""


def main() -> None:
    """Time both in turns; print seconds of each turn, by the clock and of processors."""
    folder, repeat = Path(sys.argv[1]), int(sys.argv[2])
    session = open_session(folder / "job.yaml")
    con = duckdb.connect()
    con.execute(f"SET TimeZone = 'UTC'; SET threads = {THREADS}")
    hand = QUERY.format(f"({by_hand(folder, session.policy)})")
    asked: dict[str, Callable[[], list[tuple[str, int]]]] = {
        "session": lambda: session.database.execute(QUERY.format("decisions")).fetchall(),
        "by_hand": lambda: con.execute(hand).fetchall(),
    }
    facts: dict[str, list[float]] = {f"{who}_{of}": [] for who in asked for of in ("s", "cpu")}
    answers = []
    for _ in range(repeat):
        for who, ask in asked.items():
            begun, used = time.perf_counter(), _cpu()
            answers.append(ask())
            facts[f"{who}_s"].append(time.perf_counter() - begun)
            facts[f"{who}_cpu"].append(_cpu() - used)
    if any(answer != answers[0] for answer in answers):
        raise SystemExit(f"they count differently: {answers[:2]}")
    print(json.dumps({"seconds": sum(facts["session_s"]), **facts}))


def _cpu() -> float:
    times = os.times()
    return times.user + times.system


if __name__ == "__main__":
    main()
