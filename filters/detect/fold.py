"""Texts as Hyperscan reads them: one byte a character, a line feed around every text.

A character outside ASCII becomes one that every class holds which held it, as `pattern_parts.py`
writes classes. So one database of bytes serves all scripts, and an offset in the folded text is a
code point of the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import regex

from .pattern_parts import DIGIT, LETTERS, OTHER, SPACE, WORD

_PIECE: Final = 1 << 22
# UTF-8: the first byte of characters outside ASCII, of three bytes, of four; bytes that follow.
_ASCII, _LEAD, _THREE, _FOUR = 0x80, 0xC0, 0xE0, 0xF0
_MASK, _FOLLOWS = 0xC0, 0x80
_SURROGATES: Final = slice(0xD800, 0xE000)

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Folded:
    """Texts in one buffer, a line feed before the first, between any two, and after the last.

    Text i stands in `data[starts[i] : starts[i + 1] - 1]`; there is one start more than texts.
    """

    data: memoryview
    starts: npt.NDArray[np.int64]


def folded(texts: pa.LargeStringArray) -> Folded:
    r"""Fold texts, none of them null.

    >>> found = folded(pa.array(["caf\u00e9", "\u0663 \u2019"], pa.large_string()))
    >>> bytes(found.data), found.starts.tolist()
    (b'\ncaf_\n0 \x01\n', [1, 6, 10])
    """
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    starts = np.ones(len(texts) + 1, dtype=np.int64)
    np.cumsum(lengths + 1, out=starts[1:])
    starts[1:] += 1
    edge = pa.array([""], texts.type)
    padded = pa.concat_arrays([edge, texts, edge])
    ends = pa.array([0, len(padded)], pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(ends, padded), pa.scalar("\n", texts.type))[
        0
    ].as_buffer()
    codes = np.frombuffer(joined, dtype=np.uint8)
    return Folded(_fold(codes).data, starts)


def _fold(utf8: Bytes) -> Bytes:
    """Fold UTF-8, a piece at a time."""
    if not len(utf8) or utf8.max() < _ASCII:
        return utf8
    done, pieces = 0, []
    while done < len(utf8):
        end = min(done + _PIECE, len(utf8))
        while end < len(utf8) and utf8[end] & _MASK == _FOLLOWS:
            end += 1
        pieces.append(_fold_piece(utf8[done:end]))
        done = end
    return np.concatenate(pieces)


def _fold_piece(utf8: Bytes) -> Bytes:
    """Drop continuation bytes, and put each lead byte's fold in its place."""
    leads = np.flatnonzero(utf8 >= _LEAD)
    if not len(leads):
        return utf8
    lead = utf8[leads].astype(np.uint32)
    more = 1 + (lead >= _THREE).astype(np.int64) + (lead >= _FOUR)
    # The lead byte's own bits, then six of each byte that follows.
    codes = lead & (0x3F >> more.astype(np.uint32))
    for step in (1, 2, 3):
        follows = more >= step
        codes[follows] = codes[follows] << 6 | utf8[leads[follows] + step] & 0x3F
    out: Bytes = utf8[utf8 & _MASK != _FOLLOWS]
    out[leads - np.cumsum(more) + more] = _table()[codes]
    return out


@cache
def _table() -> Bytes:
    """Give the fold of every code point, by what the module `regex` says it is."""
    codes = np.delete(np.arange(0x110000, dtype="<u4"), _SURROGATES)
    every = codes.tobytes().decode("utf-32-le")
    table = np.full(0x110000, OTHER, dtype=np.uint8)
    for kind, code in ((r"\w", WORD), (r"\d", DIGIT), (r"\s", SPACE)):
        for run in regex.finditer(rf"{kind}+", every):
            table[codes[run.start() : run.end()]] = code
    for letter, code in LETTERS.items():
        table[ord(letter)] = code
    table[:_ASCII] = np.arange(_ASCII)
    return table
