"""How hard a property is tried: quickly and the same way every time, or at length."""

import pytest
from hypothesis import HealthCheck, Phase, settings

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def efforts(fast: int, slow: int) -> pytest.MarkDecorator:
    """Parametrise `effort`: `fast` examples for every run, `slow` ones under the marker."""
    # Many examples are small already; shrinking and explaining what calls an engine takes minutes.
    common = settings(
        phases=[Phase.explicit, Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=_QUIET,
    )
    # The same examples every time: a run fails because of the change, not because of the dice.
    quick = settings(common, max_examples=fast)
    long = settings(common, max_examples=slow)
    return pytest.mark.parametrize(
        "effort",
        [pytest.param(quick, id="fast"), pytest.param(long, id="slow", marks=pytest.mark.slow)],
    )
