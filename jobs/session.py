# ruff: noqa: S608 - SQL is what this file writes, of names and literals that it quotes
"""DuckDB with a job's corpus, registers and decisions in it, as relations that are read when asked.

    corpus       the corpus's own columns, and beside them what the job maps, as rules read it
    decisions    every record: eligible or not, and why; ids and times, no text
    eligible     the corpus's records that are, with their reason
    excluded     those that are not
    texts        the texts of the eligible records, one a row, where the job says that text is
    due          what is to be deleted at the source, and by when
    consent, accounts, deletions, holds
    released, findings, purge      what the job's finished run has left, if there is one

and the functions `eligibility_reason`, `pii_reduce`, `pii_findings`, `pii_count`, `has_pii`.
The decision is the SQL of `filters/sql/decide`; none of it is asked of Polars.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import duckdb
import polars as pl

from ..connectors.duckdb_names import DuckNames
from ..filters.decide import bind
from ..filters.policy import BoundPolicy, Policy
from ..filters.registers import FIELDS, REGISTERS, RegisterSet
from ..filters.schema import DERIVED, PROVENANCE, Type
from ..filters.sql.decide import DECISION, Corpus, Question, decision_sql
from ..filters.sql.mapping import ZONED, id_kind, literal, micros, quoted
from ..filters.sql.provenance import SQL_TYPES, UNREADABLE, instant, text
from ..filters.sql.purge import PURGE
from ..filters.sql.record import one_record
from .allowed import allowed_folders
from .corpus_sql import CorpusFiles, corpus_files, nothing_to_read, paths
from .describe_plan import settled_as_of
from .finished import Finished, add_finished
from .page import printable
from .pii_functions import Looking, PiiFunctions, given_operators
from .plan import bind_policy, check_columns, nothing_due, open_registers
from .policies import load_policy
from .reduction import open_key, open_operators, open_scanner
from .spec import Job, PiiSpec, load_job

if TYPE_CHECKING:
    from ..filters.registers import Register
    from .scanner import PiiScanner

FACTS: Final = tuple("has_parents" if n == "parent_ids" else n for n in PROVENANCE)

DECISIONS: Final = (
    "record_id",
    *DECISION,
    *(name for name in FACTS if name not in ("record_id", "has_parents")),
)
TEXTS: Final = "record_id, surface, shard, row, unnest(texts, max_depth := 2)"
DUE: Final = "record_id, purge_reason AS reason, purge_deadline AS deadline, shard, row"


@dataclass(frozen=True)
class Session:
    """A prepared connection, and what it was prepared with.

    `doubts` says what is doubtful about the registers, `run` what a finished run has left,
    `allowed` names the folders that queries may use besides.
    """

    database: duckdb.DuckDBPyConnection
    policy: BoundPolicy
    as_of_from: str
    files: CorpusFiles
    doubts: tuple[str, ...]
    run: Finished
    pii: PiiFunctions
    allowed: tuple[Path, ...] = ()

    @property
    def warnings(self) -> Iterator[str]:
        """Say in a line each what the answers leave out, and what they rest on."""
        left_out = [f"{name} is left out: {what}" for name, what in self.files.unreadable.items()]
        for each in (*self.doubts, *left_out, *map(str, self.run.left_out.values())):
            yield printable(each).replace("\n", "\\n")


def connect(
    job: Job | str | Path, *, allow: Sequence[str | Path] = ()
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with a job's corpus, registers and policy as relations.

    Nothing is read before it is asked for, and only what the job names; `allow` names folders that
    may be used besides, none with a file of the job in it. Warns of what answers leave out, such as
    shards that cannot be read, and of registers that may be stale. Raises as a run would for what
    stops it before it begins.
    """
    session = open_session(job, allow=allow)
    try:
        for what in session.warnings:
            warnings.warn(what, stacklevel=2)
    except Warning:  # where the caller wants them raised
        session.database.close()
        raise
    return session.database


def open_session(job: Job | str | Path, *, allow: Sequence[str | Path] = ()) -> Session:
    """Open DuckDB for a job, and keep at hand what it was prepared with."""
    spec = job if isinstance(job, Job) else load_job(job)
    as_of, origin = settled_as_of(spec)
    policy = bind_policy(spec, as_of)
    check_columns(spec, policy)
    registers, doubts = open_registers(spec, policy)
    doubts += nothing_due(policy, registers)
    database = new_database()
    names = DuckNames(database)
    files = corpus_files(spec, database, names)
    here = [shard.file.path for shard in files.shards if not shard.file.folder.remote]
    opened = allowed_folders(spec, allow, here)
    _match_ids(files, registers)
    given = add_registers(database, registers, "TABLE")
    _add_corpus(database, policy, registers, files, given)
    _add_reason(database, policy, registers, given, "MACRO")
    pii = PiiFunctions(partial(_looking, spec))
    pii.add(database)
    run = add_finished(spec, database, names)
    database.execute(f"SET VARIABLE as_of = {literal(as_of)}")
    _lock(database, [*paths(files), *run.files], opened)
    return Session(database, policy, origin, files, tuple(doubts), run, pii, tuple(opened))


def register(
    con: duckdb.DuckDBPyConnection,
    *,
    policy: Policy | str | Path,
    registers: RegisterSet,
    purpose: str,
    as_of: datetime | str,
    for_org: str | None = None,
    pii: PiiScanner | None = None,
    operators: Mapping[str, Any] | None = None,
    key: bytes | None = None,
) -> None:
    """Add a policy and registers to a connection that is there already; it stays as open as it is.

    Adds the registers as tables, the function `eligibility_reason(struct)`, and `decisions('t')`,
    `eligible('t')` and `excluded('t')` for any table or view `t` with provenance columns. Columns
    that it lacks are unknown; ids must be unique in it, and times have a zone. All of it is
    temporary and belongs to this connection alone.

    With a scanner, `pii_reduce(text)`, `pii_findings(text)`, `pii_count(text)` and `has_pii(text)`
    are there, too; `operators` are as under a job's `pii`, and `key` is for those that want one.

    >>> import duckdb
    >>> from corpusgate import Registers
    >>> con = duckdb.connect()
    >>> nothing = Registers(empty=["consent", "accounts", "deletions", "holds"])
    >>> register(con, policy="openai-api-data", registers=nothing,
    ...          purpose="pretraining", as_of="2023-08-01T00:00:00Z")
    >>> con.sql("SELECT eligibility_reason({'record_id': '1', 'surface': 'public_web'})").fetchall()
    [('public',)]
    """
    loaded = policy if isinstance(policy, Policy) else load_policy(policy)
    bound = bind(loaded, purpose=purpose, as_of=as_of, for_org=for_org)
    registers.require(bound.registers())
    given = add_registers(con, registers, "TEMP TABLE")
    _add_reason(con, bound, registers, given, "TEMP MACRO")
    query = decision_sql(
        bound, given, _any_table(), Question(DECISIONS), kinds=register_kinds(registers)
    )
    chosen = (
        "CAST(record_id AS VARCHAR) IN (SELECT record_id FROM decisions(p_table) WHERE eligible)"
    )
    for name, body in {
        "decisions": query,
        "eligible": f"SELECT * FROM query_table(p_table) WHERE {chosen}",
        "excluded": f"SELECT * FROM query_table(p_table) WHERE ({chosen}) IS NOT TRUE",
    }.items():
        con.execute(f"CREATE OR REPLACE TEMP MACRO {name}(p_table) AS TABLE {body}")
    if pii is not None:
        looking = given_operators(pii, operators, key)
        PiiFunctions(lambda: looking).add(con, "TEMP MACRO")


def _looking(job: Job) -> Looking:
    """Open what a job says about personal information; what is usual, where it says `off`."""
    pii = job.pii or PiiSpec()
    scanner = open_scanner(pii, job)
    if scanner.nlp is not None:
        scanner.nlp.load()
    return Looking(scanner, open_operators(pii, job, scanner), partial(open_key, job))


def new_database() -> duckdb.DuckDBPyConnection:
    """Open DuckDB in memory, deaf to the program around it, and to what others have installed."""
    database = duckdb.connect(
        config={
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_persistent_secrets": False,
        }
    )
    database.execute("SET TimeZone='UTC'")
    return database


def _lock(
    database: duckdb.DuckDBPyConnection, files: Sequence[str], folders: Sequence[Path]
) -> None:
    """Close everything but these files and folders, for good."""
    scratch = TemporaryDirectory(prefix="corpusgate-", ignore_cleanup_errors=True)
    _SCRATCH.append(scratch)
    database.execute(f"SET temp_directory={text(scratch.name)}")
    database.execute(f"SET allowed_paths=[{', '.join(map(text, files))}]")
    listed = ", ".join(text(f"{folder}/") for folder in folders)
    database.execute(f"SET allowed_directories=[{listed}]")
    database.execute("SET enable_external_access=false; SET lock_configuration=true")


_SCRATCH: Final[list[TemporaryDirectory[str]]] = []
"""Where DuckDB may put what does not fit into memory; readable by their owner only, and taken
away when the program ends."""


def _match_ids(files: CorpusFiles, registers: RegisterSet) -> None:
    sources = files.job.input.sources()
    for group in files.groups:
        types = dict(group[0].types)
        registers.match_ids(
            {
                name: id_kind(types.get(str(source.column), "VARCHAR"))
                for name, source in sources.items()
            }
        )


def register_kinds(registers: RegisterSet) -> dict[str, frozenset[str]]:
    """Name the kinds of subjects that occur in each register."""
    return {name: register.kinds() for name, register in registers.given().items()}


def add_registers(
    database: duckdb.DuckDBPyConnection, registers: RegisterSet, what: str
) -> dict[str, str]:
    """Put the registers in; one that is not given is a table without rows, and unknown to rules."""
    given = registers.given()
    for name in REGISTERS:
        frame = _frame(name, given.get(name))
        database.register("corpusgate_incoming", frame.to_arrow())
        database.execute(f"CREATE OR REPLACE {what} {name} AS FROM corpusgate_incoming")
        database.unregister("corpusgate_incoming")
    return {name: name for name in given}


def _frame(name: str, register: Register | None) -> pl.DataFrame:
    if register is not None:
        return register.frame
    return pl.DataFrame(schema={column: f.dtype for column, f in FIELDS[name].items()})


def _add_corpus(
    database: duckdb.DuckDBPyConnection,
    policy: BoundPolicy,
    registers: RegisterSet,
    files: CorpusFiles,
    given: Mapping[str, str],
) -> None:
    narrow, whole = files.corpus(), files.corpus(original=True)
    written = files.corpus(texts=True)
    if not files.shards:
        nothing = Corpus(nothing_to_read(), {n: quoted(f"mapped:{n}") for n in PROVENANCE})
        narrow = whole = written = nothing
    place = {"shard": '"corpusgate:shard"', "row": '"corpusgate:row"'}
    taken = {name.lower() for name in (*FACTS, *place, *DECISION)}
    own = {
        f"{name}_original" if name.lower() in taken else name: quoted(f"own:{name}")
        for name in files.columns()
    }
    views = {
        "corpus": (whole, Question(FACTS, {**place, **own})),
        "decisions": (narrow, Question(DECISIONS, place)),
        "eligible": (whole, Question((*FACTS, *DECISION), {**place, **own}, eligible=True)),
        "excluded": (whole, Question((*FACTS, *DECISION), {**place, **own}, eligible=False)),
        "states": (narrow, Question(("record_id", *DERIVED), place)),
        "due": (narrow, Question(("record_id", *PURGE), place)),
        "texts": (
            written,
            Question(
                ("record_id", "surface"),
                {**place, "texts": quoted("corpusgate:texts")},
                eligible=True,
            ),
        ),
    }
    for name, (corpus, question) in views.items():
        query = decision_sql(policy, given, corpus, question, kinds=register_kinds(registers))
        if name == "due":
            query = f"SELECT {DUE} FROM ({query}) WHERE purge_reason IS NOT NULL"
        if name == "texts":
            query = f"SELECT {TEXTS} FROM ({query})"
        database.execute(f"CREATE VIEW {name} AS {query}")


def _add_reason(
    database: duckdb.DuckDBPyConnection,
    policy: BoundPolicy,
    registers: RegisterSet,
    given: Mapping[str, str],
    what: str,
) -> None:
    """Add `eligibility_reason(struct)`: one record at a time, so no id stands twice."""
    record, asked = one_record("p_record"), Question(("reason",))
    query = decision_sql(policy, given, record, asked, kinds=register_kinds(registers))
    database.execute(f"CREATE OR REPLACE {what} eligibility_reason(p_record) AS ({query})")


def _any_table() -> Corpus:
    """Read a table whose columns nobody has seen: one that is not there is NULL."""
    blank = ", ".join(f"NULL AS {name}" for name in PROVENANCE)
    relation = f"(FROM query_table(p_table) UNION ALL BY NAME SELECT {blank} WHERE FALSE)"
    return Corpus(
        relation,
        {
            name: _zoned(name) if kind is Type.TIMESTAMP else f"CAST({name} AS {SQL_TYPES[kind]})"
            for name, kind in PROVENANCE.items()
        },
    )


def _zoned(name: str) -> str:
    """Refuse a time without a zone: DuckDB would take it for one of the session's."""
    fix = text(f"corpusgate: `{name}` is no time with a zone. Cast it to TIMESTAMPTZ")
    branches = " ".join(
        f"WHEN {text(kind)} THEN coalesce({instant(micros(f'CAST({name} AS {kind})', unit))},"
        f" CASE WHEN {name} IS NOT NULL THEN {UNREADABLE} END)"
        for kind, unit in ZONED.items()
    )
    return f"(CASE typeof({name}) WHEN '\"NULL\"' THEN NULL {branches} ELSE error({fix}) END)"
