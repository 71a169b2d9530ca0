"""A recogniser's own verdict on what a pattern of it matched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

_MOST: Final = 1.0
_UNKNOWN: Final = -1.0
_REMEMBERED: Final = 100_000
_LONGEST_REMEMBERED: Final = 200


class Checks:
    """A recogniser's checks, remembered by the text of the match."""

    def __init__(self, recognizer: Any) -> None:  # noqa: ANN401
        """Take the recogniser whose checks are asked."""
        from presidio_analyzer import PatternRecognizer

        kind = type(recognizer)
        validates = kind.validate_result is not PatternRecognizer.validate_result
        invalidates = kind.invalidate_result is not PatternRecognizer.invalidate_result
        self._validate = _validation(recognizer) if validates else None
        self._invalidate = recognizer.invalidate_result if invalidates else None
        self.indifferent = not validates and not invalidates
        self._known: dict[str, float | None] = {}

    def score(self, value: str, score: float) -> float:
        """Give the score of a match whose pattern has this one; 0 for none."""
        if self.indifferent:
            return score
        verdict = self._known.get(value, _UNKNOWN)
        if verdict is _UNKNOWN:
            verdict = self._verdict(value)
            if len(value) <= _LONGEST_REMEMBERED:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[value] = verdict
        return score if verdict is None else verdict

    def _verdict(self, value: str) -> float | None:
        """Give the score that the checks settle, None if they leave the pattern's."""
        valid = self._validate(value) if self._validate else None
        if self._invalidate and self._invalidate(value):
            return 0.0
        return None if valid is None else _MOST if valid else 0.0


def _validation(recognizer: Any) -> Callable[[str], bool | None]:  # noqa: ANN401
    """Give a recogniser's check; the one that would ask the network asks the list it comes with."""
    from presidio_analyzer.predefined_recognizers import EmailRecognizer

    if type(recognizer).validate_result is not EmailRecognizer.validate_result:
        return recognizer.validate_result  # type: ignore[no-any-return]
    import tldextract

    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    return lambda value: extract(value).fqdn != ""
