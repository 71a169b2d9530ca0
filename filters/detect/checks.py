"""A recogniser's own verdict on what a pattern of it matched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

_MOST: Final = 1.0
_REMEMBERED: Final = 100_000
_LONGEST_REMEMBERED: Final = 200


class Checks:
    """A recogniser's checks, remembered by the text of the match."""

    def __init__(self, recognizer: Any) -> None:  # noqa: ANN401
        """Take the recogniser whose checks are asked."""
        from presidio_analyzer import PatternRecognizer

        kind = type(recognizer)
        self._recognizer = recognizer
        self._validate = _validation(recognizer)
        self.indifferent = (
            kind.validate_result is PatternRecognizer.validate_result
            and kind.invalidate_result is PatternRecognizer.invalidate_result
        )
        self._known: dict[str, tuple[bool | None, bool]] = {}

    def score(self, value: str, score: float) -> float:
        """Give the score of a match whose pattern has this one; 0 for none."""
        if self.indifferent:
            return score
        known = self._known.get(value)
        if known is None:
            valid = self._validate(value)
            invalid = self._recognizer.invalidate_result(value)
            known = (None if valid is None else bool(valid), bool(invalid))
            if len(value) <= _LONGEST_REMEMBERED:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[value] = known
        valid, invalid = known
        if invalid:
            return 0
        return score if valid is None else _MOST if valid else 0


def _validation(recognizer: Any) -> Callable[[str], bool | None]:  # noqa: ANN401
    """Give a recogniser's check; the one that would ask the network asks the list it comes with."""
    from presidio_analyzer.predefined_recognizers import EmailRecognizer

    if type(recognizer).validate_result is not EmailRecognizer.validate_result:
        return recognizer.validate_result  # type: ignore[no-any-return]
    import tldextract

    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    return lambda value: extract(value).fqdn != ""
