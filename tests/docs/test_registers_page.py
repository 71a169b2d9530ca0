"""The page on registers: its columns are the code's, its examples come out as it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import corpusgate
import polars as pl
import pytest
from corpusgate.filters.decide import Judge, bind
from corpusgate.filters.registers import FIELDS, field_types
from corpusgate.filters.schema import PURPOSES, SURFACES

from docs.pages import codes, page, section, table

PAGE = page("registers.md")
AS_OF = "2023-08-01T00:00:00Z"
POLICY = corpusgate.load_policy("openai-api-data").with_parameters({"retention": "5000 days"})
NAMES = ("consent", "accounts", "deletions", "holds")
PAYG = [{"org_id": "acme", "plan": "payg", "zero_retention": False, "baa": False,
         "effective_at": "2020-01-01T00:00:00Z"}]  # fmt: skip


def at(day: str) -> str:
    return f"{day}T00:00:00Z"


def record(day: str) -> pl.DataFrame:
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return pl.DataFrame(
        {
            "record_id": ["r"], "surface": ["api"], "submitted_at": [moment],
            "org_id": ["acme"], "user_id": ["ann"], "model": ["gpt-4"], "part": ["input"],
            "endpoint": ["/v1/chat/completions"],
        }
    )  # fmt: skip


def registers(**given: list[dict[str, Any]]) -> corpusgate.Registers:
    """Make registers out of rows; those without rows hold nothing on purpose."""
    tables = {"accounts": PAYG} | {name: rows for name, rows in given.items() if rows}
    frames = {name: pl.DataFrame(rows, infer_schema_length=None) for name, rows in tables.items()}
    return corpusgate.Registers(**frames, empty=[name for name in NAMES if name not in frames])


def reason(day: str, **given: list[dict[str, Any]]) -> str:
    decided = corpusgate.decide(
        record(day), POLICY, registers(**given), purpose="pretraining", as_of=AS_OF
    )
    return str(decided["reason"].item())


def events(cell: str) -> list[list[str]]:
    """Split what a cell lists into its events' words."""
    return [] if cell == "none" else [event.split() for event in cell.split("; ")]


def following(words: list[str], name: str) -> str | None:
    return at(words[words.index(name) + 1]) if name in words else None


def rows_of(heading: str, head: str) -> list[tuple[str, ...]]:
    text = section(PAGE, heading)
    return [tuple(row.values()) for row in table(text[text.index(f"| {head}") :])]


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_those_of_the_register(name):
    rows = table(section(PAGE, name))
    assert [codes(row["column"])[0] for row in rows] == list(FIELDS[name])
    kinds = field_types(name)
    for row in rows:
        (column,) = codes(row["column"])
        field = FIELDS[name][column]
        assert row["type"] == str(kinds[column])
        assert row["required"] == ("no" if field.optional else "yes")
        if field.known and field.known not in {SURFACES, PURPOSES}:
            assert tuple(codes(row["values"])) == field.known


@pytest.mark.parametrize(
    ("kind", "told", "day", "expected"),
    [("org", *row) for row in rows_of("Consent", "events of the organisation")]
    + [("user", *row) for row in rows_of("Consent", "events of the user")],
)
def test_consent(kind, told, day, expected):
    consent = [
        {
            "subject_kind": kind,
            "subject_id": {"org": "acme", "user": "ann"}[kind],
            "choice": words[0],
            "effective_at": at(words[1]),
            "recorded_at": following(words, "recorded"),
        }
        for words in events(told)
    ]
    assert [reason(day, consent=consent)] == codes(expected)


@pytest.mark.parametrize(
    ("told", "day", "expected"), rows_of("Accounts", "accounts of the organisation")
)
def test_accounts(told, day, expected):
    accounts = [
        {
            "org_id": "acme",
            "plan": words[0],
            "zero_retention": "zero_retention" in words,
            "baa": "baa" in words,
            "effective_at": at(words[1]),
        }
        for words in events(told)
    ]
    assert [reason(day, accounts=accounts)] == codes(expected)


@pytest.mark.parametrize(
    ("told", "day", "expected"), rows_of("Deletions", "requests of the organisation")
)
def test_deletions(told, day, expected):
    deletions = [
        {
            "subject_kind": "org",
            "subject_id": "acme",
            "requested_at": following(words, "requested"),
            "scope_until": following(words, "until"),
        }
        for words in events(told)
    ]
    assert [reason(day, deletions=deletions)] == codes(expected)


@pytest.mark.parametrize(("told", "deadline"), rows_of("Holds", "holds of the organisation"))
def test_holds(told, deadline):
    holds = [
        {
            "subject_kind": "org",
            "subject_id": "acme",
            "from": following(words, "from"),
            "until": following(words, "until"),
        }
        for words in events(told)
    ]
    deletions = [{"subject_kind": "org", "subject_id": "acme", "requested_at": at("2023-07-01")}]
    judge = Judge.prepare(
        bind(POLICY, purpose="pretraining", as_of=AS_OF),
        registers(holds=holds, deletions=deletions),
    )
    verdict = judge(record("2023-02-01"))
    assert verdict["reason"].item() == "deleted"
    due = verdict["purge_deadline"].item()
    assert (f"{due:%Y-%m-%d}" if due else "held") == deadline


def test_without_a_holds_register_nothing_is_put_on_the_purge_list():
    deletions = [{"subject_kind": "org", "subject_id": "acme", "requested_at": at("2023-07-01")}]
    given = corpusgate.Registers(
        deletions=pl.DataFrame(deletions), accounts=pl.DataFrame(PAYG), empty=["consent"]
    )
    judge = Judge.prepare(bind(POLICY, purpose="pretraining", as_of=AS_OF), given)
    verdict = judge(record("2023-02-01"))
    assert verdict["reason"].item() == "deleted"
    assert verdict["purge_reason"].item() is None


GOOD = {"subject_kind": ["org"], "subject_id": ["acme"], "choice": ["opt_in"],
        "effective_at": ["2023-03-10T00:00:00Z"]}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"subject_id": [None]},
        {"choice": ["maybe"]},
        {"effective_at": ["2023-03-10"]},
        {"subject_kind": ["team"]},
    ],
)
def test_what_is_missing_or_unknown_stops(change):
    with pytest.raises(corpusgate.RegisterError):
        corpusgate.Registers(consent=pl.DataFrame(GOOD | change))


def test_ids_of_another_type_and_unmapped_columns_stop():
    numbers = corpusgate.Registers(
        consent=pl.DataFrame(GOOD | {"subject_id": [7]}),
        accounts=pl.DataFrame(PAYG),
        empty=["deletions"],
    )
    options = {"purpose": "pretraining", "as_of": AS_OF}
    with pytest.raises(corpusgate.RegisterError, match="integer"):
        corpusgate.decide(record("2023-02-01"), POLICY, numbers, **options)
    with pytest.raises(corpusgate.RegisterError, match="maps no `org_id`"):
        corpusgate.decide(record("2023-02-01").drop("org_id"), POLICY, registers(), **options)
    with pytest.raises(corpusgate.RegisterError, match="no deletions register"):
        corpusgate.decide(record("2023-02-01"), POLICY, corpusgate.Registers(), **options)


def test_an_empty_register_stops_unless_the_job_says_so(tmp_path):
    path = tmp_path / "consent.csv"
    path.write_text(",".join(GOOD) + "\n", "utf-8")
    with pytest.raises(corpusgate.RegisterError, match="empty"):
        corpusgate.Registers(consent=path)
    assert corpusgate.Registers(consent=path, empty=["consent"]).consent is not None


def test_every_stop_is_listed_once():
    listed = re.findall(r"^- .+", section(PAGE, "What stops a run"), re.MULTILINE)
    assert len(listed) == 7
