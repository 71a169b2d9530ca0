"""What an organisation and a user had chosen, and whether either opted out since."""

from datetime import datetime
from typing import Any

from .input_checks import API_SURFACES
from .three_valued import Truth, any_of

Event = dict[str, Any]


def consent_columns(
    record: dict[str, Any], events: list[Event], *, purpose: str, as_of: datetime
) -> dict[str, Any]:
    """Return `org_consent_at_submission`, `user_consent_at_submission`, `opted_out_since`."""
    # An opt-in that counts only after `as_of` has not happened yet, as far as this run knows.
    events = [e for e in events if e["choice"] == "opt_out" or _counts_from(e) <= as_of]
    of_org = _applicable(events, "org", record["org_id"], record["surface"], purpose)
    of_user = _applicable(events, "user", record["user_id"], record["surface"], purpose)
    submitted_at = record["submitted_at"]
    return {
        "org_consent_at_submission": _at_submission(of_org, submitted_at),
        "user_consent_at_submission": _at_submission(of_user, submitted_at),
        "opted_out_since": any_of(
            [_opted_out_since(of_org, submitted_at), _opted_out_since(of_user, submitted_at)]
        ),
    }


def _applicable(
    events: list[Event], kind: str, subject_id: str | None, surface: str | None, purpose: str
) -> list[Event]:
    """Return the subject's events that speak about this surface and this purpose."""
    if subject_id is None:
        return []
    return [
        event
        for event in events
        if event["subject_kind"] == kind
        and event["subject_id"] == subject_id
        and _covers_surface(event, surface)
        and (event.get("purposes") is None or purpose in event["purposes"])
    ]


def _covers_surface(event: Event, surface: str | None) -> bool:
    listed = event.get("surfaces")
    if listed is not None:
        return surface in listed
    return event["choice"] == "opt_out" or surface in API_SURFACES


def _at_submission(events: list[Event], submitted_at: datetime | None) -> str | None:
    if not events:
        return "none"
    if submitted_at is None:
        return None
    counted = []
    for event in events:
        time = _counts_from(event)
        if event["choice"] == "opt_in" and time < submitted_at:
            counted.append((time, 0, "opt_in"))
        # At one instant the opt-out sorts last, so it wins.
        if event["choice"] == "opt_out" and time <= submitted_at:
            counted.append((time, 1, "opt_out"))
    return max(counted)[2] if counted else "none"


def _opted_out_since(events: list[Event], submitted_at: datetime | None) -> Truth:
    opt_outs = [event for event in events if event["choice"] == "opt_out"]
    if not opt_outs:
        return False
    if submitted_at is None:
        return None
    return any(_counts_from(event) >= submitted_at for event in opt_outs)


def _counts_from(event: Event) -> datetime:
    """An opt-in counts late, an opt-out early."""
    effective_at = event["effective_at"]
    recorded_at = event.get("recorded_at") or effective_at
    if event["choice"] == "opt_in":
        return max(effective_at, recorded_at)
    return min(effective_at, recorded_at)
