"""The values of a unit's records: kept columns, texts with their findings replaced, a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from ...filters.reduce.scopes import Scope
from ...filters.texts.paths import TextPath, parse_path
from .listed import Lists, Replaced
from .replay import Listed, Replay
from .rows import Rows, differing, side_by_side
from .scan import Expected, Records, Scan, places
from .verdict import Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Watch:
    """How values are looked at.

    `texts` are the job's text paths, `scope` that of pseudonyms. `share` of the released records
    is scanned, at least one of each unit, drawn by `seed`.
    """

    texts: tuple[str, ...]
    scope: Scope
    replay: Replay
    scan: Scan | None
    share: float
    seed: int


class Values:
    """The values of one unit on their way past."""

    def __init__(self, watch: Watch, lists: Lists, tally: Tally) -> None:
        """Begin before the first."""
        self._watch = watch
        self._lists = lists
        self._tally = tally
        self._shard = lists.unit.shard
        self._paths: tuple[TextPath, ...] = ()
        self._texts: frozenset[str] = frozenset()

    def compare(self, given: Rows, released: Rows, names: Sequence[str]) -> None:
        """Compare the columns `names`; the records are known to be the same, in the same order."""
        lists, watch = self._lists, self._watch
        self._paths = tuple(parse_path(path, given.schema.names) for path in watch.texts)
        self._texts = frozenset(path.column for path in self._paths)
        wanted = {*names, *self._texts}
        begin = lists.unit.row_offset
        if watch.scan is not None and lists.scanned_out.any():
            self._scan_excluded(given, sorted(wanted))
        replaced = Replaced(lists, self._paths)
        sample = self._sample(released.count)
        scopes = lists.scopes(watch.scope, lists.eligible)
        rows = np.flatnonzero(lists.eligible)
        ours = given.read(sorted(wanted), begin, lists.eligible)
        theirs = released.read(sorted(wanted), 0, np.ones(released.count, np.bool_))
        at = 0
        for was, now in side_by_side(ours, theirs):
            stop = at + len(was)
            mine = scopes if scopes is None else scopes.slice(at, len(was))
            for name in names:
                self._column(name, was, now, replaced.of(name, at, stop), mine)
            drawn = sample[(sample >= at) & (sample < stop)] - at
            if watch.scan is not None and len(drawn):
                which = pa.array(drawn)
                some = mine if mine is None else mine.take(which)
                self._scan(self._records(was.take(which), some), rows[drawn + at])
                watch.scan.left(self._records(now.take(which)), self._tally)
            at = stop
        if at != released.count:
            self._tally.wrong("rows", self._shard, "the input has fewer records than were released")

    def _column(
        self,
        name: str,
        was: pa.RecordBatch,
        now: pa.RecordBatch,
        replaced: tuple[Ints, list[Listed]],
        scopes: pa.Array | None,
    ) -> None:
        """Compare one column of a batch, and apply the findings again that were replaced in it."""
        check = "texts" if name in self._texts else "columns"
        before, after = was.column(name), now.column(name)
        of_rows, listed = replaced
        if len(of_rows):
            rows, starts = np.unique(of_rows, return_index=True)
            bounds = [*starts.tolist(), len(listed)]
            groups = [listed[a:b] for a, b in pairwise(bounds)]
            which = pa.array(rows)
            some = None if scopes is None else scopes.take(which).to_pylist()
            pairs = zip(before.take(which).to_pylist(), after.take(which).to_pylist(), strict=True)
            self._replayed(pairs, groups, some or ["run"] * len(rows))
            rest = np.ones(len(was), np.bool_)
            rest[rows] = False
            before, after = before.filter(pa.array(rest)), after.filter(pa.array(rest))
        count = differing(before, after)
        kind = "a text is not the input's" if check == "texts" else "a value is not the input's"
        self._tally.wrong(check, self._shard, kind, count)
        self._tally.right(check, len(before) - count)

    def _replayed(
        self,
        pairs: Iterable[tuple[object, object]],
        groups: Iterable[Sequence[Listed]],
        scopes: Iterable[str],
    ) -> None:
        """Compare values in which something was found, one by one."""
        for (value, new), mine, scope in zip(pairs, groups, scopes, strict=True):
            answer = self._watch.replay.value(value, new, mine, scope)
            if answer.wrong:
                self._tally.wrong("texts", self._shard, answer.wrong)
            elif answer.unchecked:
                self._tally.unchecked("texts", answer.unchecked)
            else:
                self._tally.right("texts")

    def _sample(self, count: int) -> Ints:
        """Draw records to scan, by their place among the released ones."""
        unit, share = self._lists.unit, self._watch.share
        if self._watch.scan is None or not count:
            return np.zeros(0, np.int64)
        wanted = max(1, min(count, round(share * count)))
        rng = np.random.default_rng([self._watch.seed, crc32(unit.shard.encode()), unit.part])
        return np.sort(rng.choice(count, wanted, replace=False))

    def _scan_excluded(self, given: Rows, names: Sequence[str]) -> None:
        """Scan the records that are excluded for what was found in them."""
        out = self._lists.scanned_out
        rows, done = np.flatnonzero(out), 0
        scopes = self._lists.scopes(self._watch.scope, out)
        for batch in given.read(names, self._lists.unit.row_offset, out):
            mine = None if scopes is None else scopes.slice(done, len(batch))
            self._scan(self._records(batch, mine), rows[done : done + len(batch)])
            done += len(batch)

    def _records(self, batch: pa.RecordBatch, scopes: pa.Array | None = None) -> Records:
        if isinstance(scopes, pa.ChunkedArray):
            scopes = scopes.combine_chunks()
        return Records(self._shard, pa.Table.from_batches([batch]), self._paths, scopes)

    def _scan(self, records: Records, rows: Ints) -> None:
        """Scan records of the input; `rows` are theirs in the unit."""
        lists, scan = self._lists, self._watch.scan
        if scan is None:
            return
        found: list[Counter[tuple[Any, ...]]] = [Counter() for _ in rows]
        if lists.findings is not None:
            number = {row: at for at, row in enumerate(rows.tolist())}
            which = np.flatnonzero(np.isin(lists.rows, rows))
            listed = places(lists.findings.take(pa.array(which)))
            for row, place in zip(lists.rows[which].tolist(), listed, strict=True):
                found[number[row]][place] += 1
        reasons = lists.decisions["reasons"].take(pa.array(rows)).to_pylist()
        out = lists.scanned_out[rows].tolist()
        expected = [
            Expected(one, why if is_out else ())
            for one, why, is_out in zip(found, reasons, out, strict=True)
        ]
        scan.listed(records, expected, self._tally)
