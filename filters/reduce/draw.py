"""Choices out of a digest, and what a kind of pseudonym has to say of itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeVar

T = TypeVar("T")
_DECIMAL: Final = re.compile(r"\d")
_ALPHANUMERIC: Final = re.compile(r"[^\W_]")


class Draw:
    """A source of choices that its digest settles: 256 bits, taken from the small end.

    >>> draw = Draw(bytes([0] * 31 + [37]))
    >>> draw.below(10), draw.choose("abc"), draw.below(10)
    (7, 'a', 1)
    """

    def __init__(self, digest: bytes) -> None:
        """Begin with all bits of the digest."""
        self._rest = int.from_bytes(digest)

    def below(self, limit: int) -> int:
        """Choose a number from 0 up to, not including, the limit."""
        self._rest, number = divmod(self._rest, limit)
        return number

    def choose(self, values: Sequence[T]) -> T:
        """Choose one of the values."""
        return values[self.below(len(values))]


@dataclass(frozen=True)
class Kind:
    """How pseudonyms of one entity are made.

    `normal` gives what is the same in all spellings of a value, `make` a pseudonym in the form of
    the value; each gives None for what does not have the kind's form. `reserved` holds for
    everything that `make` gives.
    """

    normal: Callable[[str], str | None]
    make: Callable[[str, Draw], str | None]
    reserved: Callable[[str], bool]


def words(text: str) -> tuple[str, ...]:
    """Give the words of a text: a long table reads better as a text than as a list."""
    return tuple(text.split())


def fill(form: str, characters: str, *, letters: bool = False) -> str:
    """Put characters, in their order, where the form has digits (or letters and digits).

    The form has exactly as many such places as there are characters.

    >>> fill("(212) 736-5000", "6465550191")
    '(646) 555-0191'
    """
    between = (_ALPHANUMERIC if letters else _DECIMAL).split(form)
    return "".join(chain.from_iterable(zip(between, [*characters, ""], strict=True)))
