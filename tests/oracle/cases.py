"""The truth table: cases in `tests/cases/*.yaml`, defaults merged, times parsed.

A file has a `title`, `defaults` and `cases`. A case overrides single keys of the default record
and replaces whole registers. A flag that an account leaves out is false; a column that a record
leaves out is null; `holds: null` stands for a run without that register.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from .judge import PROVENANCE
from .plain_yaml import read_yaml
from .times import parse_time

_TESTS = Path(__file__).resolve().parent.parent
CASES = _TESTS / "cases"
POLICY_FILE = _TESTS.parent / "filters" / "policies" / "openai-api-data.yaml"

Row = dict[str, Any]

_REGISTERS: dict[str, Row] = {
    "consent": {
        "subject_kind": None,
        "subject_id": None,
        "choice": None,
        "effective_at": None,
        "recorded_at": None,
        "surfaces": None,
        "purposes": None,
    },
    "accounts": {
        "org_id": None,
        "plan": None,
        "zero_retention": False,
        "baa": False,
        "effective_at": None,
    },
    "deletions": {
        "subject_kind": None,
        "subject_id": None,
        "requested_at": None,
        "scope_until": None,
    },
    "holds": {"subject_kind": None, "subject_id": None, "from": None, "until": None},
}
_TIMES = {
    "submitted_at",
    "license_ends_at",
    "effective_at",
    "recorded_at",
    "requested_at",
    "scope_until",
    "from",
    "until",
}
_RUN = {"purpose", "as_of", "for_org", "parameters"}


@dataclass(frozen=True)
class Expected:
    """What a case expects; `reasons` and `purge` are compared only where the case states them."""

    eligible: bool
    reason: str
    reasons: list[str] | None
    purge: tuple[str, datetime | None] | None
    states_purge: bool


@dataclass(frozen=True, eq=False)
class Case:
    """One row of the truth table, complete: every column, every register, the run."""

    file: str
    name: str
    clauses: tuple[str, ...]
    record: Row
    registers: dict[str, list[Row] | None]
    purpose: str
    as_of: datetime
    for_org: str | None
    parameters: Row
    expect: Expected

    @property
    def id(self) -> str:
        """The readable name of the case in a test run."""
        return f"{self.file}::{self.name}"


@cache
def load_cases(folder: Path = CASES) -> list[Case]:
    """Return all cases, file by file; a key or column nobody knows is an error."""
    return [case for path in sorted(folder.glob("*.yaml")) for case in _load_file(path)]


def _load_file(path: Path) -> list[Case]:
    content = read_yaml(path)
    _only(content, {"title", "defaults", "cases"}, path.stem)
    defaults = content.get("defaults", {})
    _only(defaults, {"record", *_RUN, *_REGISTERS}, f"{path.stem}: defaults")
    return [_case(path.stem, defaults, given) for given in content["cases"]]


def _case(file: str, defaults: Row, given: Row) -> Case:
    where = f"{file}::{given.get('name')}"
    _only(given, {"name", "clause", "expect", "record", *_RUN, *_REGISTERS}, where)
    merged = {**defaults, **given}
    record = {**defaults.get("record", {}), **given.get("record", {})}
    clause = given["clause"]
    return Case(
        file=file,
        name=given["name"],
        clauses=(clause,) if isinstance(clause, str) else tuple(clause),
        record=_row(record, dict.fromkeys(PROVENANCE), where),
        registers={
            name: _register(merged.get(name, []), blank, f"{where}: {name}")
            for name, blank in _REGISTERS.items()
        },
        purpose=merged["purpose"],
        as_of=parse_time(merged["as_of"]),
        for_org=merged.get("for_org"),
        parameters=merged.get("parameters") or {},
        expect=_expected(given["expect"], where),
    )


def _register(rows: list[Row] | None, blank: Row, where: str) -> list[Row] | None:
    return None if rows is None else [_row(row, blank, where) for row in rows]


def _row(given: Row, blank: Row, where: str) -> Row:
    _only(given, set(blank), where)
    return {
        name: parse_time(value) if name in _TIMES and value is not None else value
        for name, value in {**blank, **given}.items()
    }


def _expected(given: Row, where: str) -> Expected:
    _only(given, {"eligible", "reason", "reasons", "purge"}, f"{where}: expect")
    purge = given.get("purge")
    deadline = purge["deadline"] if purge else None
    return Expected(
        eligible=given["eligible"],
        reason=given["reason"],
        reasons=given.get("reasons"),
        purge=(purge["reason"], parse_time(deadline) if deadline else None) if purge else None,
        states_purge="purge" in given,
    )


def _only(given: Row, known: set[str], where: str) -> None:
    """Refuse a misspelt key: a case that says less than it seems to is worse than none."""
    if unknown := sorted(set(given) - known):
        raise KeyError(f"{where}: unknown key {', '.join(unknown)}")
