"""A policy file → a policy, or every fault in it at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from . import predicate as p
from .document import Document, parse_document, spell, suggest
from .errors import Fault, PolicyError
from .parse import Names, parse
from .policy import EXPECTED, RULE_COLUMNS, UNKNOWN, Effect, Parameter, Policy, Rule, read_value
from .schema import KNOWN_PARAMETERS, PURPOSES, RESERVED_PARAMETERS, SURFACES, Type

_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
_ANY_TIME: Final = datetime(2023, 8, 1, tzinfo=UTC)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ParameterFile(_File):
    """A parameter as the file writes it."""

    type: str
    value: Any
    because: str = ""


class PurgeFile(_File):
    """When a forbidden record must be gone."""

    deadline: str


class RuleFile(_File):
    """A rule as the file writes it."""

    id: str = Field(min_length=1)
    when: str
    because: str = Field(min_length=1)
    clause: list[str]
    surfaces: list[str] | None = None
    purposes: list[str] | None = None
    purge: PurgeFile | None = None

    @field_validator("clause", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("when", mode="before")
    @classmethod
    def _constant(cls, value: object) -> object:
        return str(value).upper() if isinstance(value, bool) else value


class PolicyFile(_File):
    """A policy file's keys."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: str
    description: str = ""
    parameters: dict[str, ParameterFile] = Field(default_factory=dict)
    forbid: list[RuleFile] = Field(default_factory=list)
    permit: list[RuleFile] = Field(default_factory=list)

    @field_validator("version", mode="before")
    @classmethod
    def _spelled(cls, value: object) -> object:
        return str(value) if type(value) is int else value


def parse_policy(text: str, source: str = "policy") -> Policy:
    """Read a policy from YAML text. Raises PolicyError with every fault, each with its position.

    >>> policy = parse_policy('''
    ... name: public-only
    ... version: 1
    ... permit:
    ...   - {id: public, when: surface = 'public_web', purposes: [pretraining],
    ...      because: it is public, clause: house rule}
    ... ''')
    >>> policy.permits[0].id
    'public'
    """
    document = parse_document(text)
    faults = list(document.faults)
    try:
        file = PolicyFile.model_validate(document.data) if document.data is not None else None
    except ValidationError as error:
        faults += model_faults(error, document)
        # The rules that are well-formed are checked all the same, so that one round of
        # mending is enough.
        file = _salvage(document.data)
    if file is None:
        raise PolicyError(source, tuple(faults))
    parameters = _parameters(file, document, faults)
    forbids = _rules("forbid", file.forbid, parameters, document, faults)
    permits = _rules("permit", file.permit, parameters, document, faults)
    policy = Policy(file.name, file.version, file.description, parameters, forbids, permits, text)
    faults += _same_ids(file, document)
    if not faults:
        faults += _unsafe(policy, document)
    if faults:
        raise PolicyError(source, tuple(sorted(faults, key=_place)))
    return policy


def model_faults(error: ValidationError, document: Document) -> Iterator[Fault]:
    """Turn pydantic's errors into faults; the values it saw are left out."""
    for item in error.errors(include_input=False, include_url=False, include_context=True):
        path = tuple(item["loc"])
        what, fix = str(item["msg"]), "see the docs for this file's keys"
        if item["type"] == "extra_forbidden":
            what, fix = "unknown key", _nearest(path)
        elif item["type"] == "missing":
            what, fix = "this key is missing", "add it"
        elif what.startswith("Value error, "):
            what, _, fix = what.removeprefix("Value error, ").partition(": ")
        elif what.startswith("Input should be "):
            what, fix = "wrong type or value", f"write {what.removeprefix('Input should be ')}"
        yield Fault(spell(path), what, fix, document.position(path))


def _nearest(path: tuple[str | int, ...]) -> str:
    models: dict[str, type[BaseModel]] = {
        "parameters": ParameterFile,
        "forbid": RuleFile,
        "permit": RuleFile,
    }
    model = models.get(str(path[0]), PolicyFile) if len(path) > 1 else PolicyFile
    return suggest(str(path[-1]), model.model_fields)


def _salvage(data: object) -> PolicyFile | None:
    """Keep the parts of a faulty file that can be read, so that they are checked all the same.

    A rule that cannot be read leaves one without an id in its place; no file can hold such a one.
    """
    if not isinstance(data, dict):
        return None
    parameters = data.get("parameters")
    good: dict[str, Any] = {
        "parameters": {
            name: ParameterFile.model_validate(value)
            for name, value in (parameters.items() if isinstance(parameters, dict) else ())
            if _valid(ParameterFile, value)
        }
    }
    for effect in ("forbid", "permit"):
        rules = data.get(effect)
        good[effect] = []
        for rule in rules if isinstance(rules, list) else ():
            known = RuleFile.model_fields
            kept = {k: v for k, v in rule.items() if k in known} if isinstance(rule, dict) else {}
            readable = _valid(RuleFile, kept)
            good[effect].append(
                RuleFile.model_validate(kept)
                if readable
                else RuleFile.model_construct(id="", when="", because="", clause=[])
            )
    return PolicyFile.model_construct(name="faulty", version="0", **good)


def _valid(model: type[BaseModel], value: object) -> bool:
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True


def _parameters(file: PolicyFile, document: Document, faults: list[Fault]) -> dict[str, Parameter]:
    parameters: dict[str, Parameter] = {}
    for name, written in file.parameters.items():
        path = ("parameters", name)

        def fault(what: str, fix: str, path: tuple[str, ...] = path) -> None:
            faults.append(Fault(spell(path), what, fix, document.position(path)))

        if name in RESERVED_PARAMETERS:
            fault("this name is reserved; a run sets it", "use another name")
            continue
        if not _NAME.fullmatch(name):
            fault("not a parameter name", "use lower-case letters, digits and _")
        if written.type not in list(Type):
            fault(f"unknown type `{written.type}`", suggest(written.type, list(Type)))
            continue
        kind = Type(written.type)
        if name in KNOWN_PARAMETERS and KNOWN_PARAMETERS[name][0] is not kind:
            fault(f"`{name}` must be {KNOWN_PARAMETERS[name][0].named}", "change its type")
        try:
            value = read_value(kind, written.value)
        except ValueError:
            fault(f"its value is not {kind.named}", EXPECTED[kind])
            value = None
        parameters[name] = Parameter(kind, value, written.because)
    return parameters


def _rules(
    effect: Effect,
    files: list[RuleFile],
    parameters: dict[str, Parameter],
    document: Document,
    faults: list[Fault],
) -> tuple[Rule, ...]:
    kinds = {name: parameter.type for name, parameter in parameters.items()}
    names = Names(RULE_COLUMNS, kinds | RESERVED_PARAMETERS)
    rules: list[Rule] = []
    for index, file in enumerate(files):
        path = (effect, index)
        if not file.id:
            continue
        when = _expression(
            file.when, names, (*path, "when"), wanted=Type.BOOLEAN, document=document, faults=faults
        )
        deadline = None
        if file.purge is not None:
            place = (*path, "purge", "deadline")
            deadline = _expression(
                file.purge.deadline,
                names,
                place,
                wanted=Type.TIMESTAMP,
                document=document,
                faults=faults,
            )
        faults += _rule_faults(effect, file, path, document)
        rules.append(
            Rule(
                file.id,
                effect,
                " ".join(file.when.split()),
                when,
                file.because,
                tuple(file.clause),
                tuple(file.surfaces or ()),
                tuple(file.purposes or ()),
                deadline,
            )
        )
    return tuple(rules)


def _expression(
    text: str,
    names: Names,
    path: tuple[str | int, ...],
    *,
    wanted: Type,
    document: Document,
    faults: list[Fault],
) -> p.Node:
    node, found = parse(text, names, where=spell(path))
    if node is not None and node.type is not wanted:
        what = f"{node.type.named} where {wanted.named} is wanted"
        found = [Fault(spell(path), what, f"write an expression that gives {wanted.named}")]
    for fault in found:
        inside = f", character {fault.position}" if fault.position else ""
        position = document.position(path) + inside
        faults.append(Fault(fault.where, fault.what, fault.fix, position))
    return node if node is not None else p.NULL


def _rule_faults(
    effect: Effect, file: RuleFile, path: tuple[str | int, ...], document: Document
) -> Iterator[Fault]:
    def fault(key: str, what: str, fix: str) -> Fault:
        return Fault(spell((*path, key)), what, fix, document.position((*path, key)))

    if not _ID.fullmatch(file.id) or file.id == "no-permit":
        yield fault("id", "not a usable id", "use lower-case words joined by -, not `no-permit`")
    for key, values, known in (
        ("surfaces", file.surfaces, SURFACES),
        ("purposes", file.purposes, PURPOSES),
    ):
        if values == []:
            yield fault(key, "an empty list", f"list some {key}, or leave the key out")
        for value in values or ():
            if value not in known:
                yield fault(key, f"unknown {key[:-1]} `{value}`", suggest(value, known))
    if effect == "permit" and file.purposes is None:
        yield fault("purposes", f"permit `{file.id}` names no purposes", "list what it permits")
    if effect == "permit" and file.purge is not None:
        yield fault("purge", f"permit `{file.id}` has a purge", "only a forbid can purge")


def _same_ids(file: PolicyFile, document: Document) -> Iterator[Fault]:
    seen: set[str] = set()
    for effect, rules in (("forbid", file.forbid), ("permit", file.permit)):
        for index, rule in enumerate(rules):
            path = (effect, index, "id")
            if rule.id and rule.id in seen:
                what, fix = f"two rules have the id `{rule.id}`", "give each its own"
                yield Fault(spell(path), what, fix, document.position(path))
            seen.add(rule.id)


def _unsafe(policy: Policy, document: Document) -> Iterator[Fault]:
    """Find rules that are well-formed and still cannot be meant."""
    record = dict(UNKNOWN) | {"record_id": "1", "surface": "public_web"}
    undecided: set[int] = set()
    for purpose in PURPOSES:
        for_org = "an org" if purpose == "custom_model" else None
        bound = policy.bind(purpose=purpose, as_of=_ANY_TIME, for_org=for_org)
        conditions = (p.assume(rule.condition, record) for rule in bound.forbids)
        undecided |= {i for i, node in enumerate(conditions) if node not in {p.TRUE, p.FALSE}}
    for index in sorted(undecided):
        path = ("forbid", index, "when")
        what = f"forbid `{policy.forbids[index].id}` is NULL, so holds, for every public record"
        fix = "ask first whether the column is there: `org_id IS NOT NULL AND …`"
        yield Fault(spell(path), what, fix, document.position(path))
    for index, permit in enumerate(policy.permits):
        if "custom_model" in permit.purposes and "for_org" not in p.parameters(permit.when):
            path = ("permit", index, "when")
            what = f"permit `{permit.id}` allows custom_model for any organisation's data"
            yield Fault(spell(path), what, "add `org_id = $for_org`", document.position(path))


def _place(fault: Fault) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", fault.position))
