"""What the rule language has, and what it refuses with which words."""

from datetime import UTC, datetime

import polars as pl
import pytest
from corpusgate.filters import predicate as p
from corpusgate.filters.parse import Names, parse
from corpusgate.filters.policy import RULE_COLUMNS
from corpusgate.filters.schema import Type
from corpusgate.filters.to_duckdb import to_duckdb
from corpusgate.filters.to_polars import to_polars

NAMES = Names(
    RULE_COLUMNS | {"n": Type.INTEGER},
    {
        "for_org": Type.STRING,
        "regions": Type.LIST,
        "as_of": Type.TIMESTAMP,
        "retention": Type.DURATION,
    },
)

NO = "the rule language has no "
MIX = "mixes a "
ZONED = "write TIMESTAMPTZ '2023-03-01T00:00:00Z', the only conversion there is"


def faults(text):
    node, found = parse(text, NAMES, where="forbid[0].when")
    assert (node is None) == bool(found)
    return found


@pytest.mark.parametrize(
    ("text", "what", "fix", "position"),
    [
        ("NOW() > $as_of", f"{NO}`NOW`", "", "1"),
        ("CURRENT_TIMESTAMP > $as_of", f"{NO}`NOW`", "use $as_of", ""),
        ("deleted AND lower(org_id) = 'a'", f"{NO}`LOWER`", "it has = <>", "13"),
        ("my_function(org_id)", f"{NO}`MY_FUNCTION`", "it has", "1"),
        ("org_id IN (SELECT 1)", f"{NO}`query` on `IN`", "leave it out", "1"),
        ("(SELECT deleted)", f"{NO}`SUBQUERY`", "register or a parameter", "9"),
        ("EXISTS (SELECT 1)", f"{NO}`EXISTS`", "", "16"),
        ("SELECT 1", f"{NO}`SELECT`", "write one boolean expression", "8"),
        ("TIMESTAMP '2023-03-01 00:00:00' < $as_of", "a conversion to TIMESTAMP", ZONED, "11"),
        ("DATE '2023-03-01' < $as_of", "a conversion to DATE", ZONED, "6"),
        ("TIMESTAMPTZ '2023-03-01' < $as_of", "no ISO 8601 time with an offset", "with its", "13"),
        ("org_id::VARCHAR = 'a'", "a conversion to TEXT", ZONED, "1"),
        ("TRY_CAST('1' AS TIMESTAMPTZ) < $as_of", f"{NO}`TRY_CAST`", "", "10"),
        ("submitted_at BETWEEN SYMMETRIC $as_of AND $as_of", f"{NO}`symmetric` on", "leave", "1"),
        ("org_id LIKE 'a' ESCAPE 'b'", f"{NO}`ESCAPE`", "", "1"),
        ("org_id NOT LIKE 'a' ESCAPE 'b'", f"{NO}`ESCAPE`", "", "1"),
        ("org_id ILIKE 'a'", f"{NO}`ILIKE`", "write LIKE with", "1"),
        ("org_id LIKE user_id", "LIKE with a computed pattern", "as a literal", "1"),
        ("n LIKE 'a'", "mixes an integer with a string", "", "1"),
        ("org_id = NULL", f"{NO}`NULL`", "ask with IS NULL", ""),
        ("org_id IN ('a', NULL)", f"{NO}`NULL`", "ask with IS NULL", ""),
        ("org_id IN (user_id)", "something else than constants after IN", "compare columns", "1"),
        ("n IN $regions", "mixes an integer with a string", "", "1"),
        ("org_id IN (1)", "mixes an integer with a string", "", "1"),
        ("$as_of + INTERVAL '1 month' < submitted_at", "no fixed duration", "weeks, days", ""),
        ("$as_of + INTERVAL 1 YEAR < submitted_at", "no fixed duration", "weeks, days", ""),
        ("submitted_at - $retention < $as_of", f"{NO}`SUB`", "other side", "1"),
        ("$as_of + $as_of < $as_of", "a timestamp + a timestamp", "add a duration", ""),
        ("t.org_id = 'a'", f"{NO}`table` on `COLUMN`", "leave it out", "1"),
        ("*", f"{NO}`STAR`", "", "1"),
        ("COLUMNS(*)", f"{NO}`COLUMNS`", "", "1"),
        ("org_id || 'a' = 'b'", f"{NO}`DPIPE`", "", "1"),
        ("n % 2 = 1", f"{NO}`MOD`", "", "1"),
        ("n + 1 = 2", "an integer + an integer", "", "1"),
        ("n = 1.5", "a number that is no 64-bit integer", "whole number", "5"),
        ("n = 9223372036854775808", "a number that is no 64-bit integer", "whole number", "5"),
        ("orgid = 'a'", "unknown column `orgid`", "did you mean `org_id`?", "1"),
        ('org_id = "acme"', "unknown column `acme`", "one of", "10"),
        ("org_id = $fororg", "unknown parameter `$fororg`", "did you mean `for_org`?", ""),
        ("org_id = 1", "mixes an integer with a string", "", "1"),
        ("deleted = 'true'", f"{MIX}boolean with a string", "", "1"),
        ("submitted_at < '2023-03-01'", f"{MIX}string with a timestamp", "TIMESTAMPTZ", "1"),
        ("COALESCE(org_id, 1) = 'a'", "mixes an integer with a string", "", "1"),
        ("deleted < on_hold", "`<` on TRUE and FALSE", "use AND, OR, NOT", "1"),
        ("deleted BETWEEN FALSE AND TRUE", "BETWEEN on TRUE and FALSE", "use AND", "1"),
        ("org_id OR deleted", "a string where TRUE or FALSE is wanted", "compare", "1"),
        ("org_id IS TRUE", "a string where TRUE or FALSE is wanted", "compare", "1"),
        ("deleted IS DISTINCT FROM on_hold", f"{NO}`NULLSAFENEQ`", "use <> and IS NULL", "1"),
        ("CASE WHEN deleted THEN TRUE END", "CASE without ELSE", "say what holds otherwise", "11"),
        ("CASE org_id WHEN 'a' THEN TRUE ELSE FALSE END", f"{NO}`this` on `CASE`", "leave", "6"),
        ("IF(deleted, TRUE, FALSE)", f"{NO}`IF`", "", "4"),
        ("deleted; on_hold", "not one expression", "write one boolean expression", ""),
        ("", "not one expression", "write one boolean expression", ""),
        ("-- only a remark", "not one expression", "write one boolean expression", ""),
        ("deleted AND", "not SQL: ", "write one boolean expression", "11"),
        ("(deleted", "not SQL: ", "write one boolean expression", ""),
        ("(" * 5_000 + "deleted" + ")" * 5_000, "nested too deeply", "split the rule", ""),
        ("NOT " * 4_000 + "deleted", "nested too deeply", "split the rule", ""),
        ("deleted OR " * 9_000 + "deleted", "longer than 20000 characters", "split the rule", ""),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_refused(text, what, fix, position):
    fault = faults(text)[0]
    assert fault.where == "forbid[0].when"
    assert fault.what.startswith(what)
    assert fix in fault.fix
    if position:
        assert fault.position == position


def test_all_faults_of_an_expression_are_found():
    found = faults("orgid = 'a' OR NOW() > $as_of AND userid = 'b'")
    assert [fault.what for fault in found] == [
        "unknown column `orgid`",
        f"{NO}`NOW`",
        "unknown column `userid`",
    ]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("deleted -- a remark", "deleted"),
        ("/* a remark */ deleted", "deleted"),
        ("deleted;", "deleted"),
        ("org_id NOT LIKE 'a%'", "(NOT (org_id LIKE 'a%'))"),
        ("org_id NOT IN ('a', 'b')", "(NOT (org_id IN ('a', 'b')))"),
        ("NOT deleted = on_hold", "(NOT (deleted = on_hold))"),
        ("deleted = on_hold IS NULL", "((deleted = on_hold) IS NULL)"),
        ("deleted OR on_hold AND baa", "(deleted OR (on_hold AND baa))"),
        ("n BETWEEN 1 AND 2 AND deleted", "((n >= 1) AND (n <= 2) AND deleted)"),
        ("n = - -5", "(n = 5)"),
        ("org_id = 'it''s'", "(org_id = 'it''s')"),
        (
            "submitted_at < TIMESTAMPTZ '2023-03-01 05:45:00+05:45'",
            "(submitted_at < TIMESTAMPTZ '2023-03-01 00:00:00+00:00')",
        ),
        ("deleted IS NOT TRUE", "(NOT (deleted IS TRUE))"),
        ("org_id IN $regions", "(org_id IN $regions)"),
    ],
)
def test_read(text, canonical):
    node, found = parse(text, NAMES)
    assert not found
    assert to_duckdb(node) == canonical


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("%", "a\nb", None),
        ("ft:%", "ft:x\ny", "xft:"),
        ("%:ft-%", "a\n:ft-\nb", ":ft"),
        ("a%b", "a\nb", "a\nb\n"),
        ("%b", "a\nb", "b\n"),
        ("a_b", "a\nb", "ab"),
        ("_", "é", "e\u0301"),
        ("a.b", "a.b", "axb"),
        ("[a]^$\\", "[a]^$\\", "a"),
        ("", "", "a"),
    ],
)
@pytest.mark.parametrize("settled", [False, True])
def test_like_is_of_the_whole_string_lines_and_all(pattern, matching, other, settled):
    node, _ = parse(f"org_id LIKE '{pattern}'", NAMES)
    values = [matching, other]
    if settled:
        found = [p.assume(node, {"org_id": value}).value for value in values]
    else:
        frame = pl.DataFrame({"org_id": values}, schema={"org_id": pl.String})
        found = frame.select(to_polars(node)).to_series().to_list()
    assert found == [True, None if other is None else False]


@pytest.mark.parametrize(
    "text",
    [
        "submitted_at < TIMESTAMPTZ '0001-01-01T00:00:00+01:00'",
        "submitted_at + INTERVAL '999999999 weeks' < $as_of",
        "n = " + "1" * 5_000,
    ],
)
def test_numbers_and_times_out_of_range(text):
    assert faults(text)


def test_a_sum_out_of_range_is_a_fault():
    node, _ = parse("$as_of + INTERVAL '9999999 days' < submitted_at", NAMES)
    assert p.bind(node, {"as_of": datetime(2023, 8, 1, tzinfo=UTC)})


@pytest.mark.parametrize("text", ["n = -TRUE", "org_id IN ()", "deleted = on_hold = baa"])
def test_what_no_engine_takes_is_refused(text):
    assert faults(text)


def test_an_empty_string_may_end_a_rule():
    assert not faults("$for_org = ''")


def test_canonical_durations_are_read_again():
    node, _ = parse("submitted_at + INTERVAL '30 days' < $as_of", NAMES)
    assert parse(to_duckdb(node), NAMES) == (node, [])


def test_literal_on_the_left_of_a_case():
    node, _ = parse("0 = CASE WHEN deleted THEN 0 ELSE 1 END", NAMES)
    frame = pl.DataFrame({"deleted": [None, None]}, schema={"deleted": pl.Boolean})
    assert frame.with_columns(to_polars(node).alias("t"))["t"].to_list() == [False, False]


def test_integers_are_64_bits_wide_wherever_they_stand():
    node, _ = parse("CASE WHEN deleted THEN 9223372036854775807 ELSE 7 END IN (0, 7)", NAMES)
    frame = pl.DataFrame({"deleted": [True, False, None]})
    truths = frame.with_columns(to_polars(node).alias("t"))["t"].to_list()
    assert truths == [False, True, True]


@pytest.mark.parametrize(
    "choices",
    [
        "('b', $for_org)",
        "($for_org)",
        "('a', $for_org)",
    ],
)
@pytest.mark.parametrize("item", ["'a'", "org_id"])
def test_an_unset_parameter_in_a_list_is_null(item, choices):
    node, _ = parse(f"{item} IN {choices}", NAMES)
    bound = p.bind(node, {"for_org": None})
    truth = pl.DataFrame({"org_id": ["a"]}).with_columns(to_polars(bound).alias("t"))["t"].item()
    assert truth is (True if "'a'," in choices else None)
