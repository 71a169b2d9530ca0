"""What a job would do, before it does anything: policy bound, registers open, units listed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from ..connectors.at_once import at_once
from ..connectors.folder import HERE, Folder
from ..connectors.jsonl import is_jsonl, jsonl_digest
from ..connectors.parquet import ParquetShard
from ..connectors.storage import (
    InputFile,
    list_inputs,
    open_folder,
    partitions,
    would_list,
)
from ..filters.decide import bind
from ..filters.errors import Fault, JobError, RegisterError, SchemaError, UnitError
from ..filters.policy import BoundPolicy, Policy
from ..filters.registers import RegisterSet
from .policies import load_policy
from .reduction import Reduction, open_reduction
from .registers import Registers
from .settings import Settings
from .spec import Job

if TYPE_CHECKING:
    import pyarrow as pa

_SHAPES: Final = 8  # schemas of earlier shards that a shard is compared with
ENGINES: Final = ("polars", "pyarrow", "sqlglot")


@dataclass(frozen=True)
class Unit:
    """One file, or a range of one file's row groups: what is decided and released in one go.

    `rows` is None for JSON lines, which are counted when they are read; their digest is None where
    it is not known before either.
    """

    name: str
    path: str
    size: int
    modified: str
    digest: str | None
    row_groups: range
    row_offset: int
    rows: int | None
    part: int = 0
    parts: int = 1
    folder: Folder = HERE

    @property
    def output(self) -> str:
        """Where it is released, below `eligible/`; its decisions have the same name."""
        if self.parts > 1:
            stem, _, suffix = self.name.rpartition(".")
            place = f"{self.part:05d}-of-{self.parts:05d}"
            return f"{stem}-{place}.{suffix}" if stem else f"{self.name}-{place}"
        return f"{self.name}.parquet" if is_jsonl(self.name) else self.name

    def groups(self, shard: ParquetShard) -> range:
        """Give its row groups; JSON lines know theirs only when they are read."""
        return range(len(shard.row_group_rows)) if self.rows is None else self.row_groups

    @property
    def identity(self) -> list[Any]:
        """What it is: by this, an input that changed is known."""
        return [self.name, self.size, self.modified, self.digest, self.row_groups.start, self.parts]


@dataclass(frozen=True)
class Unreadable:
    """A shard whose first look already failed."""

    name: str
    size: int
    error: UnitError


@dataclass(frozen=True)
class Plan:
    """Everything a run needs to know before it begins."""

    job: Job
    policy: BoundPolicy
    registers: RegisterSet
    settings: Settings
    reduction: Reduction
    inputs: tuple[InputFile, ...]
    units: tuple[Unit, ...]
    unreadable: tuple[Unreadable, ...]
    warnings: tuple[str, ...] = field(default=())

    @cached_property
    def digest(self) -> str:
        """Digest of all that decides the output, the input's own identity aside."""
        return run_digest(self.job, self.policy, self.registers, self.reduction)

    @property
    def name(self) -> str:
        """Digest of what the job file says; it stays when the input or the registers change."""
        return _digest(self.job.settings())

    def keys(self) -> dict[Unit, str]:
        """Name each unit's result: equal keys mean equal bytes."""
        digest = self.digest
        if self.settings.unique == "run":  # what one unit releases depends on all others
            digest = _digest([digest, [unit.identity for unit in self.units]])
        return {unit: _digest([digest, unit.identity]) for unit in self.units}


def versions() -> dict[str, str]:
    """Give the versions that output bytes can depend on."""
    return {name: version(name) for name in ("corpusgate", *ENGINES)}


def run_digest(job: Job, policy: BoundPolicy, registers: RegisterSet, reduction: Reduction) -> str:
    """Digest all that decides what becomes of a record."""
    facts = {
        "job": job.settings(),
        "policy": policy.policy.fingerprint,
        "as_of": policy.as_of.isoformat(),
        "registers": {name: item.digest for name, item in registers.given().items()},
        "reduction": reduction.fingerprint,
        "versions": versions(),
    }
    return _digest(facts)


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def output_folders(job: Job) -> tuple[Folder, Folder]:
    """Give the folder of a job's output and that of its audit files. Raises SchemaError."""
    output = open_folder(job.output.path, job.base, job.stores)
    if job.output.audit is None:
        return output, output.at("audit")
    return output, open_folder(job.output.audit, job.base, job.stores)


def bind_policy(job: Job, as_of: datetime) -> BoundPolicy:
    """Load the job's policy and settle it for the run. Raises PolicyError."""
    policy: Policy = load_policy(job.policy, job.base).with_parameters(job.parameters)
    return bind(policy, purpose=job.purpose, as_of=as_of, for_org=job.for_org)


def check_columns(job: Job, policy: BoundPolicy) -> None:
    """Refuse a job that does not say where a column is that rules read. Raises JobError."""
    faults = []
    for column, rules in sorted(policy.reads().items()):
        if column not in job.input.columns and column not in job.input.absent:
            what = f"rules read `{column}` ({', '.join(rules)}), and the job does not map it"
            fix = f"map it, or list it under input.absent: then {_consequence(column)}"
            faults.append(Fault(f"input.columns.{column}", what, fix))
    if faults:
        raise JobError(job.source, tuple(faults))


def _consequence(column: str) -> str:
    return f"a record is excluded where a rule needs its {column.replace('_', ' ')}"


def list_corpus(job: Job) -> tuple[InputFile, ...]:
    """List the files of a job's corpus.

    Raises SchemaError for what is not there, JobError for a corpus inside the output, and for an
    output that the corpus's own pattern would take for a part of it.
    """
    inputs = tuple(list_inputs(job.input.path, job.base, job.stores))
    output, audit = output_folders(job)
    if any(output.holds(item.real) or audit.holds(item.real) for item in inputs):
        fix = "write somewhere else, or read a narrower input.path"
        raise JobError(job.source, (Fault("output.path", "the input lies inside the output", fix),))
    for folder, place in ((output, "eligible"), (audit, "decisions")):

        def names(below: str = place) -> Iterator[str]:
            return (f"{below}/{item.name}" for item in inputs)

        if would_list(job.input.path, job.base, job.stores, folder, names):
            what = "the output lies inside the input, which would hold what is released"
            fix = "write somewhere else, or read a narrower input.path"
            raise JobError(job.source, (Fault("output.path", what, fix),))
    return inputs


def make_plan(job: Job, as_of: datetime, inputs: tuple[InputFile, ...] | None = None) -> Plan:
    """Look at everything a run would use, and read no record; `inputs` if they are listed already.

    Raises PolicyError, JobError, RegisterError and SchemaError for what would stop the run; a
    shard that cannot be read is listed under `unreadable`.
    """
    policy = bind_policy(job, as_of)
    check_columns(job, policy)
    registers, warnings = open_registers(job, policy)
    settings = Settings.of(job)
    reduction = open_reduction(job)
    warnings += reduction.warnings
    inputs = list_corpus(job) if inputs is None else inputs
    units, unreadable = _units(job, settings, registers, inputs)
    warnings += [*_absent(job, policy), *nothing_due(policy, registers)]
    return Plan(
        job, policy, registers, settings, reduction, inputs, units, unreadable, tuple(warnings)
    )


def open_registers(job: Job, policy: BoundPolicy) -> tuple[RegisterSet, list[str]]:
    """Open the registers that a job names, and say what is doubtful about them.

    Raises RegisterError for one that the policy needs and the job does not name, that is older than
    the job's `max_register_age`, or that names ids which the job does not map.
    """
    specs = {
        name: spec
        for name in type(job.registers).model_fields
        if (spec := getattr(job.registers, name)) is not None
    }
    registers = Registers(
        **{name: spec.path for name, spec in specs.items()},
        snapshot_at={n: s.snapshot_at for n, s in specs.items() if s.snapshot_at is not None},
        empty=[name for name, spec in specs.items() if spec.empty],
        columns={
            name: {column: source.source() for column, source in spec.columns.items()}
            for name, spec in specs.items()
        },
        base=job.base,
        storage=job.stores,
    )
    registers.require(policy.registers())
    warnings = list(_freshness(job, registers, policy.as_of))
    registers.match_ids(dict.fromkeys(job.input.columns))
    return registers, warnings


def _freshness(job: Job, registers: RegisterSet, as_of: datetime) -> Iterator[str]:
    age = job.register_age
    if as_of > datetime.now(UTC):
        yield "as_of lies in the future: no register knows what will be so then"
    for name, register in registers.given().items():
        where = f"registers.{name}"
        if register.declared_empty:
            continue
        if register.snapshot_at is None:
            what = "nobody knows when it was taken"
            fix = f"say {where}.snapshot_at, or give its rows recorded_at"
            if age is not None:
                raise RegisterError(where, what, fix)
            yield f"{where}: {what}. {fix[0].upper()}{fix[1:]}"
        elif age is not None and register.snapshot_at < as_of - age:
            taken = f"{register.snapshot_at:%Y-%m-%dT%H:%M:%SZ}"
            what = f"taken {taken}, older than {job.max_register_age} before as_of"
            raise RegisterError(where, what, "take it anew")


def _absent(job: Job, policy: BoundPolicy) -> Iterator[str]:
    for column, rules in sorted(policy.reads().items()):
        if column in job.input.absent:
            listed = ", ".join(rules)
            yield f"`{column}` is absent: where {listed} need it, the record is excluded"


def nothing_due(policy: BoundPolicy, registers: RegisterSet) -> Iterator[str]:
    """Say so if nothing can be due for deletion, whatever the records."""
    if registers.holds is None and any(rule.deadline for rule in policy.forbids):
        yield (
            "no holds register: every record counts as held, so the purge list stays empty."
            " Give registers.holds, or say `holds: {empty: true}`"
        )


def _units(
    job: Job, settings: Settings, registers: RegisterSet, inputs: tuple[InputFile, ...]
) -> tuple[tuple[Unit, ...], tuple[Unreadable, ...]]:
    units: list[Unit] = []
    unreadable: list[Unreadable] = []
    faulty: list[SchemaError] = []
    fitting: list[tuple[pa.Schema, frozenset[str]]] = []

    def look(item: InputFile) -> _Look:
        return _look_at(item, job.input.max_unit_bytes)

    remote = any(item.folder.remote for item in inputs)
    for item, seen in zip(inputs, at_once(look, inputs, remote=remote), strict=True):
        try:
            if seen.error is not None:
                raise seen.error
            shape = (seen.schema, frozenset(partitions(item.name)))
            # Most shards of a corpus have one schema.
            if seen.schema is not None and shape not in fitting[-_SHAPES:]:
                settings.check(seen.schema, item.name)
                settings.check_types(seen.schema, item.name, registers)
                fitting.append(shape)
            units += seen.units
        except UnitError as error:
            unreadable.append(Unreadable(item.name, item.size, error))
        except SchemaError as error:
            faulty.append(error)
            wrong = UnitError(item.name, f"{error.where}: {error.what}", error.fix)
            unreadable.append(Unreadable(item.name, item.size, wrong))
    if faulty and not units:
        # No shard fits: it is the job that is wrong, not a shard.
        first = faulty[0]
        raise JobError(job.source, (Fault(first.where, first.what, first.fix),))
    outputs: dict[str, str] = {}
    for unit in units:
        if unit.output in outputs:
            what = f"{outputs[unit.output]} and {unit.name} would both be released as {unit.output}"
            raise JobError(job.source, (Fault("input.path", what, "rename one of them"),))
        outputs[unit.output] = unit.name
    return tuple(units), tuple(unreadable)


@dataclass(frozen=True)
class _Look:
    """What a first look at a file showed; JSON lines have no schema before they are read."""

    schema: pa.Schema | None = None
    units: tuple[Unit, ...] = ()
    error: UnitError | None = None


def _look_at(item: InputFile, limit: int) -> _Look:
    try:
        if is_jsonl(item.name):
            digest = jsonl_digest(item.folder, item.path, item.name)
            return _Look(units=(_whole(item, digest, None),))
        with ParquetShard(item.folder, item.path, item.name) as shard:
            return _Look(shard.schema, tuple(_ranges(item, shard, limit)))
    except UnitError as error:
        return _Look(error=error)


def ids_needed(shard: str, what: str) -> UnitError:
    """Say why a shard that cannot be read stops all others: an id of theirs may stand in it."""
    what = f"{what}, and `unique: run` must know all ids"
    return UnitError(shard, what, "mend or remove it, or say `unique: unit`")


def _whole(item: InputFile, digest: str | None, rows: int | None) -> Unit:
    return Unit(
        item.name,
        item.path,
        item.size,
        item.modified,
        digest,
        range(1),
        0,
        rows,
        folder=item.folder,
    )


def _ranges(item: InputFile, shard: ParquetShard, limit: int) -> Iterator[Unit]:
    """Cut a file into ranges of row groups of about `limit` bytes uncompressed."""
    cuts = [0]
    total = 0
    for index, size in enumerate(shard.row_group_weights):
        if total and total + size > limit:
            cuts.append(index)
            total = 0
        total += size
    cuts.append(len(shard.row_group_rows))
    offset = 0
    for part, (start, stop) in enumerate(pairwise(cuts)):
        rows = sum(shard.row_group_rows[start:stop])
        yield Unit(
            item.name,
            item.path,
            item.size,
            item.modified,
            shard.footer_sha256,
            range(start, stop),
            offset,
            rows,
            part,
            len(cuts) - 1,
            item.folder,
        )
        offset += rows
