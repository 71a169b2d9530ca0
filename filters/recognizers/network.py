"""IP and MAC addresses, told from versions, times, scopes of programming languages and hex dumps.

Addresses that belong to nobody are no findings: unspecified, loopback, multicast, netmasks,
broadcast. Addresses of private networks are.
"""

from __future__ import annotations

import ipaddress
import re
from typing import ClassVar, Final

from presidio_analyzer import Pattern

from .anchored import AnchoredPattern, AnchoredRecognizer, after

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_FOUR: Final = r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"
_PREFIX: Final = r"(?:/(?:3[0-2]|[12]?[0-9])(?![\w.]))?"
_LEFT: Final = (
    # Not behind a letter and a hyphen, nor behind a decimal number, as in the paths of drawings.
    r"(?<![\w.])(?<![a-z]-)(?<!\d,)(?<![^\d.]\d{0,4}\.\d{1,4}[ ,-])"
    r"(?<!(?:\bver|version|release|\brev|revision|build|[=<>~^!]=|[~^]|~>|[<>]|chrome/|opr/)"
    r"[\"'\s:=(]{0,4})"
)
_RIGHT: Final = r"(?![\w])(?!\.\w)(?!-[a-z])"
_V6_ROUTED: Final = r"(?:[23][0-9a-f]{3}|f[cd][0-9a-f]{2}|fe[89ab][0-9a-f]|64:ff9b)"
# Of what stands before the colons that shorten it: `64:ff9b` and five groups more.
_V6_LONGEST: Final = 32
_V6_RIGHT: Final = r"(?:%[0-9a-z]{1,16})?(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?(?![\w:])(?!\.\d)"
_PLAIN_V4: Final = re.compile(_V4)
_LOOPBACK, _MULTICAST = 127, 224  # RFC 1122, 3.2.1.3; RFC 5771; past it all is reserved, RFC 1112


def _is_nobodys(first: int) -> bool:
    """Say by its first octet whether an IPv4 address is unspecified, loopback or multicast."""
    return first in {0, _LOOPBACK} or first >= _MULTICAST


class StrictIpRecognizer(AnchoredRecognizer):
    """IPv4 and IPv6 addresses (RFC 4291), also with a prefix length."""

    ENTITY: ClassVar[str] = "IP_ADDRESS"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        # Four small numbers are a version or a section. A number past 30 makes them an address,
        # unless the first two are of one digit: 5.0.71.32 is a version more often.
        AnchoredPattern(
            "IPv4",
            rf"{_LEFT}(?![0-9]\.[0-9]\.)(?=[0-9.]{{0,12}}(?:[4-9][0-9]|3[1-9]|[12][0-9][0-9])){_V4}{_PREFIX}{_RIGHT}",
            0.6,
            _FOUR,
        ),
        after(
            "IPv4 after a word",
            r"(?:\b(?:ip|ipv4|inet|ping|host|addr|address|dns|nameserver|gateway|router)\b.?|[a-z0-9]://|@)[\s:=\"'(]{0,4}(?:(?:is|at|from|to)\s)?",
            rf"(?<![\w.]){_V4}{_PREFIX}{_RIGHT}",
            0.6,
            anchor=_FOUR,
        ),
        Pattern("IPv4 inside IPv6", rf"(?<![\w:])::(?:ffff:(?:0{{1,4}}:)?)?{_V4}{_RIGHT}", 0.6),
        AnchoredPattern(
            "IPv6",
            rf"(?<![\w:.])(?:[0-9a-f]{{1,4}}:){{7}}[0-9a-f]{{1,4}}{_V6_RIGHT}",
            0.6,
            # Its end, too: of a fingerprint's many pairs only the last may be one's.
            r"(?::[0-9a-f]{1,4}){7}(?![\w:])",
            before=4,
        ),
        AnchoredPattern(
            "IPv6, shortened",
            rf"(?<![\w:.])(?=[0-9a-f:]{{0,{_V6_LONGEST}}}::)"
            rf"{_V6_ROUTED}:(?:[0-9a-f]{{0,4}}:){{1,6}}[0-9a-f]{{0,4}}{_V6_RIGHT}",
            0.6,
            r"(?:[23][0-9a-f]{3}|f[cde][0-9a-f]{2}|:[0-9a-f]{1,4})::",
            before=_V6_LONGEST,
        ),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Say whether it is no address, or nobody's."""
        if _PLAIN_V4.fullmatch(pattern_text):
            return _is_nobodys(int(pattern_text.partition(".")[0]))
        try:
            address = ipaddress.ip_interface(pattern_text.partition("%")[0]).ip
        except ValueError:
            return True
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        if isinstance(address, ipaddress.IPv4Address):
            return _is_nobodys(address.packed[0])
        return address.is_unspecified or address.is_loopback or address.is_multicast


_PAIR: Final = r"[0-9a-f]{2}"
_NO_PAIR_LEFT: Final = r"(?<![\w])(?<![0-9a-f]{2}[:-])"
_NO_PAIR_RIGHT: Final = r"(?!\w)(?![:-][0-9a-f])"


class StrictMacRecognizer(AnchoredRecognizer):
    """Addresses of single network devices (IEEE 802): the group bit is off."""

    ENTITY: ClassVar[str] = "MAC_ADDRESS"
    FOUND_BY: ClassVar[tuple[Pattern, ...]] = (
        Pattern("colons", rf"{_NO_PAIR_LEFT}{_PAIR}(?::{_PAIR}){{5}}{_NO_PAIR_RIGHT}", 0.6),
        Pattern("hyphens", rf"{_NO_PAIR_LEFT}{_PAIR}(?:-{_PAIR}){{5}}{_NO_PAIR_RIGHT}", 0.6),
        Pattern("dots", r"(?<![\w.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?!\w)(?!\.\w)", 0.6),
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Say whether it names no device: a group, all zeros, or decimal numbers."""
        digits = re.sub(r"[:.-]", "", pattern_text)
        group = int(digits[:2], 16) & 1
        counted = digits.isdecimal() and ":" not in pattern_text
        return bool(group) or counted or len(set(digits)) == 1
