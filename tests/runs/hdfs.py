"""A real HDFS, name node and data node, out of the Hadoop that an old PySpark brings along.

From the package index comes one archive, pinned by its digest; the jars that are needed are kept
in `build`. It needs Java, of a version that this Hadoop runs on.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from corpusgate.connectors.hdfs_client import new_file
from corpusgate.connectors.hdfs_folder import HdfsFolder
from filelock import FileLock

from .s3 import Started, free_port

VERSION: Final = "2.4.8"
DIGEST: Final = "3a19b71b8dc8dd91ebc943604a05e1ab01bce052456d42937035632d852d78dc"
HOME: Final = Path(__file__).parents[2] / "build" / f"hadoop-of-pyspark-{VERSION}"
JARS: Final = re.compile(
    r"(hadoop-(hdfs|common|auth|annotations)|commons-(cli|codec|collections|configuration|io|lang"
    r"|logging|net)|guava|htrace-core|jackson-(core|mapper)-asl|javax.(servlet|ws.rs)-api|jetty"
    r"|jetty-util|leveldbjni-all|log4j|netty|netty-all|protobuf-java|slf4j-api|slf4j-log4j12"
    r"|xercesImpl|xmlenc)-\d[\w.-]*\.jar"
)
JAVA: Final = range(9, 24)
"""Versions that have the options below, and still let Hadoop 2.7 ask who is logged in."""
OPTIONS: Final = [
    "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-Djava.net.preferIPv4Stack=true",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
]  # fmt: skip
LOG: Final = """log4j.rootLogger=WARN,A
log4j.appender.A=org.apache.log4j.ConsoleAppender
log4j.appender.A.layout=org.apache.log4j.PatternLayout
log4j.appender.A.layout.ConversionPattern=%d %p %c{1} %m%n
"""
NAME, DATA = "namenode.NameNode", "datanode.DataNode"


def java() -> str:
    """Find Java; skip the test where there is none of a version that fits."""
    found = shutil.which("java")
    if found is None:
        pytest.skip("HDFS's server needs Java")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) not in JAVA:
        pytest.skip(f"HDFS's server needs Java {JAVA[0]} to {JAVA[-1]}")
    return found


def jars() -> list[Path]:
    """Fetch them at the first call; skip the test where the package index cannot be reached."""
    HOME.mkdir(parents=True, exist_ok=True)
    done = HOME / ".done"
    with FileLock(HOME / ".lock"):
        if not done.exists():
            with tempfile.TemporaryDirectory(dir=HOME) as folder:
                archive = _download(Path(folder))
                with tarfile.open(archive) as packed:
                    for member in packed:
                        name = Path(member.name).name
                        if JARS.fullmatch(name) and (file := packed.extractfile(member)):
                            (HOME / name).write_bytes(file.read())
            done.touch()
    return sorted(HOME.glob("*.jar"))


def _download(folder: Path) -> Path:
    """Have pip fetch the source archive; its metadata are made with tools as old as it is."""
    wanted, old = folder / "wanted.txt", folder / "old.txt"
    wanted.write_text(f"pyspark=={VERSION} --hash=sha256:{DIGEST}\n")
    old.write_text("pypandoc<1.8\nsetuptools<81\n")
    asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir",
             "--disable-pip-version-check", "--no-binary", "pyspark", "--dest", str(folder),
             "--requirement", str(wanted)]  # fmt: skip
    limits = {"PIP_CONSTRAINT": str(old), "PIP_BUILD_CONSTRAINT": str(old)}
    done = subprocess.run(asked, capture_output=True, env={**os.environ, **limits}, check=False)
    found = list(folder.glob("pyspark-*.tar.gz"))
    if done.returncode or not found:
        pytest.skip("Hadoop, for HDFS's server, comes with PySpark, which pip could not fetch")
    with found[0].open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == DIGEST
    return found[0]


class Hdfs:
    """A name node and a data node, each in a process of its own."""

    scheme = "hdfs"
    address = None
    """Stands in the URI, not beside it."""
    secrets = ()

    def __init__(self, folder: Path) -> None:
        self._java, self._folder = java(), folder
        self.port = free_port()
        for site in ("hdfs", "datanode"):
            (folder / "webapps" / site).mkdir(parents=True)
        (folder / "log4j.properties").write_text(LOG)
        (folder / "core-site.xml").write_text(_xml({"fs.defaultFS": f"hdfs://{self.server}"}))
        nowhere = "127.0.0.1:0"
        settings = {
            "dfs.replication": 1,
            "dfs.webhdfs.enabled": "false",  # it alone would need Jersey
            "dfs.namenode.name.dir": (folder / "name").as_uri(),
            "dfs.namenode.http-address": nowhere,
            "dfs.datanode.data.dir": (folder / "data").as_uri(),
            "dfs.datanode.address": nowhere,
            "dfs.datanode.ipc.address": nowhere,
            "dfs.datanode.http.address": nowhere,
            "dfs.datanode.hostname": "127.0.0.1",
            "dfs.heartbeat.interval": 1,
            "dfs.namenode.safemode.extension": 2000,
        }
        (folder / "hdfs-site.xml").write_text(_xml(settings))
        self._command = [self._java, *OPTIONS, "-cp", os.pathsep.join(map(str, [folder, *jars()]))]
        made = [*self._command, _main(NAME), "-format", "-force", "-nonInteractive"]
        subprocess.run(made, check=True, capture_output=True)
        self._nodes: dict[str, Started] = {}
        self.start(NAME)
        self.start(DATA)

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, node: str, *, ready: bool = True) -> None:
        """Start a node, and wait until files can be written, unless not `ready`."""
        log = self._folder / f"{node}.log"
        self._nodes[node] = Started([*self._command, _main(node)], self.port, log)
        if DATA not in self._nodes or not ready:
            return
        for _ in range(600):
            with suppress(OSError, RuntimeError):
                put(self.folder(""), "ready", b"x")
                return
            time.sleep(0.1)
        raise AssertionError(log.read_text())

    def kill(self, node: str) -> None:
        """End a node as a power cut would."""
        self._nodes[node].stop()

    def stop(self) -> None:
        for node in self._nodes.values():
            node.stop()

    def uri(self, path: str) -> str:
        return f"hdfs://{self.server}/{path}"

    def folder(self, prefix: str) -> HdfsFolder:
        return HdfsFolder(self.server, prefix)

    def upload(self, place: Path, prefix: str) -> None:
        """Put all files below a local folder there."""
        for path in place.rglob("*"):
            if path.is_file():
                put(self.folder(prefix), path.relative_to(place).as_posix(), path.read_bytes())

    def tree(self, prefix: str) -> dict[str, bytes]:
        """Every file below a folder."""
        folder = self.folder(prefix)
        return {entry.path: folder.read(entry.path) for entry in folder.files()}


def put(folder: HdfsFolder, path: str, data: bytes) -> None:
    """Write a file in its place, without a hidden name."""
    folder.client.delete(folder.place(path))
    with new_file(folder.client, folder.place(path), 0o644) as file:
        if data:
            file.write(data)


def _main(node: str) -> str:
    return f"org.apache.hadoop.hdfs.server.{node}"


def _xml(settings: dict[str, Any]) -> str:
    lines = (
        f"<property><name>{k}</name><value>{v}</value></property>" for k, v in settings.items()
    )
    return f"<configuration>{''.join(lines)}</configuration>"


@pytest.fixture(scope="session")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hdfs]:
    """A server for all tests of a session."""
    pytest.importorskip("hdfs_native")
    server = Hdfs(tmp_path_factory.mktemp("hdfs"))
    yield server
    server.stop()
