"""Recognisers of which nothing is known: they get whole texts, as Presidio's engine gives them.

A user's own recogniser may do anything in `analyze`, or in `enhance_using_context`, which sees the
results of all others. With one of the latter kind Presidio's engine itself looks at every text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .tokens import blank, split

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer, RecognizerResult


class Opaque:
    """Runs recognisers on whole texts of one language."""

    def __init__(self, recognizers: Sequence[EntityRecognizer], language: str) -> None:
        """Take all recognisers of the language; each may ask which entities are looked for."""
        self.recognizers = list(recognizers)
        self.language = language
        self.entities = sorted({n for r in recognizers for n in r.supported_entities})

    def results(self, recognizer: EntityRecognizer, text: str) -> list[RecognizerResult]:
        """Give what one recogniser finds in a text."""
        artifacts = self._engine.process_text(text, self.language)
        found = recognizer.analyze(text=text, entities=self.entities, nlp_artifacts=artifacts)
        return list(found or ())

    @cached_property
    def _engine(self) -> Any:  # noqa: ANN401
        return nlp_engine(self.language)


def nlp_engine(language: str) -> Any:  # noqa: ANN401
    """Give Presidio's NLP engine around a tokenizer alone; a word's lemma is its lower case.

    >>> nlp_engine("en").process_text("Call ME", "en").lemmas
    ['call', 'me']
    """
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class TokensOnly(SpacyNlpEngine):
        nlp: Any

        def __init__(self) -> None:
            super().__init__(models=[])
            self.nlp = {language: blank(language)}

        def process_text(self, text: str, language: str) -> Any:  # noqa: ANN401
            return self._doc_to_nlp_artifact(split(self.nlp[language], text), language)

    return TokensOnly()


def analyzer(recognizers: Sequence[EntityRecognizer], language: str, threshold: float) -> Any:  # noqa: ANN401
    """Give Presidio's engine with these recognisers, and nothing that it would add or download.

    This is what a scanner's findings in profile `presidio` are equal to.
    """
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

    return AnalyzerEngine(
        registry=RecognizerRegistry(list(recognizers), supported_languages=[language]),
        nlp_engine=nlp_engine(language),
        default_score_threshold=threshold,
        supported_languages=[language],
    )
