"""Presidio's NLP engines, opened on a model that is here; texts in, Presidio's results out.

Everything that judges is Presidio's: its engine maps labels to entities and gives scores, its
recogniser turns them into results. What is done differently here, and why:

- Nothing is fetched. Models were found before, and are loaded by their place.
- What an engine would pass over in silence raises: a transformers model that fails on a text, a
  text whose tokens no longer say where they stood.
- Stanza's own offsets are taken. Presidio goes through spaCy's tokens and, where words were
  expanded (French `du`), drops all entities of the text, with a warning that quotes it.
- GLiNER's chunks have a longest length: Presidio's end at a space, and there may be none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from presidio_analyzer import RecognizerRegistry, RecognizerResult
from presidio_analyzer.chunkers import CharacterBasedTextChunker
from presidio_analyzer.chunkers.base_chunker import TextChunk
from presidio_analyzer.nlp_engine import (
    NerModelConfiguration,
    NlpArtifacts,
    SpacyNlpEngine,
    StanzaNlpEngine,
    TransformersNlpEngine,
    device_detector,
)

from .chunks import chunks
from .models import Model
from .spec import Labels, NlpSpec

Process = Callable[[Sequence[str]], list[list[RecognizerResult]]]
"""A batch of texts to the results of each; raises if it cannot vouch for one of them."""

_GLINER_CHUNK: Final = 250  # Presidio's defaults
_GLINER_OVERLAP: Final = 50


class UnfaithfulError(Exception):
    """An engine gave something, and it cannot be relied on. Holds no text."""


def open_engine(spec: NlpSpec, model: Model, tokens: Model | None, labels: Labels) -> Process:
    """Load a model. `tokens` is the spaCy pipeline that splits words for a transformers model."""
    with _offline():
        match spec.engine:
            case "spacy":
                return _spacy(spec, model, labels)
            case "transformers":
                return _transformers(spec, model, tokens, labels)
            case "stanza":
                return _stanza(spec, model, labels)
            case "gliner":
                return _gliner(spec, model, labels)


def _spacy(spec: NlpSpec, model: Model, labels: Labels) -> Process:
    import spacy

    _use_device()
    engine = SpacyNlpEngine([{"lang_code": spec.language, "model_name": model.place}], _ner(labels))
    nlp = spacy.load(model.place, exclude=spec.disable)
    return _Pipeline(spec, engine, nlp)


def _transformers(spec: NlpSpec, model: Model, tokens: Model | None, labels: Labels) -> Process:
    import spacy
    from presidio_analyzer.nlp_engine.huggingface_token_pipe import FACTORY_NAME

    _use_device()
    ner = _ner(labels)
    names = {"spacy": tokens.place if tokens else spec.language, "transformers": model.place}
    engine = TransformersNlpEngine([{"lang_code": spec.language, "model_name": names}], ner)
    if tokens is None:
        nlp = spacy.blank(spec.language)
    else:
        nlp = spacy.load(tokens.place, exclude=["parser", "ner"])
    pipe = nlp.add_pipe(
        FACTORY_NAME,
        config={
            "model": model.place,
            "stride": ner.stride,
            "alignment_mode": ner.alignment_mode,
            "aggregation_strategy": ner.aggregation_strategy,
            "spans_key": engine.entity_key,
        },
    )
    watched = _Watched(pipe.pipeline)  # type: ignore[attr-defined]
    pipe.pipeline = watched  # type: ignore[attr-defined]
    return _Pipeline(spec, engine, nlp, watched)


def _stanza(spec: NlpSpec, model: Model, labels: Labels) -> Process:
    # Presidio also has parts of speech and lemmas made; entities do not depend on them.
    pipeline = import_module("stanza").Pipeline(
        spec.language,
        dir=model.place,
        processors="tokenize,ner",
        download_method=None,
        logging_level="ERROR",
        device=device_detector.get_device(),
    )
    tags = pipeline.processors["ner"].get_known_tags()
    for entity in spec.entities:
        if not set(labels.of(entity)).intersection(tags):
            raise UnfaithfulError(f"it names no {entity}; its labels are {', '.join(tags)}")
    models = [{"lang_code": spec.language, "model_name": spec.language}]
    engine = _StanzaOffsets(models, _ner(labels), download_if_missing=False)
    return _Pipeline(spec, engine, pipeline)


def _gliner(spec: NlpSpec, model: Model, labels: Labels) -> Process:
    from presidio_analyzer.predefined_recognizers.ner import GLiNERRecognizer

    recognizer = GLiNERRecognizer(
        supported_language=spec.language,
        entity_mapping=labels.mapping,
        model_name=model.place,
        text_chunker=_Bounded(_GLINER_CHUNK, _GLINER_OVERLAP),
        local_files_only=True,
    )

    def process(texts: Sequence[str]) -> list[list[RecognizerResult]]:
        return [recognizer.analyze(text, spec.entities) for text in texts]

    return process


class _Pipeline:
    """An engine of Presidio, its pipeline, and the recogniser that Presidio registers for it."""

    def __init__(
        self,
        spec: NlpSpec,
        engine: SpacyNlpEngine,
        nlp: Any,  # noqa: ANN401 - spaCy's or Stanza's
        watched: _Watched | None = None,
    ) -> None:
        engine.nlp = {spec.language: nlp}  # type: ignore[assignment]  # Presidio starts with None
        registry = RecognizerRegistry(supported_languages=[spec.language])
        registry.add_nlp_recognizer(engine)
        (self.recognizer,) = registry.recognizers
        self.engine = engine
        self.language = spec.language
        self.entities = spec.entities
        self.zone = getattr(nlp, "memory_zone", nullcontext)
        self.watched = watched

    def __call__(self, texts: Sequence[str]) -> list[list[RecognizerResult]]:
        """Judge a batch."""
        _use_device()
        if self.watched is not None:
            self.watched.failed = False
        # Outside a zone, spaCy keeps every word that it has ever seen.
        with self.zone():
            return list(self._results(texts))

    def _results(self, texts: Sequence[str]) -> Iterator[list[RecognizerResult]]:
        batch = self.engine.process_batch(list(texts), self.language, batch_size=len(texts))
        for text, item in zip(texts, batch, strict=True):
            if item[0] != text:
                raise UnfaithfulError("offsets of another text")
            yield self.recognizer.analyze(text, self.entities, item[1])
        if self.watched is not None and self.watched.failed:
            raise UnfaithfulError("a text was passed over")


class _Watched:
    """A transformers pipeline that remembers failing: Presidio's component takes it as no names."""

    def __init__(self, pipeline: Callable[..., Any]) -> None:
        self.pipeline = pipeline
        self.failed = False

    def __call__(self, texts: object) -> Any:  # noqa: ANN401 - handed through
        try:
            return self.pipeline(texts)
        except Exception:
            self.failed = True
            raise


@dataclass
class _Span:
    """What Presidio reads of spaCy's spans."""

    label_: str
    start_char: int
    end_char: int


class _StanzaOffsets(StanzaNlpEngine):
    """Presidio's engine for Stanza, with the offsets that Stanza itself gives."""

    def process_batch(  # type: ignore[override]  # nobody asks for the rest
        self,
        texts: Sequence[str],
        language: str,
        batch_size: int = 1,  # noqa: ARG002 - one batch is one call
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        """Give each text with its artifacts: entities and scores, no tokens."""
        document = import_module("stanza").Document
        pipeline: Any = self.get_nlp(language)
        done = pipeline.bulk_process([document([], text=text) for text in texts])
        score: Any = self.ner_model_configuration.default_score
        for text, each in zip(texts, done, strict=True):
            spans: Any = [_Span(e.type, e.start_char, e.end_char) for e in each.entities]
            entities, scores = self._get_updated_entities(spans, [score] * len(spans))
            no_tokens: Any = []
            yield text, NlpArtifacts(entities, no_tokens, [], [], None, language, scores)


class _Bounded(CharacterBasedTextChunker):
    """Presidio's chunks for GLiNER; those that find no space to end at are cut further."""

    def chunk(self, text: str) -> list[TextChunk]:
        """Cut a text."""
        return [
            TextChunk(text[c.start + p.start : c.start + p.end], c.start + p.start, c.start + p.end)
            for c in super().chunk(text)
            for p in chunks(c.text, 3 * self.chunk_size // 2)
        ]


def _ner(labels: Labels) -> NerModelConfiguration:
    return NerModelConfiguration.from_dict(labels.configuration)


def _use_device() -> None:
    """Use the graphics card that Presidio chose, if any; the choice holds for one thread."""
    if device_detector.get_device() != "cpu":
        from thinc.api import prefer_gpu

        prefer_gpu()


@contextmanager
def _offline() -> Iterator[None]:
    """Keep the Hugging Face libraries off the network while a model is loaded."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        constants: Any = import_module("huggingface_hub.constants")
    except ImportError:
        constants = None
    was = getattr(constants, "HF_HUB_OFFLINE", None)
    if constants is not None:
        constants.HF_HUB_OFFLINE = True  # read when the module was imported, long ago perhaps
    try:
        yield
    finally:
        if constants is not None:
            constants.HF_HUB_OFFLINE = was
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
