"""A first job file for a corpus, guessed from its names and types and written to be corrected.

Guessed is only which column says what. What asserts something about all records (a constant
surface, a licence without end, a register that holds nothing) is left to a person.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

from ..connectors.storage import InputFile, list_inputs, resolve, scheme_of
from ..filters.decide import bind
from ..filters.schema import PARTS, PROVENANCE, SURFACES
from ..filters.texts.paths import holds_text, parse_path
from .guess import Guess, Look, guess_columns, look_at, quoted, text_paths
from .page import counted
from .policies import load_policy

POLICY: Final = "openai-api-data"
PURPOSE: Final = "pretraining"
FILL_IN: Final = "FILL-IN"

_MEANS: Final = {
    "record_id": "unique, and the same in every run",
    "surface": "where a record came from",
    "submitted_at": "when the data reached you",
    "org_id": "the organisation that submitted it, never one that wrote it",
    "user_id": "the user who submitted it, never its author",
    "end_user_id": "the customer's own user",
    "endpoint": "read by forbids",
    "model": "the model that was asked; fine-tuned ones are excluded",
    "part": ", ".join(PARTS),
    "file_id": "what a deletion can name",
    "conversation_id": "what a deletion can name",
    "parent_ids": "records this one was made from",
    "license_ends_at": "licensed data without it is excluded",
    "region": "read only if the policy's restrict_regions is true",
}


def draft_job(corpus: str, base: Path | None = None) -> str:
    """Write a commented job file for a folder, a file or a glob.

    `base` is the folder in which the job file will stand, by default the working directory.
    Raises SchemaError where nothing is found or no file can be read.
    """
    files = list_inputs([corpus], Path())
    look = look_at(corpus, files)
    guesses = dict(guess_columns(look))
    used = {guess.column for guess in guesses.values()}
    folder = base or Path()
    path = corpus if scheme_of(corpus) or base is None else os.path.relpath(corpus, base)
    drafted = counted(len(files), "file")
    lines = [
        f"# Drafted from {drafted}; names and types are those of {quoted(look.name)}.",
        "# Read every line before the first run: `corpusgate plan` shows what it comes to.",
        "# Paths are relative to this file.",
        "",
        f"policy: {POLICY}",
        f"purpose: {PURPOSE}",
        "",
        "# The moment the question is asked for; without it, now.",
        "# as_of: 2023-08-01T00:00:00Z",
        "",
        "input:",
        f"  path: {quoted(path)}",
        "",
        "  # On the left the word of the rules, on the right the corpus's column. A wrong guess",
        "  # about who or when can release what it should not: check each.",
        "  columns:",
        *_mapped(guesses),
        "",
        *_absent(guesses),
        *_text(look, used),
        "",
        *_kept(look, used),
        "",
        *_REGISTERS,
        "output:",
        f"  path: {quoted(_output(corpus, files, folder))}",
    ]
    return "\n".join(lines) + "\n"


def _mapped(guesses: dict[str, Guess]) -> Iterator[str]:
    for target in PROVENANCE:
        guess = guesses.get(target)
        if target == "surface":
            yield from _SURFACES
        if guess is not None:
            if guess.check:
                yield f"    # CHECK: {guess.check}"
            yield f"    {f'{target}: {guess.yaml}':<32}  # {_MEANS[target]}"
        elif target == "record_id":
            yield "    # No column looks like an id: write the name of the one that is."
            yield f"    record_id: {{constant: {FILL_IN}}}"
        elif target == "surface":
            yield "    # No column looks like one that says so: choose one of the two ways above."
            yield f"    surface: {{constant: {FILL_IN}}}"


_SURFACES: Final = (
    "",
    f"    # A surface is one of {', '.join(SURFACES[:5])},",
    f"    # {', '.join(SURFACES[5:])}; anything else is excluded.",
    "    # A corpus that is all of one kind, or calls the kinds differently, says it this way:",
    "    #   surface: {constant: public_web}",
    """    #   surface: {sql: "CASE WHEN source = 'crawl' THEN 'public_web' ELSE 'unknown' END"}""",
)


def _absent(guesses: dict[str, Guess]) -> Iterator[str]:
    """List what rules read and no column was found for."""
    policy = bind(load_policy(POLICY), purpose=PURPOSE, as_of=datetime.now(UTC))
    wanted = [name for name in policy.reads() if name not in guesses]
    missing = [name for name in PROVENANCE if name in wanted and name != "surface"]
    if not missing or missing == ["record_id"]:
        return
    yield "  # No column was found for these, and rules read them. If the corpus has one, map it;"
    yield "  # as long as it is here, a record is excluded where a rule needs it."
    yield f"  absent: [{', '.join(name for name in missing if name != 'record_id')}]"
    yield ""


def _text(look: Look, used: set[str]) -> Iterator[str]:
    paths = list(text_paths(look, used))
    yield "  # Where the text is. A column that holds one of these is released whole."
    if not paths:
        yield '  # No column looks like text: write its path, as in [text, "messages[].content"].'
    yield f"  text: [{', '.join(map(quoted, paths))}]"


def _kept(look: Look, used: set[str]) -> Iterator[str]:
    """Offer what is left: numbers to keep; strings only after somebody has looked at them."""
    texts = {parse_path(path, look.schema.names).column for path in text_paths(look, used)}
    free = [name for name in look.schema.names if name not in used | texts]
    plain = [name for name in free if not holds_text(look.schema.field(name).type)]
    yield "  # Other columns to release. Uncomment what training needs."
    yield f"  # keep: [{', '.join(map(quoted, plain))}]"
    if strings := [name for name in free if name not in plain]:
        yield "  # Strings can hold personal data: they are released as they are, by name only."
        yield f"  # keep_raw: [{', '.join(map(quoted, strings))}]"


_REGISTERS: Final = (
    "# What is known about people and organisations. Rules read all four: uncomment, and say where",
    "# each is, or that there is nothing in it: {empty: true}. Parquet, CSV, JSONL,",
    "# sqlite:///file.db#table, postgresql://host/database#table.",
    "# registers:",
    "#   consent: registers/consent.parquet",
    "#   accounts: registers/accounts.parquet",
    "#   deletions: registers/deletions.parquet",
    "#   holds: registers/holds.parquet",
    "# max_register_age: 7 days",
    "",
)


def _output(corpus: str, files: list[InputFile], base: Path) -> str:
    """Find a place that the next run would not take for input."""
    if files[0].folder.remote:
        return "out"  # it may lie here
    depth = len(PurePosixPath(files[0].name).parts)
    above = Path(resolve(files[0].path, Path())[1]).resolve().parents[depth - 1]
    reads_all = Path(corpus).is_dir() or "**" in corpus
    if not (reads_all and (base / "out").resolve().is_relative_to(above)):
        return "out"
    return os.path.relpath(above.parent / f"{above.name}-out", base.resolve())
