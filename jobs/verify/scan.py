"""A fresh scan: what it finds in the input against what is listed, and what is left.

Scanner and operators are made anew, from the manifest's settings. Records that the run excluded for
what was found in them are all looked at; of the released ones, a sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from ...filters.errors import JobError
from ...filters.reduce.findings import FINDINGS, findings_table
from ...filters.reduce.operators import Operators, parse_operators
from ...filters.reduce.record_rules import RecordRules, parse_record_rules
from ...filters.reduce.reducer import Reducer, remaining
from ...filters.reduce.scanned import scan_leaves
from ...filters.texts.leaves import leaves
from ...filters.texts.paths import TextPath, parse_path
from ..reduction import open_scanner
from ..spec import Job
from .verdict import Tally

if TYPE_CHECKING:
    from ...filters.detect.scanner import Scanner

COLUMNS: Final = tuple(name for name in FINDINGS.names if name != "row")
NO_KEY: Final = "what keyed operators put in, without the key"
_TEXT: Final = parse_path("text", ["text"])


@dataclass(frozen=True)
class Records:
    """Some records of a shard, their text paths, and the scopes of their pseudonyms."""

    shard: str
    table: pa.Table
    paths: tuple[TextPath, ...]
    scopes: pa.Array | None = None


class Expected(NamedTuple):
    """What the run lists of a record: findings, and why it is excluded for them, if it is."""

    found: Counter[tuple[Any, ...]]
    reasons: Sequence[str]


@dataclass(frozen=True)
class Scan:
    """What looks at texts again.

    `reducer` is None where operators want a key that is not there, and so is `plain`, which has no
    record rules: they count over whole records.
    """

    scanner: Scanner
    operators: Operators
    rules: RecordRules
    reducer: Reducer | None
    plain: Reducer | None

    def listed(self, records: Records, expected: Sequence[Expected], tally: Tally) -> None:
        """Scan records of the input; compare with what is listed of each, one by one."""
        table, shard = records.table, records.shard
        taken = [leaves(table[path.column], path) for path in records.paths]
        if self.reducer is None:
            texts, unreadable = scan_leaves(self.scanner, self.operators, taken)
            found = _by_row(findings_table(taken, self.operators, texts), len(table))
            excluded: Mapping[int, Sequence[str]] = dict.fromkeys(unreadable, ())
        else:
            done = self.reducer.reduce(taken, records.scopes)
            found, excluded = _by_row(done.findings, len(table)), done.excluded
        for row, (mine, (theirs, reasons)) in enumerate(zip(found, expected, strict=True)):
            extra = Counter() if self.reducer is None else theirs - mine
            if (mine - theirs).total():
                tally.wrong("findings", shard, "a finding is not listed", (mine - theirs).total())
            elif extra.total():
                tally.wrong("findings", shard, "what is listed is not found", extra.total())
            elif self.reducer is None and (reasons or self.rules.active):
                tally.unchecked("findings", NO_KEY)
            elif tuple(excluded.get(row, ())) != tuple(reasons):
                kind = "a record is released that had to be excluded"
                if reasons:
                    kind = "a record is excluded for findings that are not there"
                tally.wrong("findings", shard, kind)
            else:
                tally.right("findings")

    def left(self, records: Records, tally: Tally) -> None:
        """Scan released records; nothing may be left to reduce."""
        table, shard = records.table, records.shard
        taken = [leaves(table[path.column], path) for path in records.paths]
        found, unreadable = remaining(self.scanner, self.operators, taken)
        rows = {*found["row"].to_pylist(), *unreadable}
        tally.wrong("remaining", shard, "personal information is left in a record", len(rows))
        tally.right("remaining", len(table) - len(rows))

    def again(self, text: str, scope: str) -> str:
        """Reduce one text anew. Only where there is a reducer."""
        if self.plain is None:
            raise ValueError("without its key nothing can be reduced")
        column = leaves(pa.array([text], pa.large_string()), _TEXT)
        done = self.plain.reduce([column], pa.array([scope]))
        return str(column.replaced(*done.changed[0])[0].as_py())


def _by_row(found: pa.Table, rows: int) -> list[Counter[tuple[Any, ...]]]:
    counts: list[Counter[tuple[Any, ...]]] = [Counter() for _ in range(rows)]
    for row, place in zip(found["row"].to_pylist(), places(found), strict=True):
        counts[row][place] += 1
    return counts


def places(found: pa.Table) -> list[tuple[Any, ...]]:
    """Give findings as tuples of COLUMNS, which can be counted."""
    columns = {name: found[name].to_pylist() for name in COLUMNS}
    columns["index"] = [tuple(index) for index in columns["index"]]
    return list(zip(*columns.values(), strict=True))


def operators_of(job: Job) -> Operators:
    """Read what becomes of findings, whoever finds them. Raises JobError."""
    operators, faults = parse_operators(job.pii.operators if job.pii else {}, None, "pii.operators")
    if faults:
        raise JobError("manifest.json", tuple(faults))
    return operators


def open_scan(job: Job, key: bytes | None, facts: object, tally: Tally) -> Scan | None:
    """Make a scanner as the manifest says; compare it with what the manifest says was looked for.

    None where the job looks for nothing. Raises JobError where it cannot be made here.
    """
    if job.pii is None:
        return None
    scanner = open_scanner(job.pii, job)
    if scanner.nlp is not None:
        scanner.nlp.load()
    operators = operators_of(job)
    rules, faults = parse_record_rules(job.pii.exclude, scanner.entities, "pii.exclude")
    if faults:
        raise JobError("manifest.json", tuple(faults))
    reducer = plain = None
    if key is not None or not operators.keyed:
        reducer = Reducer(scanner, operators, key=key, rules=rules)
        plain = Reducer(scanner, operators, key=key, rules=RecordRules())
    said: Mapping[str, Any] = facts if isinstance(facts, dict) else {}
    wrong = "it is not what the job's settings come to"
    for name, value in (
        ("looked_for", scanner.describe()),
        ("operators", operators.describe()),
        ("threshold", job.pii.least),
        ("exclude", rules.describe()),
    ):
        tally.settle("manifest", f"pii.{name}", wrong=wrong, holds=said.get(name) == value)
    if reducer is not None and said.get("fingerprint") != reducer.fingerprint:
        tally.unchecked("manifest", "pii.fingerprint: the scanner's libraries, or the key, differ")
    return Scan(scanner, operators, rules, reducer, plain)
