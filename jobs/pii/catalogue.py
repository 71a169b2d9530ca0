"""Which entities there are, how to ask for them, and who recognises them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from ...filters.detect.entities import CATALOGUE, PROFILES, recognizers
from ...filters.names.spec import ENTITIES as NAMES

_HOME: Final = "en"
Asked = Literal["default", "by name", "nlp"]


@dataclass(frozen=True)
class Entry:
    """One entity. It is looked for by default, by name, or by an NLP engine.

    `languages` are those whose texts it is looked for in, empty for all; `strict` and `presidio`
    name the recognisers of each profile.
    """

    entity: str
    asked: Asked
    country: str | None
    languages: tuple[str, ...]
    strict: tuple[str, ...]
    presidio: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Give what `--json` prints of it."""
        return asdict(self)


def catalogue() -> list[Entry]:
    """List every entity, in alphabetical order. Imports Presidio."""
    spoken = sorted({code for entity in CATALOGUE.values() for code in entity.languages} | {_HOME})
    who: dict[str, dict[str, set[str]]] = {}
    for language in spoken:
        known = [e.name for e in CATALOGUE.values() if language in (e.languages or (language,))]
        for profile in PROFILES:
            recognizer: Any  # Presidio's classes leave the type of their name open
            for recognizer in recognizers(["default", *known], [language], profile):
                for name in recognizer.supported_entities:
                    mine = who.setdefault(name, {each: set() for each in PROFILES})
                    mine[profile].add(recognizer.name)
    names = [Entry(name, "nlp", None, (), ("NLP engine",), ("NLP engine",)) for name in NAMES]
    found = [_entry(name, recognised) for name, recognised in who.items()]
    return sorted(found + names, key=lambda entry: entry.entity)


def _entry(name: str, recognised: dict[str, set[str]]) -> Entry:
    strict, presidio = (tuple(sorted(recognised[profile])) for profile in ("strict", "presidio"))
    if name not in CATALOGUE:  # ours, for every language
        return Entry(name, "default", None, (), strict, presidio)
    entity = CATALOGUE[name]
    asked: Asked = "default" if entity.default else "by name"
    return Entry(name, asked, entity.country, entity.languages, strict, presidio)


def chosen(
    entries: Iterable[Entry], country: str | None = None, language: str | None = None
) -> list[Entry]:
    """Give the entities of a country, and those written for a language.

    >>> entry = Entry("DE_PLZ", "by name", "de", ("de",), (), ())
    >>> chosen([entry], country="de") == chosen([entry], language="de") == [entry]
    True
    >>> chosen([entry], language="en")
    []
    """
    return [
        entry
        for entry in entries
        if country in {None, entry.country} and (language is None or language in entry.languages)
    ]
