"""Azurite, a real server of Azure's blob protocol, from npm."""

from __future__ import annotations

import base64
import hmac
import http.client
import shutil
import subprocess
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from filelock import FileLock

from .s3 import BUCKET, Started, Store, free_port

VERSION = "3.37.0"
HOME = Path(__file__).parents[2] / "build" / f"azurite-{VERSION}"
ACCOUNT = "devstoreaccount1"
# Azurite's only account and its published key: a constant of the program, and no secret.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def program() -> Path:
    """Install it at the first call; skip the test where there is no npm."""
    found = HOME / "node_modules" / ".bin" / "azurite-blob"
    HOME.mkdir(parents=True, exist_ok=True)
    with FileLock(HOME / ".lock"):
        if not found.exists():
            npm = shutil.which("npm")
            if npm is None:
                pytest.skip("Azurite, the server of Azure's protocol, is installed with npm")
            asked = [npm, "install", "--prefix", str(HOME), "--no-audit", "--no-fund",
                     "--ignore-scripts", f"azurite@{VERSION}"]  # fmt: skip
            subprocess.run(asked, check=True, capture_output=True)
    return found


class Azurite(Store):
    """The server, with a container."""

    scheme = "abfs"
    secrets = (KEY,)
    place = f"/{ACCOUNT}"
    listing = "comp=list"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [str(program()), "--blobHost", "127.0.0.1", "--blobPort", str(self.port),
                   "--inMemoryPersistence", "--silent", "--skipApiVersionCheck",
                   "--disableTelemetry"]  # fmt: skip
        self._started = Started(command, self.port, folder / "log")
        self._create()

    def _create(self) -> None:
        """Make the container, with a request signed by the account's key."""
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
        what = f"/{ACCOUNT}{self.place}/{BUCKET}\nrestype:container"
        signed = "\n".join(["PUT", *[""] * 11, *(f"{k}:{v}" for k, v in headers.items()), what])
        digest = hmac.digest(base64.b64decode(KEY), signed.encode(), "sha256")
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("PUT", f"{self.place}/{BUCKET}?restype=container", b"", headers)
        with connection.getresponse() as answer:
            assert answer.status == 201, answer.read()
        connection.close()

    def stop(self) -> None:
        self._started.stop()


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A server for all tests of a session."""
    server = Azurite(tmp_path_factory.mktemp("azure"))
    yield server
    server.stop()


@pytest.fixture
def azure(azure_server: Azurite, monkeypatch: pytest.MonkeyPatch) -> Azurite:
    """The server, with credentials in this process's environment."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    return azure_server
