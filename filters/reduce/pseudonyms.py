"""Pseudonyms: a keyed stand-in for a value, of the same form, that is nobody's.

A pseudonym is drawn from HMAC-SHA256 over the scope, the entity and the value in its normal form
(e-mail addresses in one case, phone numbers without punctuation, …). So one value has one
pseudonym within a scope, pseudonyms of two scopes cannot be linked, and whoever lacks the key
cannot find a value by trying all of them.

Values come from ranges that are reserved for documentation, drama or tests, or that are never
issued (`numbers_for_examples.py`, `phones_for_drama.py`, `invented_names.py`). Where a kind has no
such range, and where a value does not have its kind's form, a keyed token stands in:
`<CRYPTO_bkfpmndrtvgh>`.

Some of these ranges are small, and then two values may share a pseudonym: 256 MAC addresses,
762 IPv4 addresses, 1,000 British mobile numbers, about 30 card numbers, one IBAN a country. Where
telling values apart matters more than their form, use the operator `hash`.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..errors import Fault, JobError
from .draw import Draw, Kind
from .invented_names import NAMES
from .numbers_for_examples import NUMBERS
from .phones_for_drama import PHONES

VERSION: Final = 1
KEY_BYTES: Final = 16

_KINDS: Final[Mapping[str, Kind]] = {**NUMBERS, **PHONES, **NAMES}
# Sixteen consonants, one a hexadecimal digit: neither a word nor a number can come of them, so no
# recogniser finds anything in a token.
_CONSONANTS: Final = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrstv")
_TOKEN_LETTERS: Final = 12
_TOKEN: Final = re.compile(rf"<(?P<entity>.+)_[bcdfghjkmnpqrstv]{{{_TOKEN_LETTERS}}}>", re.DOTALL)


@dataclass(frozen=True)
class Key:
    """The secret of a run. Raises JobError when it is shorter than 16 bytes.

    >>> Key(b"sixteen bytes or more")
    Key()
    """

    secret: bytes = field(repr=False)
    _pseudonyms: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Derive the key of the pseudonyms, so that no hash of a text is ever one of them."""
        if len(self.secret) < KEY_BYTES:
            what = f"it has {len(self.secret)} bytes, fewer than {KEY_BYTES}"
            fix = "make one: `openssl rand -hex 32`"
            raise JobError("pii", (Fault("key", what, fix),))
        object.__setattr__(self, "_pseudonyms", self.derive(f"pseudonyms/{VERSION}"))

    def derive(self, purpose: str) -> bytes:
        """Give a key of its own for a purpose."""
        return self.digest(f"corpusgate/{purpose}".encode())

    def digest(self, message: bytes) -> bytes:
        """Give HMAC-SHA256 of a message."""
        return hmac.digest(self.secret, message, "sha256")

    def draw(self, scope: str, entity: str, normal: str) -> Draw:
        """Give the source of choices for one value: the same for the same arguments."""
        # Behind their lengths, so that no two lists of parts read alike.
        message = f"{len(scope)}:{len(entity)}:{scope}{entity}{normal}"
        return Draw(hmac.digest(self._pseudonyms, message.encode(), "sha256"))


def pseudonym(key: Key, scope: str, entity: str, value: str) -> str:
    """Give the pseudonym of a value within a scope. `reserved` holds for it.

    >>> key = Key(b"an example's key, no secret")
    >>> pseudonym(key, "run", "PHONE_NUMBER", "(212) 736-5000")
    '(608) 555-0101'
    >>> pseudonym(key, "run", "PHONE_NUMBER", "+1 212.736.5000")
    '+1 608.555.0101'
    """
    kind = _KINDS.get(entity)
    draw = key.draw(scope, entity, normal_form(entity, value))
    made = kind.make(value, draw) if kind is not None else None
    return made if made is not None else _token(entity, draw)


def normal_form(entity: str, value: str) -> str:
    """Give what is the same in all spellings of one value.

    >>> normal_form("EMAIL_ADDRESS", "Ada@Example.ORG"), normal_form("US_SSN", "219 09 9999")
    ('ada@example.org', '219099999')
    """
    kind = _KINDS.get(entity)
    normal = kind.normal(value) if kind is not None else None
    if normal is not None:
        return normal
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def reserved(entity: str, value: str) -> bool:
    """Say whether a value lies in the ranges that pseudonyms are taken from.

    >>> reserved("IP_ADDRESS", "192.0.2.7"), reserved("IP_ADDRESS", "192.0.3.7")
    (True, False)
    """
    kind = _KINDS.get(entity)
    if kind is not None and kind.reserved(value):
        return True
    return token_entity(value) == entity


def token_entity(value: str) -> str | None:
    """Give the entity of a keyed token, None for any other text."""
    token = _TOKEN.fullmatch(value)
    return token["entity"] if token else None


def _token(entity: str, draw: Draw) -> str:
    letters = f"{draw.below(16**_TOKEN_LETTERS):0{_TOKEN_LETTERS}x}".translate(_CONSONANTS)
    return f"<{entity}_{letters}>"
