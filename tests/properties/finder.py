"""A small scanner of regular expressions, and texts for it: what reduction asks of a scanner."""

import re
from dataclasses import dataclass, field

import pyarrow as pa
from corpusgate.filters.found import Found
from corpusgate.filters.texts.leaves import leaves
from corpusgate.filters.texts.paths import parse_path

PATTERNS = {
    "CREDIT_CARD": (r"\b\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}\b", 1.0),
    "CRYPTO": (r"\bcrypt[0-9a-z]{4}\b", 0.6),
    "EMAIL_ADDRESS": (r"\b[\w.+-]+@\w+(?:\.\w+)+\b", 0.9),
    "IP_ADDRESS": (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", 0.6),
    "PERSON": (r"\b(?:Anna|Bert|[A-Z][a-z]+ (?:[A-Z][a-z]+))\b", 0.85),
    "PHONE_NUMBER": (r"(?<!\w)(?:\+?1[ .-]?)?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}\b", 0.4),
    "URL": (r"\b(?:https?://)?[a-z]+\.(?:com|org|net|de)\b(?:/\w+)?", 0.5),
}


@dataclass(frozen=True)
class Finder:
    """Finds by pattern; with `context`, an entity is found only beside that word."""

    patterns: dict = field(default_factory=lambda: PATTERNS)
    context: dict = field(default_factory=dict)
    unreadable: str = "\0"
    fingerprint: str = "patterns"
    reach: None = None

    def find(self, texts):
        names = tuple(sorted(self.patterns))
        found, unreadable = [], []
        for number, text in enumerate(texts.to_pylist()):
            if self.unreadable in text:
                unreadable.append(number)
                continue
            for entity, name in enumerate(names):
                pattern, score = self.patterns[name]
                if self.context.get(name, "") in text:
                    matches = re.finditer(pattern, text)
                    found += [(number, m.start(), -m.end(), -score, entity) for m in matches]
        return Found.of(names, found, unreadable)


def column_of(texts, path="text"):
    """Give the leaves of a column of texts, one a row, or of lists of them."""
    return leaves(texts if isinstance(texts, pa.Array) else pa.array(texts), parse_path(path))


def reduced_texts(reducer, texts, scopes=None):
    """Give the texts of one column after reduction, None for what is excluded."""
    column = column_of(pa.array(texts, pa.string()))
    result = reducer.reduce([column], scopes)
    out = column.replaced(*result.changed[0]).to_pylist()
    return [None if row in result.excluded else text for row, text in enumerate(out)]
