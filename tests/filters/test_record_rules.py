"""Rules that exclude a record for what was found in it."""

import pytest
from corpusgate.filters.reduce.operators import parse_operators
from corpusgate.filters.reduce.record_rules import RecordRules, parse_record_rules
from corpusgate.filters.reduce.reducer import Reducer
from properties.finder import Finder, column_of

MAIL = "a@b.de"


def excluded(rules, *columns, operators=None):
    chosen, _ = parse_operators(operators or {})
    reducer = Reducer(Finder(), chosen, key=None, rules=rules)
    return reducer.reduce([column_of(column) for column in columns], None).excluded


@pytest.mark.parametrize(
    ("rules", "texts", "rows"),
    [
        (RecordRules(), [MAIL * 9], []),
        (RecordRules(frozenset({"IP_ADDRESS"})), [MAIL, "8.8.8.8", "x"], [1]),
        (RecordRules(max_findings=1), [MAIL, f"{MAIL} {MAIL}", ""], [1]),
        (RecordRules(max_findings=0), [MAIL, "x"], [0]),
        # short records count as 1,000 characters
        (RecordRules(max_findings_per_1000_characters=1), [MAIL, f"{MAIL} {MAIL}"], [1]),
        (
            RecordRules(max_findings_per_1000_characters=1.5),
            [f"{MAIL} " * 3 + "é" * 1979, f"{MAIL} " * 3 + "é" * 1978],
            [1],
        ),
    ],
)
def test_rules(rules, texts, rows):
    assert excluded(rules, texts) == dict.fromkeys(rows, ("pii:too-dense",))


def test_texts_of_a_record_count_together():
    rules = RecordRules(max_findings=1)
    assert list(excluded(rules, [MAIL, MAIL], [MAIL, "x"])) == [0]
    rules = RecordRules(max_findings_per_1000_characters=1)
    assert list(excluded(rules, [MAIL, MAIL], [MAIL, MAIL + "x" * 3000])) == [0]


def test_what_overlaps_counts_once_and_by_every_name():
    # its domain is found as a URL, too
    assert excluded(RecordRules(max_findings=1), [MAIL]) == {}
    assert list(excluded(RecordRules(frozenset({"URL"})), [MAIL])) == [0]


def test_kept_findings_count():
    rules = RecordRules(max_findings=1)
    assert list(excluded(rules, [f"{MAIL} {MAIL}"], operators={"DEFAULT": "keep"})) == [0]


@pytest.mark.parametrize("limit", [2.5, "2.5", 2, "2"])
def test_rules_are_read(limit):
    data = {
        "entities": ["US_SSN"],
        "max_findings": 50,
        "max_findings_per_1000_characters": limit,
    }
    rules, faults = parse_record_rules(data, ["US_SSN"])
    assert faults == []
    assert rules == RecordRules(frozenset({"US_SSN"}), 50, float(limit))
    assert parse_record_rules(rules.describe())[0] == rules
    assert parse_record_rules({}) == (RecordRules(), [])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("US_SSN", "exclude: rules for records are a mapping"),
        ({"entity": ["US_SSN"]}, "exclude.entity: unknown key. Did you mean `entities`?"),
        ({"entities": 3}, "exclude.entities: not names of entities"),
        ({"entities": ["US_SNS"]}, "`US_SNS` is not among the entities looked for"),
        ({"max_findings": -1}, "exclude.max_findings: not a limit. Write a whole number"),
        ({"max_findings": "5"}, "exclude.max_findings: not a limit"),
        ({"max_findings": True}, "exclude.max_findings: not a limit"),
        ({"max_findings_per_1000_characters": "nan"}, "not a limit. Write a number"),
        ({"max_findings_per_1000_characters": -0.5}, "not a limit. Write a number"),
    ],
)
def test_faults(data, said):
    _, faults = parse_record_rules(data, ["US_SSN"])
    assert len(faults) == 1
    assert said in str(faults[0])
