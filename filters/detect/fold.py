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
_BLOCK: Final = 1 << 17
# UTF-8: the first byte of characters outside ASCII, of three bytes, of four; bytes that follow.
_ASCII, _LEAD, _THREE, _FOUR = 0x80, 0xC0, 0xE0, 0xF0
_MASK, _FOLLOWS = 0xC0, 0x80
_LEAST: Final = -64
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
    edge = pa.array([""], texts.type)
    padded = pa.concat_arrays([edge, texts, edge])
    ends = pa.array([0, len(padded)], pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(ends, padded), pa.scalar("\n", texts.type))[
        0
    ].as_buffer()
    utf8 = np.frombuffer(joined, dtype=np.uint8)
    starts = np.ones(len(texts) + 1, dtype=np.int64)
    np.cumsum(pc.binary_length(texts).to_numpy(zero_copy_only=False) + 1, out=starts[1:])
    starts[1:] += 1
    if utf8.max() < _ASCII:
        return Folded(utf8.data, starts)
    return _fold(utf8, starts)


def _fold(utf8: Bytes, starts: npt.NDArray[np.int64]) -> Folded:
    """Fold UTF-8, a piece at a time; texts start at these bytes."""
    done, pieces, shifted = 0, [], starts.copy()
    while done < len(utf8):
        end = min(done + _PIECE, len(utf8))
        while end < len(utf8) and utf8[end] & _MASK == _FOLLOWS:
            end += 1
        piece, leads, dropped = _fold_piece(utf8[done:end])
        pieces.append(piece)
        first = np.searchsorted(starts, done, side="right")
        before = np.searchsorted(leads, starts[first:] - done)
        shifted[first:] -= dropped[before]
        done = end
    return Folded((np.concatenate(pieces) if len(pieces) > 1 else pieces[0]).data, shifted)


def _fold_piece(utf8: Bytes) -> tuple[Bytes, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Drop continuation bytes, and put each lead byte's fold in its place.

    Also gives where lead bytes are, and how many bytes are dropped up to each of them and after.
    """
    leads = np.flatnonzero(utf8 >= _LEAD)
    lead = utf8[leads].astype(np.uint32)
    more = 1 + (lead >= _THREE).astype(np.int64) + (lead >= _FOUR)
    # The lead byte's own bits, then six of each byte that follows.
    codes = lead & (0x3F >> more.astype(np.uint32))
    for step in (1, 2, 3):
        follows = more >= step
        codes[follows] = codes[follows] << 6 | utf8[leads[follows] + step] & 0x3F
    dropped = np.concatenate(([0], np.cumsum(more)))
    # Signed, the bytes that follow are the least. What fits into the cache is selected faster.
    blocks = (utf8[at : at + _BLOCK] for at in range(0, len(utf8), _BLOCK))
    out: Bytes = np.concatenate([block[block.view(np.int8) >= _LEAST] for block in blocks])
    out[leads - dropped[:-1]] = _table()[codes]
    return out, leads, dropped


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
