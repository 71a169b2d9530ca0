"""The instants that the demo turns on, in microseconds since 1970 (UTC)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = 86_400_000_000


def instant(text: str) -> int:
    """Count the microseconds from 1970 to an ISO date or time, read as UTC where it has no zone.

    >>> instant("1970-01-02")
    86400000000
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


CUTOFF: Final = instant("2023-03-01")
AS_OF: Final = instant("2023-08-01")
