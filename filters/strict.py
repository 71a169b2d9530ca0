"""Recognisers of the profile `strict`, which stand in for Presidio's, entity by entity."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer


def strict_recognizers(language: str = "en") -> list[PatternRecognizer]:
    """Give the recognisers that replace Presidio's of the same entities, for one language."""
    _ = language
    return []
