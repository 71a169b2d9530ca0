"""Patterns for Presidio's recognisers that a multi-pattern matcher finds as easily as Presidio.

A number that means nothing by itself is a passport number where "passport" stands before it.
Presidio's way to say so, context words, looks at whole words anywhere in the five before, in any
order, also inside other words ("cell" in "cancel"). `after` says it in the pattern itself, as a
lookbehind, so that the finding covers the number alone.

A matcher that knows no lookbehind would stop at every number. So each pattern here has an `anchor`:
an expression without which `regex` finds nothing, and cheap to look for.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from presidio_analyzer import Pattern, PatternRecognizer

# Presidio compiles with the module `regex`; its flags have the standard library's values.
FLAGS: Final[int] = re.DOTALL | re.MULTILINE | re.IGNORECASE
CASED: Final[int] = re.DOTALL | re.MULTILINE


class AnchoredPattern(Pattern):
    """A pattern, and in `anchor` what a scanner may look for in its place.

    Every match of `regex` has the end of a match of `anchor` in it, at its end, or in what it looks
    ahead at. It begins inside that match, where it begins or ends, or up to `before` characters
    before it.
    """

    def __init__(
        self, name: str, expression: str, score: float, anchor: str, before: int = 0
    ) -> None:
        """Keep the anchor beside what every pattern has."""
        super().__init__(name, expression, score)
        self.anchor = anchor
        self.before = before


def after(
    name: str, lead: str, value: str, score: float, *, anchor: str = "", before: int = 0
) -> AnchoredPattern:
    """Give the pattern of a value that stands directly after `lead`, which stays outside.

    Without an anchor of its own, lead and value together are the anchor.

    >>> import regex
    >>> pattern = after("pin", r"PIN:? ", r"[0-9]{4}", 0.5)
    >>> regex.search(pattern.regex, "my PIN: 1234")[0]
    '1234'
    >>> regex.search(pattern.anchor, "my PIN: 1234")[0]
    'PIN: 1234'
    """
    # The value is looked at first: only where it may begin is it worth looking back.
    expression = f"(?={value})(?<={lead}){value}"
    return AnchoredPattern(name, expression, score, anchor or f"(?:{lead})(?:{value})", before)


class AnchoredRecognizer(PatternRecognizer):
    r"""A recogniser that is its class: entity, patterns and flags are declared, not passed.

    No pattern uses `^`, `$`, `\A` or `\Z`; where the end of a text matters, a lookaround tells it.
    All matches and lookarounds are of bounded length.
    """

    ENTITY: ClassVar[str]
    FOUND_BY: ClassVar[tuple[Pattern, ...]]
    CASE: ClassVar[int] = FLAGS

    def __init__(self, supported_language: str = "en") -> None:
        """Make the recogniser for one language; the patterns are the same in all."""
        super().__init__(
            supported_entity=self.ENTITY,
            supported_language=supported_language,
            patterns=list(self.FOUND_BY),
            global_regex_flags=self.CASE,
        )
