"""A corpus's own columns: the cutoff's two sides through every unit and zone."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from corpusgate.filters.errors import RegisterError, SchemaError
from corpusgate.filters.mapping import PERPETUAL, UNREADABLE, Source, map_columns, map_register
from corpusgate.filters.registers import field_types
from corpusgate.filters.schema import Type

CUTOFF = datetime(2023, 3, 1, tzinfo=UTC)
BEFORE = CUTOFF - timedelta(microseconds=1)
SECONDS = 1_677_628_800


def times(values, dtype=None, **source):
    frame = pl.DataFrame({"t": pl.Series(values, dtype=dtype)}).with_row_index("id")
    sources = {"record_id": Source("id"), "submitted_at": Source("t", **source)}
    mapped = map_columns(frame, sources, "input.columns")["submitted_at"]
    assert mapped.dtype == pl.Datetime("us", "UTC")
    return mapped.to_list()


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt64, pl.Float64, pl.Int128])
@pytest.mark.parametrize(
    ("unit", "scale", "ulp"), [("s", 1, 10**6), ("ms", 10**3, 10**3), ("us", 10**6, 1)]
)
def test_epoch_units(dtype, unit, scale, ulp):
    number = SECONDS * scale
    assert times([number - 1, number, 0, None], dtype, unit=unit) == [
        CUTOFF - timedelta(microseconds=ulp),
        CUTOFF,
        UNREADABLE,
        None,
    ]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt64, pl.Int128])
def test_nanoseconds_are_cut_not_rounded(dtype):
    number = SECONDS * 10**9
    assert times([number - 1, number, number + 999], dtype, unit="ns") == [BEFORE, CUTOFF, CUTOFF]
    naive = pl.Series([number - 1, number]).cast(pl.Datetime("ns"))
    assert times(naive, timezone="UTC") == [BEFORE, CUTOFF]
    assert times(naive.dt.replace_time_zone("UTC")) == [BEFORE, CUTOFF]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_numbers_that_are_no_time_are_implausible(unit):
    odd = [-1, -(2**63), -SECONDS] + ([2**63 - 1] if unit != "ns" else [])
    assert set(times(odd, pl.Int64, unit=unit)) == {UNREADABLE}
    odd = [float("nan"), float("inf"), -float("inf"), 1e300, -0.5]
    assert set(times(odd, pl.Float64, unit=unit)) == {UNREADABLE}
    assert set(times([2**64 - 1, 2**63], pl.UInt64, unit=unit)) == {UNREADABLE}


def test_the_last_second_there_is():
    assert times([253_402_300_799, 253_402_300_800], unit="s") == [PERPETUAL, UNREADABLE]


def test_wrong_unit_is_never_plausible():
    assert times([SECONDS * 10**3], unit="s") == [UNREADABLE]
    assert times([SECONDS], unit="ms")[0].year == 1970


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-03-01T00:00:00Z", CUTOFF),
        ("2023-03-01T00:00:00z", CUTOFF),
        ("2023-03-01 01:00:00+01:00", CUTOFF),
        ("2023-02-28T19:00:00-0500", CUTOFF),
        ("2023-03-01T05:45+05:45", CUTOFF),
        (" 2023-03-01T00:00:00Z ", CUTOFF),
        ("2023-02-28T23:59:59.999999Z", BEFORE),
        ("2023-02-28T23:59:59.9999999Z", BEFORE),
        ("2023-02-28T23:59:59.999999999+00:00", BEFORE),
        ("2023-02-28T23:59:60Z", CUTOFF),
        ("2023-03-01", UNREADABLE),
        ("2023-03-01T00:00:00", UNREADABLE),
        ("2023-03-01T00:00:00+25:00", UNREADABLE),
        ("2023-02-30T00:00:00Z", UNREADABLE),
        ("1677628800", UNREADABLE),
        ("garbage", UNREADABLE),
        ("", UNREADABLE),
        (None, None),
    ],
)
def test_strings(text, moment):
    good = "2023-03-01T00:00:00Z"  # a column without one such time is another thing
    assert times([text, good], pl.String) == [moment, CUTOFF]


@pytest.mark.parametrize(
    "text", ["2023-02-28T19:00:00", "2023-02-28 19:00", "2023-02-28 19:00:00.0"]
)
def test_naive_strings_with_a_zone(text):
    assert times([text], timezone="America/New_York") == [CUTOFF]
    assert times(["2023-03-01T00:00:00Z"], timezone="America/New_York") == [CUTOFF]
    assert times(["2023-03-01"], timezone="UTC") == [CUTOFF]


def test_dates_and_wall_clocks():
    assert times([date(2023, 3, 1)], timezone="UTC") == [CUTOFF]
    assert times([date(2023, 3, 1)], timezone="Asia/Kathmandu")[0] == CUTOFF - timedelta(hours=5.75)
    gap, twice = datetime(2023, 3, 12, 2, 30), datetime(2023, 11, 5, 1, 30)  # noqa: DTZ001
    assert times([gap, twice, None], timezone="America/New_York") == [UNREADABLE, UNREADABLE, None]
    assert times([None, None], pl.Null, unit="s") == [None, None]


@pytest.mark.parametrize(
    ("values", "source", "said"),
    [
        ([1], {}, "`t` is Int64, not a time. Say its unit"),
        (["1"], {"unit": "s"}, "`t` is String, not a number. Leave unit out"),
        ([date(2023, 3, 1)], {}, "Date has no time zone. Say which one"),
        ([CUTOFF], {"timezone": "UTC"}, "this time has a zone of its own"),
        ([True], {}, "`t` is Boolean, not a time"),
    ],
)
def test_types_that_are_no_time(values, source, said):
    with pytest.raises(SchemaError, match=r"input\.columns\.submitted_at") as caught:
        times(values, **source)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("target", "kind", "source", "said"),
    [
        ("org_id", Type.STRING, Source(), "not one of column, sql, constant"),
        ("org_id", Type.STRING, Source("a", constant="b"), "not one of column, sql, constant"),
        ("record_id", Type.STRING, Source(sql="a"), "a record's id comes from a column"),
        ("org_id", Type.STRING, Source("a", unit="s"), "unit and timezone go with a time"),
        ("submitted_at", Type.TIMESTAMP, Source("a", unit="sec"), "unknown unit `sec`"),
        ("submitted_at", Type.TIMESTAMP, Source("a", unit="s", timezone="UTC"), "an epoch number"),
        ("submitted_at", Type.TIMESTAMP, Source("a", timezone="Mars"), "unknown time zone `Mars`"),
        ("submitted_at", Type.TIMESTAMP, Source(constant="2023-03-01"), "not a constant this"),
        ("submitted_at", Type.TIMESTAMP, Source(constant="perpetual"), "not a constant this"),
        ("surface", Type.STRING, Source(constant="apis"), "not a constant this"),
        ("parent_ids", Type.LIST, Source(constant="a"), "not a constant this"),
    ],
)
def test_faulty_sources(target, kind, source, said):
    assert any(fault.what.startswith(said) for fault in source.faults(target, kind, "input"))


def mapped(target, sql, **columns):
    frame = pl.DataFrame({"id": ["1", "2"]} | columns)
    return map_columns(frame, {"record_id": Source("id"), target: Source(sql=sql)}, "w")[target]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("'api'", "gives a known surface for a record of which nothing is known"),
        ("COALESCE(kind, 'api')", "gives a known surface"),
        ("CASE WHEN kind <> 'x' THEN 'y' ELSE 'api' END", "gives a known surface"),
        ("kind IS NULL", "gives a boolean where a string is wanted"),
        ("knd", "unknown column `knd`"),
        ("upper(kind)", "the rule language has no `UPPER`"),
    ],
)
def test_surface_expressions_that_are_refused(sql, said):
    with pytest.raises(SchemaError, match=r"w\.surface") as caught:
        mapped("surface", sql, kind=["web", None])
    assert caught.value.what.startswith(said)


def test_expressions_and_constants():
    sql = "CASE WHEN kind = 'web' THEN 'public_web' ELSE 'unknown' END"
    assert mapped("surface", sql, kind=["web", None]).to_list() == ["public_web", "unknown"]
    frame = pl.DataFrame({"id": ["1", "2"]})
    sources = {"record_id": Source("id"), "license_ends_at": Source(constant="perpetual")}
    assert map_columns(frame, sources, "w")["license_ends_at"].to_list() == [PERPETUAL] * 2


KIND = pl.Series(["web", None], dtype=pl.Enum(["web", "api"]))
PARIS = pl.Series([CUTOFF] * 2).dt.convert_time_zone("Europe/Paris")


@pytest.mark.parametrize(
    ("target", "sql", "columns", "expected"),
    [
        ("surface", "COALESCE(kind, 'x')", {"kind": KIND}, ["web", "x"]),
        ("surface", "CASE WHEN kind < 'x' THEN 'y' ELSE 'z' END", {"kind": KIND}, ["y", "z"]),
        (
            "surface",
            "CASE WHEN kind LIKE 'w%' THEN 'y' ELSE 'z' END",
            {"kind": KIND.cast(pl.Categorical)},
            ["y", "z"],
        ),
        ("region", "CASE WHEN at < $x THEN 'y' ELSE 'z' END", {"at": PARIS}, ["z", "z"]),
        ("submitted_at", f"COALESCE(at, TIMESTAMPTZ '{CUTOFF}')", {"at": PARIS}, [CUTOFF] * 2),
    ],
)
def test_expressions_over_dictionaries_and_other_zones(target, sql, columns, expected):
    sql = sql.replace("$x", f"TIMESTAMPTZ '{CUTOFF.isoformat()}'")
    assert mapped(target, sql, **columns).to_list() == expected


def test_register_times_that_cannot_be_read():
    rows = pl.DataFrame({"org": ["a", "b", "c"], "t": ["2023-03-01T00:00:00Z", "2023-03-01", None]})
    sources = {"org_id": Source("org"), "effective_at": Source("t")}
    with pytest.raises(RegisterError) as caught:
        map_register(rows, sources, field_types("accounts"), "registers.accounts.columns")
    said = "registers.accounts.columns.effective_at: 1 times cannot be read. Mend the extract"
    assert str(caught.value) == said
    zoned = sources | {"effective_at": Source("t", timezone="UTC")}
    table = map_register(rows, zoned, field_types("accounts"), "registers.accounts.columns")
    assert table["effective_at"].to_list() == [CUTOFF, CUTOFF, None]


def test_offsets_in_hours():
    assert times(["2023-03-01 00:00:00+00"]) == [CUTOFF]


@pytest.mark.parametrize("dtype", [pl.Datetime("ms"), pl.Datetime("ms", "UTC"), pl.Date])
def test_times_beyond_all_calendars(dtype):
    number = 2**31 - 1 if dtype == pl.Date else 2**63 - 1
    series = pl.Series([number]).cast(pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)
    zone = {} if getattr(dtype, "time_zone", None) else {"timezone": "UTC"}
    assert times(series, **zone) == [UNREADABLE]


def test_years_before_one():
    assert times(["0000-01-01T00:00:00Z"]) == [UNREADABLE]
