"""`corpusgate verify`: the command's options, and nothing that costs time before it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from ...filters.errors import Fault, JobError

UNSOUND: Final = 1


def verify(
    output: Annotated[str, typer.Argument(help="The output folder of a finished run, or its URI.")],
    *,
    job: Annotated[
        Path | None,
        typer.Option("--job", help="The job file; by default where the run noted it."),
    ] = None,
    audit: Annotated[
        str | None,
        typer.Option("--audit", help="The audit folder; by default where the run noted it."),
    ] = None,
    pii: Annotated[
        str,
        typer.Option("--pii", help="Scan `all` released records, a share such as 0.01, or `off`."),
    ] = "0.01",
    key_env: Annotated[
        str | None, typer.Option("--key-env", help="The variable that holds the job's key.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="The file that holds the job's key.")
    ] = None,
    manifest: Annotated[
        str | None,
        typer.Option("--manifest", help="The manifest's SHA-256, as it was noted elsewhere."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Draw the sample of an earlier verification."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Threads; by default one a core.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout.")
    ] = False,
) -> None:
    """Check a finished run with a second engine (DuckDB), from its input and registers.

    Every record is decided again; files, rows, columns and texts are compared; a sample is scanned.
    Exit code 0: nothing is wrong; 1: something is, and the table says where.
    """
    share = _share(pii)
    from ..lean import in_a_program_of_our_own

    in_a_program_of_our_own()
    from ...connectors.key import read_key
    from .page import render_verdict
    from .verify import verify as verify_run

    key = read_key(key_env, key_file, "verify", ("--key-env", "--key-file"))
    verdict = verify_run(
        output, job=job, audit=audit, pii=share, key=key, seed=seed, workers=workers
    )
    if manifest is not None and manifest.lower() != verdict.manifest_sha256:
        verdict.tally.wrong("manifest", "manifest.json", "it is not the one of that digest")
    if as_json:
        typer.echo(json.dumps(verdict.as_json()))
    else:
        render_verdict(verdict)
    raise typer.Exit(0 if verdict.sound else UNSOUND)


def _share(pii: str) -> float | None:
    """Read a share of records; None for none."""
    if pii == "off":
        return None
    if pii == "all":
        return 1.0
    try:
        share = float(pii)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        fault = Fault("--pii", "it is no share", "write all, off, or a number such as 0.01")
        raise JobError("verify", (fault,))
    return share
