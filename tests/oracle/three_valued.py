"""SQL's three truth values over Python's `True`, `False` and `None`."""

from collections.abc import Iterable
from typing import TypeAlias

Truth: TypeAlias = bool | None


def all_of(truths: Iterable[Truth]) -> Truth:
    """AND: FALSE if any is FALSE, else NULL if any is NULL, else TRUE.

    >>> all_of([None, False]), all_of([None, True]), all_of([])
    (False, None, True)
    """
    seen = list(truths)
    if any(truth is False for truth in seen):
        return False
    return None if any(truth is None for truth in seen) else True


def any_of(truths: Iterable[Truth]) -> Truth:
    """OR: TRUE if any is TRUE, else NULL if any is NULL, else FALSE.

    >>> any_of([None, True]), any_of([None, False]), any_of([])
    (True, None, False)
    """
    seen = list(truths)
    if any(truth is True for truth in seen):
        return True
    return None if any(truth is None for truth in seen) else False


def negation(truth: Truth) -> Truth:
    """NOT: NULL stays NULL."""
    return None if truth is None else not truth
