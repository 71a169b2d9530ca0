"""Globs over paths: `*`, `?`, `[…]` within one level, `**` for any number of levels."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import Final

HIDDEN: Final = (".", "_")
"""First characters of names that are passed over unless a glob spells them."""

_MAGIC: Final = re.compile(r"[*?\[]")


def has_magic(text: str) -> bool:
    """Say whether a path, or a part of one, holds a glob character."""
    return bool(_MAGIC.search(text))


def passed_over(parts: Sequence[str]) -> tuple[str, ...]:
    """Give the first characters of names that a glob passes over.

    >>> passed_over(["_old", "*.parquet"])
    ('.',)
    """
    spelled = {part[0] for part in parts}
    return tuple(mark for mark in HIDDEN if mark not in spelled)


def fits(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Say whether the parts of a path fit the parts of a glob, one by one.

    >>> fits(["a", "b", "x.parquet"], ["**", "*.parquet"]), fits(["a", "x"], ["*"])
    (True, False)
    """
    if not parts:
        return not names
    if parts[0] == "**":
        return any(fits(names[taken:], parts[1:]) for taken in range(len(names) + 1))
    return bool(names) and fnmatch.fnmatchcase(names[0], parts[0]) and fits(names[1:], parts[1:])
