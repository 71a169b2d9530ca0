"""A folder in HDFS does what a local one does, on a real name node and data node."""

import errno
import pickle
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.connectors import hdfs_client, hdfs_folder
from corpusgate.connectors.folder import PARTIAL, LocalFolder
from corpusgate.connectors.hdfs_cells import HdfsCells
from corpusgate.connectors.hdfs_client import hdfs_errors, open_hdfs
from corpusgate.connectors.hdfs_folder import HdfsFolder
from corpusgate.connectors.parquet import ParquetShard
from corpusgate.connectors.staged import StagedFile
from corpusgate.connectors.storage import list_inputs, open_folder
from corpusgate.connectors.stores import StoreError
from corpusgate.filters.errors import OutputError, SchemaError
from runs.hdfs import DATA, put

CORPUS = ["a/1.parquet", "a/b/2.parquet", "_old/3.parquet", "a/.x/4.parquet", "x.parquet",
          "a/notes.txt", "day [1]/5.jsonl"]  # fmt: skip


def publish(folder, path, data=b"data", mode=0o666):
    with StagedFile(folder, path, mode) as file:
        file.write(data)
        return file.publish()


@pytest.fixture
def folder(hdfs, tmp_path):
    return hdfs.folder(f"tests/{tmp_path.name}")


# What HDFS's own server is not needed for


def test_who_holds_whom(tmp_path):
    folder = HdfsFolder("node:8020", "a/b")
    assert folder.holds(folder)
    assert folder.holds(folder.at("c"))
    for other in (HdfsFolder("node:8020", "a/bc"), HdfsFolder("node:8020", "a"),
                  HdfsFolder("other:8020", "a/b"), LocalFolder(tmp_path)):  # fmt: skip
        assert not folder.holds(other)
    assert HdfsFolder("node:8020").holds(folder)
    assert pickle.loads(pickle.dumps(folder)) == folder  # noqa: S301 - our own bytes
    with pytest.raises(OutputError, match=r"hdfs://node:8020/a/b: .*local files only"):
        _ = folder.local


def test_without_the_client_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "hdfs_native", None)
    with pytest.raises(SchemaError, match="hdfs-native") as caught:
        list_inputs(["hdfs://without-the-client:1/a"], Path())
    assert "pip install 'corpusgate[hdfs]'" in caught.value.fix


@pytest.mark.parametrize("server", ["", "127.0.0.1:1"])
def test_an_address_that_nobody_answers_at_is_told_soon(server, monkeypatch):
    pytest.importorskip("hdfs_native")
    for variable in ("HADOOP_CONF_DIR", "HADOOP_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(hdfs_client, "PATIENCE", {"dfs.client.failover.max.attempts": "1"})
    began = time.monotonic()
    with pytest.raises(SchemaError, match="HDFS cannot be reached") as caught:
        list_inputs([f"hdfs://{server}/a"], Path())
    assert time.monotonic() - began < 30
    assert "HADOOP_CONF_DIR" in caught.value.fix


@pytest.mark.parametrize(
    ("said", "number", "shown"),
    [
        ('RPCError("org.x.AccessControlException", "user=me")', errno.EACCES, "denies access"),
        ('RPCError("org.x.ipc.SafeModeException", "…")', errno.EBUSY, "safe mode"),
        ('RPCError("org.x.DSQuotaExceededException", "…")', errno.EPERM, "quota of space"),
        ('RPCError("java.io.IOException", "could only be replicated")', errno.EBUSY, "has room"),
        ('RPCError("java.io.IOException", "…")', errno.EPROTO, "refused a request"),
        ("DataTransferError(…)", errno.EIO, "did not answer"),
    ],
)
def test_errors_are_told_in_words_of_ours(said, number, shown):
    with pytest.raises(StoreError, match=shown) as caught, hdfs_errors("hdfs://node/a"):
        raise RuntimeError(said)
    assert caught.value.errno == number
    assert not re.search(r"java|Exception|user=", str(caught.value))
    assert caught.value.__suppress_context__


# Patterns


@pytest.fixture(scope="module")
def corpus(hdfs):
    for name in CORPUS:
        put(hdfs.folder("corpus"), name, b"data")
    return hdfs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("corpus", ["a/1.parquet", "a/b/2.parquet", "day [1]/5.jsonl", "x.parquet"]),
        ("corpus/", ["a/1.parquet", "a/b/2.parquet", "day [1]/5.jsonl", "x.parquet"]),
        ("corpus/x.parquet", ["x.parquet"]),
        ("corpus/**/*.parquet", ["a/1.parquet", "a/b/2.parquet", "x.parquet"]),
        ("corpus/?/*.parquet", ["a/1.parquet"]),
        ("corpus/_old", ["3.parquet"]),
        ("corpus/day [1]", ["5.jsonl"]),
        ("c*/x.parquet", ["corpus/x.parquet"]),
    ],
)
def test_a_pattern_names_files_as_it_does_here(corpus, tmp_path, pattern, found):
    files = list_inputs([corpus.uri(pattern)], tmp_path)
    assert [file.name for file in files] == found
    for file in files:
        assert (file.size, file.folder.read(file.path)) == (4, b"data")
        assert file.modified.isdigit()
    for name in CORPUS:
        publish(LocalFolder(tmp_path / "corpus"), name)
    assert [file.name for file in list_inputs([pattern], tmp_path)] == found


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["corpus/y.parquet", "corp", "corpus/**/*.csv", "corpus/a/b/c"])
def test_a_pattern_that_names_nothing_is_an_error(corpus, pattern):
    with pytest.raises(SchemaError, match=f"`{corpus.uri('cor')}") as caught:
        list_inputs([corpus.uri(pattern)], Path())
    assert caught.value.fix


# Reading


@pytest.mark.slow
def test_parquet_is_read_in_parts(hdfs, folder):
    table = pa.table({"n": range(10_000), "name": [str(number) for number in range(10_000)]})
    file = pa.BufferOutputStream()
    pq.write_table(table, file, row_group_size=1000)
    put(folder, "a.parquet", file.getvalue().to_pybytes())
    (item,) = list_inputs([str(folder)], Path())
    with ParquetShard(item.folder, item.path, item.name) as shard:
        assert shard.size == item.size
        assert shard.read(["n"], range(3, 5)).column("n").to_pylist() == list(range(3000, 5000))


@pytest.mark.slow
def test_a_file_that_is_replaced_while_it_is_read_is_no_mixture(folder):
    """Its blocks are there for a while, and then an error says so."""
    publish(folder, "a", b"1" * 200_000)
    with folder.open_input_file("a") as file:
        assert file.read_at(3, 0) == b"111"
        publish(folder, "a", b"2" * 200_000)
        for _ in range(300):
            try:
                assert file.read_at(3, 5) == b"111"
            except StoreError as error:
                assert error.errno == errno.ESTALE  # noqa: PT017 - how long it takes is HDFS's
                break
            time.sleep(0.1)
        else:
            pytest.fail("the blocks do not go")
    assert folder.read("a") == b"2" * 200_000


@pytest.mark.slow
def test_a_folder_is_not_read_as_a_file(folder):
    publish(folder, "a/b")
    with pytest.raises(StoreError, match="it is a folder"):
        folder.read("a")
    assert folder.entry("a") is None


# Writing


@pytest.mark.slow
def test_permissions_are_those_asked_for(folder):
    folder.prepare()
    folder.at("audit").prepare(private=True)
    publish(folder, "audit/a", mode=0o600)
    publish(folder, "eligible/a")
    assert [folder.status(path).permission for path in ("", "audit", "audit/a", "eligible/a")] == [
        0o755, 0o700, 0o600, 0o644]  # fmt: skip


@pytest.mark.slow
def test_what_is_being_written_is_not_listed_and_is_swept(folder):
    put(folder, "eligible/.a.parquet.0123abcd.partial", b"x")
    put(folder, ".lock.0123abcd.partial/x", b"x")
    publish(folder, "eligible/b")
    assert [entry.path for entry in folder.files()] == ["eligible/b"]
    folder.sweep()
    assert {status.path for status in folder.listed("", recursive=True)} == {
        folder.place("eligible"), folder.place("eligible/b")}  # fmt: skip


@pytest.mark.slow
def test_folders_left_empty_go(folder):
    for name in ("a/1", "a/b/2", "a/b-/3", "a/c/d/4", "b"):
        publish(folder, name)
    folder.retain("a", {"a/b/2"})
    left = {folder._below(found) for found in folder.listed("", recursive=True)}
    assert left == {"a", "a/b", "a/b/2", "b"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a:b", "folder"])
def test_a_name_that_cannot_be_is_an_error_and_leaves_nothing(folder, name):
    publish(folder, "folder/in")
    with pytest.raises(StoreError):
        publish(folder, name)
    assert [entry.path for entry in folder.files()] == ["folder/in"]
    assert folder.names() == {"folder"}


@pytest.mark.slow
def test_who_may_not_write_is_told_so(hdfs, folder, monkeypatch):
    folder.prepare(private=True)
    monkeypatch.setenv("HADOOP_USER_NAME", "nobody-in-particular")
    open_hdfs.cache_clear()
    try:
        for act in (lambda: publish(folder, "a"), folder.names, lambda: folder.clear("b"),
                    lambda: folder.read("c"), folder.at("d").prepare):  # fmt: skip
            with pytest.raises(StoreError, match="HDFS denies access") as caught:
                act()
            assert caught.value.errno == errno.EACCES
    finally:
        open_hdfs.cache_clear()


# Cells


@pytest.mark.slow
def test_conditional_writes(folder):
    cells = HdfsCells(folder)
    assert cells.entry("lock") is None
    with pytest.raises(FileNotFoundError):
        cells.read("lock")
    first = cells.create("lock", b"1")
    with pytest.raises(FileExistsError):
        cells.create("lock", b"2")
    second = cells.replace("lock", b"3", first)
    for version in (first, "0" * 32):
        with pytest.raises(FileExistsError):
            cells.replace("lock", b"4", version)
    assert cells.read("lock") == b"3"
    assert cells.entry("lock").version == second
    assert cells.entry("lock").modified == pytest.approx(time.time(), abs=60)
    assert list(folder.files()) == []
    assert folder.names() == {"lock"}
    assert len(folder.listed("lock", recursive=True)) == 2
    cells.delete(["lock"])
    with pytest.raises(FileExistsError):
        cells.replace("lock", b"5", second)
    assert cells.entry("lock") is None
    assert folder.names() == set()


@pytest.mark.slow
@pytest.mark.parametrize("there", [False, True])
def test_of_many_writers_one_has_it(folder, there):
    cells = HdfsCells(folder)
    seen = cells.create("lock", b"before") if there else ""

    def one(number):
        data = str(number).encode()
        try:
            return number, cells.replace("lock", data, seen) if there else cells.create(
                "lock", data
            )
        except FileExistsError:
            return number, None

    with ThreadPoolExecutor(16) as pool:
        done = [(n, version) for n, version in pool.map(one, range(16)) if version is not None]
    assert len(done) == 1
    assert cells.read("lock") == str(done[0][0]).encode()
    assert cells.entry("lock").version == done[0][1]
    assert len(folder.listed("", recursive=True)) == 3


@pytest.mark.slow
def test_a_writer_who_is_swept_away_begins_again(folder):
    """The owner of a folder sweeps what runs have left half-way, also of one that begins now."""
    cells, over = HdfsCells(folder), threading.Event()

    def sweep():
        while not over.wait(1.0):
            folder.sweep()

    with ThreadPoolExecutor(1) as pool:
        sweeping = pool.submit(sweep)
        try:
            for number in range(20):
                with suppress(FileExistsError):  # swept between writing and renaming
                    cells.create(f"lock{number}", b"data")
        finally:
            over.set()
        sweeping.result()
    made = {name for name in folder.names() if not name.endswith(PARTIAL)}
    assert {cells.read(name) for name in made} == {b"data"}


@pytest.mark.slow
def test_what_is_no_cell_has_no_content(folder):
    put(folder, ".lock", b"a file of another program")
    assert HdfsCells(folder).read(".lock") == b""
    with pytest.raises(FileExistsError):
        HdfsCells(folder).create(".lock", b"x")
    assert folder.read(".lock") == b"a file of another program"


# Nodes that fail


@pytest.mark.faults
def test_a_data_node_that_is_away_for_a_while(hdfs, folder, monkeypatch):
    monkeypatch.setattr(hdfs_folder, "PAUSES", (0.5,) * 60)
    publish(folder, "before", b"before")
    hdfs.kill(DATA)
    with ThreadPoolExecutor(2) as pool:
        written = pool.submit(publish, folder, "during", b"during")
        read = pool.submit(folder.read, "before")
        time.sleep(3)
        assert folder.names() == {"before"} or not written.done()
        hdfs.start(DATA)
        assert written.result(120).bytes == 6
        assert read.result(120) == b"before"
    assert folder.read("during") == b"during"
    folder.sweep()
    assert folder.names() == {"before", "during"}


@pytest.mark.faults
def test_without_a_data_node_nothing_is_there_that_only_looks_written(hdfs, folder, monkeypatch):
    monkeypatch.setattr(hdfs_folder, "PAUSES", (0.1,))
    publish(folder, "a", b"before")
    hdfs.kill(DATA)
    try:
        with pytest.raises(StoreError, match="HDFS"):
            publish(folder, "a", b"after")
    finally:
        hdfs.start(DATA)
    assert folder.read("a") == b"before"
    assert folder.names() == {"a"}


@pytest.mark.slow
def test_an_address_without_a_port_is_the_usual_one(monkeypatch):
    asked = []
    monkeypatch.setattr("hdfs_native.Client.get_file_info", lambda self, _: asked.append(self))
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.delenv("HADOOP_HOME", raising=False)
    open_hdfs.__wrapped__("127.0.0.1")
    assert asked
    assert str(open_folder("hdfs://127.0.0.1/a", Path())) == "hdfs://127.0.0.1/a"


@pytest.mark.slow
def test_hadoops_own_configuration_names_the_server(hdfs, tmp_path, monkeypatch):
    site = f"<property><name>fs.defaultFS</name><value>hdfs://{hdfs.server}</value></property>"
    (tmp_path / "core-site.xml").write_text(f"<configuration>{site}</configuration>")
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    put(hdfs.folder("by-default"), "a.parquet", b"x")
    try:
        (file,) = list_inputs(["hdfs:///by-default"], Path())
        assert file.place == "hdfs:///by-default/a.parquet"
        assert file.folder.read(file.path) == b"x"
    finally:
        open_hdfs.cache_clear()


def test_once_nobody_has_answered_for_long_others_do_not_wait_as_well(monkeypatch):
    monkeypatch.setattr(hdfs_folder, "PAUSES", (0.01, 0.02, 0.03))
    folder, tries = HdfsFolder("silent:8020"), []

    def fail():
        tries.append(1)
        raise RuntimeError("DataTransferError(…)")

    for expected in (4, 5, 6):
        with pytest.raises(StoreError, match="did not answer"):
            folder.tried("a", fail)
        assert len(tries) == expected
    with pytest.raises(StoreError, match="did not answer"):
        folder.tried("a", lambda: folder.tried("b", fail))
    assert len(tries) == 7
    assert folder.tried("a", lambda: "an answer") == "an answer"
    with pytest.raises(StoreError, match="did not answer"):
        folder.tried("a", lambda: folder.tried("b", fail))
    assert len(tries) == 11
    with pytest.raises(StoreError, match="did not answer"):
        folder.tried("a", fail, data=True)
    folder.tried("a", lambda: "a name")
    with pytest.raises(StoreError, match="did not answer"):
        folder.tried("a", fail, data=True)
    assert len(tries) == 16
    hdfs_folder._silent.clear()
