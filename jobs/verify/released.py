"""One unit: what was released of it, against its decisions and its input."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ...connectors.audit import UnitResult
from ...connectors.storage import InputFile
from ...filters.reduce.pseudonyms import Key
from ...filters.texts.paths import parse_path
from .facts import Totals
from .listed import Lists
from .rows import Rows
from .values import Values, Watch
from .verdict import Tally
from .vouched import Vouched


@dataclass(frozen=True)
class Look:
    """What all units are looked at with; `ids` is the key of keyed ids, if there is one."""

    run: Vouched
    watch: Watch
    ids: Key | None


def look(unit: UnitResult, item: InputFile | None, what: Look) -> tuple[Tally, Totals]:
    """Look at a unit; `item` is its input in Parquet, None where that is not what the run read."""
    tally, totals = Tally(), Totals()
    try:
        lists = Lists.read(what.run, unit)
        lists.conserve(what.run, tally)
        astray = lists.of_no_record()
        tally.wrong("findings", unit.shard, "a finding is of no record that was looked at", astray)
        foreign = lists.foreign(what.watch.replay.operators, what.watch.texts)
        kind = "a finding has another operator, or path, than the job gives it"
        tally.wrong("findings", unit.shard, kind, foreign)
        if not astray:
            totals.findings += lists.found()
    except Exception:  # noqa: BLE001 - whatever it is, it is not what a run writes
        tally.wrong("conservation", unit.shard, "its lists cannot be read")
        return tally, totals
    if unit.released is None:
        tally.wrong("rows", unit.shard, "there is no released file")
        return tally, totals
    try:
        with Rows(what.run.output, unit.released.path) as released:
            _Released(what, lists, released, tally).look(item, sound=not astray)
    except Exception:  # noqa: BLE001
        tally.wrong("rows", unit.shard, "the released file, or the input, cannot be read")
    return tally, totals


class _Released:
    """A released file, and what it should be."""

    def __init__(self, what: Look, lists: Lists, released: Rows, tally: Tally) -> None:
        self._what = what
        self._lists = lists
        self._file = released
        self._tally = tally
        self._job = what.run.job
        self._shard = lists.unit.shard
        self._id = str(self._job.input.columns["record_id"].column)
        self._keyed = self._job.record_ids == "hmac"

    def look(self, item: InputFile | None, *, sound: bool) -> None:
        """Look at ids first: values are compared where rows are known to be the same."""
        expected = int(self._lists.eligible.sum())
        in_order = self._rows(expected)
        if item is None:
            self._tally.unchecked("texts", "values, without the input that the run read", expected)
            return
        with Rows(item.folder, item.path) as given:
            if not (self._types(given) and in_order and sound):
                what = "values, where rows, columns or findings are not what they should be"
                self._tally.unchecked("texts", what, expected)
                return
            names = self._file.schema.names
            plain = [name for name in names if not (self._keyed and name == self._id)]
            Values(self._what.watch, self._lists, self._tally).compare(given, self._file, plain)

    def _rows(self, expected: int) -> bool:
        """Compare the released ids with those of the eligible records, in their order."""
        count = self._file.count
        key = self._what.ids
        if self._keyed and key is None:
            self._tally.unchecked("rows", "keyed ids, without the key", count)
            self._tally.wrong("rows", self._shard, "records are missing", max(0, expected - count))
            more = max(0, count - expected)
            self._tally.wrong("rows", self._shard, "there are records too many", more)
            return count == expected
        mine = self._ids(self._lists.eligible, key)
        batches = [b.column(0) for b in self._file.read([self._id], 0, np.ones(count, np.bool_))]
        theirs = pa.chunked_array(batches, batches[0].type if batches else pa.string())
        theirs = theirs.cast(pa.large_string()).combine_chunks()
        if mine.equals(theirs):
            self._tally.right("rows", count)
            return True
        self._tell(Counter(mine.to_pylist()), Counter(theirs.to_pylist()), key)
        return False

    def _ids(self, which: Any, key: Key | None) -> pa.Array:  # noqa: ANN401 - flags
        names = self._lists.decisions["record_id"].filter(pa.array(which))
        if key is not None and self._keyed:
            keyed = [key.digest(name.encode()).hex() for name in names.to_pylist()]
            return pa.array(keyed, pa.large_string())
        return names.cast(pa.large_string()).combine_chunks()

    def _tell(self, mine: Counter[Any], theirs: Counter[Any], key: Key | None) -> None:
        """Tell what is wrong with rows: missing, too many, or in another order."""
        tally, shard = self._tally, self._shard
        missing, more = mine - theirs, theirs - mine
        others = set(self._ids(~self._lists.eligible, key).to_pylist())
        excluded = sum(count for name, count in more.items() if name in others)
        tally.wrong("rows", shard, "records are missing", missing.total())
        tally.wrong("rows", shard, "excluded records are released", excluded)
        tally.wrong("rows", shard, "there are records too many", more.total() - excluded)
        if not missing and not more:
            tally.wrong("rows", shard, "records are in another order")
        tally.right("rows", (mine & theirs).total() if missing or more else 0)

    def _types(self, given: Rows) -> bool:
        """Compare the columns that are released, and their types."""
        settings, names = self._job.input, given.schema.names
        texts = {parse_path(path, names).column for path in settings.text}
        wanted = {self._id, *texts, *settings.keep, *settings.keep_raw}
        expected = [field for field in given.schema if field.name in wanted]
        wrong = "the columns are not those that the job releases"
        same = self._file.schema.names == [field.name for field in expected]
        sound = self._tally.settle("types", self._shard, wrong=wrong, holds=same)
        for field in expected if sound else ():
            kind = pa.string() if self._keyed and field.name == self._id else field.type
            wrong = f"the column `{field.name}` has another type"
            same = self._file.schema.field(field.name).type == kind
            sound &= self._tally.settle("types", self._shard, wrong=wrong, holds=same)
        return sound
