"""How hard a property is tried: quickly and the same way every time, or at length."""

import pytest
from hypothesis import HealthCheck, Phase, settings

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def efforts(fast: int, slow: int) -> pytest.MarkDecorator:
    """Parametrise `effort`: `fast` examples for every run, `slow` ones under the marker."""
    quick = settings(
        max_examples=fast,
        # Many examples are small already; shrinking what calls an engine takes minutes.
        phases=[Phase.explicit, Phase.generate],
        derandomize=True,  # a run in CI fails because of the change, not because of the dice
        database=None,
        deadline=None,
        suppress_health_check=_QUIET,
    )
    long = settings(max_examples=slow, database=None, deadline=None, suppress_health_check=_QUIET)
    return pytest.mark.parametrize(
        "effort",
        [pytest.param(quick, id="fast"), pytest.param(long, id="slow", marks=pytest.mark.slow)],
    )
