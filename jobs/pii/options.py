"""What is asked for on the command line about personal information: scanner, operators, key.

Files and environment are read here, before anything is written. Faults name the option.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...connectors.key import read_key
from ...filters.document import parse_document
from ...filters.errors import Fault, JobError
from ...filters.reduce.operators import parse_operators
from ...filters.reduce.record_rules import RecordRules
from ...filters.reduce.reducer import Reducer
from ...filters.reduce.scopes import RUN, Scope

if TYPE_CHECKING:
    from ...filters.names.nlp import Nlp
    from ..scanner import PiiScanner

SOURCE: Final = "corpusgate pii"


@dataclass(frozen=True)
class Search:
    """What to look for. `nlp` is `engine:model`, or a file with the keys of `pii.nlp` in a job.

    >>> Search(("EMAIL_ADRESS",)).scanner()
    Traceback (most recent call last):
        ...
    corpusgate.filters.errors.JobError: corpusgate pii: 1 fault
      --entities: entity `EMAIL_ADRESS` is not known in en: did you mean `EMAIL_ADDRESS`?
    """

    entities: tuple[str, ...] | None = None
    threshold: float = 0.4
    languages: tuple[str, ...] = ("en",)
    profile: str = "strict"
    recognizers: tuple[str, ...] = ()
    nlp: str | None = None

    def scanner(self) -> PiiScanner:
        """Open the scanner. Raises JobError."""
        from ..scanner import PiiScanner

        nlp = None if self.nlp is None else _nlp(self.nlp)
        try:
            return PiiScanner(
                self.entities, self.threshold, self.languages, self.profile, nlp, self.recognizers
            )
        except ValueError as error:
            raise JobError(SOURCE, (Fault(self._blamed(str(error)), str(error)),)) from None

    def _blamed(self, said: str) -> str:
        """Give the option that a scanner's fault is about."""
        for start, option in (("profile", "--profile"), ("languages", "--languages")):
            if said.startswith(start):
                return option
        return "--recognizers" if said.startswith(tuple(self.recognizers)) else "--entities"


def _nlp(asked: str) -> Nlp:
    from ...filters.names.nlp import open_nlp

    engine, colon, model = asked.partition(":")
    if Path(asked).suffix in {".yaml", ".yml"}:
        place = Path(asked)
        return open_nlp(_mapping(place, "--nlp"), where="--nlp", source=SOURCE, base=place.parent)
    if not colon:
        what = f"`{asked}` is no engine and model"
        fix = "write spacy:en_core_web_lg, or the name of a YAML file"
        raise JobError(SOURCE, (Fault("--nlp", what, fix),))
    return open_nlp({"engine": engine, "model": model}, where="--nlp", source=SOURCE, base=Path())


def open_reducer(search: Search, operators: Iterable[str], key: bytes | None) -> Reducer:
    """Open what reduces. Raises JobError.

    `operators` are YAML files, or pairs such as `EMAIL_ADDRESS=mask`; later ones win.
    """
    scanner = search.scanner()
    data: dict[str, Any] = {}
    for word in operators:
        entity, equals, operator = word.partition("=")
        data |= (
            {entity.strip(): operator.strip()} if equals else _mapping(Path(word), "--operators")
        )
    read, faults = parse_operators(data, scanner.entities, "--operators")
    if faults:
        raise JobError(SOURCE, tuple(faults))
    if read.keyed and key is None:
        what = "hash and pseudonym want a key"
        raise JobError(SOURCE, (Fault("--operators", what, "say where it is: --key-env NAME"),))
    return Reducer(scanner, read, key=key, rules=RecordRules())


def read_scope(word: str) -> Scope:
    """Read a scope; users and organisations are known to a job only. Raises JobError."""
    if word == "record":
        return "record"
    if word == RUN:
        return "run"
    what = f"`{word}` is no scope here"
    fix = "write record or run; a job file knows user and organisation too"
    raise JobError(SOURCE, (Fault("--scope", what, fix),))


def read_one_key(env: str | None, file: Path | None) -> bytes | None:
    """Read the key from the one place that is given. Raises JobError."""
    if env is not None and file is not None:
        fix = "leave one of them out"
        raise JobError(SOURCE, (Fault("--key-file", "--key-env is given as well", fix),))
    return read_key(env, file, SOURCE, ("--key-env", "--key-file"))


def _mapping(path: Path, option: str) -> dict[str, Any]:
    """Read a YAML file that is a mapping."""
    try:
        document = parse_document(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        fix = "name a YAML file" + (
            ", or write EMAIL_ADDRESS=mask" if option == "--operators" else ""
        )
        raise JobError(SOURCE, (Fault(option, f"{path} cannot be read", fix),)) from None
    faults = list(document.faults)
    if not faults and not isinstance(document.data, dict):
        faults.append(Fault(option, "it holds no mapping", "write one key a line"))
    if faults:
        raise JobError(str(path), tuple(faults))
    return dict(document.data)
