# ruff: noqa: S608 - SQL is what this file writes, of names and literals that it quotes
"""What the registers say about each record at its time, as DuckDB SQL.

Each register becomes spans: rows of one subject that cover all of time, from before everything to
after everything, without a gap and without an overlap. A record then meets at most one span by an
equality and two comparisons, which DuckDB joins by hashing; no `ASOF JOIN`, whose ties depend on
the order of its input, and no more rows than records. A record of unknown time stands before
everything (for deletions, whose scopes look the other way, after everything), and what its span
cannot say of it is NULL.

Nothing here is shared with `state`: two engines that agree have been asked twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from ..policy import BoundPolicy
from ..predicate import Literal
from ..schema import API_SURFACES, CONSENT_SUBJECTS, DERIVED, SUBJECTS, SURFACES, Type
from ..to_duckdb import to_duckdb
from .provenance import normal_model, text

_BEFORE: Final = "TIMESTAMPTZ '-infinity'"
_AFTER: Final = "TIMESTAMPTZ 'infinity'"
_TRAINABLE, _UNKNOWN, _BUSINESS = 0, 1, 2


@dataclass(frozen=True)
class Derived:
    """How to find derived columns: tables to make, joins to the records `r`, and expressions."""

    tables: dict[str, str] = field(default_factory=dict)
    joins: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)


def derive(
    policy: BoundPolicy,
    registers: Mapping[str, str],
    wanted: Collection[str],
    kinds: Mapping[str, Collection[str]] | None = None,
) -> Derived:
    """Find the derived columns `wanted` for records that are called `r`.

    `registers` names the relation of each register that there is, with the columns of
    `registers.FIELDS`; a register that is not there is unknown. `kinds` may say which kinds of
    subject a register names, where that is known: fewer joins.
    """
    found = Derived()
    asked = [name for name in DERIVED if name in wanted]
    named = {name: tuple((kinds or {}).get(name, SUBJECTS)) for name in registers}
    if any(name in asked for name in _CONSENT):
        _consent(found, policy, registers.get("consent"), named, asked)
    if any(name in asked for name in _ACCOUNT):
        _accounts(found, policy, registers.get("accounts"))
    if any(name in asked for name in _DELETION):
        _deletions(found, registers.get("deletions"), named)
    if "on_hold" in asked:
        _holds(found, policy, registers.get("holds"), named)
    columns = {name: found.columns[name] for name in asked}
    return Derived(found.tables, found.joins, columns)


_CONSENT: Final = ("org_consent_at_submission", "user_consent_at_submission", "opted_out_since")
_ACCOUNT: Final = ("plan", "zero_retention", "business_plan", "baa")
_DELETION: Final = ("deleted", "deletion_requested_at")


def _consent(
    found: Derived,
    policy: BoundPolicy,
    register: str | None,
    named: Mapping[str, tuple[str, ...]],
    asked: Collection[str],
) -> None:
    if register is None:
        found.columns.update(
            org_consent_at_submission="CAST(NULL AS VARCHAR)",
            user_consent_at_submission="CAST(NULL AS VARCHAR)",
            opted_out_since="CAST(NULL AS BOOLEAN)",
        )
        return
    found.tables.update(_consent_tables(policy, register))
    kinds = []
    for kind in CONSENT_SUBJECTS:
        name = f"{kind}_consent_at_submission"
        found.columns[name] = "'none'"
        if kind in named["consent"] and (name in asked or "opted_out_since" in asked):
            kinds.append(kind)
            found.columns[name] = _consent_choice(kind)
    if kinds:
        # `coalesce` of a surface that nobody knows is the empty string, which has a lane too.
        found.joins.append("LEFT JOIN consent_lanes AS lanes ON lanes.surface = r.known_surface")
    for kind in kinds:
        found.joins.append(
            f"LEFT JOIN consent_spans AS {kind}_consent ON {kind}_consent.subject_kind = '{kind}'"
            f" AND {kind}_consent.subject_id = r.{CONSENT_SUBJECTS[kind]}"
            f" AND {kind}_consent.lane = lanes.lane"
            f" AND r.known_at >= {kind}_consent.since AND r.known_at < {kind}_consent.until"
        )
    since = [_opted_out_since(kind) for kind in kinds]
    found.columns["opted_out_since"] = f"({' OR '.join(since)})" if since else "FALSE"


def _consent_choice(kind: str) -> str:
    span = f"{kind}_consent"
    return (
        f"(CASE WHEN {span}.since IS NULL THEN 'none' WHEN r.submitted_at IS NULL THEN NULL"
        f" WHEN {span}.opt_out THEN 'opt_out' WHEN NOT {span}.opt_out THEN 'opt_in'"
        " ELSE 'none' END)"
    )


def _opted_out_since(kind: str) -> str:
    last = f"{kind}_consent.last_opt_out"
    return f"(CASE WHEN {last} IS NULL THEN FALSE ELSE {last} >= r.submitted_at END)"


def _consent_tables(policy: BoundPolicy, register: str) -> dict[str, str]:
    surfaces = ", ".join(f"({text(name)})" for name in (*SURFACES, ""))
    api = ", ".join(map(text, API_SURFACES))
    scope = f"CASE WHEN opt_out THEN TRUE ELSE surface IN ({api}) END"
    return {
        "consent_events": f"""
            SELECT subject_kind, subject_id, surfaces, choice = 'opt_out' AS opt_out,
                CASE WHEN choice = 'opt_out' THEN least(effective_at, recorded_at)
                    ELSE greatest(effective_at, recorded_at) END AS instant
            FROM {register}
            WHERE (purposes IS NULL OR list_contains(purposes, {text(policy.purpose)}))
                AND (choice = 'opt_out' OR greatest(effective_at, recorded_at) <= {_moment(policy)})
            """,
        # A lane is a set of surfaces between which no event makes a difference.
        "consent_lanes": f"""
            SELECT surface, min(surface) OVER (PARTITION BY in_api, scopes) AS lane
            FROM (
                SELECT surface, surface IN ({api}) AS in_api,
                    (SELECT list(list_contains(surfaces, surface) ORDER BY surfaces)
                     FROM (SELECT DISTINCT surfaces FROM consent_events
                           WHERE surfaces IS NOT NULL)) AS scopes
                FROM (VALUES {surfaces}) AS every(surface)
            )
            """,
        # At one instant the opt_out wins. An opt_in counts for what comes strictly after it: its
        # span begins a microsecond later, where again an opt_out wins.
        "consent_changes": f"""
            SELECT subject_kind, subject_id, lane,
                CASE WHEN opt_out THEN instant ELSE instant + INTERVAL '1 microsecond' END AS since,
                bool_or(opt_out) AS opt_out
            FROM (
                SELECT subject_kind, subject_id, lane, instant, bool_or(opt_out) AS opt_out
                FROM (
                    SELECT * FROM consent_events, consent_lanes WHERE surface = lane
                )
                WHERE CASE WHEN surfaces IS NULL THEN {scope}
                    ELSE list_contains(surfaces, surface) END
                GROUP BY ALL
            )
            GROUP BY ALL
            """,
        "consent_spans": _spans(
            "consent_changes",
            ("subject_kind", "subject_id", "lane"),
            ("opt_out",),
            {"last_opt_out": "opt_out"},
        ),
    }


def _spans(
    changes: str, subject: tuple[str, ...], values: tuple[str, ...], last: Mapping[str, str]
) -> str:
    """Make spans of changes: `changes` has one row at most for each subject and instant `since`.

    `last` names columns with the last instant of a subject at which a condition held. Before a
    subject's first change there is a span in which all values are NULL. Changes that change
    nothing, such as an account's nightly snapshots, begin no span.
    """
    key = ", ".join(subject)
    kept = ", ".join(values)
    blank = ", ".join(f"NULL AS {name}" for name in values)
    lasts = ", ".join(
        f"max(since) FILTER (WHERE {condition}) AS {name}" for name, condition in last.items()
    )
    over = ", ".join(last)
    return f"""
        SELECT {key}, since,
            coalesce(lead(since) OVER (PARTITION BY {key} ORDER BY since), {_AFTER}) AS until,
            {kept}, {over}
        FROM (
            SELECT {key}, since, {kept} FROM {changes}
            QUALIFY row({kept}) IS DISTINCT FROM lag(row({kept})) OVER (
                PARTITION BY {key} ORDER BY since)
            UNION ALL
            SELECT {key}, {_BEFORE} AS since, {blank} FROM {changes} GROUP BY {key}
        )
        JOIN (SELECT {key}, {lasts} FROM {changes} GROUP BY {key}) USING ({key})
        """


def _accounts(found: Derived, policy: BoundPolicy, register: str | None) -> None:
    if register is None:
        found.columns["plan"] = "CAST(NULL AS VARCHAR)"
        found.columns.update(dict.fromkeys(_ACCOUNT[1:], "CAST(NULL AS BOOLEAN)"))
        return
    trainable, business = (
        _strings(cast("tuple[str, ...]", policy.policy.value(name)))
        for name in ("trainable_plans", "business_plans")
    )
    rank = (
        f"CASE WHEN list_contains({business}, plan) THEN {_BUSINESS}"
        f" WHEN list_contains({trainable}, plan) THEN {_TRAINABLE} ELSE {_UNKNOWN} END"
    )
    # The stricter account wins at one instant: the higher rank; of one rank an unknown plan, then
    # the first by name; and any flag that is set.
    found.tables["account_changes"] = f"""
        SELECT org_id, effective_at AS since, max(rank) AS rank,
            CASE WHEN bool_or(plan IS NULL) FILTER (WHERE rank = top) THEN NULL
                ELSE min(plan) FILTER (WHERE rank = top) END AS plan,
            bool_or(zero_retention) AS zero_retention, bool_or(baa) AS baa
        FROM (
            SELECT *, max(rank) OVER (PARTITION BY org_id, effective_at) AS top
            FROM (SELECT *, {rank} AS rank FROM {register})
        )
        GROUP BY org_id, effective_at
        """
    found.tables["account_spans"] = _spans(
        "account_changes",
        ("org_id",),
        ("rank", "plan", "zero_retention", "baa"),
        {
            "last_business": f"rank = {_BUSINESS}",
            "last_unknown": f"rank = {_UNKNOWN}",
            "last_baa": "baa",
        },
    )
    found.joins.append(
        "LEFT JOIN account_spans AS account ON account.org_id = r.org_id"
        " AND r.known_at >= account.since AND r.known_at < account.until"
    )
    found.columns.update(
        plan="account.plan",
        zero_retention="account.zero_retention",
        business_plan=(
            f"(CASE WHEN account.rank = {_BUSINESS} OR account.last_business > r.known_at THEN TRUE"
            f" WHEN account.rank = {_UNKNOWN} OR account.last_unknown > r.known_at THEN NULL"
            " WHEN account.rank IS NOT NULL THEN FALSE END)"
        ),
        baa=(
            "(CASE WHEN account.baa OR account.last_baa > r.known_at THEN TRUE"
            " WHEN account.rank IS NOT NULL THEN FALSE END)"
        ),
    )


def _deletions(found: Derived, register: str | None, named: Mapping[str, tuple[str, ...]]) -> None:
    if register is None:
        found.columns["deleted"] = "CAST(NULL AS BOOLEAN)"
        found.columns["deletion_requested_at"] = "CAST(NULL AS TIMESTAMPTZ)"
        return
    # What is submitted after one scope and up to the next is covered by that and all later ones,
    # and by the requests without a scope, which end after everything.
    found.tables["deletion_spans"] = f"""
        SELECT subject_kind, subject_id, coalesce(lag(until) OVER later, {_BEFORE}) AS since, until,
            min(requested_at) OVER (later ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
                AS requested_at
        FROM (
            SELECT subject_kind, subject_id, until, min(requested_at) AS requested_at
            FROM (
                SELECT subject_kind, {_subject()} AS subject_id,
                    coalesce(scope_until, {_AFTER}) AS until, requested_at
                FROM {register}
                UNION ALL
                SELECT DISTINCT subject_kind, {_subject()} AS subject_id, {_AFTER}, NULL
                FROM {register}
            )
            GROUP BY ALL
        )
        WINDOW later AS (PARTITION BY subject_kind, subject_id ORDER BY until)
        """
    spans = [(f"{kind}_deletion", kind) for kind in SUBJECTS if kind in named["deletions"]]
    found.joins.extend(
        f"LEFT JOIN deletion_spans AS {span} ON {span}.subject_kind = '{kind}'"
        f" AND {span}.subject_id = r.{SUBJECTS[kind]}"
        f" AND r.latest_at > {span}.since AND r.latest_at <= {span}.until"
        for span, kind in spans
    )
    # Of unknown time, a record is deleted by a request without a scope, and maybe by any other.
    hits = [
        f"(CASE WHEN {span}.requested_at IS NOT NULL THEN TRUE"
        f" WHEN r.submitted_at IS NULL AND {span}.until IS NOT NULL THEN NULL ELSE FALSE END)"
        for span, _ in spans
    ]
    times = [f"{span}.requested_at" for span, _ in spans]
    found.columns["deleted"] = f"({' OR '.join(hits)})" if hits else "FALSE"
    found.columns["deletion_requested_at"] = (
        f"least({', '.join(times)})" if times else "CAST(NULL AS TIMESTAMPTZ)"
    )


def _holds(
    found: Derived,
    policy: BoundPolicy,
    register: str | None,
    named: Mapping[str, tuple[str, ...]],
) -> None:
    if register is None:
        found.columns["on_hold"] = "CAST(NULL AS BOOLEAN)"
        return
    moment = _moment(policy)
    found.tables["held_subjects"] = f"""
        SELECT DISTINCT subject_kind, {_subject()} AS subject_id
        FROM {register}
        WHERE "from" <= {moment} AND (until IS NULL OR until >= {moment})
        """
    held = [(f"{kind}_hold", kind) for kind in SUBJECTS if kind in named["holds"]]
    found.joins.extend(
        f"LEFT JOIN held_subjects AS {hold} ON {hold}.subject_kind = '{kind}'"
        f" AND {hold}.subject_id = r.{SUBJECTS[kind]}"
        for hold, kind in held
    )
    hits = [f"{hold}.subject_kind IS NOT NULL" for hold, _ in held]
    found.columns["on_hold"] = f"({' OR '.join(hits)})" if hits else "FALSE"


def _subject() -> str:
    """Give a subject in the form that records have it: models are normalised there."""
    return f"CASE WHEN subject_kind = 'model' THEN {normal_model('subject_id')} ELSE subject_id END"


def _moment(policy: BoundPolicy) -> str:
    return to_duckdb(Literal(policy.as_of, Type.TIMESTAMP))


def _strings(values: tuple[str, ...]) -> str:
    return f"CAST([{', '.join(map(text, values))}] AS VARCHAR[])"


def times_of_records() -> dict[str, str]:
    """Give what the joins read of records beside their provenance."""
    known = ", ".join(map(text, SURFACES))
    return {
        "known_at": f"coalesce(submitted_at, {_BEFORE})",
        "latest_at": f"coalesce(submitted_at, {_AFTER})",
        "known_surface": f"(CASE WHEN surface IN ({known}) THEN surface ELSE '' END)",
    }
