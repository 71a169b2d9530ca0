"""The same configuration twice: our scanner in profile `presidio`, and Presidio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from corpusgate.filters.detect.entities import CATALOGUE
from corpusgate.filters.detect.scanner import Scanner
from corpusgate.filters.recognizers.secrets import secret_recognizers

from .compare import differences, ours
from .reference import Reference, Row, union

_COMPILED: dict[str, bytes] = {}


@dataclass(frozen=True)
class Pair:
    """A scanner, and one reference for each of its languages."""

    scanner: Scanner
    references: tuple[Reference, ...]

    def expected(self, texts: Iterable[str | None]) -> list[Row]:
        """Ask Presidio, row by row."""
        texts = list(texts)
        return union([reference.find(texts) for reference in self.references])

    def differences(
        self, texts: Sequence[str | None], first: int = 0, expected: list[Row] | None = None
    ) -> list[str]:
        """Describe the rows on which the two differ; `expected` is what Presidio says, if known."""
        if expected is None:
            expected = self.expected(texts)
        return differences(ours(self.scanner, texts), expected, first)


@cache
def defaults(*languages: str, threshold: float = 0.4) -> Pair:
    """Give the entities that are looked for unless somebody chooses, credentials too."""
    usual = {entity.name for entity in CATALOGUE.values() if entity.default}
    references = []
    for language in languages or ("en",):
        extra = secret_recognizers(language)
        offered = Reference(None, threshold, language, extra).entities
        mine = usual | {name for each in extra for name in each.supported_entities}
        references.append(Reference(sorted(mine & set(offered)), threshold, language, extra))
    return _pair(references, threshold)


@cache
def everything(language: str, country: str | None = None, threshold: float = 0.4) -> Pair:
    """Give all of Presidio's entities in a language, or those of one country."""
    names = Reference(None, threshold, language).entities
    if country is not None:
        names = tuple(name for name in names if CATALOGUE[name].country == country)
    return _pair([Reference(names, threshold, language)], threshold)


def countries(language: str) -> list[str]:
    """Name the countries that have entities of their own in a language."""
    names = Reference(None, language=language).entities
    return sorted({CATALOGUE[name].country for name in names} - {None})


def _once(name: str, make: Callable[[], bytes]) -> bytes:
    if name not in _COMPILED:
        _COMPILED[name] = make()
    return _COMPILED[name]


def _pair(references: Sequence[Reference], threshold: float) -> Pair:
    names = sorted({name for reference in references for name in reference.entities})
    languages = [reference.language for reference in references]
    scanner = Scanner(names, threshold, languages, profile="presidio", cache=_once)
    return Pair(scanner, tuple(references))
