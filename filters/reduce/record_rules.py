"""Records that hold too much personal information to be worth reducing."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..document import suggest
from ..errors import Fault

TOO_DENSE: Final = "pii:too-dense"
_THOUSAND: Final = 1000
_COUNT: Final = "max_findings"
_DENSITY: Final = "max_findings_per_1000_characters"
_FRACTION: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True)
class RecordRules:
    """When a record is excluded for its findings. Nothing is excluded by default.

    Judged is what the first scan of a record's texts finds, `keep` included, overlapping findings
    counted as one. For the density, a record counts as at least 1,000 characters long, so that
    one address in a short message is not dense.
    """

    exclude_entities: frozenset[str] = frozenset()
    max_findings: int | None = None
    max_findings_per_1000_characters: float | None = None

    @property
    def active(self) -> bool:
        """Whether any record can be excluded at all."""
        return self != RecordRules()

    @property
    def wants_length(self) -> bool:
        """Whether the length of records matters."""
        return self.max_findings_per_1000_characters is not None

    def exclude(self, entities: Collection[str], findings: int, characters: int) -> bool:
        """Say whether a record is excluded, from what was found in all of its texts.

        >>> rules = RecordRules(max_findings_per_1000_characters=5)
        >>> rules.exclude({"URL"}, findings=12, characters=2000), rules.exclude({"URL"}, 5, 40)
        (True, False)
        """
        if not self.exclude_entities.isdisjoint(entities):
            return True
        if self.max_findings is not None and findings > self.max_findings:
            return True
        density = self.max_findings_per_1000_characters
        return density is not None and findings * _THOUSAND > density * max(characters, _THOUSAND)

    def describe(self) -> dict[str, Any]:
        """Give plain data of the form that `parse_record_rules` reads."""
        data: dict[str, Any] = {}
        if self.exclude_entities:
            data["entities"] = sorted(self.exclude_entities)
        for name in (_COUNT, _DENSITY):
            if getattr(self, name) is not None:
                data[name] = getattr(self, name)
        return data


def parse_record_rules(
    data: object, entities: Collection[str] | None = None, where: str = "exclude"
) -> tuple[RecordRules, list[Fault]]:
    """Read record rules from plain data, and say what is wrong in it.

    >>> rules, faults = parse_record_rules({"entities": ["US_SSN"], "max_findings": "many"})
    >>> print(faults[0])
    exclude.max_findings: not a limit. Write a whole number
    """
    if not isinstance(data, Mapping):
        fix = "write {entities: [US_SSN], max_findings: 50}"
        return RecordRules(), [Fault(where, "rules for records are a mapping", fix)]
    faults: list[Fault] = []
    known = ("entities", _COUNT, _DENSITY)
    faults += (
        Fault(f"{where}.{name}", "unknown key", suggest(str(name), known))
        for name in data
        if name not in known
    )
    names = data.get("entities") or []
    named = [names] if isinstance(names, str) else names
    if not isinstance(named, Sequence) or not all(isinstance(name, str) for name in named):
        faults.append(Fault(f"{where}.entities", "not names of entities", "write [US_SSN]"))
        named = []
    for name in named:
        if entities is not None and name not in entities:
            what = f"`{name}` is not among the entities looked for"
            faults.append(Fault(f"{where}.entities", what, suggest(name, entities)))
    limits: dict[str, Any] = {}
    for name, read, fix in (
        (_COUNT, _count, "write a whole number"),
        (_DENSITY, _number, "write a number"),
    ):
        if data.get(name) is not None and (limit := read(data[name])) is None:
            faults.append(Fault(f"{where}.{name}", "not a limit", fix))
        elif data.get(name) is not None:
            limits[name] = limit
    return RecordRules(frozenset(named), **limits), faults


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _number(value: object) -> float | None:
    """Read a number; a job file's fractions are texts, see `document.py`."""
    text = str(value) if type(value) in {int, float, str} else ""
    return float(text) if _FRACTION.fullmatch(text) else None
