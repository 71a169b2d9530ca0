"""The values that `$parameters` stand for in one run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .times import parse_duration, parse_time


def bind_parameters(
    policy: Mapping[str, Any],
    overrides: Mapping[str, Any] | None,
    *,
    purpose: str,
    as_of: datetime,
    for_org: str | None,
) -> dict[str, Any]:
    """Return every parameter of the policy with its value, the reserved ones included."""
    declared = policy.get("parameters") or {}
    given = dict(overrides or {})
    if unknown := sorted(set(given) - set(declared)):
        raise KeyError(f"the policy has no parameter {', '.join(unknown)}")
    values = {
        name: _typed(entry["type"], given.get(name, entry["value"]))
        for name, entry in declared.items()
    }
    return {**values, "purpose": purpose, "as_of": parse_time(as_of), "for_org": for_org}


def _typed(kind: str, value: Any) -> Any:
    if kind == "timestamp":
        return parse_time(value)
    if kind == "duration":
        return parse_duration(value)
    python = {"string": str, "integer": int, "boolean": bool, "list": list}[kind]
    if type(value) is not python:
        raise TypeError(f"not a {kind}: {value!r}")
    return value
