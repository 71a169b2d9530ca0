"""The gate as a function of batches, for pipelines that exist: Ray Data, Hugging Face, datatrove.

batch ─▶ map ─▶ decide ─▶ drop ─▶ reduce ─▶ batch with reasons
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from ..filters.decide import VERDICT, Judge
from ..filters.errors import CorpusgateError, Fault, JobError, OutputError, SchemaError
from ..filters.mapping import map_columns
from ..filters.parse import parse_time
from ..filters.provenance import id_kinds
from ..filters.registers import RegisterSet
from .plain_batch import plain_table
from .plan import bind_policy, check_columns, open_registers, run_digest
from .reducing import Reducing, after_reduction
from .reduction import Reduction, open_reduction
from .settings import Settings
from .spec import Job, load_job

if TYPE_CHECKING:
    from .datatrove_filter import DatatroveFilter

_BATCH: Final = "batch"


class EligibilityFilter:
    """Decides and reduces batches of records as a job says; what it gives may be trained on.

    Takes an Arrow table, a Polars frame or a mapping of lists, and gives the same kind back: the
    eligible records in order, with the columns that a run would release, their texts reduced, and
    behind them `eligible` (bool), `reason` (string), `reasons` (list of strings). With
    `excluded="keep"` excluded records stay, with their id and the decision and NULL for the rest.

    The job's input and output paths are not used. `as_of` must be said, here or in the job: every
    worker would take its own clock's. Ids are unique within a batch only, so `unique: run` is
    refused. Raises JobError, PolicyError and RegisterError before the first batch, SchemaError for
    a batch that lacks a column. It pickles, and whoever unpickles it must find what it found here:
    registers that have changed since raise OutputError.

    >>> job = '''
    ... policy: openai-api-data
    ... purpose: pretraining
    ... as_of: 2023-08-01T00:00:00Z
    ... input:
    ...   path: unused
    ...   columns: {record_id: id, surface: source}
    ...   absent: [submitted_at, org_id, user_id, endpoint, model, part, license_ends_at]
    ...   text: text
    ... registers: {consent: {empty: true}, accounts: {empty: true}, deletions: {empty: true},
    ...             holds: {empty: true}}
    ... output: {path: unused}
    ... '''
    >>> from corpusgate.jobs.spec import parse_job
    >>> gate = EligibilityFilter(parse_job(job))
    >>> batch = {"id": ["1", "2"], "source": ["public_web", "enterprise"],
    ...          "text": ["Mail ann@example.com", "Secret"]}
    >>> gate(batch)
    {'id': ['1'], 'text': ['Mail <EMAIL_ADDRESS>'], 'eligible': [True], 'reason': ['public'], \
'reasons': [['public']]}
    """

    def __init__(
        self, job: Job | str | Path, *, as_of: str | None = None, excluded: str = "drop"
    ) -> None:
        """Open everything that the job names but the corpus."""
        if excluded not in {"drop", "keep"}:
            raise ValueError(f"excluded is {excluded!r}; say drop or keep")
        self._job = job if isinstance(job, Job) else load_job(job)
        self._as_of = as_of
        self._keep = excluded == "keep"
        self._open = _opened(self._job, as_of)
        self.fingerprint = self._open.fingerprint

    def __getstate__(self) -> dict[str, Any]:
        """Travel as what was asked for, and a digest of all that decides the outcome."""
        return {name: value for name, value in self.__dict__.items() if name != "_open"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the same again, unless this process has it."""
        self.__dict__.update(state)
        if self.fingerprint not in _held:
            opened = _opened(self._job, self._as_of)
            if opened.fingerprint != self.fingerprint:
                what = "policy, registers or versions are others than where it was made"
                raise OutputError("EligibilityFilter", what, "make it again, and start over")
        self._open = _held[self.fingerprint]

    def __call__(self, batch: Any) -> Any:  # noqa: ANN401 - one of three kinds, given back
        """Decide a batch."""
        if isinstance(batch, pa.Table):
            return self._decided(batch)
        if isinstance(batch, pl.DataFrame):
            return pl.DataFrame(self._decided(batch.to_arrow()))
        if isinstance(batch, Mapping) and all(isinstance(v, list) for v in batch.values()):
            with _no_words():
                table = plain_table(batch, self._open.settings.text)
            return self._decided(table).to_pydict()
        kind = type(batch).__name__
        fix = 'Ray Data: batch_format="pyarrow"; Hugging Face: with_format("arrow")'
        raise TypeError(f"a batch is an Arrow table, not {kind}. {fix}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Name the columns that it wants beside those with text."""
        settings = self._open.settings
        return tuple(sorted({*settings.reads(), *settings.keep, *settings.keep_raw}))

    def datatrove(self, exclusion_writer: Any = None, batch_size: int = 1000) -> DatatroveFilter:  # noqa: ANN401
        """Give it as a block of a datatrove pipeline. Wants `corpusgate[datatrove]`."""
        from .datatrove_filter import DatatroveFilter

        keeping = (
            self if self._keep else EligibilityFilter(self._job, as_of=self._as_of, excluded="keep")
        )
        return DatatroveFilter(keeping, exclusion_writer, batch_size)

    def _decided(self, table: pa.Table) -> pa.Table:
        for name in VERDICT:
            if name in table.column_names:
                what = f"the batch has a column `{name}` already"
                raise SchemaError(_BATCH, what, "rename or drop it")
        with _no_words():
            return self._released(table)

    def _released(self, table: pa.Table) -> pa.Table:
        opened, settings = self._open, self._open.settings
        settings.check(table.schema, _BATCH)
        narrow = [name for name in table.column_names if name in settings.reads()]
        records = map_columns(pl.DataFrame(table.select(narrow)), settings.sources, "input.columns")
        opened.registers.match_ids(id_kinds(records.schema))
        facts = opened.judge.facts(opened.judge.records([records]))
        verdict = opened.judge.verdict(facts)
        reducing = Reducing(
            opened.reduction,
            _BATCH,
            settings.paths(table.schema),
            facts.filter(verdict["eligible"]),
            settings.id_column,
        )
        released = table.select(settings.released(table.schema))
        released = released.filter(verdict["eligible"].to_arrow())
        if opened.reduction.active:
            released = reducing(released)
            verdict = after_reduction(verdict, reducing.excluded)
        if self._keep:
            ids = _ids(table.select([settings.id_column]), facts, opened)
            released = _among(released, verdict["eligible"], ids)
        else:
            verdict = verdict.filter("eligible")
        decided = verdict.select(*VERDICT).to_arrow()
        for name in VERDICT:
            released = released.append_column(name, decided[name])
        return released


@dataclass(frozen=True)
class _Opened:
    """Everything that the job names but the corpus."""

    judge: Judge
    registers: RegisterSet
    settings: Settings
    reduction: Reduction
    fingerprint: str


_held: dict[str, _Opened] = {}


def _opened(job: Job, as_of: str | None) -> _Opened:
    faults = []
    if job.input.unique == "run":
        what = "a batch does not know the others' ids"
        faults.append(Fault("input.unique", what, "leave it out, and see to unique ids before"))
    if as_of is None and job.as_of is None:
        what = "every worker would take its own clock's"
        faults.append(Fault("as_of", what, "say as_of, in the job or here"))
    if faults:
        raise JobError(job.source, tuple(faults))
    policy = bind_policy(job, parse_time(as_of or str(job.as_of)))
    check_columns(job, policy)
    registers, doubts = open_registers(job, policy)
    reduction = open_reduction(job)
    reduction.load()
    for doubt in (*doubts, *reduction.warnings):
        warnings.warn(doubt, stacklevel=3)
    fingerprint = run_digest(job, policy, registers, reduction)
    judge = Judge.prepare(policy, registers)
    _held[fingerprint] = _Opened(judge, registers, Settings.of(job), reduction, fingerprint)
    return _held[fingerprint]


@contextmanager
def _no_words() -> Iterator[None]:
    """Give errors of others without their words, which may quote a record."""
    try:
        yield
    except CorpusgateError:
        raise
    except Exception as error:  # noqa: BLE001
        what = f"it cannot be decided: {type(error).__name__}"
        raise SchemaError(_BATCH, what, "report this with the columns' types") from None


def _ids(ids: pa.Table, facts: pl.DataFrame, opened: _Opened) -> pa.Table:
    """Give the ids of all records, excluded ones too, as a run releases ids."""
    reduction = replace(opened.reduction, reducer=None)
    column = opened.settings.id_column
    return Reducing(reduction, _BATCH, (), facts, column)(ids) if reduction.active else ids


def _among(released: pa.Table, eligible: pl.Series, ids: pa.Table) -> pa.Table:
    """Put released rows among excluded ones, of which there is nothing but the id."""
    place = pl.when(eligible).then(eligible.cast(pl.Int64).cum_sum() - 1)
    schema = pa.schema([field.with_nullable(nullable=True) for field in released.schema])
    rows = released.cast(schema).take(pl.select(place).to_series().to_arrow())
    [column] = ids.column_names
    return rows.set_column(rows.schema.get_field_index(column), ids.schema.field(0), ids.column(0))
