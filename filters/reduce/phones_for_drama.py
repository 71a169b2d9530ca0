"""Telephone numbers that nobody has: the ranges that regulators keep free for drama.

| plan | range | who says so |
|---|---|---|
| North America | 555-0100 to 555-0199 in every geographic area code | NANPA |
| United Kingdom | 01632 960xxx, 07700 900xxx, 020 7946 0xxx, 0113 496 0xxx, … | Ofcom |
| Australia | 02, 03, 07, 08 with 5550 xxxx and 7010 xxxx | ACMA |
| France | 01 99 00, 02 61 91, 03 53 01, 04 65 71, 05 36 49, 06 39 98 with xx xx | ARCEP 2018-0881 |

A number keeps its plan, its prefix and its punctuation; one of any other plan becomes a North
American one. Without an international prefix the plan is read from the form: eleven digits after
0 are British, `0x xx xx xx xx` is French, other ten digits after 0 are Australian.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..digits import digits
from .draw import Draw, Kind, fill, words

_AREAS: Final = words(
    "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 "
    "239 240 248 251 252 253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 "
    "310 312 313 314 315 316 317 318 319 320 321 323 325 330 331 334 336 337 339 347 351 352 360 "
    "361 386 401 402 404 405 406 407 408 409 410 412 413 414 415 417 419 423 425 430 432 434 435 "
    "440 443 458 469 470 475 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 "
    "517 518 520 530 540 541 551 559 561 562 563 567 570 571 573 574 575 580 585 586 601 602 603 "
    "605 606 607 608 609 610 612 614 615 616 617 618 619 620 623 626 630 631 636 641 646 650 651 "
    "660 661 662 678 682 701 702 703 704 706 707 708 712 713 714 715 716 717 718 719 720 724 727 "
    "731 732 734 737 740 754 757 760 763 765 770 772 773 774 775 781 785 786 801 802 803 804 805 "
    "806 808 810 812 813 814 815 816 817 818 828 830 831 832 843 845 847 848 850 856 857 858 859 "
    "860 862 863 864 865 870 878 901 903 904 906 907 908 909 910 912 913 914 915 916 917 918 919 "
    "920 925 928 931 936 937 940 941 947 949 951 952 954 956 970 971 972 973 978 979 980 985 989"
)
_UK_BLOCKS: Final = words(
    "1632960 1134960 1144960 1154960 1164960 1174960 1184960 1214960 1314960 1414960 1514960 "
    "1614960 1914980 2079460 2896496 2920180 3069990 7700900 8081570 9098790"
)
_AU: Final = tuple(f"{area}{block}" for area in "2378" for block in ("5550", "7010"))
_FR: Final = ("19900", "26191", "35301", "46571", "53649")
_FR_MOBILE: Final = "63998"

# What stands between digits, after phonenumbers' list; anything else is no part of a number.
_PUNCTUATION: Final = r"\s().\[\]/~+‐-―−ー－／（）＋-"  # noqa: RUF001 - they are meant
_WRITTEN: Final = re.compile(rf"[{_PUNCTUATION}]*\d(?:[\d{_PUNCTUATION}]*\d)?")
_NUMBER_ONLY: Final = re.compile(rf"[\d{_PUNCTUATION}]+")
_ABROAD: Final = re.compile(r"(?:00|011)")
_PLAN: Final = re.compile(
    # the trunk 0 is sometimes written behind the country's number: +44 (0)20 …
    r"(?P<lead>1)(?P<nanp>[2-9]\d{9})"
    r"|(?P<uk_lead>440?)(?P<uk>[1-9]\d{9})"
    r"|(?P<au_lead>610?)(?P<au>[1-9]\d{8})"
    r"|(?P<fr_lead>330?)(?P<fr>[1-9]\d{8})"
)
_PAIRS: Final = re.compile(r"0\d(?:\D\d\d){4}")
_RESERVED: Final = re.compile(
    rf"""
      (?: (?:00|011)?1 )? (?!8(\d)\1|900) [2-9][0-8]\d 55501\d\d
    | 55501\d\d
    | (?: 0 | (?:00|011)?440? )
      (?: (?:{"|".join(_UK_BLOCKS)}) \d{{3}} )
    | (?: 0 | (?:00|011)?610? ) (?: (?:{"|".join(_AU)}) \d{{4}} )
    | (?: 0 | (?:00|011)?330? ) (?: (?:{"|".join((*_FR, _FR_MOBILE))}) \d{{4}} )
    """,
    re.VERBOSE,
)
_NATIONAL, _LOCAL, _BRITISH = 10, 7, 11


@dataclass(frozen=True)
class _Number:
    """A number as it is written: its plan, the digits before the national number, and that."""

    plan: str
    lead: str
    national: str
    form: str


def _read(value: str) -> _Number:
    """Read a number; an extension behind it is not part of it."""
    written = _WRITTEN.match(value)
    form = written[0] if written else ""
    number = digits(form)
    plus = "+" in form or "＋" in form  # noqa: RUF001 - it is meant
    abroad = None if plus else _ABROAD.match(number)
    prefix = abroad[0] if abroad else ""
    plan = _PLAN.fullmatch(number[len(prefix) :])
    if plan is not None:
        kind = plan.lastgroup or ""
        national = plan[kind]
        return _Number(kind, number[: len(number) - len(national)], national, form)
    if plus or abroad:
        return _Number("other", "", number[len(prefix) :], form)
    return _domestic(number, form)


def _domestic(number: str, form: str) -> _Number:
    if not number.startswith("0"):
        short = len(number) == _LOCAL
        plan = "local" if short else "nanp" if len(number) == _NATIONAL else "other"
        return _Number(plan, "", number, form)
    plan = "other"
    if len(number) == _BRITISH:
        plan = "uk"
    elif len(number) == _NATIONAL:
        plan = "fr" if _PAIRS.search(form) else "au"
    return _Number(plan, "0", number[1:], form)


def _normal(value: str) -> str | None:
    return _read(value).national or None


def _make(value: str, draw: Draw) -> str | None:
    number = _read(value)
    match number.plan:
        case "nanp":
            new = f"{draw.choose(_AREAS)}55501{draw.below(100):02}"
        case "local":
            new = f"55501{draw.below(100):02}"
        case "uk":
            # 02x numbers are spaced unlike 01xxx ones; the form goes with the first digit.
            blocks = [block for block in _UK_BLOCKS if block[0] == number.national[0]]
            new = f"{draw.choose(blocks or _UK_BLOCKS)}{draw.below(1000):03}"
        case "au":
            new = f"{draw.choose(_AU)}{draw.below(10_000):04}"
        case "fr":
            mobile = number.national[0] in "67"
            new = f"{_FR_MOBILE if mobile else draw.choose(_FR)}{draw.below(10_000):04}"
        case _:
            return _elsewhere(number, draw)
    return fill(number.form, number.lead + new)


def _elsewhere(number: _Number, draw: Draw) -> str:
    """Give a North American number with the punctuation that the form has first."""
    separator = re.search(r"(?<=\d)[ .\-](?=\d)", number.form)
    parts = [draw.choose(_AREAS), "555", f"01{draw.below(100):02}"]
    new = (separator[0] if separator else "").join(parts)
    return f"+1{separator[0] if separator else ''}{new}" if "+" in number.form else new


def _reserved(value: str) -> bool:
    return (
        _NUMBER_ONLY.fullmatch(value) is not None and _RESERVED.fullmatch(digits(value)) is not None
    )


PHONES: Final = {"PHONE_NUMBER": Kind(_normal, _make, _reserved)}
