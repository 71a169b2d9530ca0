"""E-mail addresses, told by their domain from decorators, products of matrices, versions, images.

The last label is a top-level domain of the public suffix list (publicsuffix.org, as it comes with
tldextract, never fetched), one of the names used inside networks, or the address is written in
other letters than ASCII, where source code has nothing that looks alike. The local part may be
quoted (RFC 5321, 4.1.2) or international (RFC 6531). Masked ones ("jo...@example.com") are none.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Final

from .anchored import AnchoredPattern, AnchoredRecognizer

if TYPE_CHECKING:
    from presidio_analyzer import Pattern

# Nothing is given back once read (`+` after a count): words without an `@` behind them are many.
_LABEL: Final = r"[^\W_][\w-]{0,62}+(?<![_-])"
_LOCAL: Final = r"(?<![\w%+&])[\w&+%][\w.%+&'-]{0,63}+(?<![.'])"
_QUOTED: Final = r'(?<![\w"\\])"(?:[^"\\\r\n]|\\[^\r\n]){1,62}"'
# In `scheme://user:password@host` there is no address.
_AT: Final = r"@(?<!(?:://|\bhttps?:/?)[^\s/@\"'<>]{0,160}@)"
_DOMAIN: Final = rf"(?:{_LABEL}\.){{1,8}}"
_LAST: Final = r"(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})"
_END: Final = r"(?![\w@]|-\w|\.\d)"
_ANCHOR: Final = r"[\w.%+&'-]{1,64}@[^\W_]"
# RFC 6762, appendix G, ICANN's `internal`, and what home routers and Tor name their hosts.
_INSIDE: Final = frozenset(
    ("corp", "home", "internal", "intranet", "lan", "local", "localdomain", "onion", "private")
)
_SCALED_IMAGE: Final = re.compile(r"[0-9](?:\.[0-9])?x\.")
_LOGINS: Final = frozenset(("git", "hg", "svn"))
_MAX_LOCAL, _MAX_PATH, _MAX_LABEL = 64, 253, 63  # RFC 5321, 4.5.3.1; RFC 1035, 2.3.4


@cache
def top_level_domains() -> frozenset[str]:
    """Give the top-level domains there are, in their own letters.

    >>> "com" in top_level_domains(), "py2" in top_level_domains()
    (True, False)
    """
    import tldextract

    known = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None).tlds
    return frozenset(suffix.rpartition(".")[2] for suffix in known)


class StrictEmailRecognizer(AnchoredRecognizer):
    """E-mail addresses whose domain can be one."""

    ENTITY: ClassVar[str] = "EMAIL_ADDRESS"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        AnchoredPattern("address", f"{_LOCAL}{_AT}{_DOMAIN}{_LAST}{_END}", 0.9, _ANCHOR),
        AnchoredPattern(
            "quoted", f"{_QUOTED}{_AT}{_DOMAIN}{_LAST}{_END}", 0.9, r'[^\r\n]"@[^\W_]', 124
        ),
        # No space after the full stop: "…@example.com.Please write".
        AnchoredPattern(
            "before a sentence",
            rf"{_LOCAL}{_AT}{_DOMAIN}{_LAST}(?=\.(?-i:[A-Z][a-z]))",
            0.9,
            rf"{_ANCHOR}[\w.-]*\.(?-i:[A-Z][a-z])",
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Say whether no mail can go there."""
        local, _, domain = pattern_text.rpartition("@")
        labels = _written(domain).split(".")
        if len(local) > _MAX_LOCAL or len(local) + len(".".join(labels)) > _MAX_PATH:
            return True
        if local.lower() in _LOGINS or _SCALED_IMAGE.match(domain):
            return True
        if max(map(len, labels)) > _MAX_LABEL:
            return True
        return pattern_text.isascii() and not _exists(labels[-1].lower())


def _written(domain: str) -> str:
    """Give a domain as name servers know it, in ASCII (RFC 3492)."""
    if domain.isascii():
        return domain
    labels = domain.split(".")
    return ".".join(
        label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in labels
    )


def _exists(label: str) -> bool:
    if label.startswith("xn--"):
        try:
            label = label[4:].encode("ascii").decode("punycode")
        except UnicodeError:
            return False
    return label in _INSIDE or label in top_level_domains()
