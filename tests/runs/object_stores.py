"""Every object store there is; but for S3, they are asked by the slow tests."""

from __future__ import annotations

from typing import Final

import pytest

from .azure import azure, azure_server
from .google import google, google_server
from .s3 import Store, s3, s3_server

__all__ = ["STORES", "azure", "azure_server", "google", "google_server", "s3", "s3_server", "store"]

STORES: Final = [
    "s3",
    pytest.param("azure", marks=pytest.mark.slow),
    pytest.param("google", marks=pytest.mark.slow),
]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    """One store after the other, with credentials in this process's environment."""
    return request.getfixturevalue(request.param)
