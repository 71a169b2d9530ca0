"""Context words: what stands before a finding, in Presidio's sense.

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
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Final, NamedTuple

import regex

from .colons import Colons
from .tokens import ALWAYS, BESIDE_COLON, SPACES, Token, Tokens
from .windows import AROUND, BEFORE, PlainWindow, Window

_LONGEST_STRETCH: Final = 100_000
_STRETCHES_BACK: Final = 24
_STRETCHES_ON: Final = 6
_NEAR: Final = 30
_PLAIN: Final = 80
_CLASS: Final = "".join(sorted(SPACES))
# What reaches to the left and to the right of a character, by whether it is white space.
_RUNS: Final = tuple(
    (regex.compile(rf"(?r)[{sign}{_CLASS}]+"), regex.compile(rf"[{sign}{_CLASS}]+"))
    for sign in ("^", "")
)
# Between words in a string of them; no context word has it.
SEPARATOR: Final = "\x00"


class _Walk(NamedTuple):
    """Keywords, and whether there were as many as are looked for, before and after."""

    words: list[str]
    full: bool
    ahead: bool


@dataclass
class Text:
    """One text, and what was found out about its context."""

    text: str
    tokens: Tokens
    _nowhere: dict[tuple[str, ...], bool] = field(default_factory=dict)
    _around: dict[int, str] = field(default_factory=dict)
    _before: dict[int, str] = field(default_factory=dict)
    _busy: dict[int, str] = field(default_factory=dict)
    _likely: dict[int, str] = field(default_factory=dict)
    _certain: dict[int, str] = field(default_factory=dict)
    _beside: dict[str, bool] = field(default_factory=dict)
    _stretch_of_region: tuple[int, int] = (0, 0)
    _last_region: tuple[int, int, list[Token] | None] = (0, 0, None)
    _last_walked: tuple[int, list[str]] = (-1, [])

    def near(self, start: int, words: tuple[str, ...]) -> bool:
        """Say whether one of these words, in lower case, is part of a keyword near a finding.

        Raises ValueError where no token is left at or after the finding's start, as Presidio does.
        """
        told = self._told(start, words) if self.has_token(start) else None
        if told is not None:
            return told
        if self._colons.stretches:
            likely = self._likely.get(start)
            if likely is None:
                likely = self._likely[start] = self._joined(start, certain=False)
            if not any(word in likely for word in words):
                return False
        certain = self._certain.get(start)
        if certain is None:
            certain = self._certain[start] = self._joined(start, certain=True)
        return any(word in certain for word in words)

    def _told(self, start: int, words: tuple[str, ...]) -> bool | None:
        """Say whether the words are there, or are not, if that shows without looking for tokens."""
        around = self._around.get(start)
        if around is None:
            around = self._around[start] = _lowered(self._walked(start))
        if around:
            if not any(word in around for word in words):
                return False
        elif self._absent(words):
            return False
        before = self._before.get(start)
        if before is None:
            before = self._before[start] = self._plainly(start)
        if before and any(word in before for word in words):
            return True
        if not around:
            return None
        busy = self._busy.get(start)
        if busy is None:
            walked = self._walked(start)
            kept = [stretch for stretch in walked[:-1] if not self._idles(stretch)]
            busy = self._busy[start] = _lowered([*kept, *walked[-1:]])
        return None if any(word in busy for word in words) else False

    def _absent(self, words: tuple[str, ...]) -> bool:
        """Say whether none of these words is anywhere in the text."""
        known = self._nowhere.get(words)
        if known is None:
            lower = self._lower
            # How a capital sigma is lowered depends on what follows.
            known = "\u03a3" not in self.text and not any(word in lower for word in words)
            self._nowhere[words] = known
        return known

    def has_token(self, start: int) -> bool:
        """Say whether some token surely ends after this place."""
        return start < self._last

    def _plainly(self, start: int) -> str:
        """Give words before a place that surely are keywords that count, in lower case.

        Each is one token between single spaces, and from it to the finding there are at most as
        many tokens as there may be keywords; no special case spans the spaces between.
        """
        if not self.tokens.by_stretch:
            return ""
        text, tokens = self.text, self.tokens
        parts = text[max(0, start - _PLAIN) : start].split(" ")
        # The finding's own token counts, and what of its stretch is before it.
        left = BEFORE - 1 - len(parts[-1])
        follows = parts[-1][:1] or text[start]
        found: list[str] = []
        for at in range(len(parts) - 2, 0, -1):
            part = parts[at]
            if left <= 0 or not part or part[-1] + follows in tokens.edges:
                break
            follows = part[0]
            if tokens.sure[part] and part.isalpha() and parts[at - 1]:
                if parts[at - 1][-1] + follows in tokens.edges:
                    break
                found.append(part.lower())
            known = tokens.known(part)
            left -= len(part) if known is None else len(known)
        return SEPARATOR.join(found)

    @cached_property
    def _last(self) -> int:
        """Where the last token ends: what starts before it has a token."""
        return len(self.text.rstrip())

    def _walked(self, start: int) -> list[str]:
        """Give the same as `_through`, for the place asked for last without looking again."""
        if self._last_walked[0] != start:
            self._last_walked = start, self._through(start)
        return self._last_walked[1]

    def _through(self, start: int) -> list[str]:
        """Give what the walks from a place come through at most; nothing where that is not known.

        On both sides of it stand words enough that are known to have a keyword each. The last is
        the stretch in which the walks begin, with what follows.
        """
        sure, text = self.tokens.sure, self.text
        for size in (AROUND, 4 * AROUND):
            low, high = max(0, start - size), start + size // 2
            back, ahead = text[low:start].split(), text[start:high].split()
            # Cut off at both ends, and where the finding starts, words may be parts of others.
            first, left = None if low else 0, BEFORE
            for at in range(len(back) - 2, 0, -1):
                if sure[back[at]]:
                    left -= 1
                    if not left:
                        first = at
                        break
            if first is None:
                continue
            until = None if high < len(text) else len(ahead)
            for at in range(1, len(ahead) - 1):
                if sure[ahead[at]]:
                    until = at
                    break
            if until is None:
                continue
            words = back[first:]
            # What the finding starts in may have begun before it.
            cut = words.pop() if start and not text[start - 1].isspace() and words else ""
            return [*words, cut + " ".join(ahead[: until + 1])]
        return []

    def _idles(self, stretch: str) -> bool:
        """Say whether a stretch surely is one token that is no keyword in this text."""
        if not self.tokens.idle[stretch]:
            return False
        return not self._lettered_colon or not self._beside_colon(stretch.lower())

    @cached_property
    def _lettered_colon(self) -> bool:
        """Say whether a letter stands beside a colon."""
        text = self.text
        at = text.find(":")
        while at >= 0:
            if text[at + 1 : at + 2].isalpha() or (at and text[at - 1].isalpha()):
                return True
            at = text.find(":", at + 1)
        return False

    def _joined(self, start: int, *, certain: bool) -> str:
        """Give the keywords that count; if not `certain`, with all that might."""
        walk = None
        around = self.text[max(0, start - AROUND) : start + AROUND]
        if self.tokens.by_stretch and around.split() == [around]:
            # Many findings may be in one long stretch: it is split once for all of them.
            walk = self._regional(start, certain=certain)
        if walk is None and self.tokens.by_stretch:
            if "\n" not in self.text[max(0, start - _NEAR) : start + _NEAR]:
                walk = PlainWindow(self, start, certain=certain).walk()
            if walk is None:
                walk = self._nearby(start, certain=certain)
            if walk is None:
                walk = self._regional(start, certain=certain)
        if walk is None:
            walk = self._flat(self._all, start, certain=certain).words
        return SEPARATOR.join(walk)

    def _nearby(self, start: int, *, certain: bool) -> list[str] | None:
        """Walk through the stretches around; None where they could be split otherwise."""
        size = AROUND
        while size < _LONGEST_STRETCH:
            low, high = max(0, start - size), min(len(self.text), start + size // 2)
            window = Window(self, low, high, start, certain=certain)
            try:
                return window.walk()
            except IndexError:
                size *= 4
        return []

    def counts(self, token: Token, *, certain: bool) -> bool | None:
        """Say whether a token is a keyword; None for no, False for one that may be."""
        if token.kind == BESIDE_COLON and not certain:
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
        """Walk over the tokens of a part that no special case leads out of.

        None if it is too long, or has too few keywords.
        """
        if not self._stretch_of_region[0] <= start < self._stretch_of_region[1]:
            self._stretch_of_region = self._stretch(start)
            self._last_region = self._region(*self._stretch_of_region)
        low, high, tokens = self._last_region
        if tokens is None:
            return None
        walk = self._flat(tokens, start - low, certain=certain)
        short = (low and not walk.full) or (high < len(self.text) and not walk.ahead)
        return None if short else walk.words

    def _region(self, low: int, high: int) -> tuple[int, int, list[Token] | None]:
        """Give the part around a stretch that no special case leads out of, and its tokens."""
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
            return low, high, None
        return low, high, self.tokens.whole(self.text[low:high])

    def _meets(self, at: int) -> bool:
        """Say whether special cases could span the edge of a stretch."""
        left, right = self.text[at - 1], self.text[at]
        if left == " " and at > 1:
            left = self.text[at - 2]
        elif right == " " and at + 1 < len(self.text):
            right = self.text[at + 1]
        return left + right in self.tokens.edges

    def _flat(self, tokens: list[Token], start: int, *, certain: bool) -> _Walk:
        """Walk over tokens in a row."""
        first = bisect_right(tokens, start, key=lambda t: t.end)
        if first == len(tokens):
            raise ValueError("a finding has no token")
        words: list[str] = []
        left = [BEFORE, 1]
        for way, walk in enumerate((range(first, -1, -1), range(first, len(tokens)))):
            for at in walk:
                token = tokens[at]
                counts = self.counts(token, certain=certain)
                if counts is not None:
                    words.append(token.lower)
                    left[way] -= counts
                    if not left[way]:
                        break
        return _Walk(words, full=not left[0], ahead=not left[1])

    @cached_property
    def _all(self) -> list[Token]:
        return self.tokens.whole(self.text)

    def _is_keyword(self, token: Token) -> bool:
        if token.kind == BESIDE_COLON:
            return self._beside_colon(token.lower)
        return token.kind == ALWAYS

    def _beside_colon(self, lower: str) -> bool:
        """Say whether a word stands beside a colon in a token that is a keyword."""
        known = self._beside.get(lower)
        if known is None:
            known = self._beside[lower] = any(
                lower in t.lower.split(":") and self.tokens.counts(t.lower)
                for end in (f"{lower}:", f":{lower}")
                for stretch in self._colons.holding(end)
                for t in self._split_again(stretch)
                if ":" in t.lower
            )
        return known

    def _split_again(self, stretch: str) -> list[Token]:
        if not self.tokens.by_stretch:
            return self._all
        return self.tokens.tokens(stretch) if len(stretch) < _LONGEST_STRETCH else []

    @cached_property
    def _lower(self) -> str:
        return self.text.lower()

    @cached_property
    def _colons(self) -> Colons:
        lines = (line for line in self.text.split("\n") if ":" in line)
        return Colons({s for line in lines for s in line.split() if ":" in s})


def _lowered(stretches: Sequence[str]) -> str:
    """Join stretches in lower case; "" where that is not known."""
    joined = " ".join(stretches)
    # How a capital sigma is lowered depends on what follows.
    return joined.lower() if "\u03a3" not in joined else ""
