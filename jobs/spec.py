"""The job file: what to decide, under which policy, from where, to where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from ..connectors.stores import Storage
from ..filters.document import Document, parse_document, spell, suggest
from ..filters.errors import Fault, JobError
from ..filters.mapping import Source
from ..filters.parse import parse_duration, parse_time
from ..filters.policy_file import model_faults
from ..filters.reduce.operators import parse_operators
from ..filters.reduce.record_rules import parse_record_rules
from ..filters.registers import REGISTERS, field_types
from ..filters.schema import PROVENANCE, PURPOSES, REQUIRED, Type

GIB: Final = 1 << 30


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SourceSpec(_Spec):
    """Where a column comes from: a name, or one of column, sql, constant with its qualifiers."""

    column: str | None = None
    sql: str | None = None
    constant: str | None = None
    unit: str | None = None
    timezone: str | None = None

    def source(self) -> Source:
        """Give it as the mapping takes it."""
        return Source(self.column, self.sql, self.constant, self.unit, self.timezone)


def _named(value: object) -> object:
    """Read `org` as `{column: org}` in a mapping's values."""
    if not isinstance(value, dict):
        return value
    return {k: {"column": v} if isinstance(v, str) else v for k, v in value.items()}


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class InputSpec(_Spec):
    """The corpus and what its columns mean."""

    path: list[str] = Field(min_length=1)
    columns: dict[str, SourceSpec]
    absent: list[str] = Field(default_factory=list)
    text: list[str] = Field(min_length=1)
    keep: list[str] = Field(default_factory=list)
    keep_raw: list[str] = Field(default_factory=list)
    unique: Literal["unit", "run"] = "unit"
    max_unit_bytes: int = Field(default=GIB, ge=1)

    _columns = field_validator("columns", mode="before")(_named)
    _path = field_validator("path", "text", "absent", "keep", "keep_raw", mode="before")(_listed)

    def sources(self) -> dict[str, Source]:
        """Map provenance columns to where they come from."""
        return {name: spec.source() for name, spec in self.columns.items()}


class RegisterSpec(_Spec):
    """One register: where it is, how its columns are called, when it was taken."""

    path: str | None = None
    columns: dict[str, SourceSpec] = Field(default_factory=dict)
    snapshot_at: str | None = None
    empty: bool = False

    _columns = field_validator("columns", mode="before")(_named)


class RegistersSpec(_Spec):
    """The four registers; one that is left out is unknown, not empty."""

    consent: RegisterSpec | None = None
    accounts: RegisterSpec | None = None
    deletions: RegisterSpec | None = None
    holds: RegisterSpec | None = None

    @field_validator(*REGISTERS, mode="before")
    @classmethod
    def _bare_path(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value


class OutputSpec(_Spec):
    """Where the run writes. `audit` may lie apart; it is never for trainers."""

    path: str
    audit: str | None = None
    compression_level: int | None = None


class KeySpec(_Spec):
    """Where a secret key is: an environment variable or a file, never the job file itself."""

    env: str | None = None
    file: str | None = None


class StorageSpec(_Spec):
    """How object stores are reached. Credentials are never said here."""

    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    anonymous: bool = False


class PiiSpec(_Spec):
    """What personal information is looked for, and what becomes of it.

    `operators`, `exclude` and `nlp` are read by those who use them. `scope` is that of
    pseudonyms.
    """

    entities: list[str] | None = None
    threshold: str = "0.4"
    languages: list[str] = Field(default=["en"], min_length=1)
    profile: Literal["strict", "presidio"] = "strict"
    recognizers: list[str] = Field(default_factory=list)
    operators: dict[str, Any] = Field(default_factory=dict)
    scope: Literal["record", "user", "organisation", "run"] = "record"
    exclude: dict[str, Any] = Field(default_factory=dict)
    nlp: dict[str, Any] | None = None

    _lists = field_validator("entities", "languages", "recognizers", mode="before")(_listed)

    @field_validator("threshold", mode="before")
    @classmethod
    def _plain_number(cls, value: object) -> object:
        return str(value) if type(value) in {int, float} else value

    @property
    def least(self) -> float:
        """The threshold as a number."""
        return float(self.threshold)


class RaySpec(_Spec):
    """How to use a Ray cluster. Without an address, RAY_ADDRESS counts, else Ray starts here."""

    address: str | None = None
    task_memory_bytes: int = Field(default=3 * GIB // 2, ge=1)
    retries: int = Field(default=3, ge=0)


class Job(_Spec):
    """A job file's keys. Relative paths are relative to `base`, the file's folder."""

    policy: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    purpose: str
    for_org: str | None = None
    as_of: str | None = None
    max_register_age: str | None = None
    input: InputSpec
    registers: RegistersSpec = Field(default_factory=RegistersSpec)
    output: OutputSpec
    storage: StorageSpec = Field(default_factory=StorageSpec)
    pii: PiiSpec | None = Field(default_factory=PiiSpec)
    record_ids: Literal["own", "hmac"] = "own"
    key: KeySpec | None = None
    engine: Literal["local", "ray"] = "local"
    ray: RaySpec = Field(default_factory=RaySpec)

    _base: Path = PrivateAttr(default_factory=Path)
    _source: str = PrivateAttr(default="job")

    @field_validator("pii", mode="before")
    @classmethod
    def _off_is_said(cls, value: object) -> object:
        if value == "off":
            return None
        if not isinstance(value, (dict, PiiSpec)):
            what = "neither keys nor `off`: leave it out for what is usual"
            raise ValueError(what)  # noqa: TRY004 - pydantic turns only these into faults
        return value

    @property
    def base(self) -> Path:
        """The folder that relative paths are relative to."""
        return self._base

    @property
    def stores(self) -> Storage:
        """How object stores are reached, as connectors take it."""
        return Storage(**self.storage.model_dump())

    @property
    def source(self) -> str:
        """The job file's name, for messages."""
        return self._source

    @property
    def register_age(self) -> timedelta | None:
        """How old a register may be at `as_of`, if the job says so."""
        return parse_duration(self.max_register_age) if self.max_register_age else None

    @property
    def moment(self) -> datetime | None:
        """`as_of` as a time, if the job says so."""
        return parse_time(self.as_of) if self.as_of else None

    def placed(self, other: Job) -> Job:
        """Give the same job with another's places: its folder, registers, stores, its key's."""
        names = ("registers", "storage", "key")
        copy = self.model_copy(update={name: getattr(other, name) for name in names})
        copy._base, copy._source = other._base, other._source  # noqa: SLF001 - its own class
        return copy

    def settings(self) -> dict[str, Any]:
        """Give what the output depends on, as plain data without defaults left open.

        Register locations stay out: what a register holds counts, not where it lies, and a
        location may hold a password. So does the place of the key, where the job is run, and how
        object stores are reached.
        """
        outside = {"registers", "storage", "key", "engine", "ray"}
        data = self.model_dump(mode="json", exclude_none=True, exclude=outside)
        data["output"] = {"compression_level": self.output.compression_level}
        return {"pii": "off", **data}


def load_job(path: str | Path) -> Job:
    """Read a job file. Raises JobError with every fault, each with its line and column."""
    where = Path(path)
    try:
        text = where.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        fix = "give the path of a job file; `corpusgate init CORPUS` writes one"
        raise JobError(str(path), (Fault("file", "cannot be read", fix),)) from None
    return parse_job(text, str(path), where.resolve().parent)


def parse_job(text: str, source: str = "job", base: Path | None = None) -> Job:
    """Read a job from YAML text. Raises JobError with every fault, each with its position.

    >>> parse_job("policy: openai-api-data").purpose
    Traceback (most recent call last):
        ...
    corpusgate.filters.errors.JobError: job: 3 faults
      1:1 purpose: this key is missing. Add it
      1:1 input: this key is missing. Add it
      1:1 output: this key is missing. Add it
    """
    document = parse_document(text)
    faults = list(document.faults)
    job = None
    if document.data is not None:
        try:
            job = Job.model_validate(document.data)
        except ValidationError as error:
            faults += _helpful(model_faults(error, document))
    if job is not None:
        job._base = base or Path()  # noqa: SLF001 - set where it is made
        job._source = source  # noqa: SLF001
        faults += _meaning(job, document)
    if faults or job is None:
        raise JobError(source, tuple(faults))
    return job


_MODELS: Final[dict[str, type[BaseModel]]] = {
    "input": InputSpec,
    "registers": RegistersSpec,
    "output": OutputSpec,
    "storage": StorageSpec,
    "pii": PiiSpec,
    "key": KeySpec,
    "ray": RaySpec,
}


def _helpful(faults: Iterator[Fault]) -> Iterator[Fault]:
    """Suggest the keys of the section in which an unknown one stands."""
    for fault in faults:
        if fault.what != "unknown key":
            yield fault
            continue
        *above, key = fault.where.replace("]", "").replace("[", ".").split(".")
        model: type[BaseModel] = _MODELS.get(above[0], Job) if above else Job
        if above and above[0] == "registers" and len(above) > 1:
            model = RegisterSpec
        if "columns" in above:
            model = SourceSpec
        yield Fault(fault.where, fault.what, suggest(key, model.model_fields), fault.position)


Place = tuple[str | int, ...]


def _meaning(job: Job, document: Document) -> Iterator[Fault]:
    def fault(path: Place, what: str, fix: str) -> Fault:
        return Fault(spell(path), what, fix, document.position(path))

    if job.purpose not in PURPOSES:
        yield fault(
            ("purpose",), f"unknown purpose `{job.purpose}`", suggest(job.purpose, PURPOSES)
        )
    if job.purpose == "analysis" and job.pii is None:
        fix = "leave `pii: off` out"
        yield fault(("pii",), "purpose analysis wants reduced text, and `pii` is off", fix)
    if (job.purpose == "custom_model") != (job.for_org is not None):
        what = "for_org goes with purpose custom_model, and only with it"
        yield fault(("for_org",), what, "name the one organisation whose model it is")
    for key, reader, form in (
        ("as_of", parse_time, "2023-08-01T00:00:00Z"),
        ("max_register_age", parse_duration, "7 days"),
    ):
        value = getattr(job, key)
        try:
            _ = reader(value) if value is not None else None
        except ValueError:
            yield fault((key,), "cannot be read", f"write {form}")
    yield from _storage_meaning(job.storage, fault)
    yield from _input_meaning(job, fault)
    yield from _pii_meaning(job, fault)
    for name in REGISTERS:
        spec: RegisterSpec | None = getattr(job.registers, name)
        if spec is not None:
            yield from _register_meaning(name, spec, fault)


def _storage_meaning(storage: StorageSpec, fault: Any) -> Iterator[Fault]:  # noqa: ANN401 - a closure
    if storage.endpoint is not None and not _ENDPOINT.fullmatch(storage.endpoint):
        fix = "write https://host:port, without user, password and options"
        yield fault(("storage", "endpoint"), "not the address of a store", fix)
    if storage.anonymous and storage.profile is not None:
        yield fault(("storage", "profile"), "`anonymous` uses no profile", "say one or the other")


def _input_meaning(job: Job, fault: Any) -> Iterator[Fault]:  # noqa: ANN401 - a closure
    columns, absent = job.input.columns, job.input.absent
    for name, spec in columns.items():
        path: Place = ("input", "columns", name)
        if name not in PROVENANCE:
            yield fault(path, f"no provenance column `{name}`", suggest(name, PROVENANCE))
            continue
        for found in spec.source().faults(name, PROVENANCE[name], spell(path)):
            yield fault(path, found.what, found.fix)
    for name in REQUIRED:
        if name not in columns:
            yield fault(("input", "columns"), f"`{name}` is not mapped", "every record needs it")
    for index, name in enumerate(absent):
        path = ("input", "absent", index)
        if name not in PROVENANCE:
            yield fault(path, f"no provenance column `{name}`", suggest(name, PROVENANCE))
        elif name in columns:
            yield fault(path, f"`{name}` is mapped as well", "say one or the other")


def _pii_meaning(job: Job, fault: Any) -> Iterator[Fault]:  # noqa: ANN401 - a closure
    if job.key is not None and (job.key.env is None) == (job.key.file is None):
        yield fault(("key",), "a key is in one place", "write {env: NAME} or {file: PATH}")
    if job.record_ids == "hmac" and job.key is None:
        what = "record_ids: hmac wants a key"
        yield fault(("record_ids",), what, "say where it is: `key: {env: NAME}`")
    pii = job.pii
    if pii is None:
        return
    if not _THRESHOLD.fullmatch(pii.threshold):
        yield fault(("pii", "threshold"), "not a score", "write a number from 0 to 1, such as 0.4")
    operators, found = parse_operators(pii.operators)
    _, more = parse_record_rules(pii.exclude)
    for each in (*found, *more):
        path: Place = ("pii", *each.where.split("."))
        yield fault(path, each.what, each.fix)
    if operators.keyed and job.key is None:
        what = "hash and pseudonym want a key"
        yield fault(("pii", "operators"), what, "say where it is: `key: {env: NAME}`")


_ENDPOINT: Final = re.compile(r"https?://[^@?#\s]+")
_THRESHOLD: Final = re.compile(r"0(?:\.[0-9]+)?|1(?:\.0+)?", re.ASCII)


def _register_meaning(name: str, spec: RegisterSpec, fault: Any) -> Iterator[Fault]:  # noqa: ANN401
    where = ("registers", name)
    if spec.path is None and not spec.empty:
        yield fault(where, "neither path nor `empty: true`", "say where it is")
    kinds = field_types(name)
    for column, source in spec.columns.items():
        path = (*where, "columns", column)
        if column not in kinds:
            yield fault(path, f"{name} has no column `{column}`", suggest(column, kinds))
            continue
        for found in source.source().faults(column, kinds.get(column, Type.STRING), spell(path)):
            yield fault(path, found.what, found.fix)
    if spec.snapshot_at is not None:
        try:
            parse_time(spec.snapshot_at)
        except ValueError:
            yield fault((*where, "snapshot_at"), "cannot be read", "write 2023-08-01T00:00:00Z")
