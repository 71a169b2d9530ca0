"""HDFS through pyarrow; another of its filesystems stands in for Hadoop's, which needs Java."""

import gzip
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.connectors import hdfs_folder
from corpusgate.connectors.hdfs_folder import HdfsFolder
from corpusgate.connectors.parquet import ParquetShard
from corpusgate.connectors.storage import list_inputs, open_folder
from corpusgate.connectors.stores import StoreError
from corpusgate.filters.errors import OutputError, SchemaError
from pyarrow import fs

NAMES = ["a/1.parquet", "a/b/2.parquet", "_old/3.parquet", "x.parquet", "notes.txt"]


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A name node whose root is a local folder."""
    root = tmp_path / "hdfs"
    for name in NAMES:
        path = root / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"n": range(5)}), path)
    there = fs.SubTreeFileSystem(str(root), fs.LocalFileSystem())
    monkeypatch.setattr(hdfs_folder, "open_hdfs", lambda _: there)
    return root


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("hdfs://node:8020/corpus", ["a/1.parquet", "a/b/2.parquet", "x.parquet"]),
        ("hdfs:///corpus/", ["a/1.parquet", "a/b/2.parquet", "x.parquet"]),
        ("hdfs:///corpus/x.parquet", ["x.parquet"]),
        ("hdfs:///corpus/*/*.parquet", ["a/1.parquet"]),
        ("hdfs:///corpus/_old", ["3.parquet"]),
    ],
)
def test_patterns_and_reading(node, pattern, found):
    files = list_inputs([pattern], Path())
    assert [file.name for file in files] == found
    for file in files:
        assert file.place.startswith("hdfs://")
        assert file.modified.isdigit()
        with ParquetShard(file.folder, file.path, file.name) as shard:
            assert shard.size == file.size
            assert shard.read(["n"], range(1)).num_rows == 5


def test_whole_files_and_streams(node):
    (node / "corpus/a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    folder = open_folder("hdfs:///corpus", Path())
    assert gzip.decompress(folder.read("a.csv.gz")) == b"a,b\n1,2\n"
    with folder.reading("a.csv.gz") as file:
        assert gzip.decompress(file.read()) == b"a,b\n1,2\n"
    with folder.open_input_stream("a.csv.gz") as stream:
        assert stream.read() == b"a,b\n1,2\n"
    assert folder.names() == {"a", "_old", "x.parquet", "notes.txt", "a.csv.gz"}
    assert pickle.loads(pickle.dumps(folder)) == folder  # noqa: S301 - our own bytes
    with pytest.raises(FileNotFoundError):
        folder.read("nothing")
    with pytest.raises(StoreError, match="HDFS did not answer"):
        folder.read("a")


def test_nothing_is_written(node):
    folder = HdfsFolder("", "corpus")
    for write in (folder.prepare, folder.sweep, lambda: folder.spool("a", 0o600),
                  lambda: folder.delete(["x.parquet"]), lambda: folder.clear("a"),
                  lambda: folder.retain("a", set())):  # fmt: skip
        with pytest.raises(OutputError, match="HDFS is read, not written"):
            write()
    assert len(list(folder.files())) == len(NAMES)


def test_without_hadoop_the_error_says_what_is_missing():
    with pytest.raises(SchemaError, match="HDFS cannot be reached") as caught:
        list_inputs(["hdfs://no-such-node:1/a"], Path())
    assert "HADOOP_HOME" in caught.value.fix
