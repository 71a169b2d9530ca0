"""What the registers say about each record at its time: the derived columns.

Once a run, `States.prepare` settles ties, drops what cannot count (opt-ins after `as_of`, consent
for other purposes) and gives every subject a number, its key. For each unit, `derive` looks up its
subjects' keys, and finds each one's state as of the submission.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from .accounts import Accounts
from .consent import Consent
from .deletions import NOT_DELETED, Deletions, held
from .policy import BoundPolicy
from .provenance import normal_model
from .registers import Register, RegisterSet
from .schema import CONSENT_SUBJECTS, DERIVED, SUBJECTS, SURFACES
from .timeline import NO_KEY, Events, Flags, Integers, Rows, flagged, instants
from .to_polars import DTYPES, TIMESTAMP


@dataclass(frozen=True)
class States:
    """All registers of a run, prepared. A register that was not given is None.

    `numbers` has, for each column that holds subjects, the id and key of every subject.
    """

    numbers: dict[str, pl.DataFrame]
    consent: dict[str, Consent] | None
    accounts: Accounts | None
    deletions: dict[str, Deletions] | None
    holds: dict[str, Flags] | None

    @classmethod
    def prepare(cls, registers: RegisterSet, policy: BoundPolicy) -> States:
        """Build the tables that `derive` looks things up in, once a run."""
        events = {
            (name, kind): _of_kind(register, kind)
            for name, register in registers.given().items()
            for kind in sorted(register.kinds())
        }
        numbers = {
            column: _numbered([e for (_, kind), e in events.items() if SUBJECTS[kind] == column])
            for column in {SUBJECTS[kind] for _, kind in events}
        }
        keyed: dict[str, dict[str, Events]] = {name: {} for name in registers.given()}
        for (name, kind), frame in events.items():
            subjects = numbers[SUBJECTS[kind]]
            rows = frame.join(subjects, on="subject_id").drop("subject_id")
            keyed[name][kind] = Events(rows, subjects.height)
        consent, accounts = keyed.get("consent"), keyed.get("accounts")
        deletions, holds = keyed.get("deletions"), keyed.get("holds")
        return cls(
            numbers,
            None
            if consent is None
            else {k: Consent.prepare(v, policy) for k, v in consent.items()},
            Accounts.prepare(accounts["org"], policy) if accounts else None,
            None if deletions is None else {k: Deletions.prepare(v) for k, v in deletions.items()},
            None if holds is None else {k: held(v, policy.as_of) for k, v in holds.items()},
        )

    def derive(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give the derived columns of a frame with all provenance columns, row for row.

        Ids that are NULL are no subject. Where no submission time is known, a state is known only
        if it does not depend on it.
        """
        rows = Rows(
            instants(frame["submitted_at"]),
            _place(frame["surface"]),
            {column: _lookup(frame[column], table) for column, table in self.numbers.items()},
        )
        derived = pl.DataFrame(
            self._consent(rows) + self._accounts(rows) + self._deletions(rows) + self._holds(rows)
        )
        return derived.select(pl.col(name).cast(DTYPES[kind]) for name, kind in DERIVED.items())

    def _consent(self, rows: Rows) -> list[pl.Series]:
        names = [f"{kind}_consent_at_submission" for kind in CONSENT_SUBJECTS]
        if self.consent is None:
            return [_constant(rows, name, None) for name in (*names, "opted_out_since")]
        states = []
        since = _constant(rows, "opted_out_since", value=False)
        for name, (kind, column) in zip(names, CONSENT_SUBJECTS.items(), strict=True):
            if kind not in self.consent:
                states.append(_constant(rows, name, "none"))
                continue
            state, out_since = self.consent[kind].state(rows, rows.keys[column])
            states.append(state.alias(name))
            since |= out_since
        return [*states, since]

    def _accounts(self, rows: Rows) -> list[pl.Series]:
        if self.accounts is None or "org_id" not in rows.keys:
            names = ("plan", "zero_retention", "business_plan", "baa")
            return [_constant(rows, name, None) for name in names]
        return self.accounts.state(rows)

    def _deletions(self, rows: Rows) -> list[pl.Series]:
        if self.deletions is None:
            return [_constant(rows, name, None) for name in ("deleted", "deletion_requested_at")]
        deleted = _constant(rows, "deleted", value=False)
        requested = np.full(len(rows), NOT_DELETED)
        for kind, deletions in self.deletions.items():
            hit, at = deletions.state(rows, rows.keys[SUBJECTS[kind]])
            deleted |= hit
            requested = np.minimum(requested, at)
        times = flagged(requested, requested == NOT_DELETED).cast(TIMESTAMP)
        return [deleted, times.alias("deletion_requested_at")]

    def _holds(self, rows: Rows) -> list[pl.Series]:
        if self.holds is None:
            return [_constant(rows, "on_hold", None)]
        on_hold = np.zeros(len(rows), dtype=np.bool_)
        for kind, table in self.holds.items():
            on_hold |= table[rows.keys[SUBJECTS[kind]]]
        return [pl.Series("on_hold", on_hold)]


def _constant(rows: Rows, name: str, value: str | bool | None) -> pl.Series:  # noqa: FBT001
    return pl.repeat(value, len(rows), dtype=DTYPES[DERIVED[name]], eager=True).alias(name)


def _place(surfaces: pl.Series) -> Integers:
    known = {surface: place for place, surface in enumerate(SURFACES)}
    places = surfaces.replace_strict(known, default=len(known), return_dtype=pl.Int64)
    return places.fill_null(len(known)).to_numpy()


def _of_kind(register: Register, kind: str) -> pl.DataFrame:
    """Give one kind's events, its subjects in the form that records have them."""
    frame = register.frame
    if register.name == "accounts":
        return frame.rename({"org_id": "subject_id"})
    frame = frame.filter(pl.col("subject_kind") == kind).drop("subject_kind")
    if kind == "model":
        frame = frame.with_columns(normal_model(pl.col("subject_id")))
    return frame


def _numbered(events: list[pl.DataFrame]) -> pl.DataFrame:
    ids = pl.concat([frame.select("subject_id") for frame in events]).unique(maintain_order=True)
    return ids.with_columns(key=pl.int_range(pl.len(), dtype=pl.Int64))


def _lookup(ids: pl.Series, numbers: pl.DataFrame) -> Integers:
    """Give each row its subject's key."""
    rows = ids.alias("subject_id").to_frame()
    if numbers.height > rows.height:
        # Millions of subjects become the few that this unit can meet.
        numbers = numbers.join(rows, on="subject_id", how="semi")
    found = rows.join(numbers, on="subject_id", how="left", maintain_order="left")
    return found["key"].fill_null(NO_KEY).to_numpy()
