"""A workshop for each test."""

from pathlib import Path

import pytest
from runs.away import home  # noqa: F401 - a fixture
from runs.hdfs import hdfs  # noqa: F401 - a fixture
from runs.object_stores import (  # noqa: F401 - fixtures
    azure,
    azure_server,
    google,
    google_server,
    s3,
    s3_server,
    store,
)
from runs.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A folder with registers, and no corpus yet."""
    return Workshop(tmp_path)
