"""Texts in; reduced texts, and the list of what was reduced, out.

Scan, merge what overlaps, splice; then scan what changed again, since two texts that were apart
may stand together now, and a word that was no context may be one. After at most three rounds a
scan finds nothing but what is settled (`settled.py`), else the record is excluded: so reducing
twice changes nothing. Nothing of a record is released of which one text could not be read.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .findings import findings_table
from .operators import Operators, stand_in
from .overlaps import Merged, merge
from .pseudonyms import VERSION
from .record_rules import TOO_DENSE, RecordRules
from .scanned import Finder, Text, rescan, scan_leaves
from .scopes import RUN
from .splice import Edit, splice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..texts.leaves import Leaves

    Ints: TypeAlias = NDArray[np.int64]

UNREADABLE: Final = "pii:unreadable"
ROUNDS: Final = 3


@dataclass(frozen=True)
class Reduced:
    """What reduction came to for one batch of rows.

    `changed` has, for each Leaves in their order, what its `replaced` takes; rows that are
    excluded are not among them. `excluded` maps a row to its reasons.
    """

    changed: tuple[tuple[Ints, pa.LargeStringArray], ...]
    excluded: dict[int, tuple[str, ...]]
    _list: Callable[[], pa.Table]

    @cached_property
    def findings(self) -> pa.Table:
        """Give those of all rows (schema FINDINGS), excluded ones too.

        In order of row, path and position; offsets are those of the text before reduction, and what
        overlaps is one.
        """
        return self._list()


class Reducer:
    """Reduces the personal information in texts; keeps nothing between batches, and pickles."""

    def __init__(
        self, scanner: Finder, operators: Operators, *, key: bytes | None, rules: RecordRules
    ) -> None:
        """Take the parts. Raises JobError when operators want a key and it is missing or short."""
        self._scanner = scanner
        self._operators = operators
        self._rules = rules
        self._key = operators.checked(key)

    @property
    def fingerprint(self) -> str:
        """A digest of everything that decides the output: scanner, operators, rules and key."""
        parts = [
            self._scanner.fingerprint,
            self._operators.describe(),
            self._rules.describe(),
            [VERSION, ROUNDS],
            self._key.derive("fingerprint").hex() if self._key else None,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def reduce(
        self, leaves: Sequence[Leaves], scopes: pa.Array | pa.ChunkedArray | None
    ) -> Reduced:
        """Reduce all texts of a batch of rows.

        `leaves` has every text path of the same rows; `scopes` the rows' scopes, as `scope_ids`
        gives them.
        """
        if scopes is not None and scopes.null_count:
            raise ValueError("a scope is null; scope_ids gives one to every row")
        texts, unreadable = scan_leaves(self._scanner, self._operators, leaves)
        # A key of a JSON object cannot be spliced: another key would be another object.
        unreadable |= {text.row for text in texts if text.fixed and text.ranges}
        dense = self._too_dense(leaves, texts)
        excluded = unreadable | dense
        wanted = [text for text in texts if text.ranges and text.row not in excluded]
        unreadable |= self._rounds(wanted, _by_row(scopes, wanted))
        changed = [t for t in wanted if t.now != t.was and t.row not in unreadable]
        return Reduced(
            tuple(_changed([t for t in changed if t.leaves == at]) for at in range(len(leaves))),
            _reasons(unreadable, dense),
            partial(findings_table, leaves, self._operators, texts),
        )

    def _too_dense(self, leaves: Sequence[Leaves], texts: Iterable[Text]) -> set[int]:
        if not self._rules.active:
            return set()
        counts: dict[int, int] = defaultdict(int)
        entities: dict[int, set[str]] = defaultdict(set)
        for text in texts:
            counts[text.row] += len(merge(text.listed))
            entities[text.row].update(found.entity for found in text.found)
        lengths = _lengths(leaves, sorted(counts)) if self._rules.wants_length else {}
        rules = self._rules
        return {
            row
            for row, count in counts.items()
            if rules.exclude(entities[row], count, lengths.get(row, 0))
        }

    def _rounds(self, texts: list[Text], scopes: dict[int, str]) -> set[int]:
        """Splice and scan until nothing is left to reduce; give the rows where that fails."""
        unreadable: set[int] = set()
        known: dict[tuple[str, str, str], str] = {}
        for count in range(ROUNDS):
            if not texts:
                break
            for text in texts:
                scope = scopes.get(text.row, RUN)
                text.edits = [
                    Edit(each.start, each.end, self._new(text.now, each, scope, known, count))
                    for each in text.ranges
                ]
                text.now = splice(text.now, text.edits)
            unreadable |= rescan(self._scanner, self._operators, texts)
            texts = [text for text in texts if text.ranges]
        return unreadable | {text.row for text in texts}

    def _new(
        self,
        text: str,
        each: Merged,
        scope: str,
        known: dict[tuple[str, str, str], str],
        count: int,
    ) -> str:
        entity = each.winner.entity
        constant = self._operators.constant(entity)
        if constant is not None:
            return constant
        operator = self._operators.of(entity)
        if operator.type == "mask" and (count > 0 or not each.whole):
            # A value that is found in spite of its mask, or overlaps another, is covered in whole.
            return operator.masking_char * (each.end - each.start)
        value = text[each.winner.start : each.winner.end]
        if operator.type == "mask":
            return stand_in(operator, entity, value, key=None, scope=scope)
        place = (scope, entity, value)
        if place not in known:
            known[place] = stand_in(operator, entity, value, key=self._key, scope=scope)
        return known[place]


def remaining(
    finder: Finder, operators: Operators, leaves: Sequence[Leaves]
) -> tuple[pa.Table, set[int]]:
    """Give what is still to be reduced (schema FINDINGS), and the rows that cannot be read.

    Of what `reduce` gave out there is neither. Wants no key.
    """
    texts, unreadable = scan_leaves(finder, operators, leaves)
    for text in texts:
        text.listed = [found for found in text.listed if operators.of(found.entity).type != "keep"]
    return findings_table(leaves, operators, texts), unreadable


def _changed(texts: Sequence[Text]) -> tuple[Ints, pa.LargeStringArray]:
    """Give what `Leaves.replaced` takes; a scan's texts ascend already."""
    numbers = np.array([text.number for text in texts], np.int64)
    return numbers, pa.array([text.now for text in texts], pa.large_string())


def _by_row(scopes: pa.Array | pa.ChunkedArray | None, texts: Iterable[Text]) -> dict[int, str]:
    if scopes is None:
        return {}
    rows = sorted({text.row for text in texts})
    return dict(zip(rows, scopes.take(pa.array(rows, pa.int64())).to_pylist(), strict=True))


def _lengths(leaves: Sequence[Leaves], rows: Sequence[int]) -> dict[int, int]:
    """Count the characters of all texts of some rows."""
    lengths: dict[int, int] = dict.fromkeys(rows, 0)
    for each in leaves:
        which = np.flatnonzero(np.isin(each.rows, np.array(rows, np.int64)))
        counts = pc.utf8_length(each.texts.take(pa.array(which))).to_pylist()
        for row, count in zip(each.rows[which].tolist(), counts, strict=True):
            lengths[row] += count
    return lengths


def _reasons(unreadable: set[int], dense: set[int]) -> dict[int, tuple[str, ...]]:
    kinds = ((UNREADABLE, unreadable), (TOO_DENSE, dense))
    return {
        row: tuple(reason for reason, rows in kinds if row in rows)
        for row in sorted(unreadable | dense)
    }
