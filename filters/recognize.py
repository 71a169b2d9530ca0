"""Presidio's recognisers judge: candidates in, findings out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer


class Judge:
    """Recognisers of one language, run on whole texts."""

    def __init__(self, recognizers: list[EntityRecognizer], language: str, threshold: float) -> None:
        """Set up Presidio's engine with these recognisers and a blank tokenizer."""
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

        self.language = language
        registry = RecognizerRegistry(recognizers=recognizers, supported_languages=[language])
        self.engine = AnalyzerEngine(
            registry=registry,
            nlp_engine=blank_engine([language]),
            default_score_threshold=threshold,
            supported_languages=[language],
        )

    def find(self, text: str) -> list[tuple[int, int, float, str]]:
        """Give (start, end, score, entity) of one text."""
        if not text:
            return []
        results = self.engine.analyze(text, self.language)
        return [(r.start, r.end, float(r.score), r.entity_type) for r in results]


def blank_engine(languages: list[str]) -> Any:  # noqa: ANN401
    """Give an NLP engine that only splits words; a word's lemma is itself in lower case."""
    import spacy
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    engine = SpacyNlpEngine(models=[])
    engine.nlp = {}
    for language in languages:
        nlp = spacy.blank(language)
        nlp.max_length = 2**30
        tokenizer = nlp.tokenizer

        def make(text: str, tokenizer: Any = tokenizer) -> Any:  # noqa: ANN401
            doc = tokenizer(text)
            for token in doc:
                token.lemma_ = token.lower_
            return doc

        engine.nlp[language] = type("Blank", (), {"__call__": lambda _, t, make=make: make(t), "vocab": nlp.vocab})()
    return engine
