"""Parameters of which some are tried in every run, and all with the slow tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest


def sampled(cases: Mapping[str, Any] | Iterable[str], *quick: str) -> list[Any]:
    """Give the cases by name, those that are not `quick` under the marker `slow`.

    A mapping's values are the parameters; of names alone, the names are.
    """
    given = cases if isinstance(cases, Mapping) else {name: name for name in cases}
    missing = set(quick) - set(given)
    assert not missing, f"no such case: {missing}"
    return [_one(name, value, quick=name in quick) for name, value in given.items()]


def _one(name: str, value: Any, *, quick: bool) -> Any:
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, id=name, marks=() if quick else pytest.mark.slow)
