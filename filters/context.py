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

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from threading import Lock
from typing import Any, Final, NamedTuple

import regex

_BEFORE: Final = 6
_LONGEST_STRETCH: Final = 100_000
_KEPT: Final = 100_000
_STRETCHES_BACK: Final = 24
_STRETCHES_ON: Final = 6
_SPACES: Final = "".join(c for c in map(chr, range(0x110000)) if c.isspace())
_WORD_LEFT: Final = regex.compile(rf"(?r)[^{_SPACES}]+")
_WORD_RIGHT: Final = regex.compile(rf"[^{_SPACES}]+")
_SPACE_LEFT: Final = regex.compile(rf"(?r)[{_SPACES}]+")
_SPACE_RIGHT: Final = regex.compile(rf"[{_SPACES}]+")
_STRETCHES: Final = re.compile(r"(\s+)").split
_AROUND: Final = 200
_WORTH: Final = 1000
# By whether the character is white space: what reaches to the left of it, what to the right.
_RUNS: Final = ((_WORD_LEFT, _WORD_RIGHT), (_SPACE_LEFT, _SPACE_RIGHT))
_ALWAYS, _NEVER, _BESIDE_COLON = range(3)

# Between words in a string of them; no context word has it.
SEPARATOR: Final = "\x00"


@dataclass(frozen=True)
class _Token:
    """A token in its stretch: where it ends, its lower case, and when it is a keyword."""

    end: int
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
        self._stretches: dict[str, list[_Token]] = {}
        self.sure: set[str] = set()

    def text(self, text: str, findings: int = 1) -> Text:
        """Take up a text; with many findings it pays to ask first what is in it at all."""
        return Text(text, self, many=findings * _WORTH > len(text))

    @cached_property
    def by_stretch(self) -> bool:
        """Say whether the tokenizer splits at white space first."""
        from spacy.tokenizer import Tokenizer

        tokenizer = self.nlp.tokenizer
        return type(tokenizer) is Tokenizer and not any(
            set(rule) & set(_SPACES) for rule in tokenizer.rules or () if not rule.isspace()
        )

    @cached_property
    def _pairs(self) -> frozenset[tuple[str, str]]:
        """Give the neighbouring tokens that special cases of several tokens consist of."""
        found: set[tuple[str, str]] = set()
        for rule in self.nlp.tokenizer.rules or ():
            tokens = self._plain(rule)
            found.update(zip(tokens, tokens[1:], strict=False))
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
        return (self._plain(one)[-1], self._plain(other)[0]) in self._pairs

    def _plain(self, stretch: str) -> list[str]:
        """Split a stretch without special cases."""
        return [t.text for t in self._unspecial(stretch)]

    def tokens(self, stretch: str) -> list[_Token]:
        """Split one stretch."""
        known = self._stretches.get(stretch)
        if known is None:
            with self._lock:
                known = self._tokens(stretch)
            if len(self._stretches) >= _KEPT:
                self._fresh()
            self._stretches[stretch] = known
            alone = len(known) == 1 and known[0].kind == _ALWAYS and self.by_stretch
            if alone and not stretch.isspace() and stretch not in self.nlp.tokenizer.rules:
                self.sure.add(stretch)
        return known

    def whole(self, text: str) -> list[_Token]:
        """Split a whole text, nothing remembered."""
        with self._lock:
            return self._tokens(text)

    def _tokens(self, stretch: str) -> list[_Token]:
        return [
            _Token(t.idx + len(t.text), t.text.lower(), self._kind(t.text.lower()))
            for t in self.nlp.make_doc(stretch)
        ]

    def _kind(self, lower: str) -> int:
        if ":" in lower:
            return _NEVER
        return _ALWAYS if self.counts(lower) else _BESIDE_COLON

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


class _Walk(NamedTuple):
    """Keywords, and whether there were as many as are looked for, before and after."""

    words: list[str]
    full: bool
    ahead: bool


class _Window:
    """The stretches around a finding, in turn white space and none; IndexError where they end."""

    def __init__(self, text: Text, low: int, high: int, start: int, *, certain: bool) -> None:
        parts = _STRETCHES(text.text[low:high])
        begin, end = int(not parts[0]), len(parts) - (not parts[-1])
        self._parts = parts[begin:end]
        self._text, self._certain, self._start = text, certain, start
        self._base = low
        # The outermost stretches may go on beyond the window.
        self._first = int(low > 0)
        self._last = len(self._parts) - 1 - (high < len(text.text))
        self._opens, self._closes = low == 0, high == len(text.text)

    def walk(self) -> list[str] | None:
        """Collect keywords; None where the tokens might be others."""
        here, base = 0, self._base
        for here, part in enumerate(self._parts):
            if base + len(part) > self._start:
                break
            base += len(part)
        tokens, dropped = self._tokens(here), self._drops(here)
        ends = (base + dropped + t.end > self._start for t in tokens)
        at = next((i for i, end in enumerate(ends) if end), None)
        if at is None:
            # The one space that spaCy makes no token of: the next token counts.
            if here == self._last and self._closes:
                raise ValueError("a finding has no token")
            here, at = here + 1, 0
            tokens = self._tokens(here)
        back = self._collect(here, -1, tokens[at::-1], _BEFORE)
        ahead = self._collect(here, 1, tokens[at:], 1)
        return None if back is None or ahead is None else back + ahead

    def _collect(self, here: int, step: int, tokens: list[_Token], left: int) -> list[str] | None:
        words: list[str] = []
        while True:
            for token in tokens:
                counts = self._text.counts(token, certain=self._certain)
                if counts is not None:
                    words.append(token.lower)
                    left -= counts
                    if not left:
                        break
            following = here + step
            if self._ends(following):
                return words
            tokens = self._tokens(following)
            if not tokens:
                following += step
                if self._ends(following):
                    return words
                if self._text.context.joins(
                    self._parts[min(here, following)], self._parts[max(here, following)]
                ):
                    return None
                tokens = self._tokens(following)
            if not left:
                return words
            here, tokens = following, tokens[::step]

    def _ends(self, at: int) -> bool:
        """Say whether the text ends before this stretch."""
        return (at < self._first and self._opens) or (at > self._last and self._closes)

    def _drops(self, at: int) -> bool:
        """Say whether a stretch begins with the space that spaCy makes no token of."""
        return self._parts[at][0] == " " and not (at == 0 and self._opens)

    def _tokens(self, at: int) -> list[_Token]:
        if not self._first <= at <= self._last:
            raise IndexError
        part = self._parts[at][self._drops(at) :]
        return self._text.context.tokens(part) if part else []


@dataclass
class Text:
    """One text, and what was found out about its context."""

    text: str
    context: Context
    many: bool = False
    _nowhere: dict[tuple[str, ...], bool] = field(default_factory=dict)
    _wide: dict[int, str] = field(default_factory=dict)
    _likely: dict[int, str] = field(default_factory=dict)
    _certain: dict[int, str] = field(default_factory=dict)
    _beside: dict[str, bool] = field(default_factory=dict)

    def near(self, start: int, words: Sequence[str]) -> bool:
        """Say whether one of these words, in lower case, is part of a keyword near a finding.

        Raises ValueError where no token is left at or after the finding's start, as Presidio does.
        """
        if self.many and self._absent(tuple(words)) and start < self._last:
            return False
        whole = self._wide.get(start)
        if whole is None:
            whole = self._wide[start] = self._surely(start)
        if whole and not any(word in whole for word in words):
            return False
        likely = self._likely.get(start)
        if likely is None:
            likely = self._likely[start] = self._joined(start, certain=False)
        if not any(word in likely for word in words):
            return False
        certain = self._certain.get(start)
        if certain is None:
            certain = self._certain[start] = self._joined(start, certain=True)
        return any(word in certain for word in words)

    def _absent(self, words: tuple[str, ...]) -> bool:
        """Say whether none of these words is anywhere in the text."""
        known = self._nowhere.get(words)
        if known is None:
            text = self._lower
            # How a capital sigma is lowered depends on what follows.
            known = "\u03a3" not in self.text and not any(word in text for word in words)
            self._nowhere[words] = known
        return known

    @cached_property
    def _last(self) -> int:
        """Where the last token ends: what starts before it has a token."""
        return len(self.text.rstrip())

    def _surely(self, start: int) -> str:
        """Give a part of the text, in lower case, out of which no walk leads; "" if not known.

        It has words enough on both sides that are known to be one keyword each.
        """
        sure = self.context.sure
        low, high = max(0, start - _AROUND), start + _AROUND // 2
        part = self.text[low:high]
        # Cut off at both ends, and where the finding starts, words may be parts of others. How a
        # capital sigma is lowered depends on what follows.
        back, ahead = part[: start - low].split()[1:-1], part[start - low :].split()[1:-1]
        enough = low == 0 or sum(map(sure.__contains__, back)) >= _BEFORE
        enough = enough and (high >= len(self.text) or any(map(sure.__contains__, ahead)))
        return part.lower() if enough and "\u03a3" not in part else ""

    def _joined(self, start: int, *, certain: bool) -> str:
        """Give the keywords that count; if not `certain`, with all that might."""
        walk = None
        if self.context.by_stretch:
            walk = self._nearby(start, certain=certain)
            if walk is None:
                walk = self._regional(start, certain=certain)
        if walk is None:
            walk = self._flat(self._all, start, certain=certain).words
        return SEPARATOR.join(walk)

    def _nearby(self, start: int, *, certain: bool) -> list[str] | None:
        """Walk through the stretches around; None where they could be split otherwise."""
        size = _AROUND
        while size < _LONGEST_STRETCH:
            low, high = max(0, start - size), min(len(self.text), start + size // 2)
            window = _Window(self, low, high, start, certain=certain)
            try:
                return window.walk()
            except IndexError:
                size *= 4
        return []

    def counts(self, token: _Token, *, certain: bool) -> bool | None:
        """Say whether a token is a keyword; None for no, False for one that may be."""
        if token.kind == _BESIDE_COLON and not certain:
            return False
        return True if self._is_keyword(token) else None

    def _stretch(self, at: int) -> tuple[int, int]:
        """Give the bounds of the white space, or of what is none, in which a character stands."""
        left, right = _RUNS[self.text[at].isspace()]
        least = max(0, at - _LONGEST_STRETCH)
        return (
            left.match(self.text, least, at + 1).start(),
            right.match(self.text, at, at + _LONGEST_STRETCH + 1).end(),
        )

    def _regional(self, start: int, *, certain: bool) -> list[str] | None:
        """Walk over the tokens of a part that no special case leads out of; None if too short."""
        low, high = self._stretch(start)
        for step in count():
            # White space that a text begins with is split otherwise than inside one.
            if low == 0:
                break
            if step >= _STRETCHES_BACK and not self.text[low].isspace() and not self._meets(low):
                break
            low = self._stretch(low - 1)[0]
        for step in count():
            if high == len(self.text):
                break
            if (
                step >= _STRETCHES_ON
                and not self.text[high - 1].isspace()
                and not self._meets(high)
            ):
                break
            high = self._stretch(high)[1]
        if high - low > _LONGEST_STRETCH:
            return None
        tokens = self.context.whole(self.text[low:high])
        walk = self._flat(tokens, start - low, certain=certain)
        short = (low and not walk.full) or (high < len(self.text) and not walk.ahead)
        return None if short else walk.words

    def _meets(self, at: int) -> bool:
        """Say whether special cases could span the edge of a stretch."""
        left, right = self.text[at - 1], self.text[at]
        if left == " " and at > 1:
            left = self.text[at - 2]
        elif right == " " and at + 1 < len(self.text):
            right = self.text[at + 1]
        return left + right in self.context.edges

    def _flat(self, tokens: list[_Token], start: int, *, certain: bool) -> _Walk:
        """Walk over tokens in a row."""
        first = bisect_right(tokens, start, key=lambda t: t.end)
        if first == len(tokens):
            raise ValueError("a finding has no token")
        words: list[str] = []
        left = [_BEFORE, 1]
        for way, walk in enumerate((reversed(tokens[: first + 1]), tokens[first:])):
            for token in walk:
                counts = self.counts(token, certain=certain)
                if counts is not None:
                    words.append(token.lower)
                    left[way] -= counts
                    if not left[way]:
                        break
        return _Walk(words, full=not left[0], ahead=not left[1])

    @cached_property
    def _all(self) -> list[_Token]:
        return self.context.whole(self.text)

    def _is_keyword(self, token: _Token) -> bool:
        if token.kind == _BESIDE_COLON:
            return self._beside_colon(token.lower)
        return token.kind == _ALWAYS

    def _beside_colon(self, lower: str) -> bool:
        """Say whether a word stands beside a colon in a token that is a keyword."""
        known = self._beside.get(lower)
        if known is None:
            # What matches is no less than what could; case is settled on the token.
            ends = (f"{lower}:", f":{lower}")
            likely = any(end in self._lower for end in ends)
            known = self._beside[lower] = any(
                lower in t.lower.split(":") and self.context.counts(t.lower)
                for stretch, its_lower in (self._with_colon if likely else ())
                if ends[0] in its_lower or ends[1] in its_lower
                for t in self._split_again(stretch)
                if ":" in t.lower
            )
        return known

    def _split_again(self, stretch: str) -> list[_Token]:
        if not self.context.by_stretch:
            return self._all
        return self.context.tokens(stretch) if len(stretch) < _LONGEST_STRETCH else []

    @cached_property
    def _lower(self) -> str:
        return self.text.lower()

    @cached_property
    def _with_colon(self) -> list[tuple[str, str]]:
        return [(s, s.lower()) for s in set(self.text.split()) if ":" in s]
