"""A naive judge of one record, written from the contract alone.

It shares no code with the package under test, so that a mistake there cannot hide here. Registers
are lists of dicts, state is found by plain loops, and each rule is walked as a syntax tree over
Python values, one record at a time. Slow on purpose.
"""

from .judge import Verdict, judge

__all__ = ["Verdict", "judge"]
