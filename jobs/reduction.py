"""Personal information as a job asks for it: scanner, reducer, key.

Files and environment are read here, once a run and before anything is written; what comes out
travels to every worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ..connectors.key import read_key
from ..filters.errors import Fault, JobError
from ..filters.reduce.operators import Operators, parse_operators
from ..filters.reduce.pseudonyms import Key
from ..filters.reduce.record_rules import parse_record_rules
from ..filters.reduce.reducer import Reducer
from ..filters.reduce.scopes import Scope
from .spec import Job, KeySpec, PiiSpec

if TYPE_CHECKING:
    from ..filters.detect.scanner import Scanner
    from ..filters.names.nlp import Nlp

_NAME_SCORE: Final = 0.85
TELLING: Final = ("EMAIL_ADDRESS", "IBAN_CODE")
"""What makes a record id personal information: forms that no numbering scheme takes by chance."""


@dataclass(frozen=True)
class Reduction:
    """What a run does about personal information, ready for every unit.

    `reducer` is None where the job says `pii: off`; `telling` finds ids that are personal
    information themselves; with `ids`, records get keyed ids.
    """

    reducer: Reducer | None
    telling: Scanner | None
    ids: Key | None
    scope: Scope
    facts: Mapping[str, Any]
    """What the manifest says about it: no key, no place of a key."""
    nlp: Nlp | None = None
    warnings: tuple[str, ...] = ()

    def load(self) -> None:
        """Load the model of names, if there is one. Raises JobError where that fails."""
        if self.nlp is not None:
            self.nlp.load()

    @property
    def active(self) -> bool:
        """Whether released records are looked at or changed at all."""
        return self.reducer is not None or self.ids is not None

    @property
    def fingerprint(self) -> str:
        """Digest of all that decides what is released of a text and an id."""
        parts = (
            self.reducer.fingerprint if self.reducer else "off",
            self.scope,
            self.ids.derive("fingerprint").hex() if self.ids else "own",
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


OFF: Final = Reduction(None, None, None, "record", {"pii": "off"})


def open_reduction(job: Job) -> Reduction:
    """Open what a job says under `pii`, `record_ids` and `key`. Raises JobError."""
    secret = open_key(job)
    ids = None
    if job.record_ids == "hmac" and secret is not None:
        ids = Key(Key(secret).derive("record ids"))
    if job.pii is None:
        return replace(OFF, ids=ids)
    scanner = open_scanner(job.pii, job)
    operators = open_operators(job.pii, job, scanner)
    rules, faults = parse_record_rules(job.pii.exclude, scanner.entities, "pii.exclude")
    if faults:
        raise JobError(job.source, tuple(faults))
    reducer = Reducer(scanner, operators, key=secret, rules=rules)
    facts = {
        "pii": {
            "profile": job.pii.profile,
            "threshold": job.pii.least,
            "languages": list(job.pii.languages),
            "looked_for": scanner.describe(),
            "nlp": scanner.nlp.describe() if scanner.nlp is not None else None,
            "operators": operators.describe(),
            "scope": job.pii.scope,
            "exclude": rules.describe(),
            "fingerprint": reducer.fingerprint,
        }
    }
    telling = None if ids else _telling()
    warnings = tuple(_deaf(scanner.nlp, job.pii.least))
    return Reduction(reducer, telling, ids, job.pii.scope, facts, scanner.nlp, warnings)


def open_key(job: Job) -> bytes | None:
    """Read the key that a job names; None where it names none. Raises JobError."""
    spec = job.key or KeySpec()
    file = None if spec.file is None else job.base / spec.file
    return read_key(spec.env, file, job.source, ("key.env", "key.file"))


def open_operators(pii: PiiSpec, job: Job, scanner: Scanner) -> Operators:
    """Read what becomes of findings. Raises JobError."""
    operators, faults = parse_operators(pii.operators, scanner.entities, "pii.operators")
    if faults:
        raise JobError(job.source, tuple(faults))
    return operators


def _deaf(nlp: Nlp | None, threshold: float) -> Iterator[str]:
    if nlp is not None and nlp.spec.engine in {"spacy", "stanza"} and threshold > _NAME_SCORE:
        yield (
            f"pii.threshold is above {_NAME_SCORE}, the score of every name that"
            f" {nlp.spec.engine} finds: none will be found. Say a lower one"
        )


def _telling() -> Scanner:
    from .scanner import PiiScanner

    return PiiScanner(TELLING)


def open_scanner(pii: PiiSpec, job: Job) -> Scanner:
    """Open the scanner that a job asks for. Raises JobError."""
    from .scanner import PiiScanner

    nlp = None
    if pii.nlp is not None:
        from ..filters.names.nlp import open_nlp

        nlp = open_nlp(pii.nlp, source=job.source, base=job.base)
    try:
        return PiiScanner(
            pii.entities,
            pii.least,
            pii.languages,
            pii.profile,
            nlp,
            [job.base / name for name in pii.recognizers],
        )
    except ValueError as error:
        raise JobError(job.source, (Fault("pii", str(error)),)) from None
