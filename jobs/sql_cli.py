"""`corpusgate sql`: the command's options, and nothing that costs time before it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from ..filters.errors import Fault, JobError, SchemaError

if TYPE_CHECKING:
    from .session import Session

USAGE: Final = 2  # as in cli.py


def sql(
    query: Annotated[str | None, typer.Argument(help="A query; none opens a prompt.")] = None,
    *,
    job: Annotated[Path | None, typer.Option("--job", help="The job file (YAML).")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the query from a file.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--query",
            help="A named query: losses, timeline, consent-gaps, unknowns, pii-density or purge.",
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all rows as CSV.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all rows as one JSON list.")
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw the first number of each row as a bar.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write all rows to a .parquet file.")
    ] = None,
    allow: Annotated[
        list[Path] | None,
        typer.Option("--allow", help="A folder that queries may read and write besides."),
    ] = None,
    emit: Annotated[
        Path | None,
        typer.Option("--emit", help="Write the decision as macros for any DuckDB, ask nothing."),
    ] = None,
) -> None:
    """Ask a job's corpus, registers and decisions in SQL (DuckDB).

    Relations: corpus, decisions, eligible, excluded, texts, states, due, consent, accounts,
    deletions, holds; after a run also released, findings and purge. Functions:
    eligibility_reason(struct); pii_reduce, pii_findings, pii_count and has_pii of a text.
    Nothing is written, the network is out of reach, and only what the job names can be read.
    """
    if job is None:
        fault = Fault("--job", "it is missing", "name the job file: --job job.yaml")
        raise JobError("sql", (fault,))
    forms = {"csv": as_csv, "json": as_json, "plot": plot}
    _check_alone(forms, output, emit, [query, file, name, *(allow or [])])
    if emit is not None:
        from .emission import emit as emit_macros

        emit_macros(job, emit)
        typer.echo(f"{emit}: macros for DuckDB", err=True)
        return
    text = _text(query, file, name)
    if text is None and not sys.stdin.isatty():
        text = sys.stdin.read()

    from .session import open_session

    session = open_session(job, allow=allow or ())
    for warning in session.warnings:
        typer.echo(f"warning: {warning}", err=True)
    with session.database:
        if text is None:
            from .prompt import prompt

            prompt(session)
            return
        try:
            _answer(session, text, output, forms)
        except SchemaError as error:
            typer.echo(f"corpusgate: {error}", err=True)
            raise typer.Exit(USAGE) from None


def _answer(session: Session, text: str, output: Path | None, forms: dict[str, bool]) -> None:
    """Ask, and print the rows in the form that was asked for, by default a table."""
    from . import query_output as rows
    from .page import counted
    from .query import ask

    answer = ask(session, text)
    if answer is None:
        return
    if output is not None:
        written = counted(rows.write_parquet(answer, output), "row")
        typer.echo(f"{output}: {written}", err=True)
        return
    printers = {"csv": rows.print_csv, "json": rows.print_json, "plot": rows.print_chart}
    chosen = next((printers[name] for name, wanted in forms.items() if wanted), rows.print_table)
    chosen(answer)


def _check_alone(
    forms: dict[str, bool], output: Path | None, emit: Path | None, asked: list[str | Path | None]
) -> None:
    """Leave with one line where an option would be passed over for another."""
    given = [f"--{name}" for name, wanted in forms.items() if wanted]
    given += ["--output"] if output is not None else []
    if len(given) > 1:
        _refuse(f"{' and '.join(given)} exclude each other: leave out all but one")
    if emit is not None and (given or any(one is not None for one in asked)):
        _refuse("--emit asks nothing: leave out the query, and every option but --job")


def _refuse(what: str) -> NoReturn:
    typer.echo(f"corpusgate: {what}", err=True)
    raise typer.Exit(USAGE)


def _text(query: str | None, file: Path | None, name: str | None) -> str | None:
    """Find the query, however it is given."""
    if sum(given is not None for given in (query, file, name)) > 1:
        fault = Fault("query", "it is given twice", "give a query, --file or --query")
        raise JobError("sql", (fault,))
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            fault = Fault("--file", f"{file} cannot be read", "name a text file with a query")
            raise JobError("sql", (fault,)) from None
    if name is None:
        return query
    from .queries import QUERIES

    if name not in QUERIES:
        fault = Fault("--query", f"no query is called `{name}`", f"there is {', '.join(QUERIES)}")
        raise JobError("sql", (fault,))
    return QUERIES[name].sql
