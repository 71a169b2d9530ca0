"""Digits of all scripts, as ASCII's."""

from __future__ import annotations

import unicodedata


def digits(text: str) -> str:
    """Give the decimal digits of a text.

    >>> digits("(٣) 4"), digits("none")
    ('34', '')
    """
    found = "".join(filter(str.isdecimal, text))
    return found if found.isascii() else "".join(str(unicodedata.decimal(c)) for c in found)
