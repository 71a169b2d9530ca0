"""What a register may not have, and that its digest is of what it says."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from corpusgate.filters.errors import RegisterError
from corpusgate.filters.registers import RegisterSet, make_register

T = "2023-03-01T00:00:00Z"
ROWS = {
    "consent": {
        "subject_kind": ["org", "user"],
        "subject_id": ["a", "b"],
        "choice": ["opt_in", "opt_out"],
        "effective_at": [T, T],
    },
    "accounts": {
        "org_id": ["a", "b"],
        "plan": ["free", None],
        "zero_retention": [True, False],
        "baa": [False, False],
        "effective_at": [T, T],
    },
    "deletions": {
        "subject_kind": ["file", "org"],
        "subject_id": ["a", "b"],
        "requested_at": [T, T],
    },
    "holds": {"subject_kind": ["record", "model"], "subject_id": ["a", "b"], "from": [T, T]},
}


def make(name, **columns):
    return make_register(name, pl.DataFrame(ROWS[name] | columns))


@pytest.mark.parametrize("name", ROWS)
def test_good(name):
    assert make(name).frame.height == 2


@pytest.mark.parametrize(
    ("name", "columns", "said"),
    [
        ("consent", {"subject_id": ["a", None]}, "`subject_id` is empty in 1 row"),
        ("consent", {"subject_id": ["a", " "]}, "`subject_id` is empty in 1 row"),
        (
            "consent",
            {"subject_kind": ["org", "team"]},
            "`subject_kind` holds something unknown in 1 row",
        ),
        (
            "consent",
            {"subject_kind": ["org", "file"]},
            "`subject_kind` holds something unknown in 1 row",
        ),
        ("consent", {"choice": ["opt_in", "OPT_OUT"]}, "`choice` holds something unknown in 1 row"),
        ("consent", {"choice": ["opt_in", None]}, "`choice` is empty in 1 row"),
        ("consent", {"effective_at": [T, None]}, "`effective_at` is empty in 1 row"),
        (
            "consent",
            {"effective_at": [T, "2023-03-01"]},
            "`effective_at` holds no time with an offset in 1 row",
        ),
        (
            "consent",
            {"effective_at": [1, 2]},
            "`effective_at` is Int64, a time of which nobody knows the unit",
        ),
        (
            "consent",
            {"recorded_at": [T, "soon"]},
            "`recorded_at` holds no time with an offset in 1 row",
        ),
        ("consent", {"surfaces": [["api"], []]}, "`surfaces` holds something unknown in 1 row"),
        ("consent", {"surfaces": [["api"], [None]]}, "`surfaces` holds something unknown in 1 row"),
        ("consent", {"surfaces": ["[]", None]}, "`surfaces` holds something unknown in 1 row"),
        ("consent", {"surfaces": ["api", None]}, "`surfaces` holds something unknown in 1 row"),
        ("consent", {"purposes": [["sale"], None]}, "`purposes` holds something unknown in 1 row"),
        ("accounts", {"baa": [True, None]}, "`baa` is empty in 1 row"),
        ("accounts", {"baa": ["true", "maybe"]}, "`baa` holds no flag in 1 row"),
        ("accounts", {"zero_retention": [2, 0]}, "`zero_retention` holds no flag in 1 row"),
        ("deletions", {"requested_at": [None, None]}, "`requested_at` is empty in 2 rows"),
        ("deletions", {"subject_id": [1.5, 2.0]}, "`subject_id` is Float64, not an id"),
        ("holds", {"from": [T, None]}, "`from` is empty in 1 row"),
    ],
)
def test_stops(name, columns, said):
    with pytest.raises(RegisterError) as caught:
        make(name, **columns)
    assert str(caught.value).startswith(f"registers.{name}: {said}")
    assert caught.value.fix


@pytest.mark.parametrize("name", ROWS)
def test_every_column_that_is_not_optional(name):
    optional = {"plan"}
    for column in set(ROWS[name]) - optional:
        with pytest.raises(RegisterError, match=f"there is no column `{column}`"):
            make_register(name, pl.DataFrame(ROWS[name]).drop(column))


@pytest.mark.parametrize("flags", [[1, 0], ["true", "False"], ["1", "no"]])
def test_flags(flags):
    assert make("accounts", baa=flags).frame["baa"].to_list() == [True, False]


def test_a_subject_kind_whose_column_is_not_mapped():
    registers = RegisterSet(deletions=make("deletions"))
    with pytest.raises(RegisterError, match="names subjects of kind `file`, but the job maps no"):
        registers.match_ids({"org_id": "string"})
    registers.match_ids({"org_id": "string", "file_id": None})


def test_ids_of_another_type():
    numbered = RegisterSet(deletions=make("deletions", subject_id=[1, 2]))
    with pytest.raises(RegisterError, match="its ids are integers, `file_id` holds strings"):
        numbered.match_ids({"org_id": "integer", "file_id": "string"})
    numbered.match_ids({"org_id": "integer", "file_id": "integer"})


def test_the_newest_recording_is_the_snapshot():
    assert make("consent", recorded_at=[T, None]).snapshot_at.isoformat() == T.replace(
        "Z", "+00:00"
    )
    assert make("consent").snapshot_at is None


@pytest.mark.parametrize("name", ROWS)
def test_digest(name):
    rows = pl.DataFrame(ROWS[name])
    digest = make_register(name, rows).digest
    assert make_register(name, rows.reverse()).digest == digest
    assert make_register(name, rows.to_arrow()).digest == digest
    assert make_register(name, rows.with_columns(other=1)).digest == digest
    assert make_register(name, pl.concat([rows[:1], rows[1:]], rechunk=False)).digest == digest
    assert make_register(name, rows[:1]).digest != digest


def plans(hidden):
    """Two plans, the first NULL, with `hidden` left behind in the buffer, as filters leave it."""
    offsets = pa.py_buffer(np.array([0, 1, 2], dtype=np.int32).tobytes())
    return pa.Array.from_buffers(
        pa.string(), 2, [pa.py_buffer(b"\x02"), offsets, pa.py_buffer(hidden)]
    )


def test_digest_is_of_values_not_of_buffers():
    one, other = (
        make_register("accounts", pa.table(ROWS["accounts"] | {"plan": plans(hidden)}))
        for hidden in (b"xf", b"yf")
    )
    assert one.frame.equals(other.frame)
    assert one.digest == other.digest


def test_a_list_that_is_no_json():
    with pytest.raises(RegisterError):
        make("consent", surfaces=["[" * 100_000, None])


def test_a_fixed_size_list():
    surfaces = pl.Series([["api"], ["api"]], dtype=pl.Array(pl.String, 1))
    assert make("consent", surfaces=surfaces).frame["surfaces"].to_list() == [["api"], ["api"]]
