"""Findings that need no reducing, because what they found is what reduction writes.

A scan of reduced text finds things again: a stand-in e-mail address is an e-mail address, and a
model of language may take `<PERSON>` for a person. Left alone is a finding

1. whose value is reserved (see `pseudonyms.py`), where its entity's operator is `pseudonym`;
2. within such a one: the name in `jlarkmead4731@example.com`;
3. within a placeholder: `<ENTITY>` or a keyed token of a known entity, or an operator's
   `new_value`;
4. within an invented name, where people or places get pseudonyms;
5. of masking characters alone, where its entity's operator is `mask`.

The rules look at the text, not at what a run has done: another run, and `verify`, leave the same
findings alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from .invented_names import within_invented
from .operators import Operators
from .overlaps import Finding, outside
from .pseudonyms import reserved, token_entity


@dataclass(frozen=True)
class Settled:
    """The rules, for operators and the entities that are looked for."""

    operators: Operators
    entities: frozenset[str]

    @cached_property
    def _reach(self) -> int:
        """How long a placeholder may be: that of the longest entity, a token."""
        return max(map(len, self.entities), default=0) + len("<_bcdfghjkmnpq>")

    @cached_property
    def _values(self) -> tuple[str, ...]:
        values = {operator.new_value for operator in self.operators.all()}
        return tuple(sorted(value for value in values if value))

    @cached_property
    def _names(self) -> bool:
        return any(self.operators.of(e).type == "pseudonym" for e in ("PERSON", "LOCATION"))

    @cached_property
    def _bracketed(self) -> bool:
        """Whether all that reduction writes stands between angle brackets."""
        kinds = {operator.type for operator in self.operators.all()}
        return not (self._values or kinds & {"mask", "pseudonym"})

    def left(self, text: str, findings: list[Finding]) -> list[Finding]:
        """Give the findings that are still to be reduced, in their order.

        >>> rules = Settled(Operators(), frozenset({"PERSON", "LOCATION"}))
        >>> rules.left("<PERSON> of Rome", [Finding(1, 7, "PERSON", 0.85),
        ...                                 Finding(12, 16, "LOCATION", 0.85)])
        [Finding(start=12, end=16, entity='LOCATION', score=0.85)]
        """
        if self._bracketed and "<" not in text:
            return findings
        left, ours = [], []
        for finding in findings:
            operator = self.operators.of(finding.entity)
            value = text[finding.start : finding.end]
            if operator.type == "pseudonym" and reserved(finding.entity, value):
                ours.append(finding)
            elif operator.type == "mask" and not value.strip(operator.masking_char):
                continue
            elif not (
                self._in_placeholder(text, finding)
                or (self._names and within_invented(text, finding.start, finding.end))
            ):
                left.append(finding)
        return outside(left, ours) if ours else left

    def _in_placeholder(self, text: str, finding: Finding) -> bool:
        start, end = finding.start, finding.end
        first = text.rfind("<", max(0, start - self._reach), start + 1)
        if first >= 0:
            last = text.find(">", max(end - 1, first), first + self._reach)
            if last >= 0 and _is_placeholder(text[first : last + 1], self.entities):
                return True
        for value in self._values:
            size = len(value)
            # An occurrence that begins no later and ends no earlier than the finding.
            if text.find(value, max(0, end - size), start + size) >= 0:
                return True
        return False


def _is_placeholder(value: str, entities: Collection[str]) -> bool:
    return value[1:-1] in entities or token_entity(value) in entities
