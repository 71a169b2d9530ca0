"""People's names and places, through the NLP engine that a job configures.

`open_nlp` checks the configuration and finds the model; nothing heavy is loaded. `Nlp.find` loads
it, once a process, and looks at each distinct text once. How the pieces follow each other:

    nlp_spec     the keys; what the labels of a model mean
    nlp_models   the model on this machine: place, version, digest; never the network
    nlp_engines  Presidio's engine and recogniser on that model
    nlp_loaded   batches, chunks of long texts, what was seen lately
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from ..errors import Fault, JobError
from ..found import Found
from .loaded import Loaded
from .models import ENGINES, Model, find_model, find_spacy
from .spec import Labels, NlpSpec, label_faults, read_labels, read_spec

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Nlp:
    """An engine and its model: found, checked, and loaded by the first text.

    Travels between processes as what it is made of; each loads the model for itself. Threads may
    share it: they take turns, since the engines are not made for several at a time.
    """

    spec: NlpSpec
    model: Model
    tokens: Model | None
    labels: Labels
    where: str
    source: str
    base: Path

    @property
    def entities(self) -> tuple[str, ...]:
        """The entities that are looked for, by name."""
        return tuple(self.spec.entities)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the model; it is asked about every text all the same."""
        return (self.spec.language,)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides findings, wherever the model lies."""
        decides = {
            "spec": self.spec.model_dump(exclude={"model", "spacy_model", "batch_size"}),
            "model": self.model.identity,
            "tokens": self.tokens and self.tokens.identity,
            "labels": self.labels.configuration,
            "libraries": self._libraries(),
        }
        text = json.dumps(decides, sort_keys=True, default=sorted)
        return hashlib.sha256(text.encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Give what a manifest records: engine, model, version, digest, languages, libraries."""
        return {
            "engine": self.spec.engine,
            "model": self.spec.model,
            "version": self.model.version,
            "digest": self.model.digest,
            "tokens": self.tokens and {"model": self.spec.spacy_model, **_version(self.tokens)},
            "language": self.spec.language,
            "entities": list(self.entities),
            "libraries": self._libraries(),
        }

    def find(self, texts: pa.LargeStringArray | pa.StringArray, threshold: float) -> Found:
        """Find names with at least this score; a null has none."""
        values, unreadable = _strings(texts)
        keys = [_key(value) if value else None for value in values]
        distinct = {key: value for key, value in zip(keys, values, strict=True) if key and value}
        judged = self.load().judge(distinct) if distinct else {}
        number = {entity: i for i, entity in enumerate(self.entities)}
        rows = []
        for index, key in enumerate(keys):
            found = judged[key] if key else ()
            if found is None:
                unreadable.append(index)
            for start, end, score, entity in found or ():
                if score >= threshold:
                    rows.append((index, start, -end, -score, number[entity]))
        return Found.of(self.entities, rows, unreadable)

    def load(self) -> Loaded:
        """Load the model unless this process has it. Raises JobError, as `open_nlp` does."""
        key = (self.fingerprint, self.model.place)
        with _loading:
            if key not in _loaded:
                _loaded[key] = self._load()
            return _loaded[key]

    def _load(self) -> Loaded:
        from .engines import open_engine

        # Another process, another machine: the model there must be the one that was looked at.
        here = _find(self.spec, self.base, self.where)
        if isinstance(here, list):
            raise JobError(self.source, tuple(here))
        if here != (self.model, self.tokens):
            what = f"`{self.spec.model}` has changed since the job was checked"
            raise JobError(
                self.source, (Fault(f"{self.where}.model", what, "start the run again"),)
            )
        try:
            process = open_engine(self.spec, self.model, self.tokens, self.labels)
        except Exception as error:
            # No text has been read yet: what the engine says is about the model.
            what = f"`{self.spec.model}` cannot be loaded: {type(error).__name__}: {error}"
            fix = "try it with the engine alone; install what it asks for"
            raise JobError(self.source, (Fault(f"{self.where}.model", what, fix),)) from error
        return Loaded(process, self.spec.batch_size, self.spec.chunk_size)

    def _libraries(self) -> dict[str, str]:
        names = ("presidio-analyzer", *ENGINES[self.spec.engine].packages)
        return {name: metadata.version(name) for name in sorted(names)}


def open_nlp(
    config: Mapping[str, Any],
    *,
    where: str = "pii.nlp",
    source: str = "job",
    base: Path | None = None,
) -> Nlp:
    """Check a job's `nlp` section and find its model. Raises JobError with every fault.

    Folders are relative to `base`.

    >>> open_nlp({"engine": "spacy", "model": "en_core_nothing"})
    Traceback (most recent call last):
        ...
    corpusgate.filters.errors.JobError: job: 1 fault
      pii.nlp.model: the spaCy pipeline `en_core_nothing` is not installed. Run: python -m spacy \
download en_core_nothing; for a folder, write ./en_core_nothing
    """
    base = (base or Path()).resolve()
    spec = read_spec(config, where)
    if isinstance(spec, list):
        raise JobError(source, tuple(spec))
    found = _find(spec, base, where)
    if isinstance(found, list):
        raise JobError(source, tuple(found))
    model, tokens = found
    labels = read_labels(spec, model.labels)
    faults = tuple(label_faults(spec, labels, model.labels, where))
    if faults:
        raise JobError(source, faults)
    return Nlp(spec, model, tokens, labels, where, source, base)


def _find(spec: NlpSpec, base: Path, where: str) -> tuple[Model, Model | None] | list[Fault]:
    model = find_model(spec, base, where)
    tokens = None
    if spec.spacy_model is not None:
        place = f"{where}.spacy_model"
        tokens = find_spacy(spec.spacy_model, spec.language, (), base, place)
    if isinstance(model, Fault) or isinstance(tokens, Fault):
        return [each for each in (model, tokens) if isinstance(each, Fault)]
    return model, tokens


_loading: Final = Lock()
_loaded: dict[tuple[str, str], Loaded] = {}


def _strings(texts: pa.Array) -> tuple[list[str | None], list[int]]:
    """Give the texts, and which of them are no valid UTF-8."""
    try:
        return texts.to_pylist(), []
    except UnicodeDecodeError:
        pass
    values: list[str | None] = []
    broken = []
    for index, value in enumerate(texts):
        try:
            values.append(value.as_py())
        except UnicodeDecodeError:
            values.append(None)
            broken.append(index)
    return values, broken


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _version(model: Model) -> dict[str, str | None]:
    return {"version": model.version, "digest": model.digest}
