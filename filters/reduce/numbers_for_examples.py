"""Numbers that are nobody's: published examples, ranges for documentation, numbers never issued.

| entity | range | who says so |
|---|---|---|
| CREDIT_CARD | test numbers of card networks and payment providers | their developers' pages |
| US_SSN, US_ITIN | 900 to 999 with the group 01 to 49: neither an SSN nor an ITIN | SSA, IRS |
| UK_NHS | 999 000 0000 to 999 999 9999 | NHS data dictionary |
| UK_NINO | prefix QQ | HMRC, NIM39110 |
| IBAN_CODE | the example of each country | SWIFT IBAN registry |
| IP_ADDRESS | 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32 | RFC 5737, RFC 3849 |
| MAC_ADDRESS | 00-00-5E-00-53-00 to FF | RFC 9542 |
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from ..digits import digits
from .draw import Draw, Kind, fill, words

_CARDS: Final = words(
    "4111111111111111 4012888888881881 4242424242424242 4000056655665556 4222222222222 "
    "5555555555554444 5105105105105100 5200828282828210 5454545454545454 2223003122003222 "
    "2223000048400011 378282246310005 371449635398431 378734493671000 6011111111111117 "
    "6011000990139424 6011981111111113 30569309025904 38520000023237 36227206271667 "
    "3530111333300000 3566002020360505 3056930009020004 6200000000000005 6205500000000000004"
)
_KNOWN_CARDS: Final = frozenset(_CARDS)
# By length and first digit, which shows the network; by length alone.
_NETWORKS: Final = {
    (len(known), first): [
        card for card in _CARDS if len(card) == len(known) and card.startswith(first)
    ]
    for known in _CARDS
    for first in (known[0], "")
}
_IBANS: Final = {
    iban[:2]: iban
    for iban in words(
        "AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 "
        "AT611904300234573201 AZ21NABZ00000000137010001944 BA391290079401028494 "
        "BE68539007547034 BG80BNBG96611020345678 BH67BMAG00001299123456 "
        "BR1800360305000010009795493C1 BY13NBRB3600900000002Z00AB00 CH9300762011623852957 "
        "CR05015202001026284066 CY17002001280000001200527600 CZ6508000000192000145399 "
        "DE89370400440532013000 DK5000400440116243 DO28BAGR00000001212453611324 "
        "EE382200221020145685 ES9121000418450200051332 FI2112345600000785 FO6264600001631634 "
        "FR1420041010050500013M02606 GB29NWBK60161331926819 GE29NB0000000101904917 "
        "GI75NWBK000000007099453 GL8964710001000206 GR1601101250000000012300695 "
        "GT82TRAJ01020000001210029690 HR1210010051863000160 HU42117730161111101800000000 "
        "IE29AIBK93115212345678 IL620108000000099999999 IQ98NBIQ850123456789012 "
        "IS140159260076545510730339 IT60X0542811101000000123456 "
        "JO94CBJO0010000000000131000302 KW81CBKU0000000000001234560101 KZ86125KZT5004100100 "
        "LB62099900000001001901229114 LC55HEMM000100010012001200023015 LI21088100002324013AA "
        "LT121000011101001000 LU280019400644750000 LV80BANK0000435195001 "
        "MC5811222000010123456789030 MD24AG000225100013104168 ME25505000012345678951 "
        "MK07250120000058984 MR1300020001010000123456753 MT84MALT011000012345MTLCAST001S "
        "MU17BOMM0101101030300200000MUR NL91ABNA0417164300 NO9386011117947 "
        "PK36SCBL0000001123456702 PL61109010140000071219812874 PS92PALS000000000400123456702 "
        "PT50000201231234567890154 QA58DOHB00001234567890ABCDEFG RO49AAAA1B31007593840000 "
        "RS35260005601001611379 SA0380000000608010167519 SC18SSCB11010000000000001497USD "
        "SE4550000000058398257466 SI56263300012039086 SK3112000000198742637541 "
        "SM86U0322509800000000270100 ST68000100010051845310112 SV62CENR00000000000000700025 "
        "TL380080012345678910157 TN5910006035183598478831 TR330006100519786457841326 "
        "UA213223130000026007233566001 VA59001123000012345678 VG96VPVG0000012345678901 "
        "XK051212012345678906"
    )
}
_FOURS: Final = ("192.0.2.", "198.51.100.", "203.0.113.")
_SIXES: Final = ipaddress.IPv6Network("2001:db8::/32")
_MAC_PREFIX: Final = "00005e0053"

_NUMBER_ONLY: Final = re.compile(r"[\d\s.\-]+")
_NEVER_ISSUED: Final = re.compile(
    r"9\d\d(?:0[1-9]|[1-4]\d)(?!0000)\d{4}"
    r"|98765432\d|078051120|219099999"  # printed in advertisements, and void since
)
_SSN, _NHS = 9, 10
_FOUR: Final = 4
_NINO: Final = re.compile(r"[A-Z]{2}\d{6}[A-D]?")
_QQ: Final = re.compile(r"QQ\d{6}[A-D]?")


def _number(value: str) -> str | None:
    return digits(value) if _NUMBER_ONLY.fullmatch(value) else None


def _separator(value: str, otherwise: str) -> str:
    return next((c for c in value if c in " -."), "" if value.isdecimal() else otherwise)


def _card(value: str, draw: Draw) -> str | None:
    """Keep the length and, where there is one, the network, which the first digit shows."""
    number = _number(value)
    if not number:
        return None
    size = len(number)
    cards = _NETWORKS.get((size, number[0])) or _NETWORKS.get((size, ""))
    if cards:
        return fill(value, draw.choose(cards))
    return fill(_separator(value, "").join(["0000"] * 4), _CARDS[draw.below(4)])


def _card_reserved(value: str) -> bool:
    return _number(value) in _KNOWN_CARDS


def _ssn(value: str, draw: Draw) -> str | None:
    number = _number(value)
    if not number:
        return None
    new = f"9{draw.below(100):02}{1 + draw.below(49):02}{1 + draw.below(9999):04}"
    sep = _separator(value, "-")
    return fill(value if len(number) == _SSN else f"000{sep}00{sep}0000", new)


def _ssn_reserved(value: str) -> bool:
    return _NEVER_ISSUED.fullmatch(_number(value) or "") is not None


def _nhs(value: str, draw: Draw) -> str | None:
    number = _number(value)
    if number is None or len(number) != _NHS:
        return None
    first = draw.below(10**6)
    # One number in eleven has no check digit; the next one has.
    new = next(n for i in range(11) if (n := _checked(f"999{(first + i) % 10**6:06}")) is not None)
    return fill(value, new)


def _checked(nine: str) -> str | None:
    """Append the NHS number's check digit."""
    check = -sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True))
    return None if check % 11 == 10 else f"{nine}{check % 11}"  # noqa: PLR2004 - modulus 11


def _nhs_reserved(value: str) -> bool:
    number = _number(value) or ""
    return len(number) == _NHS and number.startswith("999")


def _compact(value: str) -> str:
    return "".join(c for c in value if c.isalnum()).upper()


def _nino(value: str, draw: Draw) -> str | None:
    compact = _compact(value)
    if not value.isascii() or not _NINO.fullmatch(compact):
        return None
    new = f"QQ{draw.below(10**6):06}{draw.choose('ABCD')}"[: len(compact)]
    return fill(value, new if value.upper() == value else new.lower(), letters=True)


def _nino_reserved(value: str) -> bool:
    return _QQ.fullmatch(_compact(value)) is not None


def _iban(value: str, _: Draw) -> str | None:
    compact = _compact(value)
    new = _IBANS.get(compact[:2])
    if new is None:
        return None
    if len(new) == len(compact):
        return fill(value, new, letters=True)
    return " ".join(new[i : i + 4] for i in range(0, len(new), 4)) if " " in value else new


def _iban_reserved(value: str) -> bool:
    compact = _compact(value)
    return _IBANS.get(compact[:2]) == compact


def _address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address; its prefix length and its zone are not what it is about."""
    try:
        return ipaddress.ip_address(value.partition("/")[0].partition("%")[0])
    except ValueError:
        return None


def _address_normal(value: str) -> str | None:
    address = _address(value)
    return None if address is None else str(address)


def _ip(value: str, draw: Draw) -> str | None:
    address = _address(value)
    if address is None:
        return None
    length = re.search(r"/\d{1,3}\Z", value, re.ASCII)
    tail = length[0] if length else ""
    if address.version == _FOUR:
        return f"{draw.choose(_FOURS)}{1 + draw.below(254)}{tail}"
    # No group is zero, so that the address has one short form.
    groups = [1 + draw.below(0xFFFF) for _ in range(3)]
    new = ipaddress.IPv6Address((0x20010DB8 << 96) | groups[0] << 80 | groups[1] << 64 | groups[2])
    text = str(new) if "::" in value else ":".join(f"{part:x}" for part in _parts(new))
    return (text.upper() if value.upper() == value and value.lower() != value else text) + tail


def _parts(address: ipaddress.IPv6Address) -> list[int]:
    return [int(part, 16) for part in address.exploded.split(":")]


def _ip_reserved(value: str) -> bool:
    if ":" not in value and not value.startswith(_FOURS):
        return False  # as nearly all are, and reading an address takes long
    address = _address(value)
    return address is not None and (address.version == _FOUR or address in _SIXES)


def _hexadecimal(value: str) -> str | None:
    compact = re.sub(r"[:.\-]", "", value).lower()
    return compact if re.fullmatch(r"[0-9a-f]{12}", compact) else None


def _mac(value: str, draw: Draw) -> str | None:
    if _hexadecimal(value) is None:
        return None
    new = f"{_MAC_PREFIX}{draw.below(256):02x}"
    return fill(value, new if value.upper() != value else new.upper(), letters=True)


def _mac_reserved(value: str) -> bool:
    return (_hexadecimal(value) or "").startswith(_MAC_PREFIX)


NUMBERS: Final = {
    "CREDIT_CARD": Kind(_number, _card, _card_reserved),
    "US_SSN": Kind(_number, _ssn, _ssn_reserved),
    "US_ITIN": Kind(_number, _ssn, _ssn_reserved),
    "UK_NHS": Kind(_number, _nhs, _nhs_reserved),
    "UK_NINO": Kind(_compact, _nino, _nino_reserved),
    "IBAN_CODE": Kind(_compact, _iban, _iban_reserved),
    "IP_ADDRESS": Kind(_address_normal, _ip, _ip_reserved),
    "MAC_ADDRESS": Kind(_hexadecimal, _mac, _mac_reserved),
}
