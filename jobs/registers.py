"""The registers of a run, from frames, files and databases."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from ..connectors.registers import read_register
from ..connectors.stores import USUAL, Storage
from ..filters.errors import RegisterError
from ..filters.mapping import Source, map_register
from ..filters.parse import parse_time
from ..filters.registers import (
    REGISTERS,
    Register,
    RegisterSet,
    empty_register,
    field_types,
    make_register,
)

if TYPE_CHECKING:
    import pyarrow as pa

Table: TypeAlias = "pl.DataFrame | pl.LazyFrame | pa.Table | str | Path"


class Registers(RegisterSet):
    """Consent, accounts, deletions and holds, checked.

    Each is a Polars frame, an Arrow table, or the path or URI of one: Parquet, CSV, JSONL,
    `sqlite:///file.db#table`, `postgresql://host/database#table`. `snapshot_at` is the time at
    which they were taken, for all or by name; without it the newest `recorded_at` counts.
    `empty` names registers that hold nothing on purpose: one that is read from somewhere and
    turns out empty is an error without it, one that is not given is unknown. `storage` says how
    object stores are reached.

    Raises RegisterError for anything that cannot be relied on.

    >>> consent = pl.DataFrame({"subject_kind": ["org"], "subject_id": ["acme"],
    ...     "choice": ["opt_in"], "effective_at": ["2023-01-01T00:00:00Z"]})
    >>> sorted(Registers(consent=consent, empty=["deletions"]).given())
    ['consent', 'deletions']
    """

    def __init__(
        self,
        consent: Table | None = None,
        accounts: Table | None = None,
        deletions: Table | None = None,
        holds: Table | None = None,
        *,
        snapshot_at: datetime | str | Mapping[str, datetime | str] | None = None,
        empty: Collection[str] = (),
        columns: Mapping[str, Mapping[str, Source]] | None = None,
        base: Path | None = None,
        storage: Storage = USUAL,
    ) -> None:
        """Read and check what is given."""
        tables = {"consent": consent, "accounts": accounts, "deletions": deletions, "holds": holds}
        registers: dict[str, Register] = {}
        for name in REGISTERS:
            table = tables[name]
            taken = snapshot_at.get(name) if isinstance(snapshot_at, Mapping) else snapshot_at
            moment = parse_time(taken) if isinstance(taken, str) else taken
            if table is not None:
                registers[name] = _register(
                    name,
                    table,
                    moment,
                    (columns or {}).get(name, {}),
                    base=base or Path(),
                    storage=storage,
                )
                from_outside = isinstance(table, str | Path)
                if registers[name].frame.is_empty() and from_outside and name not in empty:
                    fix = "mend the extract, or say that it holds nothing: `empty: true`"
                    raise RegisterError(f"registers.{name}", "it is empty", fix)
            elif name in empty:
                registers[name] = empty_register(name)
        super().__init__(**registers)


def _register(
    name: str,
    table: Table,
    snapshot_at: datetime | None,
    columns: Mapping[str, Source],
    *,
    base: Path,
    storage: Storage,
) -> Register:
    if isinstance(table, str | Path):
        read = read_register(name, str(table), base, storage)
        frame = pl.DataFrame(read.table)
        return make_register(
            name,
            map_register(frame, columns, field_types(name), f"registers.{name}.columns"),
            snapshot_at=snapshot_at,
            typed=read.typed,
            source=read.source,
        )
    return make_register(name, table, snapshot_at=snapshot_at)
