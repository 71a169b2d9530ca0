"""What a policy says, as facts and as a page."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from ..filters.policy import Policy, Rule, plain
from ..filters.predicate import Value
from ..filters.to_duckdb import to_duckdb
from ..filters.to_polars import to_polars
from .page import Page


def describe_policy(policy: Policy) -> dict[str, Any]:
    """Give a policy's parameters and rules as plain data, each rule in all its languages.

    >>> from .policies import load_policy
    >>> describe_policy(load_policy("openai-api-data"))["rules"][0]["duckdb"]
    'deleted'
    """
    return {
        "name": policy.name,
        "version": policy.version,
        "description": policy.description,
        "fingerprint": policy.fingerprint,
        "parameters": {
            name: {
                "type": str(parameter.type),
                "value": _spelled(parameter.value),
                "because": parameter.because,
            }
            for name, parameter in policy.parameters.items()
        },
        "rules": [_rule(rule) for rule in policy.forbids + policy.permits],
    }


def _spelled(value: Value) -> Any:  # noqa: ANN401 - any JSON value
    """Write a value as a policy file does."""
    if not isinstance(value, timedelta):
        return plain(value)
    for name, unit in _UNITS.items():
        if value % unit == timedelta():
            return f"{value // unit} {name}"
    return plain(value)


_UNITS: Final = {name: timedelta(**{name: 1}) for name in ("days", "hours", "minutes", "seconds")}


def _rule(rule: Rule) -> dict[str, Any]:
    scoped = rule.scoped()
    return {
        "id": rule.id,
        "effect": rule.effect,
        "clauses": list(rule.clauses),
        "because": rule.because,
        "surfaces": list(rule.surfaces),
        "purposes": list(rule.purposes),
        "when": rule.text,
        "duckdb": to_duckdb(scoped),
        "polars": str(to_polars(scoped)),
        "purge_deadline": to_duckdb(rule.deadline) if rule.deadline is not None else None,
    }


def render_policy(facts: dict[str, Any]) -> None:
    """Print what `describe_policy` gave."""
    page = Page()
    page.title(f"{facts['name']} {facts['version']}")
    page.line(facts["description"])
    page.line(f"fingerprint {facts['fingerprint']}")
    if facts["parameters"]:
        page.title("parameters")
        for name, item in facts["parameters"].items():
            value = item["value"]
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            page.line(f"${name} ({item['type']}) = {shown}")
            page.fields([("", item["because"])])
    for rule in facts["rules"]:
        page.title(f"{rule['effect']} {rule['id']}  {', '.join(rule['clauses'])}".rstrip())
        page.line(rule["because"])
        page.fields(
            [
                ("surfaces", ", ".join(rule["surfaces"])),
                ("purposes", ", ".join(rule["purposes"])),
                ("when", rule["when"]),
                ("DuckDB", rule["duckdb"]),
                ("Polars", rule["polars"]),
                ("delete by", rule["purge_deadline"] or ""),
            ]
        )
