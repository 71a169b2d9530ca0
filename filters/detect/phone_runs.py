"""Runs of characters that phone numbers are written with, cut where no number goes on.

A stretch in which the matcher looks for a number consists of few kinds of characters, so where a
run of them ends no stretch goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from typing import Final

import numpy as np
import phonenumbers
import regex
from phonenumbers import phonenumbermatcher

MOST_TRIES: Final = 65_535
# Folded: digits, brackets, plus signs and other punctuation of numbers, and what "ext.", "int",
# "anexo", "доб" and their like are written with.
_RUN: Final = rb"[0-9 \t\x01_()\[\].,;:#=/~+x\-XeEtTnNsSiIoOaAdD]"
LEFT: Final = regex.compile(rb"(?r)" + _RUN + rb"+")
RIGHT: Final = regex.compile(_RUN + rb"*+")
RUNS: Final = regex.compile(_RUN + rb"*?[0-9]" + _RUN + rb"*+")
# A comma between numbers, not beside a word such as "ext."; a colon with a digit before it, not
# such a word, and not a date with an hour, of which the matcher asks whether minutes follow.
_CUTS: Final = regex.compile(
    rb"(?<=[0-9)]),(?=[ \t,]*+[0-9(\[+])"
    rb"|(?<=[0-9])(?<![12][0-9]{3}[-/]?[01][0-9][-/]?[0-3][0-9] {1,40}[0-2][0-9]):"
)
# A number as most are written: nothing in it that the matcher asks more of than its digits.
_LONGEST_ORDINARY: Final = 64
_ORDINARY: Final = re.compile(r"[+(\[]?[ ]?[0-9][0-9 ().-]*", re.ASCII)
_LAST_DIGIT: Final = re.compile(r".*\d#?", re.DOTALL)
_IS_MARK: Final = np.isin(np.arange(256), np.frombuffer(b"/(.- \x01", dtype=np.uint8))
# Digits and what merely stands between them; the matcher tries whole groups of so many digits.
_GROUPED: Final = re.compile(r"[0-9 ().\-/\[\]]+", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]+")
_LONGEST_GROUP: Final = 20
_MOST_GROUPS: Final = 5


def tried(core: str) -> list[str] | None:
    """Give all digits that the matcher may try in a run: groups in a row; None if not so told.

    >>> tried("12 345-6")
    ['12', '12345', '123456', '345', '3456', '6']
    """
    if _GROUPED.fullmatch(core) is None:
        return None
    groups = _DIGITS.findall(core)
    if len(groups) > _MOST_GROUPS or max(map(len, groups)) > _LONGEST_GROUP:
        return None
    return [joined for first in range(len(groups)) for joined in accumulate(groups[first:])]


def pieces(data: memoryview, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Cut a run where no number goes on: at commas and colons that are in no extension."""
    for cut in _CUTS.finditer(data, low, high):
        yield low, cut.start()
        low = cut.end()
    yield low, high


def cut(text: str, low: int, high: int) -> tuple[int, str, bool, bool] | None:
    """Give what of a run numbers can be in: where, what, whether a letter is before or after."""
    run = text[low:high]
    first = phonenumbermatcher._PATTERN.search(run)  # noqa: SLF001
    if first is None:
        return None
    last = _LAST_DIGIT.match(run)
    start, end = first.start(), max(first.end(), last.end() if last else 0)
    before = low + start > 0 and beside(text[low + start - 1])
    after = low + end < len(text) and beside(text[low + end])
    return low + start, run[start:end], before, after


@cache
def beside(char: str) -> bool:
    """Say whether a number that stands directly beside this is none."""
    kind = phonenumbers.PhoneNumberMatcher
    return bool(kind._is_invalid_punctuation_symbol(char) or kind._is_latin_letter(char))  # noqa: SLF001


def is_ordinary(core: str) -> bool:
    """Say whether the matcher takes all of it at once for a candidate, and asks for its digits."""
    matcher = phonenumbermatcher
    if len(core) > _LONGEST_ORDINARY:  # the matcher's patterns take the square of a length
        return False
    if _ORDINARY.fullmatch(core) is None or matcher._PATTERN.fullmatch(core) is None:  # noqa: SLF001
        return False
    if matcher._MATCHING_BRACKETS.fullmatch(core) is None:  # noqa: SLF001
        return False
    return not (matcher._PUB_PAGES.search(core) or matcher._TIME_STAMPS.search(core))  # noqa: SLF001


def safe(data: memoryview) -> bool:
    """Say whether a text is too short, or has too few digits, to use up the tries.

    A stretch begins at a run of digits, or twenty digits on in one. It fails once itself, and
    for each punctuation mark at most twice, and once more for each kind of mark in it. Marks of a
    stretch stand before some of its digits: at most 24 characters before.
    """
    if len(data) * 3 < MOST_TRIES:
        return True
    codes = np.frombuffer(data, dtype=np.uint8)
    digits = (codes >= 48) & (codes <= 57)  # noqa: PLR2004 - ASCII's 0 and 9
    total = np.concatenate(([0], np.cumsum(digits, dtype=np.int32)))
    stretches = np.count_nonzero(digits[1:] & ~digits[:-1]) + 1 + int(total[-1]) // 20
    marks = _IS_MARK[codes]
    near = total[np.minimum(np.arange(len(codes)) + 25, len(codes))] > total[:-1]
    return int(stretches) + 3 * int(np.count_nonzero(marks & near)) < MOST_TRIES
