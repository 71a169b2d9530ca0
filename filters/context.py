"""Context words: what stands before a finding, in Presidio's sense, without splitting the whole text.

Presidio splits a text into spaCy's tokens and, for each finding, goes back from the token it starts
in until it has six *keywords*: tokens that are no stop words and no punctuation. If a context word
of the recogniser is part of one of them the score rises. Going forward it takes the first keyword
from that token on.

spaCy splits at white space first, and each stretch between by itself. So it is enough to split
the stretches that the walk comes through, each different one once. Two things reach further:

- a special case of the tokenizer (an emoticon, say) may span white space in its token matcher;
  where two neighbouring tokens could be part of one, the whole text is split instead;
- a stop word counts as a keyword if, somewhere in the text, it stands beside a colon inside another
  token; that is looked up in the whole text when such a word is met.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Final

import regex

_BEFORE: Final = 6
_LONGEST_STRETCH: Final = 100_000
_KEPT: Final = 200_000
_SPACES: Final = "".join(c for c in map(chr, range(0x110000)) if c.isspace())
_WORD_LEFT: Final = regex.compile(rf"(?r)[^{_SPACES}]+")
_WORD_RIGHT: Final = regex.compile(rf"[^{_SPACES}]+")
_SPACE_LEFT: Final = regex.compile(rf"(?r)[{_SPACES}]+")
_SPACE_RIGHT: Final = regex.compile(rf"[{_SPACES}]+")
# By whether the character is white space: what reaches to the left of it, what to the right.
_AROUND: Final = ((_WORD_LEFT, _WORD_RIGHT), (_SPACE_LEFT, _SPACE_RIGHT))
_UNSURE: Final = object()
_WITH_COLON: Final = regex.compile(rf"[^{_SPACES}:]*+:[^{_SPACES}]*+")
_ALWAYS, _NEVER, _BESIDE_COLON = range(3)

# Between words in a string of them; no context word has it.
SEPARATOR: Final = "\x00"


@dataclass(frozen=True)
class _Token:
    """A token in its stretch: where it ends, its lower case, and when it is a keyword."""

    end: int
    text: str
    lower: str
    kind: int


def blank(language: str) -> Any:  # noqa: ANN401
    """Give spaCy's pipeline for a language without a model; a word's lemma is its lower case.

    Where a language wants a tokenizer of its own that is not installed, or spaCy does not know it,
    the one for any language stands in.
    """
    import spacy

    try:
        nlp = spacy.blank(language)
    except ImportError:
        nlp = spacy.blank("xx")
    nlp.max_length = 1 << 30
    return nlp


def split(nlp: Any, text: str) -> Any:  # noqa: ANN401
    """Give a text's tokens with lemmas, as every part of Presidio is to see them."""
    document = nlp.make_doc(text)
    for token in document:
        # An empty lemma would match no context word.
        token.lemma_ = token.lower_
    return document


class Context:
    """Splits texts of one language, and remembers how stretches are split."""

    def __init__(self, language: str) -> None:
        """Make the tokenizer; a process needs one a language."""
        self.language = language
        self.nlp = blank(language)
        self._stretches: dict[str, list[_Token]] = {}

    def text(self, text: str) -> Text:
        """Take up a text."""
        return Text(text, self)

    @cached_property
    def by_stretch(self) -> bool:
        """Say whether the tokenizer splits at white space first."""
        from spacy.tokenizer import Tokenizer

        tokenizer = self.nlp.tokenizer
        return type(tokenizer) is Tokenizer and not any(
            set(rule) & set(_SPACES) for rule in tokenizer.rules or () if not rule.isspace()
        )

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Give the neighbouring tokens that special cases of several tokens consist of."""
        from spacy.tokenizer import Tokenizer

        own = self.nlp.tokenizer
        plain = Tokenizer(
            self.nlp.vocab,
            prefix_search=own.prefix_search,
            suffix_search=own.suffix_search,
            infix_finditer=own.infix_finditer,
            token_match=own.token_match,
            url_match=own.url_match,
        )
        found = set()
        for rule in own.rules or ():
            tokens = [t.text for t in plain(rule)]
            found.update(zip(tokens, tokens[1:], strict=False))
        return frozenset(found)

    def tokens(self, stretch: str) -> list[_Token]:
        """Split one stretch."""
        known = self._stretches.get(stretch)
        if known is None:
            known = self._tokens(stretch)
            if len(self._stretches) >= _KEPT:
                self._stretches.clear()
            self._stretches[stretch] = known
        return known

    def whole(self, text: str) -> list[_Token]:
        """Split a whole text, nothing remembered."""
        return self._tokens(text)

    def _tokens(self, stretch: str) -> list[_Token]:
        return [
            _Token(t.idx + len(t.text), t.text, t.lower_, self._kind(t.lower_))
            for t in self.nlp.make_doc(stretch)
        ]

    def _kind(self, lower: str) -> int:
        if ":" in lower:
            return _NEVER
        return _ALWAYS if self.counts(lower) else _BESIDE_COLON

    def counts(self, lower: str) -> bool:
        """Say whether a lemma is a keyword by itself."""
        lexeme = self.nlp.vocab[lower]
        return not (lexeme.is_stop or lexeme.is_punct or lower == "be")


@dataclass
class Text:
    """One text, and what was found out about its context."""

    text: str
    context: Context
    _known: dict[int, str] = field(default_factory=dict)

    def around(self, start: int) -> str:
        """Give the keywords that count for a finding, in lower case, joined by SEPARATOR.

        Raises ValueError where no token is left at or after the finding's start, as Presidio does.
        """
        known = self._known.get(start)
        if known is None:
            walk = self._nearby(start) if self.context.by_stretch else None
            known = SEPARATOR.join(self._entire(start) if walk is None else walk)
            self._known[start] = known
        return known

    def _nearby(self, start: int) -> list[str] | None:
        """Walk stretch by stretch; None where the whole could be split otherwise."""
        low, high = self._stretch(start)
        tokens, base = self._tokens(low, high)
        if tokens is None:
            return []
        first = next((i for i, t in enumerate(tokens) if base + t.end > start), None)
        if first is None:
            # The one space that spaCy makes no token of: the next token counts.
            if high == len(self.text):
                raise ValueError("a finding has no token")
            low, high = self._stretch(high)
            tokens, first = self._tokens(low, high)[0], 0
            if tokens is None:
                return []
        words = [tokens[first].lower] if self._is_keyword(tokens[first]) else []
        ahead = None if words else self._ahead(tokens, first, high)
        if ahead is _UNSURE:
            return None
        words = self._back(tokens, first, low)
        return None if words is None else words + ([ahead] if isinstance(ahead, str) else [])

    def _back(self, tokens: list[_Token], at: int, low: int) -> list[str] | None:
        """Collect keywords from a token backwards, itself included."""
        words: list[str] = []
        while True:
            for token in reversed(tokens[: at + 1]):
                if self._is_keyword(token):
                    words.append(token.lower)
                    if len(words) == _BEFORE:
                        break
            edge = tokens[0]
            found = self._left(low)
            if found is None:
                return words
            tokens, low, beside = found
            if beside and (tokens[-1].text, edge.text) in self.context.pairs:
                return None
            if len(words) == _BEFORE:
                return words
            at = len(tokens) - 1

    def _left(self, low: int) -> tuple[list[_Token], int, bool] | None:
        """Give the tokens of the stretch before, its start, and whether only one space parts it."""
        if low == 0:
            return None
        start, _ = self._stretch(low - 1)
        tokens, _ = self._tokens(start, low)
        if tokens is None:
            return None
        if tokens:
            return tokens, start, False
        found = self._left(start)
        return found and (found[0], found[1], True)

    def _ahead(self, tokens: list[_Token], at: int, high: int) -> str | object | None:
        """Give the first keyword after a token, if there is one."""
        while True:
            for token in tokens[at:]:
                if self._is_keyword(token):
                    at = -1
                    break
            edge, beside = tokens[-1], False
            following: list[_Token] | None = []
            while not following:
                if high == len(self.text):
                    return token.lower if at < 0 else None
                low, high = self._stretch(high)
                following, _ = self._tokens(low, high)
                beside = beside or not following
                if following is None:
                    return token.lower if at < 0 else None
            if beside and (edge.text, following[0].text) in self.context.pairs:
                return _UNSURE
            if at < 0:
                return token.lower
            tokens, at = following, 0

    def _stretch(self, at: int) -> tuple[int, int]:
        """Give the bounds of the white space, or of what is none, in which a character stands."""
        left, right = _AROUND[self.text[at].isspace()]
        least = max(0, at - _LONGEST_STRETCH)
        return (
            left.match(self.text, least, at + 1).start(),
            right.match(self.text, at, at + _LONGEST_STRETCH + 1).end(),
        )

    def _tokens(self, low: int, high: int) -> tuple[list[_Token] | None, int]:
        """Split a stretch; no tokens for the one space that is none, None where it is too long."""
        if high - low >= _LONGEST_STRETCH:
            return None, low
        if low and self.text[low] == " ":
            low += 1
        return (self.context.tokens(self.text[low:high]) if low < high else []), low

    def _entire(self, start: int) -> list[str]:
        """Walk over the tokens of the whole text."""
        tokens = self._all
        first = bisect_right(tokens, start, key=lambda t: t.end)
        if first == len(tokens):
            raise ValueError("a finding has no token")
        back = (t.lower for t in reversed(tokens[: first + 1]) if self._is_keyword(t))
        ahead = (t.lower for t in tokens[first:] if self._is_keyword(t))
        return [*islice(back, _BEFORE), *islice(ahead, 1)]

    @cached_property
    def _all(self) -> list[_Token]:
        return self.context.whole(self.text)

    def _is_keyword(self, token: _Token) -> bool:
        if token.kind == _BESIDE_COLON:
            return self._beside_colon(token.lower)
        return token.kind == _ALWAYS

    def _beside_colon(self, lower: str) -> bool:
        if len(self.text) <= _LONGEST_STRETCH:
            text = self._lower
            if f"{lower}:" not in text and f":{lower}" not in text:
                return False
        return lower in self._pieces

    @cached_property
    def _lower(self) -> str:
        return self.text.lower()

    @cached_property
    def _pieces(self) -> frozenset[str]:
        """Give what stands between colons in keywords."""
        if not self.context.by_stretch:
            tokens = [t for t in self._all if ":" in t.lower]
        else:
            stretches = set(_WITH_COLON.findall(self.text))
            short = [s for s in stretches if len(s) < _LONGEST_STRETCH]
            tokens = [t for s in short for t in self.context.tokens(s) if ":" in t.lower]
        return frozenset(
            piece for t in tokens if self.context.counts(t.lower) for piece in t.lower.split(":")
        )
