"""Keys and tokens of services: how each is spelled, who published that, and what can be checked.

`API_KEYS` is the table. A key that bears a prefix of its own is found anywhere; one that does not
is found only after a word that says what follows. GitHub's and npm's tokens end in a checksum, so
they are told from placeholders with certainty; others must look random.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from presidio_analyzer import Pattern

from .anchored import CASED, after

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


def is_placeholder(text: str) -> bool:
    """Say whether a text stands for a secret instead of being one.

    >>> [is_placeholder(t) for t in ("your-api-key-here", "xxxxxxxxxxxx", "c9Kq2RtY7wLm")]
    [True, True, False]
    """
    return _STANDS_FOR.search(text) is not None


def entropy(text: str) -> float:
    """Give the bits a character of a text, by how often each occurs in it.

    >>> entropy("aaaa"), entropy("abab"), entropy("abcd")
    (0.0, 1.0, 2.0)
    """
    counts = Counter(text).values()
    total = len(text)
    return sum(n / total * math.log2(total / n) for n in counts)


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


def snowflake(text: str) -> bool:
    """Check that the first part is a Discord user's number in base64."""
    head = text.split(".", 1)[0]
    try:
        return base64.b64decode(head + "=" * (-len(head) % 4), b"-_").isdigit() and plausible(text)
    except (ValueError, binascii.Error):
        return False


@dataclass(frozen=True)
class ApiKey:
    """One kind of key: its name, spelling, the lead it needs (or ""), who published it."""

    name: str
    spelling: str
    source: str
    lead: str = ""
    check: Callable[[str], bool] = plausible
    edge: str = r"(?![A-Za-z0-9_-])"

    @property
    def pattern(self) -> Pattern:
        """What to look for."""
        if self.lead:
            return after(self.name, self.lead, self.spelling + self.edge, 0.9)
        return Pattern(self.name, rf"(?<![A-Za-z0-9_-])(?:{self.spelling}){self.edge}", 0.9)

    @cached_property
    def shape(self) -> re.Pattern[str]:
        """What a whole key looks like."""
        return re.compile(self.spelling, CASED)

    def accepts(self, text: str) -> bool:
        """Say whether a text of this shape is such a key."""
        return self.check(text)


# Between a name and its value in code, configuration and prose.
_IS: Final = r"""["'`\]]{0,2}\s{0,4}(?::=|=>|==|[=:]|,|\bis\b)\s{0,4}["'`]{0,2}"""

API_KEYS: Final = (
    ApiKey(
        "AWS access key id", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}", "AWS IAM: unique identifiers"
    ),
    ApiKey(
        "AWS secret access key",
        r"[A-Za-z0-9/+]{40}",
        "AWS IAM: access keys",
        lead=rf"(?i:aws[a-z0-9_. -]{{0,20}}(?:secret|key)[a-z_. -]{{0,20}}|secret[-_ ]?access[-_ ]?key){_IS}",
        edge=r"(?![A-Za-z0-9/+=_-])",
    ),
    ApiKey("Google API key", r"AIza[A-Za-z0-9_-]{35}", "Google Cloud: API keys"),
    ApiKey("Google OAuth token", r"ya29\.[A-Za-z0-9_-]{20,1000}", "Google Identity: OAuth 2.0"),
    ApiKey("Google OAuth secret", r"GOCSPX-[A-Za-z0-9_-]{28}", "Google Identity: OAuth 2.0"),
    ApiKey("GitHub token", r"gh[pousr]_[A-Za-z0-9]{36}", "GitHub: token formats", check=checksum62),
    ApiKey(
        "GitHub fine-grained token",
        r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        "GitHub: token formats",
    ),
    ApiKey("npm token", r"npm_[A-Za-z0-9]{36}", "npm: token formats", check=checksum62),
)
