"""One record, all registers, one policy: the verdict."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .accounts import account_columns
from .consent import consent_columns
from .evaluate import evaluate
from .input_checks import SURFACES, input_reasons
from .normalise import normalise_record
from .parameters import bind_parameters
from .subjects import deletion_columns, is_held
from .three_valued import Truth
from .times import parse_time

PROVENANCE = (
    "record_id",
    "surface",
    "submitted_at",
    "org_id",
    "user_id",
    "end_user_id",
    "endpoint",
    "model",
    "part",
    "file_id",
    "conversation_id",
    "parent_ids",
    "license_ends_at",
    "region",
)
_EARLIEST = parse_time("2018-01-01T00:00:00Z")

Row = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What the contract says of one record: `purge` is a reason and its deadline."""

    eligible: bool
    reason: str
    reasons: list[str]
    purge: tuple[str, datetime | None] | None


def judge(
    record: Row,
    registers: dict[str, list[Row] | None],
    policy: Row,
    *,
    purpose: str,
    as_of: datetime,
    for_org: str | None = None,
    parameters: Row | None = None,
) -> Verdict:
    """Decide one record.

    `registers` holds `consent`, `accounts`, `deletions` and `holds`, a list of rows each; `holds`
    may be missing or None. `policy` is the parsed file; `parameters` override its values.
    """
    values = bind_parameters(policy, parameters, purpose=purpose, as_of=as_of, for_org=for_org)
    normal = normalise_record({column: record.get(column) for column in PROVENANCE})
    inputs = input_reasons(
        normal, earliest=values.get("earliest", _EARLIEST), as_of=values["as_of"]
    )
    columns = _with_state(normal, registers, values)

    forbids = [(rule, _forbids(rule, columns, values)) for rule in policy.get("forbid") or []]
    permits = [(rule, _holds(rule, columns, values)) for rule in policy.get("permit") or []]
    against = inputs + [
        rule["id"] if truth else f"{rule['id']}?" for rule, truth in forbids if truth is not False
    ]
    in_favour = [rule["id"] for rule, truth in permits if truth is True]
    if not in_favour:
        against.append("no-permit")

    reasons = against or in_favour
    certain = [rule for rule, truth in forbids if truth is True]
    return Verdict(not against, reasons[0], reasons, _purge(certain, columns, values))


def _with_state(record: Row, registers: dict[str, list[Row] | None], values: Row) -> Row:
    """Add to a normalised record what the registers say of it."""
    return {
        **record,
        **consent_columns(
            record,
            registers["consent"] or [],
            purpose=values["purpose"],
            as_of=values["as_of"],
        ),
        **account_columns(
            record,
            registers["accounts"] or [],
            trainable_plans=values.get("trainable_plans", []),
            business_plans=values.get("business_plans", []),
        ),
        **deletion_columns(record, registers["deletions"] or []),
        "on_hold": is_held(record, registers.get("holds"), values["as_of"]),
    }


def _holds(rule: Row, columns: Row, values: Row) -> Truth:
    """Return what a rule says; one that does not apply says FALSE."""
    if "surfaces" in rule and columns["surface"] not in rule["surfaces"]:
        return False
    return _says(rule, columns, values)


def _forbids(rule: Row, columns: Row, values: Row) -> Truth:
    """Return what a forbid says: one with surfaces speaks of unknown surfaces too."""
    if columns["surface"] not in SURFACES:
        return _says(rule, columns, values)
    return _holds(rule, columns, values)


def _says(rule: Row, columns: Row, values: Row) -> Truth:
    if "purposes" in rule and values["purpose"] not in rule["purposes"]:
        return False
    truth: Truth = evaluate(str(rule["when"]), columns, values)
    return truth


def _purge(certain: list[Row], columns: Row, values: Row) -> tuple[str, datetime | None] | None:
    """Return the purge that is due first; a hold, even one nobody can rule out, stays it."""
    if columns["on_hold"] is not False:
        return None
    due: list[tuple[str, datetime | None]] = [
        (rule["id"], evaluate(rule["purge"]["deadline"], columns, values))
        for rule in certain
        if rule.get("purge")
    ]
    if not due:
        return None
    # `min` keeps the first of equals. A deadline that cannot be computed comes last.
    known = [one for one in due if one[1] is not None]
    return min(known, key=lambda one: one[1]) if known else due[0]  # type: ignore[arg-type, return-value]
