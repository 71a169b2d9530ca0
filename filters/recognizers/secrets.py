"""Recognisers of credentials: private keys, JSON web tokens, API keys, passwords in URLs.

| entity | what is found |
| --- | --- |
| `PRIVATE_KEY` | PEM and PGP blocks, BEGIN to END or as far as it goes; age, PuTTY, WireGuard |
| `JSON_WEB_TOKEN` | three or five base64url parts; the first decodes to JSON with `alg` |
| `API_KEY` | keys and tokens of services, by their published prefixes (`secret_keys.py`) |
| `URL_PASSWORD` | the password in `scheme://user:password@host`, not the user, not the host |

Placeholders ("your-api-key-here", "xxxx", "EXAMPLE", "${VAR}") and strings of low entropy are no
findings, nor are hashes and UUIDs, which bear no prefix.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import ClassVar, Final

from presidio_analyzer import Pattern, PatternRecognizer

from .anchored import CASED, AnchoredPattern, AnchoredRecognizer, after
from .secret_checks import is_placeholder, plausible
from .secret_keys import API_KEYS, is_key

# What may stand between the lines of a block: line ends, also escaped ones, quotes and
# concatenation of source code, comment signs, indentation.
_JOIN: Final = r"""[\s\\nrt"'`+,;:#*/|>.<-]"""
_BEGIN: Final = r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_END: Final = r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_LINE: Final = r"[A-Za-z0-9+/=]{16,}"
_MIN_BODY: Final = 40


class PrivateKeyRecognizer(AnchoredRecognizer):
    """Private keys: PEM (RFC 7468), OpenSSH, PGP (RFC 9580), PuTTY, age, WireGuard."""

    ENTITY: ClassVar[str] = "PRIVATE_KEY"
    CASE: ClassVar[int] = CASED
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        AnchoredPattern(
            "block",
            # Read in runs up to what may be an edge, and nothing given back.
            rf"{_BEGIN}(?=[\s\x21-\x7e]{{{_MIN_BODY}}})"
            rf"(?:[\s!-,.-~]{{1,64}}+|-(?!----BEGIN|{_END[1:]})){{1,400}}+{_END}",
            0.9,
            _BEGIN,
        ),
        AnchoredPattern(
            "unfinished block",
            rf"{_BEGIN}(?:{_JOIN}{{0,40}}[A-Za-z0-9+/=]{{16,76}}+){{1,160}}+",
            0.9,
            _BEGIN,
        ),
        after(
            "WireGuard",
            r"\b(?:PrivateKey|PresharedKey)\s{0,3}=\s{0,3}",
            r"[A-Za-z0-9+/]{43}=",
            0.9,
        ),
        Pattern("age", r"\bAGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}\b", 0.9),
        AnchoredPattern(
            "PuTTY",
            r"\bPrivate-Lines: [0-9]{1,3}\s{1,2}(?:[A-Za-z0-9+/=]{16,64}\s{1,2}){1,120}",
            0.9,
            r"\bPrivate-Lines: [0-9]",
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Say whether nothing like a key stands in it: code that only names the markers."""
        body = re.sub(r"-----[^-]{1,60}-----|AGE-SECRET-KEY-", "", pattern_text)
        lines = re.findall(_LINE, body)
        if sum(map(len, lines)) < _MIN_BODY or is_placeholder(re.sub(_LINE, "A", body)):
            return True
        return not plausible("".join(lines))


class JsonWebTokenRecognizer(AnchoredRecognizer):
    """JSON web tokens in compact form: signed (RFC 7515) and encrypted (RFC 7516)."""

    ENTITY: ClassVar[str] = "JSON_WEB_TOKEN"
    CASE: ClassVar[int] = CASED
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        AnchoredPattern(
            "compact",
            r"(?<![\w-])eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{0,8000}"
            r"(?:\.[A-Za-z0-9_-]{0,8000}){1,3}",
            0.9,
            r"(?-i:eyJ)[A-Za-z0-9_-]{8}",
        ),
    )

    def validate_result(self, pattern_text: str) -> bool:
        """Decode the header."""
        head = pattern_text.split(".", 1)[0]
        try:
            fields = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        except (ValueError, binascii.Error, RecursionError):
            return False
        return isinstance(fields, dict) and "alg" in fields


class ApiKeyRecognizer(AnchoredRecognizer):
    """Keys and tokens of services; the table with their sources is `API_KEYS`."""

    ENTITY: ClassVar[str] = "API_KEY"
    CASE: ClassVar[int] = CASED
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = tuple(key.pattern for key in API_KEYS)

    def validate_result(self, pattern_text: str) -> bool:
        """Check what the key's service published; without checks, that it looks random."""
        return is_key(pattern_text)


# What stands for a password in documentation.
_NAMES: Final = re.compile(
    r"(?:my|your|the|a|secret)?[-_]?(?:pass(?:wo?r?d|phrase)?|pw|pwd|secret|token|user(?:name)?"
    r"|(?:api[-_]?)?key|hidden|change[-_]?me|example|redacted|masked|none|null)"
    r"|x-oauth-basic|x-access-token|oauth2|[.*x_-]+"
)


class UrlPasswordRecognizer(AnchoredRecognizer):
    """The password of a URL's userinfo (RFC 3986, 3.2.1)."""

    ENTITY: ClassVar[str] = "URL_PASSWORD"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        after(
            "password",
            r"""\b[a-z][a-z0-9+.-]{1,20}://[^\s/?\#:@"'<>\[\](){}|`\\,]{0,64}:""",
            r"""(?<=:)[^\s/?\#@"'<>`\\]{2,128}+(?=@[\w\[])""",
            0.9,
            anchor=r"""://[^\s/?\#:@"'<>\[\](){}|`\\,]{0,64}:[^\s/?\#@"'<>`\\]""",
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Say whether it stands for a password and is none."""
        text = pattern_text.casefold()
        return (
            _NAMES.fullmatch(text) is not None
            or is_placeholder(pattern_text)
            or re.search(r"[{}$%\[\]()*](?![0-9a-f]{2})", text) is not None
        )


def secret_recognizers(language: str = "en") -> list[PatternRecognizer]:
    """Give the recognisers of credentials, for one language.

    >>> sorted({r.supported_entities[0] for r in secret_recognizers()})
    ['API_KEY', 'JSON_WEB_TOKEN', 'PRIVATE_KEY', 'URL_PASSWORD']
    """
    kinds = (PrivateKeyRecognizer, JsonWebTokenRecognizer, ApiKeyRecognizer, UrlPasswordRecognizer)
    return [kind(supported_language=language) for kind in kinds]
