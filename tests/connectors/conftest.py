"""A real PostgreSQL, started from a wheel, and servers of the object stores' protocols."""

import tempfile
from pathlib import Path

import pytest
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


@pytest.fixture(scope="session")
def postgresql():
    """A server that lives as long as the tests; `.psql(sql)` prepares, `.get_uri()` connects.

    Not in pytest's own temporary folder: the server runs as another user when the tests run as
    root, and a socket's path must be short.
    """
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder,
    ):
        runtime = Path(folder, "run")
        runtime.mkdir(mode=0o700)
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))  # where pgserver keeps its lock
        pgserver = pytest.importorskip("pgserver")
        server = pgserver.get_server(Path(folder, "data"), cleanup_mode="delete")
        try:
            yield server
        finally:
            server.cleanup()
