"""A real server of the S3 protocol in its own process, and a proxy before it that breaks things."""

from __future__ import annotations

import http.client
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import obstore
import pytest
from corpusgate.connectors.object_folder import ObjectFolder
from corpusgate.connectors.stores import Storage

KEY, SECRET = "AKIATESTTESTTEST", "s3cr3t-of-the-store"
BUCKET = "bucket"
KINDS = ("500", "503", "cut", "lost", "half")
"""Answers 500; answers SlowDown; hangs up before the request is done; does it and hangs up; hangs
up half-way through the answer. `stall` keeps the client waiting, `403` denies."""

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20230101/us-east-1/s3/aws4_request"}
"""The server looks at it for the region, and checks no signature."""

Fault = Callable[[str, str], str]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Store:
    """A store that tests talk to; `address` is its endpoint, `secrets` what must show nowhere."""

    scheme: str
    port: int
    secrets: tuple[str, ...]
    place = ""
    """What follows host and port in the endpoint."""
    listing = "list-type"
    """Stands in the address of a request for a list."""

    @property
    def address(self) -> str:
        return self.at(self.port)

    def at(self, port: int) -> str:
        """The endpoint where the store, or a proxy before it, listens on a port."""
        return f"http://127.0.0.1:{port}{self.place}"

    def uri(self, path: str) -> str:
        return f"{self.scheme}://{BUCKET}/{path}"

    def folder(self, prefix: str, address: str | None = None) -> ObjectFolder:
        """A folder in the bucket."""
        storage = Storage(endpoint=address or self.address)
        return ObjectFolder(self.scheme, BUCKET, prefix, storage)

    def upload(self, place: Path, prefix: str) -> None:
        """Put all files below a local folder under a prefix."""
        folder = self.folder(prefix)
        for path in place.rglob("*"):
            if path.is_file():
                key = folder.key(path.relative_to(place).as_posix())
                obstore.put(folder.store, key, path.read_bytes())

    def tree(self, prefix: str) -> dict[str, bytes]:
        """Every object below a prefix."""
        folder = self.folder(prefix)
        return {entry.path: folder.read(entry.path) for entry in folder.files()}


class Started:
    """A server in a process of its own, once it listens."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        for _ in range(1200):
            assert self._process.poll() is None, log.read_text()
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


class Server(Store):
    """The S3 server."""

    scheme = "s3"
    secrets = (KEY, SECRET)

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._started = Started(command, self.port, log)
        self.request("PUT", f"/{BUCKET}")

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Ask the server directly, past the proxy."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, SIGNED)
        with connection.getresponse() as answer:
            data = answer.read()
        connection.close()
        assert answer.status < 300, (method, path, answer.status, data)
        return data

    def stop(self) -> None:
        self._started.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.look(self)
        kind = self.server.chosen(self.command, self.path)
        if kind == "stall":
            time.sleep(self.server.stall)
        if kind in {"cut", "stall"}:
            self.close_connection = True
            return
        if kind in {"500", "503", "403"}:
            code = {"500": "InternalError", "503": "SlowDown", "403": "AccessDenied"}[kind]
            self._answer(int(kind), {}, f"<Error><Code>{code}</Code></Error>".encode())
            return
        back = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        back.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            back.putheader(name, value)
        back.endheaders(body)
        with back.getresponse() as answer:
            data = answer.read()
            headers = {name.title(): value for name, value in answer.getheaders()}
        back.close()
        if kind == "lost":
            self.close_connection = True
            return
        self._answer(answer.status, headers, data, half=kind == "half")

    def _answer(
        self, status: int, headers: dict[str, str], data: bytes, *, half: bool = False
    ) -> None:
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if half else data)
        self.close_connection = self.close_connection or half

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815 - as http.server calls them


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, store: Store, fault: Fault, stall: float, look: Callable[..., None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind, self.stall, self._fault, self.look = store.port, stall, fault, look
        self.address = store.at(self.server_address[1])
        self._lock = threading.Lock()
        self.seen: list[tuple[str, str, str]] = []

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news."""

    def chosen(self, method: str, path: str) -> str:
        with self._lock:
            kind = self._fault(method, path)
            self.seen.append((method, path, kind))
        return kind


@contextmanager
def proxy(
    store: Store, fault: Fault, stall: float = 1, look: Callable[..., None] = lambda _: None
) -> Iterator[_Proxy]:
    """Put a proxy before a store; `fault` says for each request what to do, "" for nothing."""
    made = _Proxy(store, fault, stall, look)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


def address_of(made: _Proxy) -> str:
    return made.address


def one_in_five(seed: int) -> Fault:
    """Break every fifth request, by chance, in one of the ways there are."""
    chance = random.Random(seed)  # noqa: S311 - the same faults each time
    return lambda *_: chance.choice(KINDS) if chance.random() < 0.2 else ""


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests of a session."""
    server = Server(tmp_path_factory.mktemp("s3") / "log")
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, with credentials in this process's environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return s3_server
