"""Questions that everybody asks, as named queries over a session's relations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Query:
    """A named question: what it answers in one line, and the SQL."""

    answers: str
    sql: str


QUERIES: Final[dict[str, Query]] = {
    "losses": Query(
        "how much is excluded, by reason; `alone` would be eligible but for this one reason",
        """
        SELECT reason, count(*) AS records,
            round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS percent,
            count(*) FILTER (WHERE len(reasons) = 1) AS alone,
            count(DISTINCT org_id) AS organisations,
            list_sort(list(DISTINCT surface)) AS surfaces
        FROM decisions WHERE NOT eligible
        GROUP BY reason ORDER BY records DESC, reason
        """,
    ),
    "timeline": Query(
        "records and what of them is eligible, by the month of their submission",
        """
        SELECT strftime(date_trunc('month', submitted_at), '%Y-%m') AS month,
            count(*) FILTER (WHERE eligible) AS eligible,
            count(*) FILTER (WHERE NOT eligible) AS excluded,
            round(100.0 * count(*) FILTER (WHERE eligible) / count(*), 1) AS percent
        FROM decisions GROUP BY month ORDER BY month NULLS LAST
        """,
    ),
    "consent-gaps": Query(
        "organisations of excluded API records that had made no choice when they submitted them",
        """
        SELECT org_id, count(*) AS records,
            count(*) FILTER (WHERE len(reasons) = 1 AND reason = 'no-permit') AS alone,
            min(submitted_at) AS first, max(submitted_at) AS last,
            bool_or(EXISTS (
                SELECT * FROM consent WHERE subject_kind = 'org' AND subject_id = org_id
            )) AS ever_chose
        FROM decisions JOIN states USING (shard, row, record_id)
        WHERE NOT eligible AND surface IN ('api', 'playground', 'file_upload')
            AND org_consent_at_submission = 'none'
        GROUP BY org_id ORDER BY records DESC, org_id
        """,
    ),
    "unknowns": Query(
        "what nobody knows and therefore excludes, by surface; `alone` is lost to it alone",
        """
        SELECT unknown, surface, count(*) AS records,
            count(*) FILTER (WHERE len(reasons) = 1) AS alone
        FROM (SELECT unnest(reasons) AS unknown, reasons, surface FROM decisions WHERE NOT eligible)
        WHERE unknown LIKE '%?' OR unknown LIKE 'input:missing-%'
            OR unknown LIKE 'input:unknown-%' OR unknown = 'input:implausible-time'
        GROUP BY unknown, surface ORDER BY records DESC, unknown, surface
        """,
    ),
    "pii-density": Query(
        "personal information in the texts of eligible records, by surface; nothing is reduced",
        """
        WITH looked AS (
            SELECT surface, strlen(text) AS bytes, pii_count(text) AS found, shard, row, record_id
            FROM texts
        ), summed AS (
            SELECT surface, count(*) AS texts, sum(bytes) AS bytes,
                CAST(sum(found) AS BIGINT) AS findings
            FROM looked GROUP BY surface
        ), hit AS (
            SELECT surface, count(*) AS records FROM (
                SELECT DISTINCT surface, shard, row, record_id FROM looked WHERE found > 0
            ) GROUP BY surface
        )
        SELECT d.surface, d.records, coalesce(s.texts, 0) AS texts,
            round(coalesce(s.bytes, 0) / 1e6, 3) AS megabytes, coalesce(s.findings, 0) AS findings,
            round(s.findings / nullif(s.bytes / 1e6, 0), 1) AS per_megabyte,
            round(1000.0 * coalesce(s.findings, 0) / d.records, 1) AS per_1000_records,
            round(100.0 * coalesce(h.records, 0) / d.records, 1) AS percent_with_any
        FROM (SELECT surface, count(*) AS records FROM decisions WHERE eligible GROUP BY surface) d
        LEFT JOIN summed s USING (surface) LEFT JOIN hit h USING (surface)
        ORDER BY findings DESC, surface
        """,
    ),
    "purge": Query(
        "what is to be deleted at the source, by reason and by the week of its deadline",
        """
        SELECT reason, strftime(date_trunc('week', deadline), '%Y-%m-%d') AS week_of,
            count(*) AS records, count(*) FILTER (WHERE deadline < getvariable('as_of')) AS overdue
        FROM due GROUP BY reason, week_of ORDER BY week_of NULLS FIRST, reason
        """,
    ),
}
"""Named queries, by name."""
