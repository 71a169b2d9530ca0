"""Google Cloud Storage's XML protocol, on top of the S3 server.

No server to be had speaks it: fake-gcs-server and gcp-storage-emulator speak the JSON protocol,
and the client that is tested here asks in XML. The two XML protocols are the same but for what is
translated here, as Google documents it: every object has a generation, writes are conditional on
that and not on an ETag, and what is not there cannot be deleted.
https://cloud.google.com/storage/docs/xml-api/reference-headers
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .s3 import SIGNED, Server, Store

CONDITION, GENERATION = "x-goog-if-generation-match", "x-goog-generation"
MAIL = "tests@corpusgate.iam.gserviceaccount.com"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Translator

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.headers.get("Authorization", "").startswith("Bearer "):
            self._answer(401, {}, b"<Error><Code>AuthenticationRequired</Code></Error>")
            return
        key, _, query = self.path.partition("?")
        asked = parse_qs(query, keep_blank_values=True)
        key = unquote(key)
        whole = (self.command == "PUT" and "partNumber" not in asked) or (
            self.command == "POST" and "uploadId" in asked
        )
        with self.server.writing:  # a condition and its write are one
            there = self.server.generations.get(key, 0)
            wanted = self.headers.get(CONDITION)
            if wanted is not None and int(wanted) != there:
                self._answer(412, {}, b"<Error><Code>PreconditionFailed</Code></Error>")
                return
            if self.command == "DELETE" and not (there or asked):
                self._answer(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
                return
            status, headers, data = self._ask(f"{quote(key)}?{query}", body)
            if status < 300 and whole:
                self.server.generations[key] = next(self.server.numbers)
            elif status < 300 and self.command == "DELETE" and not asked:
                del self.server.generations[key]
            if key in self.server.generations:
                headers[GENERATION] = str(self.server.generations[key])
        self._answer(status, headers, data)

    def _ask(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        back = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        passed = {n: v for n, v in self.headers.items() if n.lower() in {"range", "if-match"}}
        with closing(back):
            back.request(self.command, path, body, passed | SIGNED)
            answer = back.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815 - as http.server calls them


class _Translator(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.writing = threading.Lock()
        self.generations: dict[str, int] = {}
        self.numbers = itertools.count(1_700_000_000_000_000)

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news."""


class Google(Store):
    """The protocol, over an S3 server of its own; `account` is a file with credentials."""

    scheme = "gs"

    def __init__(self, folder: Path) -> None:
        self._behind = Server(folder / "log")
        self._front = _Translator(self._behind.port)
        self.port = int(self._front.server_address[1])
        threading.Thread(target=self._front.serve_forever, args=(0.05,), daemon=True).start()
        self.account = folder / "account.json"
        key = _private_key()
        self.secrets = tuple(key.splitlines()[1:3])
        account = {"type": "service_account", "client_email": MAIL, "private_key_id": "1",
                   "private_key": key, "token_uri": self.address}  # fmt: skip
        self.account.write_text(json.dumps(account))

    def stop(self) -> None:
        self._front.shutdown()
        self._front.server_close()
        self._behind.stop()


def _private_key() -> str:
    """Make a key; the client signs its requests' tokens with it, and asks nobody for one."""
    key = rsa.generate_private_key(65537, 2048)
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


@pytest.fixture(scope="session")
def google_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    """A server for all tests of a session."""
    server = Google(tmp_path_factory.mktemp("google"))
    yield server
    server.stop()


@pytest.fixture
def google(google_server: Google, monkeypatch: pytest.MonkeyPatch) -> Google:
    """The server, with credentials where Google's own tools look for them."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(google_server.account))
    return google_server
