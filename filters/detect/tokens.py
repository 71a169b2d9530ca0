"""How spaCy splits texts of one language, stretch by stretch.

spaCy splits at white space first, and each stretch between by itself, so a stretch is split once
and remembered. Afterwards it looks, among the tokens, for those of special cases (emoticons, say)
and makes them one again: also over white space, where then nothing is made one, but others that
overlap are not either. `joins` says where that can happen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from threading import Lock
from typing import Any, Final, NamedTuple

# All white space there is; no character beyond is any.
SPACES: Final = frozenset(c for c in map(chr, range(0x3001)) if c.isspace())
_KEPT: Final = 100_000
_DIGIT: Final = re.compile("[0-9]")

# When a token is a keyword: always, never, or only if it stands beside a colon in another token.
ALWAYS, NEVER, BESIDE_COLON = range(3)


class Token(NamedTuple):
    """A token in its stretch: where it ends, its lower case, and when it is a keyword."""

    end: int
    lower: str
    kind: int


class _Answers(dict[str, bool]):
    """Answers by stretch, asked for once; a lookup is all that most cost."""

    def __init__(self, ask: Callable[[str], bool]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, stretch: str) -> bool:
        if len(self) >= _KEPT:
            self.clear()
        known = self[stretch] = self._ask(stretch)
        return known


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


class Tokens:
    """Splits texts of one language, and remembers how stretches are split."""

    def __init__(self, language: str) -> None:
        """Make the tokenizer; a process needs one a language."""
        self.language = language
        self._counting: dict[str, bool] = {}
        # spaCy's tokenizer is not made for several threads at a time.
        self._lock = Lock()
        self._fresh()

    def _fresh(self) -> None:
        """Forget all stretches, and with them the words that spaCy has stored for ever."""
        from spacy.attrs import IS_PUNCT, IS_STOP

        self.nlp = blank(self.language)
        getters = self.nlp.vocab.lex_attr_getters
        self._is_stop, self._is_punct = getters[IS_STOP], getters[IS_PUNCT]
        # Nothing else is asked of a word, and working out the rest is most of the work.
        self.nlp.vocab.lex_attr_getters = {}
        self._stretches: dict[str, list[Token]] = {}
        self._ends: dict[str, tuple[str, str]] = {}
        self.sure = _Answers(self._surely)
        self.idle = _Answers(self._idly)

    @cached_property
    def by_stretch(self) -> bool:
        """Say whether the tokenizer splits at white space first."""
        from spacy.tokenizer import Tokenizer

        tokenizer = self.nlp.tokenizer
        return type(tokenizer) is Tokenizer and not any(
            set(rule) & SPACES for rule in tokenizer.rules or () if not rule.isspace()
        )

    @cached_property
    def _pairs(self) -> frozenset[tuple[str, str]]:
        """Give the neighbouring tokens that special cases of several tokens consist of."""
        found: set[tuple[str, str]] = set()
        for rule in self.nlp.tokenizer.rules or ():
            tokens = self._plain(rule)
            found.update(pairwise(tokens))
        return frozenset(found)

    @cached_property
    def _unspecial(self) -> Any:  # noqa: ANN401
        from spacy.tokenizer import Tokenizer

        own = self.nlp.tokenizer
        return Tokenizer(
            self.nlp.vocab,
            prefix_search=own.prefix_search,
            suffix_search=own.suffix_search,
            infix_finditer=own.infix_finditer,
            token_match=own.token_match,
            url_match=own.url_match,
        )

    @cached_property
    def edges(self) -> frozenset[str]:
        """Give what stands on both sides of where such tokens meet."""
        return frozenset(one[-1] + other[0] for one, other in self._pairs)

    def joins(self, one: str, other: str) -> bool:
        """Say whether special cases could span the one space between two stretches.

        They are looked for among the tokens as they are before special cases are made one again.
        """
        if one[-1] + other[0] not in self.edges:
            return False
        return (self._outer(one)[1], self._outer(other)[0]) in self._pairs

    def _outer(self, stretch: str) -> tuple[str, str]:
        """Give the first and the last token of a stretch without special cases."""
        known = self._ends.get(stretch)
        if known is None:
            with self._lock:
                tokens = self._plain(stretch)
            known = self._ends[stretch] = (tokens[0], tokens[-1])
        return known

    def _plain(self, stretch: str) -> list[str]:
        """Split a stretch without special cases."""
        return [t.text for t in self._unspecial(stretch)]

    def known(self, stretch: str) -> list[Token] | None:
        """Give how a stretch without white space is split, if that is remembered."""
        return None if stretch.isspace() else self._stretches.get(stretch)

    def tokens(self, stretch: str) -> list[Token]:
        """Split one stretch."""
        known = self._stretches.get(stretch)
        if known is None:
            with self._lock:
                known = self._tokens(stretch)
            if len(self._stretches) >= _KEPT:
                self._fresh()
            self._stretches[stretch] = known
        return known

    def _surely(self, stretch: str) -> bool:
        """Say whether one of the tokens of a stretch surely is a keyword, wherever it stands."""
        if ":" in stretch or not self.by_stretch:
            return False
        if self._numbers_count and _DIGIT.search(stretch):
            return True
        return self._is_word(stretch) and self.counts(stretch.lower())

    def _idly(self, stretch: str) -> bool:
        """Say whether a stretch surely is one token that is no keyword, but beside a colon."""
        if not self.by_stretch or self.sure[stretch]:  # most are, which is known already
            return False
        return self._is_word(stretch) and not self.counts(stretch.lower())

    def _is_word(self, stretch: str) -> bool:
        """Say whether a stretch is letters that no expression of the tokenizer takes apart."""
        tokenizer = self.nlp.tokenizer
        return (
            stretch.isalpha()
            and stretch not in (tokenizer.rules or ())
            and not (tokenizer.prefix_search and tokenizer.prefix_search(stretch))
            and not (tokenizer.suffix_search and tokenizer.suffix_search(stretch))
            and not (tokenizer.infix_finditer and any(tokenizer.infix_finditer(stretch)))
        )

    @cached_property
    def _numbers_count(self) -> bool:
        """Say whether a token with a digit is a keyword: no stop word has one."""
        return not any(_DIGIT.search(word) for word in self.nlp.Defaults.stop_words)

    def whole(self, text: str) -> list[Token]:
        """Split a whole text, nothing remembered."""
        with self._lock:
            return self._tokens(text)

    def _tokens(self, stretch: str) -> list[Token]:
        made = ((t.idx + len(t), t.text.lower()) for t in self.nlp.make_doc(stretch))
        return [Token(end, lower, self._kind(lower)) for end, lower in made]

    def _kind(self, lower: str) -> int:
        if ":" in lower:
            return NEVER
        return ALWAYS if self.counts(lower) else BESIDE_COLON

    def counts(self, lower: str) -> bool:
        """Say whether a lemma is a keyword by itself."""
        known = self._counting.get(lower)
        if known is None:
            if len(self._counting) >= _KEPT:
                self._counting.clear()
            # What lexemes are made with; making one for every word would keep them all.
            known = not (self._is_stop(lower) or self._is_punct(lower) or lower == "be")
            self._counting[lower] = known
        return known
