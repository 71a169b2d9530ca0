"""Every clause of eligibility has its rule and its truth cases, and the page says which."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

import pytest
import yaml

from docs.pages import ROOT, codes, page, section, table

POLICY = ROOT / "filters/policies/openai-api-data.yaml"
CASES = ROOT / "tests/cases"
CLAUSES = [f"C{number}" for number in range(1, 23)]
NOT_ELIGIBILITY = {"C18", "C19", "C21"}
PAGE = section(page("policy.md"), "The built-in policy `openai-api-data`")
ROWS = {row["clause"]: row for row in table(PAGE)}


def by_clause(named: Iterable[tuple[str, str | list[str]]]) -> dict[str, list[str]]:
    """Turn pairs of a name and its clauses into the names of each clause, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, clauses in named:
        for clause in [clauses] if isinstance(clauses, str) else clauses:
            if name not in found[clause]:
                found[clause].append(name)
    return found


def read(path):
    return yaml.load(path.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506 - strings only


RULES = by_clause(
    (rule["id"], rule["clause"]) for effect in ("forbid", "permit") for rule in read(POLICY)[effect]
)
TESTED = by_clause(
    (path.stem, case["clause"])
    for path in sorted(CASES.glob("*.yaml"))
    for case in read(path)["cases"]
)


def test_the_page_lists_all_clauses():
    assert list(ROWS) == CLAUSES
    assert {*RULES} <= {*CLAUSES}
    assert {*TESTED} <= {*CLAUSES}


@pytest.mark.parametrize("clause", [c for c in CLAUSES if c not in NOT_ELIGIBILITY])
def test_a_clause_of_eligibility_has_a_rule_and_a_case(clause):
    assert RULES[clause], "no rule of the policy names this clause"
    assert TESTED[clause], "no truth case names this clause"


@pytest.mark.parametrize("clause", CLAUSES)
def test_the_page_names_the_rules_and_cases_of_a_clause(clause):
    assert codes(ROWS[clause]["rules"]) == RULES.get(clause, [])
    assert codes(ROWS[clause]["cases"]) == TESTED.get(clause, [])


@pytest.mark.parametrize("clause", sorted(NOT_ELIGIBILITY))
def test_the_other_clauses_say_what_serves_them(clause):
    assert f"- **{clause}** is " in PAGE
    assert clause not in RULES
    for name in re.findall(r"`(tests/[^`]+)`", PAGE):
        assert "<" in name or (ROOT / name).exists(), name
