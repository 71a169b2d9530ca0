"""The command line: parse, call one function, render.

Commands import what they need when they run, so that `--help` answers at once.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from ..filters.errors import CorpusgateError, JobError, PolicyError
from .pii.cli import pii_app
from .sql_cli import sql
from .verify.cli import verify

DONE, FAILED, USAGE, INCOMPLETE = 0, 1, 2, 3
INTERRUPTED: Final = 130
_INTERRUPTED: Final = "interrupted; run it again to go on"

app = typer.Typer(
    name="corpusgate",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Decide, record by record, what a model may be trained on, and release only that.",
    epilog=(
        "Exit codes: 0 done, 1 failed, 2 bad usage or a bad job or policy,"
        " 3 done but some shards are unreadable."
    ),
)
policy_app = typer.Typer(no_args_is_help=True, help="Look at policies and check them.")
app.add_typer(policy_app, name="policy")
app.add_typer(pii_app, name="pii")
app.command(epilog="Example: corpusgate sql --query losses --job job.yaml")(sql)
app.command(epilog="Example: corpusgate verify out/ --pii 0.05")(verify)


class Engine(StrEnum):
    """Who processes units."""

    LOCAL = "local"
    RAY = "ray"


JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def _version(*, value: bool) -> None:
    if value:
        from .. import __version__

        typer.echo(f"corpusgate {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Hold the options that come before a command."""
    _ = version


@app.command(epilog="Example: corpusgate run job.yaml --json > summary.json")
def run(
    job: JobFile,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew, resume nothing.")] = False,
    retry_unreadable: Annotated[
        bool,
        typer.Option("--retry-unreadable", help="Try unreadable shards again, and nothing else."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="How many at a time; by default one a core."),
    ] = None,
    engine: Annotated[
        Engine | None, typer.Option("--engine", help="Where; by default what the job says.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Of a Ray cluster, host:port; without it, Ray starts here."),
    ] = None,
    as_json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print errors and warnings only.")
    ] = False,
) -> None:
    """Decide every record, release the eligible ones, say why.

    An unfinished run is resumed. The summary goes to stdout, everything else to stderr.
    """
    from .lean import in_a_program_of_our_own

    in_a_program_of_our_own()
    from .local import run as run_job
    from .policies import load_policy
    from .progress import watch
    from .report import because, render_summary
    from .spec import load_job

    spec = load_job(job)
    if fresh and retry_unreadable:
        _fail("--fresh does everything anew: leave out one of the two", USAGE)
    if address is not None and (engine or spec.engine) != Engine.RAY:
        _fail("--address is that of a Ray cluster; say --engine ray, or leave it out", USAGE)
    with watch(quiet=quiet) as progress:
        summary = run_job(
            spec,
            fresh=fresh,
            workers=workers,
            engine=engine and engine.value,
            address=address,
            progress=progress,
            retry_unreadable=retry_unreadable,
        )
    if summary.done_before:
        typer.echo(f"done as of {summary.as_of.isoformat()}; --fresh starts anew", err=True)
    if as_json:
        typer.echo(json.dumps(summary.as_json()))
    elif not quiet:
        render_summary(summary, because(load_policy(spec.policy, spec.base)))
    raise typer.Exit(INCOMPLETE if summary.shards_unreadable else DONE)


@app.command(epilog="Example: corpusgate status s3://bucket/out --json")
def status(
    where: Annotated[
        str, typer.Argument(metavar="OUT", help="The output, or the job file that names it.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Say how far a run is: running, stopped half-way, finished, or finished but for some shards.

    The run itself is not asked, so any machine will do that can read the output.
    """
    from .status import render_status
    from .status import status as look

    found = look(where)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    else:
        render_status(found)


@app.command(epilog="Example: corpusgate plan job.yaml")
def plan(job: JobFile, *, as_json: Json = False) -> None:
    """Show what a run would read and write, without reading a record."""
    from .describe_plan import describe_plan, render_plan

    facts = describe_plan(job)
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        render_plan(facts)


@app.command(epilog="Example: corpusgate explain job.yaml --record web-000017")
def explain(
    job: JobFile,
    *,
    record: Annotated[str, typer.Option("--record", help="The record's id.")],
    as_json: Json = False,
) -> None:
    """Show every rule with its values and outcome for one record."""
    from .explain import explain_record, render_explanation

    facts = explain_record(job, record)
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        render_explanation(facts)


@app.command(epilog="Example: corpusgate init corpus/ > job.yaml")
def init(
    corpus: Annotated[str, typer.Argument(help="A folder, a file or a pattern.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here instead of stdout.")
    ] = None,
) -> None:
    """Look at a corpus's schema and write a commented job file with best guesses."""
    from .init import draft_job

    text = draft_job(corpus, output.parent if output else None)
    if output is None:
        typer.echo(text, nl=False)
    elif output.exists():
        _fail(f"{output} exists already; remove it, or give another --output", USAGE)
    else:
        output.write_text(text, encoding="utf-8")


@policy_app.command("show", epilog="Example: corpusgate policy show openai-api-data")
def policy_show(
    name: Annotated[str, typer.Argument(help="A built-in policy, or a file.")],
    *,
    as_json: Json = False,
) -> None:
    """Print a policy's rules with their clauses, as DuckDB SQL and as Polars expressions."""
    from .describe_policy import describe_policy, render_policy
    from .policies import load_policy

    facts = describe_policy(load_policy(name))
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        render_policy(facts)


@policy_app.command("check", epilog="Example: corpusgate policy check my-policy.yaml")
def policy_check(
    file: Annotated[str, typer.Argument(help="A policy file, or a built-in policy's name.")],
) -> None:
    """Report every fault of a policy file, each with its rule, its place and the way out."""
    from .policies import load_policy

    policy = load_policy(file)
    rules = len(policy.forbids) + len(policy.permits)
    typer.echo(f"{policy.name} {policy.version}: {rules} rules, no fault. {policy.fingerprint}")


@policy_app.command("list", epilog="Example: corpusgate policy list")
def policy_list() -> None:
    """Name the built-in policies."""
    from .policies import built_in

    for name in built_in():
        typer.echo(name)


def _fail(message: object, code: int) -> NoReturn:
    typer.echo(f"corpusgate: {message}", err=True)
    raise SystemExit(code)


def main(arguments: list[str] | None = None) -> Any:  # noqa: ANN401 - exits
    """Run the command line; turn what is raised on purpose into one message and an exit code."""
    try:
        app(args=arguments)
    except (JobError, PolicyError) as error:
        _fail(error, USAGE)
    except CorpusgateError as error:
        _fail(error, FAILED)
    except OSError as error:
        # The system's own words, without a traceback: a full disk, a missing permission.
        place = f" {error.filename}" if error.filename else ""
        _fail(f"cannot write or read{place}: {error.strerror or type(error).__name__}", FAILED)
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # what DuckDB makes of Ctrl-C
            raise
        _fail(_INTERRUPTED, INTERRUPTED)
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:  # what typer makes of it
            typer.echo(f"corpusgate: {_INTERRUPTED}", err=True)
        raise


if __name__ == "__main__":
    main()
