"""Every case of the truth table through the naive oracle."""

import ast
import sys
from collections import Counter
from pathlib import Path

import pytest
from oracle import judge
from oracle.cases import POLICY_FILE, Case, load_cases
from oracle.plain_yaml import read_yaml

POLICY = read_yaml(POLICY_FILE)
CASES = load_cases()
CLAUSES = [f"C{number}" for number in (*range(1, 18), 20, 22)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_oracle_agrees_with_case(case: Case) -> None:
    """What the oracle says is what a person wrote down."""
    verdict = judge(
        case.record,
        case.registers,
        POLICY,
        purpose=case.purpose,
        as_of=case.as_of,
        for_org=case.for_org,
        parameters=case.parameters,
    )
    expect = case.expect
    assert (verdict.eligible, verdict.reason) == (expect.eligible, expect.reason), verdict.reasons
    if expect.reasons is not None:
        assert verdict.reasons == expect.reasons
    if expect.states_purge:
        assert verdict.purge == expect.purge


def test_oracle_imports_nothing_it_judges() -> None:
    """A bug in the package cannot hide behind itself."""
    modules = sorted((Path(__file__).parent / "oracle").glob("*.py"))
    nodes = [node for module in modules for node in ast.walk(ast.parse(module.read_text("utf-8")))]
    imported = {
        name.partition(".")[0]
        for node in nodes
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and node.level == 0
            else []
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"sqlglot", "yaml"}


def test_there_are_enough_cases() -> None:
    """The table is not thinned out unnoticed."""
    assert len(CASES) >= 150


def test_case_names_are_unique() -> None:
    """A failing id points at one case."""
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []


@pytest.mark.parametrize("clause", CLAUSES)
def test_clause_has_cases(clause: str) -> None:
    """Every clause of eligibility is claimed by a case."""
    assert any(clause in case.clauses for case in CASES)


def test_every_rule_decides_some_case() -> None:
    """Each rule of the policy is the first reason of at least one case."""
    rules = {rule["id"] for rule in [*POLICY["forbid"], *POLICY["permit"]]}
    assert rules - {case.expect.reason for case in CASES} == set()
