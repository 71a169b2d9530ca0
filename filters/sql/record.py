"""One record, given to a macro as a struct of provenance columns, as a corpus of its own."""

from __future__ import annotations

from typing import Final

from ..errors import Fault
from ..schema import PROVENANCE
from .decide import Corpus
from .provenance import SQL_TYPES, text

STRANGE: Final = Fault(
    "eligibility_reason",
    "it takes a struct of provenance columns, and no other field",
    f"there is {', '.join(PROVENANCE)}",
)
"""It does not name it: fields may be called like values of records, as those of a PIVOT are."""

TOLD: Final = f"corpusgate: {STRANGE}"
"""How DuckDB says it."""

_SHARED: Final = '"corpusgate:shared"'


def one_record(parameter: str) -> Corpus:
    """Read a struct; fields that it lacks are unknown, and one that no record has is an error.

    DuckDB's cast drops fields that it does not find, so a typo in `model` would hide a forbid.

    >>> import duckdb
    >>> record = one_record("{'record_id': '1', 'modell': 'x'}")
    >>> duckdb.sql(f"SELECT {record.columns['model']} FROM {record.relation}").fetchall()
    Traceback (most recent call last):
    ...
    _duckdb.InvalidInputException: Invalid Input Error: corpusgate: eligibility_reason: it takes \
a struct of provenance columns, and no other field. There is record_id, surface, submitted_at, \
org_id, user_id, end_user_id, endpoint, model, part, file_id, conversation_id, parent_ids, \
license_ends_at, region
    """
    known = ", ".join(map(text, PROVENANCE))
    strange = f"list_filter(struct_keys({parameter}), lambda f: lower(f) NOT IN ({known}))"
    sure = f"CASE WHEN len({strange}) > 0 THEN error({text(TOLD)}) ELSE {parameter} END"
    # DuckDB casts no struct to one with which it shares no field: this one is in both.
    given = f"struct_concat({sure}, {{{_SHARED}: TRUE}})"
    fields = ", ".join(f"{name} {SQL_TYPES[kind]}" for name, kind in PROVENANCE.items())
    relation = f"(SELECT CAST({given} AS STRUCT({fields}, {_SHARED} BOOLEAN)) AS asked)"
    return Corpus(relation, {name: f"asked.{name}" for name in PROVENANCE}, unit=None)
