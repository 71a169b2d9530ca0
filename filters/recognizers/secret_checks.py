"""What can be checked of a secret: that it stands for itself, looks random, has its checksum.

GitHub's and npm's tokens end in a checksum, so they are told from placeholders with certainty;
others must look random.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import zlib
from collections import Counter
from typing import Final

import numpy as np

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM: Final = 6
_MIN_BITS: Final = 2.8
_STANDS_FOR: Final = re.compile(
    r"example|placeholder|redacted|dummy|sample|replace|insert|change.?me|foobar|your[-_. ]?"
    r"|(?:my|the|some|fake|test|access|api|secret)[-_ ]?(?:api[-_ ]?)?(?:key|token|secret|password)"
    r"|(?<![a-z])fake|\.{3}|…|\$\{|\{\{|<[a-z]|%[sd]\b|([a-z0-9*#.-])\1{5}"
    r"|abcdefgh|bcdefghi|hijklmn|12345678|23456789|98765432|deadbeef|qwerty|0123456",
    re.IGNORECASE,
)
# Every alternative but the repeated character has one of these in it. To look for each is a
# hundred times as fast as the expression.
_HINTS: Final = (
    *("example", "placeholder", "redacted", "dummy", "sample", "replace", "insert", "change"),
    *("foobar", "your", "key", "token", "secret", "password", "fake", "...", "${", "{{", "<", "%"),
    *("abcdefgh", "bcdefghi", "hijklmn", "12345678", "23456789", "98765432", "deadbeef", "qwerty"),
    "0123456",
)
_REPEATED: Final = 6
_LONG: Final = 64


def is_placeholder(text: str) -> bool:
    """Say whether a text stands for a secret instead of being one.

    >>> [is_placeholder(t) for t in ("your-api-key-here", "xxxxxxxxxxxx", "c9Kq2RtY7wLm")]
    [True, True, False]
    """
    return not _is_plain(text) and _STANDS_FOR.search(text) is not None


def _is_plain(text: str) -> bool:
    """Say whether nothing in a text can be what placeholders are told by."""
    lower = text.lower()
    return text.isascii() and not any(hint in lower for hint in _HINTS) and not _repeats(lower)


def _repeats(text: str) -> bool:
    """Say whether some character of an ASCII text stands there six times in a row."""
    codes = np.frombuffer(text.encode(), dtype=np.uint8)
    same = codes[1:] == codes[:-1]
    return bytes([True] * (_REPEATED - 1)) in same.tobytes()


def entropy(text: str) -> float:
    """Give the bits a character of a text, by how often each occurs in it.

    >>> entropy("aaaa"), entropy("abab"), entropy("abcd")
    (0.0, 1.0, 2.0)
    """
    if len(text) > _LONG and text.isascii():
        occurring = np.bincount(np.frombuffer(text.encode(), dtype=np.uint8))
        occurring = occurring[occurring > 0]
        return float(occurring @ np.log2(len(text) / occurring)) / len(text)
    counts = Counter(text).values()
    return math.fsum(n / len(text) * math.log2(len(text) / n) for n in counts)


def plausible(text: str) -> bool:
    """Say whether a text looks random enough for a key."""
    return not is_placeholder(text) and entropy(text) >= _MIN_BITS


def checksum62(text: str) -> bool:
    """Check the last six characters: CRC-32 of those after the prefix, in base 62.

    GitHub, "Behind GitHub's new authentication token formats" (2021); npm's have the same form.
    """
    body = text.rpartition("_")[2]
    number, digits = zlib.crc32(body[:-_CHECKSUM].encode()), ""
    while number:
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return body[-_CHECKSUM:] == digits.rjust(_CHECKSUM, "0")


def mixed(text: str) -> bool:
    """Check that a text of no form of its own holds capitals, small letters and digits."""
    kinds = (str.isupper, str.islower, str.isdecimal)
    return all(any(kind(c) for c in text) for kind in kinds) and plausible(text)


def snowflake(text: str) -> bool:
    """Check that the first part is a Discord user's number in base64."""
    head = text.split(".", 1)[0]
    try:
        number = base64.b64decode(head + "=" * (-len(head) % 4), b"-_")
    except (ValueError, binascii.Error):
        return False
    return number.isdigit() and plausible(text)


def past_padding(text: str) -> bool:
    """Check what follows the run of `A` that X's (Twitter's) bearer tokens start with."""
    return plausible(text.lstrip("A"))
