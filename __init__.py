"""Decide, record by record, what a model may be trained on, and copy only that.

This is the door: what stands in `__all__` is public, everything else may change. Names are loaded
when they are first used, so that importing corpusgate costs nothing.

>>> import corpusgate
>>> issubclass(corpusgate.PolicyError, corpusgate.CorpusgateError)
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .filters.decide import decide
    from .filters.errors import (
        CorpusgateError,
        JobError,
        OutputError,
        PolicyError,
        RegisterError,
        SchemaError,
        UnitError,
    )
    from .filters.policy import Policy
    from .jobs.eligibility import EligibilityFilter
    from .jobs.local import run
    from .jobs.policies import load_policy
    from .jobs.registers import Registers
    from .jobs.scanner import PiiScanner
    from .jobs.session import connect, register
    from .jobs.summary import Summary

__version__ = "0.1.0"

__all__ = [
    "CorpusgateError",
    "EligibilityFilter",
    "JobError",
    "OutputError",
    "PiiScanner",
    "Policy",
    "PolicyError",
    "RegisterError",
    "Registers",
    "SchemaError",
    "Summary",
    "UnitError",
    "__version__",
    "connect",
    "decide",
    "load_policy",
    "register",
    "run",
]

_HOMES = {
    "CorpusgateError": ".filters.errors",
    "EligibilityFilter": ".jobs.eligibility",
    "JobError": ".filters.errors",
    "OutputError": ".filters.errors",
    "PiiScanner": ".jobs.scanner",
    "Policy": ".filters.policy",
    "PolicyError": ".filters.errors",
    "RegisterError": ".filters.errors",
    "Registers": ".jobs.registers",
    "SchemaError": ".filters.errors",
    "Summary": ".jobs.summary",
    "UnitError": ".filters.errors",
    "connect": ".jobs.session",
    "decide": ".filters.decide",
    "load_policy": ".jobs.policies",
    "register": ".jobs.session",
    "run": ".jobs.local",
}


def __getattr__(name: str) -> object:
    """Load a public name from where it lives, once (PEP 562)."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return __all__
