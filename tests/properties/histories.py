"""Random register histories over few subjects, and records submitted in the middle of them.

Instants lie so close that most events tie with, or miss by one microsecond, an event or a
submission.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from corpusgate.filters.registers import FIELDS, RegisterSet, make_register
from corpusgate.filters.schema import PROVENANCE, PURPOSES, SUBJECTS, SURFACES
from corpusgate.filters.to_polars import DTYPES
from hypothesis import strategies as st
from properties.values import nullable

Row = dict[str, Any]
Registers = dict[str, list[Row] | None]

AS_OF = datetime(2023, 8, 1, tzinfo=UTC)
START = AS_OF - timedelta(microseconds=3)

times = st.integers(0, 4).map(lambda ticks: START + timedelta(microseconds=ticks))
ids = st.sampled_from(["a", "a", "a", "b", "A", "ft:x"])

_consent = st.fixed_dictionaries(
    {
        "subject_kind": st.sampled_from(["org", "user"]),
        "subject_id": ids,
        "choice": st.sampled_from(["opt_in", "opt_out"]),
        "effective_at": times,
        "recorded_at": nullable(times),
        "surfaces": nullable(
            st.lists(st.sampled_from(["api", "playground", "consumer", "enterprise"]), min_size=1)
        ),
        "purposes": nullable(
            st.lists(st.sampled_from(["pretraining", "search"]), min_size=1, max_size=2)
        ),
    }
)
_accounts = st.fixed_dictionaries(
    {
        "org_id": ids,
        "plan": st.sampled_from([None, "free", "plus", "team", "edu", "odd", "old"]),
        "zero_retention": st.booleans(),
        "baa": st.booleans(),
        "effective_at": times,
    }
)
_kinds = st.sampled_from(sorted(SUBJECTS))
_subjects = ids | st.sampled_from([" FT:X ", "0", "1"])
_deletions = st.fixed_dictionaries(
    {
        "subject_kind": _kinds,
        "subject_id": _subjects,
        "requested_at": times,
        "scope_until": nullable(times),
    }
)
_holds = st.fixed_dictionaries(
    {"subject_kind": _kinds, "subject_id": _subjects, "from": times, "until": nullable(times)}
)


def registers(most: int = 8) -> st.SearchStrategy[Registers]:
    """Give the rows of all four registers; no register of holds is one that says nothing."""
    return st.fixed_dictionaries(
        {
            "consent": st.lists(_consent, max_size=most),
            "accounts": st.lists(_accounts, max_size=most),
            "deletions": st.lists(_deletions, max_size=most),
            "holds": nullable(st.lists(_holds, max_size=3)),
        }
    )


_ids = nullable(ids | st.sampled_from(["", " ", "c"]))
_record = st.fixed_dictionaries(
    {
        "surface": st.sampled_from([None, "", "elsewhere", *SURFACES]),
        "submitted_at": nullable(times),
        "org_id": _ids,
        "user_id": _ids,
        "end_user_id": _ids,
        "endpoint": st.sampled_from([None, "/v1/x", "POST https://host//V1/X/?q", "/"]),
        "model": st.sampled_from([None, "FT:x", " ft:x", "gpt", ""]),
        "part": st.sampled_from([None, "input", "file", "odd"]),
        "file_id": _ids,
        "conversation_id": _ids,
        "parent_ids": st.sampled_from([None, [], ["0"]]),
        "license_ends_at": nullable(times),
        "region": st.sampled_from([None, "eu", "us"]),
    }
)

# Among records of any kind few would ever be eligible.
_blank = dict.fromkeys(PROVENANCE)
_public = st.sampled_from(["public_web", "human_review", "licensed"]).map(
    lambda surface: _blank | {"surface": surface, "license_ends_at": AS_OF}
)
_api = st.builds(
    lambda surface, org, user, time: (
        _blank | {"surface": surface, "org_id": org, "user_id": user, "submitted_at": time}
    ),
    st.sampled_from(["api", "playground", "consumer"]),
    ids,
    ids,
    st.integers(0, 3).map(lambda ticks: START + timedelta(microseconds=ticks)),
)


def records(most: int = 8) -> st.SearchStrategy[list[Row]]:
    """Give records with ids of their own."""
    return st.lists(_record | _public | _api, min_size=1, max_size=most).map(
        lambda rows: [row | {"record_id": str(number)} for number, row in enumerate(rows)]
    )


purposes = st.sampled_from([name for name in PURPOSES if name != "custom_model"])


def record_frame(rows: list[Row]) -> pl.DataFrame:
    """Make a frame of records."""
    return pl.DataFrame(rows, schema={name: DTYPES[kind] for name, kind in PROVENANCE.items()})


def register_set(given: Registers) -> RegisterSet:
    """Make the registers that the package reads."""
    return RegisterSet(
        **{
            name: None if rows is None else make_register(name, _table(name, rows))
            for name, rows in given.items()
        }
    )


def _table(name: str, rows: list[Row]) -> pl.DataFrame:
    schema = {column: field.dtype for column, field in FIELDS[name].items()}
    return pl.DataFrame(rows, schema=schema)
