"""What holds for all tests."""

import pytest

LONGEST = "test_ray_faults.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that takes longest: side by side, nobody waits for it at the end."""
    items.sort(key=lambda item: item.path.name != LONGEST)
