"""What becomes of a finding: operators by entity, with Presidio's names and parameters.

| operator | parameters | what stands in the text afterwards |
|---|---|---|
| `replace` | `new_value` | that, or `<EMAIL_ADDRESS>` |
| `redact` | | nothing |
| `mask` | `masking_char`, `chars_to_mask`, `from_end` | the value, covered in part or in whole |
| `hash` | `length` | HMAC-SHA256 of the value, or its start |
| `pseudonym` | | a stand-in of the same form (see `pseudonyms.py`) |
| `keep` | | the value; the finding is listed |
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, cast

from ..document import suggest
from ..errors import Fault, JobError
from .pseudonyms import Key, pseudonym

OperatorType = Literal["replace", "redact", "mask", "hash", "pseudonym", "keep"]
DEFAULT: Final = "DEFAULT"
PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "replace": ("new_value",),
    "redact": (),
    "mask": ("masking_char", "chars_to_mask", "from_end"),
    "hash": ("length",),
    "pseudonym": (),
    "keep": (),
}
KEYED: Final = frozenset({"hash", "pseudonym"})
# Fewer than 16 of the 64 characters might look like some other number, and collide.
_SHORTEST, _LONGEST = 16, 64
_ELSEWHERE: Final = {
    "encrypt": "there is no way back from reduced text; use hash or pseudonym",
    "custom": "use replace with new_value, or mask",
    "surrogate_ahds": "use pseudonym",
}
_NOT_A_PARAMETER: Final = {
    "scope": "the scope is said once, beside the operators",
    "hash_type": "hashes are HMAC-SHA256; leave it out",
    "salt": "hashes are keyed; leave it out",
    "key": "keys never stand in a job file",
}


@dataclass(frozen=True)
class Operator:
    """One operator with its parameters; those of other operators keep their defaults."""

    type: OperatorType = "replace"
    new_value: str | None = None
    masking_char: str = "*"
    chars_to_mask: int | None = None
    from_end: bool = False
    length: int = _LONGEST

    def describe(self) -> dict[str, Any]:
        """Give the type and its own parameters, defaults left out.

        >>> Operator("mask", chars_to_mask=4).describe()
        {'type': 'mask', 'chars_to_mask': 4}
        """
        values, usual = asdict(self), asdict(Operator())
        own = (name for name in PARAMETERS[self.type] if values[name] != usual[name])
        return {"type": self.type} | {name: values[name] for name in own}


@dataclass(frozen=True)
class Operators:
    """The operator of every entity.

    >>> Operators(by_entity={"URL": Operator("keep")}).of("URL").type
    'keep'
    """

    default: Operator = Operator()
    by_entity: Mapping[str, Operator] = field(default_factory=dict)

    def of(self, entity: str) -> Operator:
        """Give the operator of an entity."""
        return self.by_entity.get(entity, self.default)

    def constant(self, entity: str) -> str | None:
        """Give what stands in the text for every value of an entity; None where values differ.

        >>> Operators(by_entity={"URL": Operator("mask")}).constant("PHONE_NUMBER")
        '<PHONE_NUMBER>'
        """
        known = self._constants
        if entity not in known:
            operator = self.of(entity)
            same = operator.type in {"replace", "redact"}
            known[entity] = stand_in(operator, entity, "", key=None, scope="") if same else None
        return known[entity]

    @cached_property
    def _constants(self) -> dict[str, str | None]:
        return {}

    def all(self) -> tuple[Operator, ...]:
        """Give every operator in use, the default's first."""
        return (self.default, *self.by_entity.values())

    @cached_property
    def keep_some(self) -> bool:
        """Whether an operator is `keep`, so that a finding may have to be told apart."""
        return any(operator.type == "keep" for operator in self.all())

    @property
    def keyed(self) -> bool:
        """Whether an operator wants a key."""
        return any(operator.type in KEYED for operator in self.all())

    def describe(self) -> dict[str, dict[str, Any]]:
        """Give plain data of the form that `parse_operators` reads."""
        entities = {entity: self.by_entity[entity].describe() for entity in sorted(self.by_entity)}
        return {DEFAULT: self.default.describe()} | entities

    def checked(self, key: bytes | None) -> Key | None:
        """Give the key to reduce with. Raises JobError when one is wanted and there is none."""
        if key is None and self.keyed:
            what = "hash and pseudonym want a key, and none was given"
            fix = "name an environment variable or a file that holds one"
            raise JobError("pii", (Fault("key", what, fix),))
        return None if key is None else Key(key)


def parse_operators(
    data: object, entities: Collection[str] | None = None, where: str = "operators"
) -> tuple[Operators, list[Fault]]:
    """Read operators by entity from plain data, and say what is wrong in it.

    Each is a name or a mapping with `type` and parameters; `DEFAULT` is for all others. With
    `entities`, names that are not among them are faults.

    >>> operators, faults = parse_operators(
    ...     {"PHONE_NUMBER": {"type": "mask", "chars_to_mask": 6}, "URL": "kep"})
    >>> operators.of("PHONE_NUMBER").chars_to_mask, operators.of("EMAIL_ADDRESS").type
    (6, 'replace')
    >>> print(faults[0])
    operators.URL: unknown operator `kep`. Did you mean `keep`?
    """
    if not isinstance(data, Mapping):
        fix = "write {PHONE_NUMBER: mask, DEFAULT: replace}"
        return Operators(), [Fault(where, "operators are a mapping from entities", fix)]
    faults: list[Fault] = []
    read: dict[str, Operator] = {}
    for entity, written in data.items():
        place = f"{where}.{entity}"
        if entities is not None and entity != DEFAULT and entity not in entities:
            what = "it is not among the entities looked for"
            faults.append(Fault(place, what, suggest(str(entity), [*entities, DEFAULT])))
        operator, found = _parse_one(written, place)
        faults += found
        read[str(entity)] = operator
    default = read.pop(DEFAULT, Operator())
    return Operators(default, read), faults


def _parse_one(written: object, place: str) -> tuple[Operator, list[Fault]]:
    given = {"type": written} if isinstance(written, str) else written
    if not isinstance(given, Mapping) or not isinstance(given.get("type"), str):
        fix = "write its name, or {type: mask, chars_to_mask: 6}"
        return Operator(), [Fault(place, "this names no operator", fix)]
    kind = given["type"]
    if kind not in PARAMETERS:
        fix = _ELSEWHERE.get(kind) or suggest(kind, PARAMETERS)
        return Operator(), [Fault(place, f"unknown operator `{kind}`", fix)]
    faults: list[Fault] = []
    parameters: dict[str, Any] = {}
    for name, value in given.items():
        if name == "type" or (value is None and name in PARAMETERS[kind]):
            continue
        if name not in PARAMETERS[kind]:
            own = ", ".join(PARAMETERS[kind])
            fix = _NOT_A_PARAMETER.get(str(name)) or (f"it has {own}" if own else "leave it out")
            faults.append(Fault(f"{place}.{name}", f"`{kind}` has no such parameter", fix))
        elif not _CHECKS[name][0](value):
            faults.append(Fault(f"{place}.{name}", "a value it cannot have", _CHECKS[name][1]))
        else:
            parameters[name] = value
    return Operator(cast("OperatorType", kind), **parameters), faults


def _whole(value: object, least: int, most: int | None = None) -> bool:
    return type(value) is int and value >= least and (most is None or value <= most)


_CHECKS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "new_value": (
        lambda value: isinstance(value, str) and value != "",
        "write some text; for none, use redact",
    ),
    # Digits would make a number of what was one.
    "masking_char": (
        lambda value: isinstance(value, str) and len(value) == 1 and not value.isdecimal(),
        "write one character that is no digit",
    ),
    "chars_to_mask": (
        lambda value: _whole(value, 1),
        "write a number of characters; leave it out for all",
    ),
    "from_end": (lambda value: isinstance(value, bool), "write true or false"),
    "length": (
        lambda value: _whole(value, _SHORTEST, _LONGEST),
        f"write a number from {_SHORTEST} to {_LONGEST}",
    ),
}


def stand_in(operator: Operator, entity: str, value: str, *, key: Key | None, scope: str) -> str:
    """Give what stands in the text for a value.

    >>> stand_in(Operator("mask", chars_to_mask=7, from_end=True), "PHONE_NUMBER", "736-5000",
    ...          key=None, scope="run")
    '7*******'
    """
    match operator.type:
        case "replace":
            return f"<{entity}>" if operator.new_value is None else operator.new_value
        case "redact":
            return ""
        case "mask":
            return _masked(operator, value)
        case "hash" if key is not None:
            return key.digest(value.encode()).hex()[: operator.length]
        case "pseudonym" if key is not None:
            return pseudonym(key, scope, entity, value)
        case "keep":
            return value
        case kind:
            raise ValueError(f"{kind} wants a key")


def _masked(operator: Operator, value: str) -> str:
    count = len(value) if operator.chars_to_mask is None else operator.chars_to_mask
    count = min(count, len(value))
    cover = operator.masking_char * count
    return value[: len(value) - count] + cover if operator.from_end else cover + value[count:]
