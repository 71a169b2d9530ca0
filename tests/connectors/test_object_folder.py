"""A folder in an object store does what a local one does, on servers of the stores' protocols."""

import errno
import pickle
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.connectors import object_file, object_folder, stores
from corpusgate.connectors.folder import LocalFolder
from corpusgate.connectors.object_folder import ObjectFolder
from corpusgate.connectors.parquet import ParquetShard
from corpusgate.connectors.staged import StagedFile
from corpusgate.connectors.storage import list_inputs, open_folder, resolve
from corpusgate.connectors.stores import Storage, StoreError
from corpusgate.filters.errors import OutputError, SchemaError, UnitError
from runs.azure import ACCOUNT
from runs.object_stores import STORES
from runs.s3 import BUCKET, KEY, SECRET, address_of, proxy

NAMES = ["team=r%26d/a b.parquet", "x#y?.parquet", "é/ü.parquet", "a+b&c[1]{2}~.parquet"]


@pytest.fixture(params=["local", *STORES, pytest.param("hdfs", marks=pytest.mark.slow)])
def folder(request, tmp_path):
    """The same folder, here and there."""
    if request.param == "local":
        return LocalFolder(tmp_path / "out")
    return request.getfixturevalue(request.param).folder(f"same/{tmp_path.name}")


@pytest.fixture
def impatient(monkeypatch):
    """Few tries, and quick ones."""
    quick = {"max_retries": 2, "retry_timeout": timedelta(seconds=30),
             "backoff": {"init_backoff": timedelta(milliseconds=10),
                         "max_backoff": timedelta(milliseconds=50), "base": 2}}  # fmt: skip
    monkeypatch.setattr(stores, "_RETRY", quick)
    monkeypatch.setattr(object_folder, "ATTEMPTS", 2)


def put(folder, path, data=b"data"):
    with StagedFile(folder, path) as file:
        file.write(data)
        return file.publish()


def names(folder, path=""):
    return sorted(entry.path for entry in folder.files(path))


def test_what_is_published_is_there_and_nothing_else(folder):
    folder.prepare()
    assert folder.names() == set()
    for name in NAMES:
        put(folder, f"eligible/{name}", name.encode())
    put(folder, "audit/units/k.json", b"{}")
    with StagedFile(folder, "eligible/never") as file:
        file.write(b"x")
    assert names(folder) == sorted(["audit/units/k.json", *(f"eligible/{n}" for n in NAMES)])
    assert folder.names() == {"audit", "eligible"}
    assert folder.sizes("eligible") == {f"eligible/{n}": len(n.encode()) for n in NAMES}
    assert {folder.read(f"eligible/{n}").decode() for n in NAMES} == set(NAMES)
    assert names(folder.at("eligible")) == sorted(NAMES)


def test_publishing_replaces(folder):
    put(folder, "a", b"one")
    before = next(folder.files())
    assert put(folder, "a", b"two-two").bytes == 7
    after = next(folder.files())
    assert folder.read("a") == b"two-two"
    assert before.version != after.version
    assert after.size == 7


def test_deleting_and_retaining(folder):
    for name in ("a/1", "a/b/2", "a/b/3", "c", "ab"):
        put(folder, name)
    folder.retain("a", {"a/b/2"})
    assert names(folder) == ["a/b/2", "ab", "c"]
    folder.delete(["c", "never-there"])
    assert names(folder) == ["a/b/2", "ab"]
    folder.clear("a")
    folder.clear("nothing")
    assert names(folder) == ["ab"]
    folder.retain("nothing", set())


def test_what_is_not_there_is_a_file_that_is_not_found(folder):
    for read in (folder.read, lambda path: folder.open_input_file(path).read()):
        with pytest.raises(FileNotFoundError) as caught:
            read("nothing")
        assert SECRET not in str(caught.value)
    with pytest.raises(FileNotFoundError), folder.reading("nothing"):
        pass
    assert names(folder, "nothing") == []


@pytest.mark.parametrize("size", [0, 1, 70_000, (16 << 20) + 5])
def test_any_part_of_a_file_can_be_read(folder, size):
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    put(folder, "a.bin", data)
    with folder.open_input_file("a.bin") as file:
        assert file.size() == size
        for start, length in ((0, 10), (size // 2, 100), (max(0, size - 8), 8), (size, 5)):
            assert file.read_at(length, start) == data[start : start + length]
    with folder.reading("a.bin") as file:
        assert file.read() == data


def test_streams_are_unpacked_as_their_names_say(folder):
    text = b"line\n" * 9999
    for suffix, codec in ((".gz", "gzip"), (".zst", "zstd")):
        put(folder, f"a{suffix}", pa.Codec(codec).compress(text, asbytes=True))
        with folder.open_input_stream(f"a{suffix}") as stream:
            assert stream.read() == text


def test_a_folder_travels_as_its_address(store):
    folder = store.folder("travels")
    put(folder, "a", b"x")
    data = pickle.dumps(folder)
    assert len(data) < 400
    assert not [secret for secret in store.secrets if secret.encode() in data]
    again = pickle.loads(data)  # noqa: S301 - our own bytes
    assert again == folder
    assert hash(again) == hash(folder)
    assert again.read("a") == b"x"


def test_who_holds_whom(store, tmp_path):
    folder = store.folder("a/b")
    assert folder.holds(folder)
    assert folder.holds(folder.at("c"))
    assert not folder.holds(store.folder("a/bc"))
    assert not folder.holds(store.folder("a"))
    assert store.folder("").holds(folder)
    assert not folder.holds(LocalFolder(tmp_path))
    assert not LocalFolder(tmp_path).holds(folder)
    with pytest.raises(OutputError, match=f"{store.uri('a/b')}: .*local files only"):
        _ = folder.local


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(store):
    folder = store.folder("replaced")
    put(folder, "a", b"1" * 200_000)
    with folder.open_input_file("a") as file:
        assert file.read_at(3, 0) == b"111"
        put(folder, "a", b"2" * 200_000)
        with pytest.raises(StoreError, match="replaced since it was opened"):
            file.read_at(3, 0)


def test_conditional_writes(store):
    folder = store.folder("conditional")
    first = folder.create("lock", b"1")
    with pytest.raises(FileExistsError):
        folder.create("lock", b"2")
    second = folder.replace("lock", b"3", first)
    with pytest.raises(FileExistsError):
        folder.replace("lock", b"4", first)
    assert folder.read("lock") == b"3"
    assert folder.entry("lock").version == second
    assert next(folder.files()).version == second
    folder.delete(["lock"])
    with pytest.raises(OSError, match=r"another one|no such object"):
        folder.replace("lock", b"5", second)
    assert folder.entry("lock") is None


# What a pattern names

CORPUS = ["a/1.parquet", "a/b/2.parquet", "_old/3.parquet", "a/.x/4.parquet", "x.parquet",
          "a/notes.txt", "day [1]/5.jsonl"]  # fmt: skip


@pytest.fixture
def corpus(store):
    """The store with the corpus in it, which the first test puts there."""
    folder = store.folder("corpus")
    if not names(folder):
        for name in CORPUS:
            put(folder, name)
    return store


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("corpus", ["a/1.parquet", "a/b/2.parquet", "day [1]/5.jsonl", "x.parquet"]),
        ("corpus/", ["a/1.parquet", "a/b/2.parquet", "day [1]/5.jsonl", "x.parquet"]),
        ("corpus/x.parquet", ["x.parquet"]),
        ("corpus/**/*.parquet", ["a/1.parquet", "a/b/2.parquet", "x.parquet"]),
        ("corpus/?/*.parquet", ["a/1.parquet"]),
        ("corpus/_*/*.parquet", ["_old/3.parquet"]),
        ("corpus/_old/*.parquet", ["3.parquet"]),
        ("corpus/day [1]", ["5.jsonl"]),
        ("corpus/**", ["a/1.parquet", "a/b/2.parquet", "a/notes.txt", "day [1]/5.jsonl",
                       "x.parquet"]),
        ("c*/x.parquet", ["corpus/x.parquet"]),
    ],
)  # fmt: skip
def test_a_pattern_names_objects_as_it_names_files(corpus, tmp_path, pattern, found):
    files = list_inputs([corpus.uri(pattern)], tmp_path, Storage(endpoint=corpus.address))
    assert [file.name for file in files] == found
    assert all(file.size == 4 for file in files)
    assert all(file.folder.read(file.path) == b"data" for file in files)
    here = tmp_path / "corpus"
    for name in CORPUS:
        put(LocalFolder(here), name)
    assert [file.name for file in list_inputs([pattern], tmp_path)] == found


@pytest.mark.parametrize("pattern", ["corpus/y.parquet", "corp", "corpus/**/*.csv", "corpus/a/b/c"])
def test_a_pattern_that_names_nothing_is_an_error(corpus, pattern):
    with pytest.raises(SchemaError, match=f"`{corpus.uri('cor')}") as caught:
        list_inputs([corpus.uri(pattern)], Path(), Storage(endpoint=corpus.address))
    assert caught.value.fix


def test_a_bucket_that_is_not_there_is_an_error(store):
    uri = f"{store.scheme}://no-bucket/a"
    with pytest.raises(SchemaError, match=uri):
        list_inputs([uri], Path(), Storage(endpoint=store.address))


@pytest.fixture(scope="module")
def many(s3_server):
    """More objects than two requests list."""
    for number in range(2100):
        s3_server.request("PUT", f"/{BUCKET}/many/{number:04}.parquet")
    return "many", 2100


@pytest.mark.slow
def test_listing_asks_for_a_thousand_objects_at_a_time(s3, many):
    assert asked_for(s3, *many) == {"GET": 3, "HEAD": 1}


def test_listing_asks_for_no_object_by_itself(store):
    folder = store.folder("several")
    for number in range(5):
        folder.create(f"{number}.parquet", b"")
    assert asked_for(store, "several", 5) == {"GET": 1, "HEAD": 1}
    folder.clear("")


def asked_for(store, prefix, objects):
    """Count the requests that it takes to list a prefix; one is for the pattern as an object."""
    with proxy(store, lambda *_: "") as front:
        files = list_inputs([store.uri(prefix)], Path(), Storage(endpoint=address_of(front)))
        asked = Counter(method for method, _, _ in front.seen)
    assert len(files) == objects
    return asked


@pytest.mark.parametrize(
    "uri",
    [
        f"s3://{KEY}:{SECRET}@bucket/a",
        f"s3://{SECRET}@bucket/a",
        f"abfs://container:{SECRET}@account.dfs.core.windows.net/a",
        f"s3://bucket/a?secret_key={SECRET}",
        f"gs://bucket/a?access_key=x&token={SECRET}",
        f"abfs://container@account.dfs.core.windows.net/a?sig={SECRET}",
        "s3://",
        "s3:///a",
        "s3://bucket//a",
        "s3://bucket/a/../b",
    ],
)
def test_credentials_and_empty_folders_in_a_uri_are_refused(uri):
    with pytest.raises(SchemaError) as caught:
        resolve(uri, Path())
    assert SECRET not in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("s3://bucket/a?/b*", "s3://bucket/a?/b*"),
        ("S3://bucket", "s3://bucket"),
        ("gs://bucket/a%20b/", "gs://bucket/a%20b"),
        ("abfs://box@account.dfs.core.windows.net/a", "abfs://box@account.dfs.core.windows.net/a"),
    ],
)
def test_a_uri_is_shown_as_it_was_written(uri, shown):
    assert str(open_folder(uri, Path())) == shown


@pytest.mark.parametrize("scheme", ["gs", "abfs", "abfss"])
def test_other_stores_open_without_a_request(scheme, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    folder = open_folder(f"{scheme}://box/a", Path(), Storage(anonymous=True))
    assert type(folder.store).__name__ == {"gs": "GCSStore"}.get(scheme, "AzureStore")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["abfs", "abfss"])
def test_azures_account_may_stand_in_the_uri(azure, scheme, monkeypatch):
    put(azure.folder("account"), "a", b"data")
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME")
    uri = f"{scheme}://{BUCKET}@{ACCOUNT}.dfs.core.windows.net/account"
    folder = open_folder(uri, Path(), Storage(endpoint=azure.address))
    assert folder.read("a") == b"data"
    assert folder.show("a") == f"{uri}/a"


@pytest.mark.slow
def test_who_has_no_credentials_is_told_so(google):
    storage = Storage(endpoint=google.address, anonymous=True)
    with pytest.raises(StoreError, match="denies access"):
        ObjectFolder("gs", BUCKET, "nobody", storage).read("a")


# Requests that fail


def test_a_write_that_breaks_off_is_not_seen(store, impatient):
    """Four parts, of which two come through."""
    puts = []

    def fault(method, _):
        puts.extend([method] * (method == "PUT"))
        return "500" if method == "PUT" and len(puts) > 2 else ""

    with proxy(store, fault) as front:
        folder = store.folder("half", address_of(front))
        with pytest.raises(StoreError, match="answered 500"):
            put(folder, "a.parquet", b"x" * (3 * object_folder.PART + 10))
    assert names(store.folder("half")) == []


def test_a_write_that_breaks_off_leaves_nothing(s3, impatient):
    """Four parts, the third of which never comes through."""
    data = b"x" * (3 * object_folder.PART + 10)
    with proxy(s3, lambda _, path: "500" if "partNumber=3" in path else "") as front:
        folder = s3.folder("broken", address_of(front))
        with pytest.raises(StoreError, match="answered 500") as caught:
            put(folder, "a.parquet", data)
        kinds = [method for method, path, _ in front.seen if "uploadId" in path]
    assert caught.value.errno == errno.EIO
    assert names(s3.folder("broken")) == []
    assert "DELETE" in kinds  # the upload was given up
    listed = ET.fromstring(s3.request("GET", f"/{BUCKET}?uploads"))  # noqa: S314 - our server
    assert [each.tag for each in listed.iter() if each.tag.endswith("UploadId")] == []


@pytest.mark.parametrize("kind", ["500", "503", "cut", "lost", "half"])
def test_one_broken_request_is_no_failure(store, kind):
    for method in ("GET", "PUT"):
        broken = iter([kind, "", "", kind, "", kind])
        fault = lambda asked, _: next(broken, "") if asked == method else ""  # noqa: B023, E731
        with proxy(store, fault) as front:
            folder = store.folder(f"once-{kind}-{method}", address_of(front))
            put(folder, "a", b"text" * 30_000)
            assert folder.read("a") == b"text" * 30_000
            with folder.open_input_file("a") as file:
                assert file.read_at(4, 4) == b"text"
            with folder.reading("a") as file:
                assert file.read() == b"text" * 30_000
            assert names(folder) == ["a"]
            assert kind in {seen for _, _, seen in front.seen}


def test_a_listing_that_breaks_off_goes_on_and_names_nothing_twice(store):
    for number in range(40):
        store.folder("broken-list").create(f"{number:02}", b"")
    kinds = iter(["half", "cut", "", "half", "cut", "", "half"])
    fault = lambda _, path: next(kinds, "") if store.listing in path else ""  # noqa: E731
    with proxy(store, fault) as front:
        folder = store.folder("broken-list", address_of(front))
        assert folder.names() == {f"{number:02}" for number in range(40)}
        assert [entry.path for entry in folder.files()] == [f"{n:02}" for n in range(40)]
        folder.retain("", set())
    assert names(store.folder("broken-list")) == []


@pytest.mark.slow
def test_a_long_listing_goes_on_behind_what_it_has(s3, many):
    prefix, objects = many
    asked = []

    def fault(method, path):
        if "list-type" not in path:
            return ""
        asked.append(path)
        return "half" if len(asked) in (2, 3) else ""

    with proxy(s3, fault) as front:
        found = [entry.path for entry in s3.folder(prefix, address_of(front)).files()]
    assert found == [f"{number:04}.parquet" for number in range(objects)]
    assert len(asked) == 5


@pytest.mark.parametrize(("kind", "what"), [("403", "denies access"), ("503", "answered 503"),
                                            ("cut", "did not answer")])  # fmt: skip
def test_what_fails_for_good_is_said_without_quoting_a_request(store, impatient, kind, what):
    with proxy(store, lambda *_: kind) as front:
        folder = store.folder(f"for-good-{kind}", address_of(front))
        for action in (folder.read, folder.entry, folder.open_input_file, put_into(folder)):
            with pytest.raises(StoreError, match=what) as caught:
                action("a")
            shown = f"{caught.value} {caught.value.__cause__}"
            assert not [word for word in (*store.secrets, "http", "Signature") if word in shown]
        with pytest.raises(StoreError, match=what):
            names(folder)


def put_into(folder):
    return lambda path: put(folder, path)


def test_a_shard_that_cannot_be_fetched_says_so(s3, impatient):
    with StagedFile(s3.folder("shards"), "a.parquet") as file:
        pq.write_table(pa.table({"n": range(100_000)}), file, use_dictionary=False)
        file.publish()
    broken = [""]
    with proxy(s3, lambda method, _: broken[0] if method == "GET" else "") as front:
        folder = s3.folder("shards", address_of(front))
        with ParquetShard(folder, "a.parquet", "a.parquet") as shard:
            assert shard.read(["n"], range(1)).num_rows == 100_000
            broken[0] = "503"
            with pytest.raises(
                UnitError, match="cannot be read as Parquet: the object store answered 503"
            ):
                shard.read(["n"], range(1))


def test_only_the_chunks_asked_for_are_fetched_and_neighbours_together(s3):
    """Three columns of five, in three of four row groups; the file is larger than its tail."""
    noise = np.random.default_rng(1)
    table = pa.table({name: noise.integers(0, 1 << 60, 80_000) for name in "abcde"})
    with StagedFile(s3.folder("chunks"), "a.parquet") as file:
        pq.write_table(table, file, row_group_size=20_000, use_dictionary=False)
        file.publish()
    asked = []

    def look(handler):
        asked.append(handler.headers.get("Range", "").removeprefix("bytes="))

    def extent(group, leaf):
        chunk = metadata.row_group(group).column(leaf)
        return chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size

    with proxy(s3, lambda *_: "", look=look) as front:
        folder = s3.folder("chunks", address_of(front))
        metadata = pq.read_metadata(folder.open_input_file("a.parquet"))
        asked.clear()
        with ParquetShard(folder, "a.parquet", "a.parquet") as shard:
            assert asked == [f"-{object_file.TAIL}"]
            asked.clear()
            assert shard.read(["a", "b", "d"], range(3)).equals(
                table.select(["a", "b", "d"]).slice(0, 60_000)
            )
            fetched = sorted(tuple(map(int, each.split("-"))) for each in asked)
            wanted = [(extent(g, 0)[0], extent(g, 1)[1] - 1) for g in range(3)]
            wanted += [(extent(g, 3)[0], extent(g, 3)[1] - 1) for g in range(3)]
            assert fetched == sorted(wanted)
            asked.clear()
            keep = np.arange(80_000) < 20_000
            copied = list(shard.survivors(["c", "e"], range(4), keep))
            fetched = sorted(tuple(map(int, each.split("-"))) for each in asked)
            assert fetched == [(extent(0, leaf)[0], extent(0, leaf)[1] - 1) for leaf in (2, 4)]
    assert sum(map(len, copied)) == 20_000


# Credentials


def test_a_profile_is_read_from_where_the_user_keeps_it(s3, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    file.write_text(f"[lab]\naws_access_key_id = AKIALAB\naws_secret_access_key = {SECRET}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    signed = []

    def look(handler):
        signed.append(handler.headers["Authorization"])

    with proxy(s3, lambda *_: "", look=look) as front:
        storage = Storage(endpoint=address_of(front), profile="lab")
        folder = open_folder(f"s3://{BUCKET}/profile", Path(), storage)
        put(folder, "a", b"x")
    assert signed
    assert all("Credential=AKIALAB/" in each for each in signed)
    with pytest.raises(SchemaError, match="the AWS profile `nobody` cannot be used"):
        _ = open_folder(f"s3://{BUCKET}/a", Path(), Storage(profile="nobody")).store


def test_what_is_uploaded_is_digested_so_that_the_store_can_check_it(s3):
    digests = []

    def look(handler):
        if handler.command == "PUT":
            digests.append(handler.headers["x-amz-content-sha256"])

    with proxy(s3, lambda *_: "", look=look) as front:
        written = put(s3.folder("digested", address_of(front)), "a", b"text")
    assert digests == [written.sha256]


def test_anonymous_sends_no_credentials(s3):
    signed = []
    with proxy(
        s3, lambda *_: "", look=lambda h: signed.append(h.headers["Authorization"])
    ) as front:
        storage = Storage(endpoint=address_of(front), anonymous=True)
        open_folder(f"s3://{BUCKET}/anonymous", Path(), storage).entry("a")
    assert signed == [None]


def test_profiles_without_boto3_name_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(SchemaError, match=r"pip install 'corpusgate\[s3\]'"):
        _ = open_folder("s3://bucket/a", Path(), Storage(profile="lab")).store
