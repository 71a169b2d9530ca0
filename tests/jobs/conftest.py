"""A workshop for each test."""

from pathlib import Path

import pytest
from runs.s3 import s3, s3_server  # noqa: F401 - fixtures
from runs.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A folder with registers, and no corpus yet."""
    return Workshop(tmp_path)
