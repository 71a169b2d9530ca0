"""Times and durations as people write them."""

import re
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(r"(\d+)\s*(week|day|hour|minute|second)s?")


def parse_time(text: str | datetime) -> datetime:
    """Return an aware UTC time; a text without an offset is an error.

    >>> parse_time("2023-03-01T01:00:00+01:00").isoformat()
    '2023-03-01T00:00:00+00:00'
    """
    time = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"a time needs an offset: {text}")
    return time.astimezone(UTC)


def parse_duration(text: str | timedelta) -> timedelta:
    """Return a fixed duration.

    >>> parse_duration("30 days")
    datetime.timedelta(days=30)
    """
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"not a duration: {text}")
    return timedelta(**{f"{match[2]}s": int(match[1])})
