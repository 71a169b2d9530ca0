"""The page on policies: its tables are the code's, its example is a policy."""

from __future__ import annotations

import json

import pytest
from corpusgate.filters.errors import PolicyError
from corpusgate.filters.parse import Names, parse
from corpusgate.filters.policy import RULE_COLUMNS
from corpusgate.filters.policy_file import ParameterFile, PolicyFile, RuleFile, parse_policy
from corpusgate.filters.schema import (
    DERIVED,
    DERIVED_FROM,
    INPUT_RULES,
    KNOWN_PARAMETERS,
    PURPOSES,
    SURFACES,
    Type,
)

from docs.conftest import run_command
from docs.pages import blocks, codes, page, section, table

PAGE = page("policy.md")
(HOUSE,) = [block for block in blocks(PAGE) if block.file == "house.yaml"]


def test_commands_run(inside):
    (inside / HOUSE.file).write_text(HOUSE.text, "utf-8")
    lines = [line for b in blocks(PAGE) if b.kind == "sh" for line in b.text.splitlines()]
    assert len(lines) == 4
    for line in lines:
        code, out = run_command(line)
        assert code == 0, line
        assert out
    assert run_command("corpusgate policy check house.yaml")[1].startswith(
        "house-rules 1: 5 rules, no fault. "
    )


@pytest.mark.parametrize(("text", "model"), [("## The file", PolicyFile), ("A rule:", RuleFile)])
def test_keys_are_those_of_the_file(text, model):
    rows = table(PAGE[PAGE.index(text) :])
    assert [codes(row["key"])[0] for row in rows] == list(model.model_fields)
    required = [codes(row["key"])[0] for row in rows if row["default"] == "required"]
    assert required == [name for name, field in model.model_fields.items() if field.is_required()]


def test_a_parameter_s_keys_and_types_are_named():
    told = section(PAGE, "The file")
    assert {*ParameterFile.model_fields} <= {*codes(told), "type", "value", "because"}
    assert f"({', '.join(kind for kind in _kinds())})" in told
    assert {*KNOWN_PARAMETERS} <= {*codes(told)}


def _kinds() -> list[str]:
    return [
        str(kind)
        for kind in (
            Type.STRING, Type.INTEGER, Type.BOOLEAN, Type.TIMESTAMP, Type.DURATION, Type.LIST,
        )
    ]  # fmt: skip


@pytest.mark.parametrize(("label", "known"), [("Surfaces:", SURFACES), ("Purposes:", PURPOSES)])
def test_the_vocabulary_is_complete(label, known):
    listed = PAGE[PAGE.index(f"\n{label}") :].partition(". ")[0].partition(".\n")[0]
    assert tuple(codes(listed)) == known


def test_input_checks_are_those_of_the_schema():
    rows = table(section(PAGE, "Input checks"))
    assert [codes(row["reason"])[0] for row in rows] == [f"input:{name}" for name, _ in INPUT_RULES]


def test_columns_of_rules_are_those_of_the_schema():
    told = section(PAGE, "The rule language")
    rows = table(told[told.index("from the registers") :])
    assert {codes(row["column"])[0]: row["register"] for row in rows} == {
        name: register for name, (register, _) in DERIVED_FROM.items()
    }
    own = told[told.index("from the corpus:") :].partition(". ")[0].partition(".\n")[0]
    assert {*codes(own)} == {*RULE_COLUMNS} - {*DERIVED}


SPELLED = [
    "submitted_at BETWEEN $a AND TIMESTAMPTZ '2023-03-01T00:00:00Z'",
    "NOT (plan = 'free' OR plan <> $s) AND n >= 42",
    "plan IN ('a', $s) AND plan IN $l",
    "plan LIKE 'ft:%' AND plan NOT LIKE $s",
    "deleted IS NULL OR deleted IS NOT NULL OR deleted IS TRUE OR deleted IS NOT FALSE",
    "COALESCE(deleted, FALSE)",
    "CASE WHEN deleted THEN TRUE ELSE FALSE END",
    "submitted_at + INTERVAL '30 days' < $a",
]
REFUSED = [
    "lower(plan) = 'a'",
    "plan IN (SELECT 'a')",
    "n + 1 = 2",
    "submitted_at + INTERVAL '1 month' < $a",
    "NOW() > $a",
    "CASE WHEN deleted THEN TRUE END",
    "plan IN ('a', NULL)",
    "plan = 42",
]
NAMES = Names(
    {
        "plan": Type.STRING,
        "n": Type.INTEGER,
        "deleted": Type.BOOLEAN,
        "submitted_at": Type.TIMESTAMP,
    },
    {"a": Type.TIMESTAMP, "s": Type.STRING, "l": Type.LIST},
)


@pytest.mark.parametrize("text", SPELLED)
def test_what_the_page_lists_is_in_the_language(text):
    assert parse(text, NAMES)[1] == []


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_page_rules_out_is_refused(text):
    node, faults = parse(text, NAMES)
    assert node is None
    assert faults


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("model IS NOT NULL AND model NOT LIKE", "model NOT LIKE"), "every public record"),
        (("purposes: [pretraining]", "purposes: [custom_model]"), "custom_model"),
    ],
)
def test_what_check_refuses_although_it_is_well_formed(change, said):
    with pytest.raises(PolicyError, match=said):
        parse_policy(HOUSE.text.replace(*change))


def test_the_fingerprint_is_of_what_the_rules_say():
    same = HOUSE.text.replace("\nforbid:", "\n# a remark\n\nforbid:")
    other = HOUSE.text.replace("30 days", "31 days")
    fingerprint = parse_policy(HOUSE.text).fingerprint
    assert parse_policy(same).fingerprint == fingerprint != parse_policy(other).fingerprint


def test_a_job_takes_the_example(inside):
    (inside / "build/demo/house.yaml").write_text(HOUSE.text, "utf-8")
    job = (inside / "build/demo/job.yaml").read_text("utf-8")
    job = job.replace("policy: openai-api-data", "policy: house.yaml").replace(
        "path: out", "path: house"
    )
    (inside / "build/demo/house-job.yaml").write_text(job, "utf-8")
    code, out = run_command("corpusgate run build/demo/house-job.yaml --json --quiet")
    assert code == 0
    assert {"public", "opted-in", "deleted"} <= json.loads(out)["reasons"].keys()
