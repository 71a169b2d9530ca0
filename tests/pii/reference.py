"""Presidio's AnalyzerEngine, unchanged, asked row by row: what our scanner has to agree with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import presidio_analyzer
import spacy
import yaml
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from presidio_analyzer.recognizer_registry import RecognizerRegistry
from presidio_analyzer.recognizer_registry.recognizers_loader_utils import RecognizerListLoader
from spacy.language import Language
from tldextract import TLDExtract, tldextract

if TYPE_CHECKING:
    from spacy.tokens import Doc

WANT_A_MODEL: Final = {"HuggingFaceNerRecognizer", "BasicLangExtractRecognizer"}
LEMMAS: Final = "lower_case_lemmas"

# Presidio's e-mail recogniser would download the list of public suffixes: take the packaged one.
tldextract.TLD_EXTRACTOR = TLDExtract(cache_dir=None, suffix_list_urls=())


class Finding(NamedTuple):
    """One finding of a row. Rows hold them by start, end and score descending, entity."""

    start: int
    end: int
    score: float
    entity: str

    def __str__(self) -> str:
        return f"{self.entity} {self.start}-{self.end} {self.score:.2f}"


Row = tuple[Finding, ...] | None
"""A row's findings; None for a row that a recogniser failed on."""


class Reference:
    """Presidio with the recognisers of one language and without a trained model.

    `extra` are recognisers beside Presidio's own. `find` gives one Row a text, nulls have no
    findings. The last few thousand answers are remembered.
    """

    def __init__(
        self,
        entities: Iterable[str] | None = None,
        threshold: float = 0.4,
        language: str = "en",
        extra: Iterable[EntityRecognizer] = (),
    ) -> None:
        recognizers = [*predefined(language), *extra]
        self.language, self.threshold = language, threshold
        self.entities = tuple(
            sorted({name for each in recognizers for name in each.supported_entities})
            if entities is None
            else entities
        )
        registry = RecognizerRegistry(recognizers=recognizers, supported_languages=[language])
        self.engine = AnalyzerEngine(
            registry=registry, nlp_engine=_Blank(language), supported_languages=[language]
        )
        self._judge: Callable[[str], Row] = lru_cache(maxsize=4096)(self._ask)

    def find(self, texts: Iterable[str | None]) -> list[Row]:
        """Ask for each text by itself."""
        return [() if text is None else self._judge(text) for text in texts]

    def _ask(self, text: str) -> Row:
        with _Timeouts() as timeouts:
            try:
                results = self.engine.analyze(
                    text,
                    self.language,
                    entities=list(self.entities),
                    score_threshold=self.threshold,
                )
            except Exception:  # noqa: BLE001 - whatever a recogniser raises: the row is not read
                return None
        if timeouts.seen:
            return None
        return in_order(Finding(r.start, r.end, r.score, r.entity_type) for r in results)


def predefined(language: str) -> list[EntityRecognizer]:
    """Make every recogniser that Presidio brings for a language and that needs no model."""
    path = Path(presidio_analyzer.__file__).parent / "conf" / "default_recognizers.yaml"
    shipped = yaml.safe_load(path.read_text(encoding="utf-8"))
    wanted = [
        {**entry, "enabled": True, "supported_languages": _in_one(entry, language)}
        for entry in shipped["recognizers"]
        if entry["name"] not in WANT_A_MODEL and _speaks(entry, language)
    ]
    return [*RecognizerListLoader.get(wanted, [language], shipped["global_regex_flags"])]


def languages() -> list[str]:
    """Name every language that some predefined recogniser is made for."""
    path = Path(presidio_analyzer.__file__).parent / "conf" / "default_recognizers.yaml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))["recognizers"]
    return sorted({name for entry in entries for name in _named(entry)})


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort a row's findings into the one order they have."""
    return tuple(sorted(findings, key=lambda f: (f.start, -f.end, -f.score, f.entity)))


def union(answers: Sequence[list[Row]]) -> list[Row]:
    """Join what several references say of the same rows; duplicates go as within one of them."""
    return [_joined(rows) if len(rows) > 1 else rows[0] for rows in zip(*answers, strict=True)]


def _joined(rows: Sequence[Row]) -> Row:
    if any(row is None for row in rows):
        return None
    results = [RecognizerResult(f.entity, f.start, f.end, f.score) for row in rows for f in row]
    left = EntityRecognizer.remove_duplicates(results)
    return in_order(Finding(r.start, r.end, r.score, r.entity_type) for r in left)


def _named(entry: dict[str, Any]) -> list[str]:
    return [_code(each) for each in entry.get("supported_languages") or []]


def _in_one(entry: dict[str, Any], language: str) -> list[Any] | None:
    """Give what an entry says of one language, which may be context words; None: of all alike."""
    spoken = entry.get("supported_languages") or []
    return [each for each in spoken if _code(each) == language] or None


def _code(spoken: str | dict[str, Any]) -> str:
    return spoken if isinstance(spoken, str) else spoken["language"]


def _speaks(entry: dict[str, Any], language: str) -> bool:
    return not _named(entry) or language in _named(entry)


class _Blank(SpacyNlpEngine):
    """Tokens and stop words of a language; a token's lemma is its lower-cased self."""

    def __init__(self, language: str) -> None:
        super().__init__()
        try:
            blank = spacy.blank(language)
        except ImportError:  # no such language, or its tokens come from a package of their own
            blank = spacy.blank("xx")
        blank.max_length = 2**31 - 1
        blank.add_pipe(LEMMAS)
        self.nlp = {language: blank}


@Language.component(LEMMAS)
def _lemmas(doc: Doc) -> Doc:
    for token in doc:
        token.lemma_ = token.lower_
    return doc


class _Timeouts(logging.Handler):
    """Sees Presidio warn that a pattern took too long and was skipped."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen = False

    def emit(self, record: logging.LogRecord) -> None:
        self.seen = self.seen or "timed out" in record.msg

    def __enter__(self) -> Self:
        logging.getLogger("presidio-analyzer").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("presidio-analyzer").removeHandler(self)
