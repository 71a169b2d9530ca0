"""A prompt for one query after another, with history, for a person at a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import typer
from platformdirs import user_state_path

from ..filters.errors import CorpusgateError
from .queries import QUERIES
from .query import ask
from .query_output import print_table
from .session import Session

_HELP: Final = """\
End a query with a semicolon. .tables lists the relations, .queries the named queries and
.query NAME asks one, .quit leaves; so does Ctrl-D."""
_HISTORY: Final = "sql_history"


def prompt(session: Session) -> None:
    """Read queries and print their rows until there are no more."""
    typer.echo(_HELP, err=True)
    with _history():
        while True:
            try:
                text = _read()
            except EOFError:
                typer.echo("", err=True)
                return
            except KeyboardInterrupt:
                typer.echo("", err=True)
                continue
            if text in (".quit", ".exit"):
                return
            if text:
                _answer(session, text)


def _read() -> str:
    """Read one command, or lines up to a semicolon."""
    lines = [input("corpusgate> ").strip()]
    while lines[0] and not lines[0].startswith(".") and not lines[-1].endswith(";"):
        lines.append(input("       ...> ").rstrip())
    return "\n".join(lines).strip()


def _answer(session: Session, text: str) -> None:
    if text == ".tables":
        text = "SHOW TABLES"
    elif text == ".queries":
        for name, query in QUERIES.items():
            typer.echo(f"{name}: {query.answers}")
        return
    elif text.startswith(".query "):
        name = text.removeprefix(".query ").strip()
        if name not in QUERIES:
            typer.echo(f"corpusgate: there is {', '.join(QUERIES)}", err=True)
            return
        text = QUERIES[name].sql
    elif text.startswith("."):
        typer.echo(_HELP, err=True)
        return
    try:
        answer = ask(session, text)
        if answer is not None:
            print_table(answer)
    except CorpusgateError as error:
        typer.echo(f"corpusgate: {error}", err=True)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)


@contextlib.contextmanager
def _history() -> Iterator[None]:
    """Keep what was typed from one session to the next, for its owner's eyes only."""
    try:
        import readline
    except ImportError:  # Windows: lines are read all the same
        yield
        return
    place = Path(user_state_path("corpusgate", ensure_exists=False)) / _HISTORY
    with contextlib.suppress(OSError):
        readline.read_history_file(place)
    readline.set_history_length(1000)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            place.touch(mode=0o600)
            place.chmod(0o600)
            readline.write_history_file(place)
