# ruff: noqa: S608 - SQL is what this file writes, of names and literals that it quotes
"""A job's decision as a file of macros for any DuckDB, with no corpusgate beside it.

A register that lies in one Parquet, CSV or JSON lines file is read by the SQL itself, if DuckDB
reads from it just what a run does; any other is written as Parquet beside the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from ..connectors.duckdb_names import DuckNames
from ..connectors.jsonl import is_jsonl
from ..connectors.staged import StagedFile
from ..connectors.storage import partitions, resolve, scheme_of
from ..filters.errors import CorpusgateError, Fault, JobError
from ..filters.mapping import Source
from ..filters.policy import BoundPolicy
from ..filters.registers import FIELDS, REGISTERS, Register, RegisterSet
from ..filters.schema import PROVENANCE, Type
from ..filters.sql.decide import Corpus, Question, decision_sql
from ..filters.sql.mapping import mapped, quoted
from ..filters.sql.provenance import text
from ..filters.sql.purge import PURGE
from ..filters.sql.record import one_record
from ..filters.sql.registers import checked_register
from .corpus_sql import FILE, CorpusFiles, corpus_files, partition
from .describe_plan import settled_as_of
from .page import counted, printable
from .plan import bind_policy, check_columns, open_registers
from .session import DECISIONS, DUE, new_database
from .spec import Job, load_job

if TYPE_CHECKING:
    import polars as pl

    from .spec import RegisterSpec

_ROW: Final = "file_row_number"


def emit(job: Job | str | Path, target: Path) -> None:
    """Write a job's decision as DuckDB macros to `target`.

    Raises as a run would for what stops it before it begins, and JobError where the corpus's files
    differ in the types of what the job maps: a macro reads all files alike.
    """
    spec = job if isinstance(job, Job) else load_job(job)
    as_of, origin = settled_as_of(spec)
    policy = bind_policy(spec, as_of)
    check_columns(spec, policy)
    registers, _ = open_registers(spec, policy)
    with new_database() as database:
        files = corpus_files(spec, database, DuckNames(database))
        tables = {
            name: _register(spec, name, register, target, database)
            for name, register in registers.given().items()
        }
    head = _header(spec, policy, registers, origin, tables)
    macros = [
        *(
            f"CREATE OR REPLACE MACRO {_macro(name)} AS TABLE\n{sql}"
            for name, sql in tables.items()
        ),
        *_decisions(spec, policy, files, {name: _macro(name) for name in tables}),
    ]
    body = ";\n\n".join(["SET TimeZone = 'UTC'", *macros])
    target.write_text(f"{head}\n{body};\n", encoding="utf-8")


def _macro(name: str) -> str:
    return f"corpusgate_{name}()"


def _decisions(
    job: Job, policy: BoundPolicy, files: CorpusFiles, registers: Mapping[str, str]
) -> list[str]:
    corpus = _any_files(job, files)
    place = {"shard": quoted(FILE), "row": _row(files)}
    asked = {
        "decisions": Question(DECISIONS, place),
        "eligible": Question(whole=True, hidden=(FILE, *_hidden(files)), eligible=True),
        "excluded": Question(whole=True, hidden=(FILE, *_hidden(files)), eligible=False),
        "due": Question(("record_id", *PURGE), place),
    }
    macros = []
    for name, question in asked.items():
        query = decision_sql(policy, registers, corpus, question)
        if name == "due":
            query = f"SELECT {DUE} FROM ({query}) WHERE purge_reason IS NOT NULL"
        macros.append(f"CREATE OR REPLACE MACRO {name}(p_files) AS TABLE\n{query}")
    reason = decision_sql(policy, registers, one_record("p_record"), Question(("reason",)))
    macros.append(f"CREATE OR REPLACE MACRO eligibility_reason(p_record) AS (\n{reason})")
    return macros


def _row(files: CorpusFiles) -> str:
    return "CAST(NULL AS BIGINT)" if files.shards and files.shards[0].jsonl else _ROW


def _hidden(files: CorpusFiles) -> tuple[str, ...]:
    return () if files.shards and files.shards[0].jsonl else (_ROW,)


def _any_files(job: Job, files: CorpusFiles) -> Corpus:
    """Read any files that are like the job's, as a macro's parameter names them."""
    sources = job.input.sources()
    read = sorted(frozenset[str]().union(*(source.reads() for source in sources.values())))
    shapes = {
        (shard.jsonl, tuple((name, dict(shard.types).get(name)) for name in read))
        for shard in files.shards
    }
    if len(shapes) != 1:
        what = f"the corpus has {len(shapes)} sorts of files, by the types of the mapped columns"
        fix = "give it a narrower input.path: one file of macros reads one sort"
        raise JobError(job.source, (Fault("input.path", what, fix),))
    one = files.shards[0]
    types = dict(one.types)
    keys = [key for key in partitions(one.file.name) if key in read and key not in types]
    columns = mapped(sources, types | dict.fromkeys(keys, "VARCHAR"), "input.columns")
    for target, source in sources.items():
        wrong = [f"typeof({quoted(n)}) <> {text(types[n])}" for n in source.reads() if n in types]
        if wrong and not one.jsonl:
            say = (
                f"corpusgate: the columns of `{target}` have other types than when this was written"
            )
            columns[target] = (
                f"(CASE WHEN {' OR '.join(wrong)} THEN error({text(say)})"
                f" ELSE {columns[target]} END)"
            )
    below = "".join(f", {partition(key, quoted(FILE))} AS {quoted(key)}" for key in keys)
    options = f"filename={text(FILE)}, hive_partitioning=false"
    if one.jsonl:
        strict = _strict(sources, types)
        read_as = types | dict.fromkeys(strict, "JSON")
        listed = ", ".join(f"{text(name)}: {text(kind)}" for name, kind in read_as.items())
        lines = "format='newline_delimited', maximum_object_size=134217728"
        relation = f"read_json(p_files, {options}, {lines}, columns={{{listed}}})"
        typed = ", ".join(f"{value} AS {quoted(name)}" for name, value in strict.items())
        relation = f"(SELECT * REPLACE ({typed}){below} FROM {relation})"
    else:
        relation = f"read_parquet(p_files, {options}, union_by_name=true)"
        relation = f"(SELECT *, {_ROW}{below} FROM {relation})"
    unit = quoted(FILE) if job.input.unique == "unit" else "0"
    return Corpus(relation, columns, unit)


_JSON: Final = {
    "VARCHAR": "('VARCHAR')",
    "BIGINT": "('BIGINT', 'UBIGINT')",
    "BOOLEAN": "('BOOLEAN')",
}
"""What DuckDB says that JSON values are which come as such a column."""


def _strict(sources: Mapping[str, Source], types: Mapping[str, str]) -> dict[str, str]:
    """Give columns that are read as JSON, so that none is cast: a run refuses what is no id."""
    read = frozenset[str]().union(
        *(
            source.reads()
            for target, source in sources.items()
            if source.sql is not None or PROVENANCE[target] is Type.STRING
        )
    )
    columns = {}
    for name in sorted(read & types.keys()):
        dtype, value = types[name], quoted(name)
        say = f"corpusgate: `{name}` has other types than when this was written"
        columns[name] = (
            f"(CASE WHEN json_type({value}) NOT IN {_JSON[dtype]} THEN error({text(say)})"
            f" ELSE CAST({value} ->> '$' AS {dtype}) END)"
        )
    return columns


def _register(
    job: Job, name: str, register: Register, target: Path, database: duckdb.DuckDBPyConnection
) -> str:
    """Write how a register is read: from where it is, or from a copy beside the macros."""
    spec: RegisterSpec | None = getattr(job.registers, name)
    read = _from_its_file(job, name, spec, database) if spec is not None and spec.path else None
    if read is not None and _same(database, read, register.frame):
        return read
    if register.frame.is_empty():
        blank = ", ".join(
            f"CAST(NULL AS {_DUCKDB[str(field.dtype)]}) AS {quoted(column)}"
            for column, field in FIELDS[name].items()
        )
        return f"SELECT {blank} WHERE FALSE"
    folder = target.with_name(f"{target.stem}.registers")
    folder.mkdir(exist_ok=True)
    with StagedFile(folder, f"{name}.parquet", 0o600) as file, file.own_errors():
        register.frame.write_parquet(file)  # type: ignore[arg-type]
        file.publish()
    return f"SELECT * FROM read_parquet({text(str(folder.resolve() / f'{name}.parquet'))})"


_DUCKDB: Final = {
    "String": "VARCHAR",
    "Boolean": "BOOLEAN",
    "List(String)": "VARCHAR[]",
    "Datetime(time_unit='us', time_zone='UTC')": "TIMESTAMPTZ",
}


def _from_its_file(
    job: Job, name: str, spec: RegisterSpec, database: duckdb.DuckDBPyConnection
) -> str | None:
    """Write how DuckDB reads a register's one file; None where it is no such file."""
    uri = str(spec.path)
    if scheme_of(uri) not in ("", "file"):
        return None
    path = resolve(uri, job.base)[1]
    if not Path(path).is_file() or "=" in path:
        return None
    sources = {column: source.source() for column, source in spec.columns.items()}
    plain = path.removesuffix(".gz").removesuffix(".zst")
    if plain.endswith(".csv"):
        relation = (
            f"read_csv({text(path)}, header=true, all_varchar=true, delim=',', quote='\"',"
            " escape='\"', nullstr='')"
        )
    elif is_jsonl(path):
        wanted = {str(s.column) for s in sources.values() if s.column} | FIELDS[name].keys()
        columns = ", ".join(f"{text(column)}: 'VARCHAR'" for column in sorted(wanted))
        lines = "format='newline_delimited'"
        relation = f"read_json({text(path)}, {lines}, columns={{{columns}}})"
    elif path.endswith(".parquet"):
        relation = f"read_parquet({text(path)})"
    else:
        return None
    try:
        types = database.execute(
            f"SELECT column_name, column_type FROM (DESCRIBE FROM {relation})"
        ).fetchall()
        return checked_register(name, relation, dict(types), sources, may_be_empty=spec.empty)
    except (duckdb.Error, CorpusgateError):
        return None


def _same(database: duckdb.DuckDBPyConnection, query: str, frame: pl.DataFrame) -> bool:
    """Say whether DuckDB reads the same rows from a register as we did."""
    database.register("corpusgate_known", frame.to_arrow())
    try:
        found = database.execute(
            f"SELECT (SELECT count(*) FROM ({query})) = {frame.height}"
            f" AND NOT EXISTS (FROM ({query}) EXCEPT ALL FROM corpusgate_known)"
        ).fetchall()
    except duckdb.Error:
        return False
    finally:
        database.unregister("corpusgate_known")
    return bool(found[0][0])


def _header(
    job: Job,
    policy: BoundPolicy,
    registers: RegisterSet,
    origin: str,
    tables: Mapping[str, str],
) -> str:
    from .. import __version__

    rules = policy.policy
    lines = [
        f"Written by corpusgate {__version__} for DuckDB >= 2.0, < 3. Nothing else is needed.",
        "",
        f"policy       {rules.name}, version {rules.version}",
        f"fingerprint  {rules.fingerprint}",
        f"purpose      {policy.purpose}" + (f", for {policy.for_org}" if policy.for_org else ""),
        f"as of        {policy.as_of.isoformat()} (from: {origin})",
        f"job          {job.source}",
        "",
    ]
    for name in REGISTERS:
        register = registers.given().get(name)
        if register is None:
            lines.append(f"{name}: not given; what rules ask of it is unknown")
            continue
        rows = f"{counted(register.frame.height, 'row')}, digest {register.digest}"
        how = "read whenever a query runs" if "error(" in tables[name] else "as it was"
        lines.append(f"{name}: {how}; when this was written {rows}")
    lines += [
        "",
        "    SELECT reason, count(*) FROM decisions('corpus/*.parquet') GROUP BY 1;",
        "    SELECT * FROM eligible('corpus/*.parquet');",
        "    SELECT * FROM excluded('corpus/*.parquet');",
        "    SELECT * FROM due('corpus/*.parquet');",
        "    SELECT eligibility_reason({'record_id': '1', 'surface': 'public_web'});",
        "",
        "Paths are those of a file, a pattern, or a list of them. Ids must differ within a file.",
    ]
    return "\n".join(f"-- {printable(line)}".replace("\n", " ").rstrip() for line in lines)
