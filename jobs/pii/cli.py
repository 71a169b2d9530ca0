"""`corpusgate pii`: personal information in files, without a job.

Commands import what they need when they run, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ...filters.errors import JobError

if TYPE_CHECKING:
    from .options import Search
    from .reading import Totals

USAGE: Final = 2
INCOMPLETE: Final = 3  # these are the exit codes of cli.py

pii_app = typer.Typer(
    no_args_is_help=True,
    help="Find and reduce personal information in files, without a job. No command prints text.",
    epilog=(
        "Exit codes: 0 done, 1 failed, 2 bad usage, 3 done but some files are unreadable"
        " (scan: or some records)."
    ),
)

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILES...", help="Files, folders or patterns: Parquet, and JSON lines."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns", "-c", metavar="PATHS", help="Texts, as text,messages[].content: one or more."
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN", help="Names records; without it, the row number does."),
]
Entities = Annotated[
    list[str] | None,
    typer.Option(
        "--entities", "-e", metavar="NAMES", help="What to look for, such as US_SSN,country:in."
    ),
]
Threshold = Annotated[
    float, typer.Option("--threshold", min=0.0, max=1.0, help="The least score of a finding.")
]
Profile = Annotated[
    str, typer.Option("--profile", help="strict, or presidio for exactly what Presidio finds.")
]
Languages = Annotated[
    list[str], typer.Option("--languages", metavar="CODES", help="Languages of the texts.")
]
Recognizers = Annotated[
    list[str] | None,
    typer.Option("--recognizers", metavar="FILE", help="Your own, in Presidio's YAML format."),
]
Nlp = Annotated[
    str | None,
    typer.Option(
        "--nlp",
        metavar="ENGINE:MODEL",
        help="Find names and places too: spacy:en_core_web_lg, or a YAML file.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and warnings only.")]


@pii_app.command(
    epilog="Example: corpusgate pii scan corpus/ --columns text --id doc_id -o findings.parquet"
)
def scan(
    files: Files,
    *,
    columns: Columns = None,
    id_column: IdColumn = None,
    entities: Entities = None,
    threshold: Threshold = 0.4,
    profile: Profile = "strict",
    languages: Languages = ["en"],  # noqa: B006 - typer copies it
    recognizers: Recognizers = None,
    nlp: Nlp = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="List the findings here (Parquet)."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find personal information: how much of what, and with --output where."""
    from ..lean import in_a_program_of_our_own

    in_a_program_of_our_own()
    from .files import scan_files
    from .progress import watch_files
    from .reading import Corpus

    begun = time.perf_counter()
    with _usage(), watch_files(quiet=quiet) as progress:
        search = _search(
            entities=entities,
            threshold=threshold,
            profile=profile,
            languages=languages,
            recognizers=recognizers,
            nlp=nlp,
        )
        corpus = Corpus(tuple(files), _words(columns), id_column)
        totals = scan_files(corpus, search.scanner(), listing=output, progress=progress)
    _report(totals, begun, output, as_json=as_json, quiet=quiet)
    raise typer.Exit(INCOMPLETE if totals.unreadable or totals.excluded else 0)


@pii_app.command(
    epilog="Example: corpusgate pii reduce corpus/ --columns text -o reduced/ --operators"
    " EMAIL_ADDRESS=mask,DEFAULT=replace"
)
def reduce(
    files: Files,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to write the files.")
    ],
    columns: Columns = None,
    id_column: IdColumn = None,
    entities: Entities = None,
    threshold: Threshold = 0.4,
    profile: Profile = "strict",
    languages: Languages = ["en"],  # noqa: B006 - typer copies it
    recognizers: Recognizers = None,
    nlp: Nlp = None,
    operators: Annotated[
        list[str] | None,
        typer.Option(
            "--operators",
            metavar="PAIRS",
            help="EMAIL_ADDRESS=mask,DEFAULT=redact, or a YAML file.",
        ),
    ] = None,
    key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Environment variable with the key of pseudonyms."),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with the key of pseudonyms.")
    ] = None,
    scope: Annotated[
        str, typer.Option(help="One value has one pseudonym within a record, or a run.")
    ] = "record",
    findings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="List here what was reduced, and how (Parquet)."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write files again with the personal information in their texts reduced.

    Paths, columns, types and codecs stay as they are. A record that cannot be read is left out.
    """
    from ..lean import in_a_program_of_our_own

    in_a_program_of_our_own()
    from .files import reduce_files
    from .options import open_reducer, read_one_key, read_scope
    from .progress import watch_files
    from .reading import Corpus

    begun = time.perf_counter()
    with _usage(), watch_files(quiet=quiet) as progress:
        search = _search(
            entities=entities,
            threshold=threshold,
            profile=profile,
            languages=languages,
            recognizers=recognizers,
            nlp=nlp,
        )
        totals = reduce_files(
            Corpus(tuple(files), _words(columns), id_column),
            open_reducer(search, _words(operators), read_one_key(key_env, key_file)),
            output,
            scope=read_scope(scope),
            listing=findings,
            progress=progress,
        )
    _report(totals, begun, output, as_json=as_json, quiet=quiet)
    raise typer.Exit(INCOMPLETE if totals.unreadable else 0)


@pii_app.command(
    epilog="Example: corpusgate pii evaluate gold/*.parquet --entities US_SSN,PHONE_NUMBER"
)
def evaluate(
    gold: Annotated[
        list[str],
        typer.Argument(metavar="GOLD...", help="Files with text and spans; see docs/pii.md."),
    ],
    *,
    entities: Entities = None,
    threshold: Threshold = 0.4,
    profile: Profile = "strict",
    languages: Languages = ["en"],  # noqa: B006 - typer copies it
    recognizers: Recognizers = None,
    nlp: Nlp = None,
    as_json: Json = False,
) -> None:
    """Measure findings on marked texts: recall, precision, F1 and F2 by entity."""
    from ..lean import in_a_program_of_our_own

    in_a_program_of_our_own()
    from .gold import grade_files
    from .page import render_graded

    with _usage():
        search = _search(
            entities=entities,
            threshold=threshold,
            profile=profile,
            languages=languages,
            recognizers=recognizers,
            nlp=nlp,
        )
        graded = grade_files(gold, search)
    if as_json:
        facts = {"profile": profile, "threshold": threshold}
        typer.echo(json.dumps(facts | {"gold": [one.as_json() for one in graded]}))
    else:
        render_graded(graded)


@pii_app.command("entities", epilog="Example: corpusgate pii entities --country us")
def list_entities(
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Those that are asked for by name as well.")
    ] = False,
    country: Annotated[
        str | None, typer.Option(metavar="CODE", help="What this country issues.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="CODE", help="What is written for this language.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what can be looked for, how to ask for it, and who recognises it."""
    from .catalogue import catalogue, chosen
    from .page import render_catalogue

    known = catalogue()
    shown = chosen(known, country, language)
    if not every and country is None and language is None:
        shown = [entry for entry in known if entry.asked == "default"]
    if as_json:
        typer.echo(json.dumps([entry.as_json() for entry in shown]))
    else:
        render_catalogue(shown, len(known) - len(shown))


def _search(
    *,
    entities: list[str] | None,
    threshold: float,
    profile: str,
    languages: list[str],
    recognizers: list[str] | None,
    nlp: str | None,
) -> Search:
    from .options import Search

    return Search(
        _words(entities) or None,
        threshold,
        _words(languages),
        profile,
        tuple(recognizers or ()),
        nlp,
    )


def _words(values: Iterable[str] | None) -> tuple[str, ...]:
    """Take `a,b` and an option given twice alike."""
    words = (word.strip() for value in values or () for word in value.split(","))
    return tuple(dict.fromkeys(word for word in words if word))


def _report(
    totals: Totals, begun: float, output: Path | None, *, as_json: bool, quiet: bool
) -> None:
    from .page import render_totals

    seconds = round(time.perf_counter() - begun, 3)
    if as_json:
        place = None if output is None else str(output)
        typer.echo(json.dumps({**totals.as_json(), "seconds": seconds, "output": place}))
    elif not quiet:
        render_totals(totals, seconds=seconds, output=output)


@contextmanager
def _usage() -> Iterator[None]:
    """Print each fault of the options on a line of its own."""
    try:
        yield
    except JobError as error:
        for fault in error.faults:
            typer.echo(f"corpusgate: {fault}", err=True)
        raise typer.Exit(USAGE) from None
