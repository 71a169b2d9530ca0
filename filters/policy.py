"""A policy: permits and forbids over provenance, from YAML text to rules bound to one run.

As in Cedar, nothing is allowed unless a permit says so, and any forbid overrides. A permit counts
only when TRUE; a forbid counts when TRUE or NULL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from . import predicate as p
from .errors import Fault, PolicyError
from .parse import Names, parse, parse_duration, parse_time
from .schema import (
    CHECKS,
    DERIVED,
    DERIVED_FROM,
    INPUT_RULES,
    KNOWN_PARAMETERS,
    PROVENANCE,
    RESERVED_PARAMETERS,
    SURFACES,
    Type,
)
from .to_duckdb import to_duckdb

Effect = Literal["input", "forbid", "permit"]

RULE_COLUMNS: Final = {k: v for k, v in PROVENANCE.items() if v is not Type.LIST} | DERIVED
"""What a policy's rules may read."""

INPUT_COLUMNS: Final = RULE_COLUMNS | CHECKS

UNKNOWN: Final[Mapping[str, p.Value]] = dict.fromkeys(INPUT_COLUMNS) | {
    "org_consent_at_submission": "none",
    "user_consent_at_submission": "none",
    "opted_out_since": False,
    "deleted": False,
    "on_hold": False,
    "has_parents": False,
    "duplicate_id": False,
}
"""A record of which nothing is known, and which no register names."""


@dataclass(frozen=True)
class Parameter:
    """A typed value that a policy's rules read as `$name`."""

    type: Type
    value: p.Value
    because: str = ""


@dataclass(frozen=True)
class Rule:
    """One permit or forbid.

    `when` and `deadline` are trees over RULE_COLUMNS and the policy's parameters; `text` is what
    the file says. Empty `surfaces` and `purposes` mean all.
    """

    id: str
    effect: Effect
    text: str
    when: p.Node
    because: str
    clauses: tuple[str, ...] = ()
    surfaces: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    deadline: p.Node | None = None

    def scoped(self, purpose: str | None = None) -> p.Node:
        """Give the whole condition: `when`, inside the rule's surfaces and purposes.

        A forbid also holds for surfaces that nobody knows.
        """
        if purpose is not None and self.purposes and purpose not in self.purposes:
            return p.FALSE
        if not self.surfaces:
            return self.when
        surface = p.Column("surface", Type.STRING)
        scope: p.Node = p.In(surface, _strings(self.surfaces))
        if self.effect == "forbid":
            others = [name for name in SURFACES if name not in self.surfaces]
            outside = p.Coalesce((p.In(surface, _strings(others)), p.FALSE), Type.BOOLEAN)
            scope = p.Not(outside)
        return p.fold(p.And((p.fold(scope), self.when)))


@dataclass(frozen=True)
class BoundRule:
    """A rule for one run: parameters and purpose are settled, what is left is its predicate."""

    rule: Rule
    condition: p.Node
    deadline: p.Node | None

    @property
    def reason(self) -> str:
        """The reason a record gets where the rule is TRUE."""
        return f"input:{self.rule.id}" if self.rule.effect == "input" else self.rule.id

    @property
    def columns(self) -> frozenset[str]:
        """Columns still read, derived ones included; none if the run cannot reach the rule."""
        if self.condition == p.FALSE:
            return frozenset()
        deadline = p.columns(self.deadline) if self.deadline is not None else frozenset()
        return p.columns(self.condition) | deadline


@dataclass(frozen=True)
class BoundPolicy:
    """A policy for one run, as three lists of rules in the order of their reasons."""

    policy: Policy
    purpose: str
    as_of: datetime
    for_org: str | None
    inputs: tuple[BoundRule, ...]
    forbids: tuple[BoundRule, ...]
    permits: tuple[BoundRule, ...]

    @property
    def rules(self) -> tuple[BoundRule, ...]:
        """All rules, in the order in which they give a record its reasons."""
        return self.inputs + self.forbids + self.permits

    def reads(self) -> dict[str, tuple[str, ...]]:
        """Name the provenance columns that permits and forbids read, each with their rules' ids."""
        readers: dict[str, list[str]] = {}
        for bound in self.forbids + self.permits:
            for column in sorted(sources(bound.columns)):
                readers.setdefault(column, []).append(bound.rule.id)
        return {column: tuple(ids) for column, ids in readers.items()}

    def registers(self) -> dict[str, tuple[str, ...]]:
        """Name the registers that permits and forbids read, each with their rules' ids."""
        readers: dict[str, list[str]] = {}
        for bound in self.forbids + self.permits:
            names = {DERIVED_FROM[c][0] for c in bound.columns if c in DERIVED_FROM}
            for name in sorted(names):
                readers.setdefault(name, []).append(bound.rule.id)
        return {name: tuple(ids) for name, ids in readers.items()}


@dataclass(frozen=True)
class Policy:
    """A checked policy. Build it with `load_policy` or `parse_policy`."""

    name: str
    version: str
    description: str
    parameters: Mapping[str, Parameter]
    forbids: tuple[Rule, ...]
    permits: tuple[Rule, ...]
    text: str

    @property
    def fingerprint(self) -> str:
        """Digest the canonical form: what the rules say, not how the file is laid out.

        SHA-256 in hex over sorted JSON of names, parameters, and rules in canonical SQL.
        """
        return hashlib.sha256(json.dumps(self.canonical(), sort_keys=True).encode()).hexdigest()

    def canonical(self) -> dict[str, Any]:
        """Give the policy as plain data from which the fingerprint is taken."""
        return {
            "name": self.name,
            "version": self.version,
            "parameters": {
                name: [str(parameter.type), plain(parameter.value)]
                for name, parameter in self.parameters.items()
            },
            "forbid": [_canonical_rule(rule) for rule in self.forbids],
            "permit": [_canonical_rule(rule) for rule in self.permits],
        }

    def value(self, name: str) -> p.Value:
        """Give a parameter's value, or corpusgate's default where the policy does not define it."""
        if name in self.parameters:
            return self.parameters[name].value
        kind, default = KNOWN_PARAMETERS[name]
        return read_value(kind, default)

    def with_parameters(self, values: Mapping[str, Any]) -> Policy:
        """Give the same policy with other parameter values, as a job file may set them.

        Raises PolicyError for a parameter that the policy does not define or of another type.
        """
        changed = dict(self.parameters)
        faults: list[Fault] = []
        for name, raw in values.items():
            where = f"parameters.{name}"
            if name not in changed:
                fix = f"it has {', '.join(sorted(changed))}"
                faults.append(Fault(where, f"policy `{self.name}` has no such parameter", fix))
                continue
            try:
                changed[name] = replace(changed[name], value=read_value(changed[name].type, raw))
            except (ValueError, TypeError):
                faults.append(
                    Fault(where, f"not {changed[name].type.named}", EXPECTED[changed[name].type])
                )
        if faults:
            raise PolicyError(self.name, tuple(faults))
        return replace(self, parameters=changed)

    def bind(self, *, purpose: str, as_of: datetime, for_org: str | None = None) -> BoundPolicy:
        """Settle purpose, time and parameters for one run."""
        values: dict[str, p.Value] = {name: self.value(name) for name in KNOWN_PARAMETERS}
        values |= {name: parameter.value for name, parameter in self.parameters.items()}
        values |= {"purpose": purpose, "as_of": as_of, "for_org": for_org}

        def bound(rule: Rule) -> BoundRule:
            deadline = p.bind(rule.deadline, values) if rule.deadline is not None else None
            return BoundRule(rule, p.bind(rule.scoped(purpose), values), deadline)

        return BoundPolicy(
            self,
            purpose,
            as_of,
            for_org,
            tuple(map(bound, _INPUTS)),
            tuple(map(bound, self.forbids)),
            tuple(map(bound, self.permits)),
        )


def sources(columns: Iterable[str]) -> frozenset[str]:
    """Replace derived columns by the provenance columns they are joined on."""
    out: set[str] = set()
    for column in columns:
        out.update(DERIVED_FROM[column][1] if column in DERIVED_FROM else {column})
    return frozenset(out) & PROVENANCE.keys()


EXPECTED: Final = {
    Type.STRING: "write a string",
    Type.INTEGER: "write a whole number",
    Type.BOOLEAN: "write true or false",
    Type.TIMESTAMP: "write 2023-03-01T00:00:00Z, with its offset",
    Type.DURATION: "write 30 days: weeks, days, hours, minutes or seconds",
    Type.LIST: "write a list of strings: [a, b]",
}


def read_value(kind: Type, raw: object) -> p.Value:
    """Read a parameter's value as a file writes it. Raises ValueError if it is of another type.

    >>> read_value(Type.DURATION, "30 days")
    datetime.timedelta(days=30)
    """
    match kind, raw:
        case Type.BOOLEAN, bool():
            return raw
        case Type.INTEGER, int() if not isinstance(raw, bool) and abs(raw) < 2**63:
            return raw
        case Type.STRING, str():
            return raw
        case Type.TIMESTAMP, str():
            return parse_time(raw)
        case Type.TIMESTAMP, datetime() if raw.tzinfo is not None:
            return raw
        case Type.DURATION, str():
            return parse_duration(raw)
        case Type.DURATION, timedelta():
            return raw
        case Type.LIST, list() | tuple() if all(isinstance(item, str) for item in raw):
            return tuple(raw)
    message = f"not {kind.named}"
    raise ValueError(message)


def plain(value: p.Value) -> Any:  # noqa: ANN401 - any JSON value
    """Write a value as JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)} us"
    return list(value) if isinstance(value, tuple) else value


def _canonical_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "when": to_duckdb(rule.when),
        "because": rule.because,
        "clause": list(rule.clauses),
        "surfaces": sorted(rule.surfaces),
        "purposes": sorted(rule.purposes),
        "deadline": to_duckdb(rule.deadline) if rule.deadline is not None else None,
    }


def _strings(values: Iterable[str]) -> tuple[p.Node, ...]:
    return tuple(p.Literal(value, Type.STRING) for value in values)


def _input_rule(name: str, text: str) -> Rule:
    known = {key: kind for key, (kind, _) in KNOWN_PARAMETERS.items()} | RESERVED_PARAMETERS
    node, faults = parse(text, Names(INPUT_COLUMNS, known), where=name)
    if node is None:
        raise PolicyError("input rules", tuple(faults))
    return Rule(name, "input", text, node, "the record's input is wrong")


_INPUTS: Final = tuple(_input_rule(name, text) for name, text in INPUT_RULES)
