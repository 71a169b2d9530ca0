"""Which files a pattern names, and what they are called in the outputs."""

import os
from pathlib import Path

import pytest
from corpusgate.connectors.folder import LocalFolder
from corpusgate.connectors.storage import list_inputs, partitions, resolve, scheme_of
from corpusgate.filters.errors import SchemaError


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))


def names(root: Path, *patterns: str) -> list[str]:
    return [file.name for file in list_inputs(patterns, root)]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("corpus/a.parquet", "/jobs/corpus/a.parquet"),
        ("./corpus//a.parquet", "/jobs/corpus/a.parquet"),
        ("/data/a%20b.parquet", "/data/a%20b.parquet"),  # a path is not a URI
        ("file:///data/a%20b.parquet", "/data/a b.parquet"),
        ("FILE://localhost/data/%C3%A9", "/data/é"),
        ("day=1/x:y", "/jobs/day=1/x:y"),
    ],
)
def test_a_path_or_file_uri_becomes_an_absolute_path(uri, path):
    folder, found = resolve(uri, Path("/jobs"))
    assert isinstance(folder, LocalFolder)
    assert found == path


@pytest.mark.parametrize("uri", ["s3://key:secret@bucket/a", "file://host/a", "file://relative"])
def test_another_scheme_or_host_is_refused_without_showing_the_uri(uri):
    with pytest.raises(SchemaError) as caught:
        resolve(uri, Path("/jobs"))
    assert scheme_of(uri) in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.fix


def test_a_folder_gives_every_input_below_it_and_nothing_hidden(tmp_path):
    wanted = [
        "a.parquet",
        "b/c.jsonl",
        "b/c.jsonl.gz",
        "b/c.jsonl.zst",
        "b/c.ndjson",
        "b/c.ndjson.gz",
        "b/c.ndjson.zst",
        "out.parquet/part-0.parquet",
    ]
    unwanted = ["_SUCCESS", "_tmp/x.parquet", ".x.parquet", "b/.git/x.parquet", "b/_x.jsonl"]
    make(tmp_path / "corpus", *wanted, *unwanted, "README.md", "b/x.csv", "b/x.parquet.crc")
    assert names(tmp_path, "corpus") == wanted
    assert names(tmp_path, "corpus/") == wanted
    assert names(tmp_path, (tmp_path / "corpus").as_uri()) == wanted


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("corpus/**/*.parquet", ["a/1.parquet", "a/b/2.parquet", "x.parquet"]),
        ("corpus/*/*.parquet", ["a/1.parquet"]),
        ("corpus/?/*.parquet", ["a/1.parquet"]),
        ("corpus/a/**/*.parquet", ["1.parquet", "b/2.parquet"]),
        ("corpus/**/2.*", ["a/b/2.parquet"]),
        ("corpus/a/[0-9].parquet", ["1.parquet"]),
        ("corpus/?.parquet", ["x.parquet"]),
        ("corpus/**", ["a/1.parquet", "a/b/2.parquet", "notes.txt", "x.parquet"]),
        ("*/x.parquet", ["corpus/x.parquet"]),
        ("corpus/_*/*.parquet", ["_old/3.parquet"]),
        ("corpus/_old/*.parquet", ["3.parquet"]),
        ("corpus/a/1.parquet", ["1.parquet"]),
        ("corpus/notes.txt", ["notes.txt"]),
        ("../{here}/corpus/*.parquet", ["x.parquet"]),
    ],
)
def test_a_glob_names_files_below_its_first_glob_character(tmp_path, pattern, found):
    make(tmp_path / "corpus", "x.parquet", "a/1.parquet", "a/b/2.parquet", "notes.txt")
    make(tmp_path / "corpus", "_old/3.parquet", ".hidden/4.parquet")
    assert names(tmp_path, pattern.replace("{here}", tmp_path.name)) == found


def test_names_are_taken_literally_before_they_are_tried_as_globs(tmp_path):
    odd = [
        "a[1].parquet",
        "a1.parquet",
        'it\'s "quoted".parquet',
        "søren 日本.parquet",
        "#%3F.parquet",
    ]
    make(tmp_path / "data [v1]", *odd)
    for name in odd:
        assert names(tmp_path, f"data [v1]/{name}") == [name]
    assert names(tmp_path, "data [v1]") == sorted(odd)
    assert names(tmp_path, "data [v1]/*.parquet") == sorted(odd)
    assert names(tmp_path, "data [v1]/a[0-9].parquet") == ["a1.parquet"]


def test_a_file_says_its_path_size_and_time(tmp_path):
    make(tmp_path, "c/a.parquet")
    os.utime(tmp_path / "c/a.parquet", ns=(1, 1_700_000_000_123_456_789))
    (file,) = list_inputs(["c"], tmp_path)
    assert file.path == str(tmp_path / "c/a.parquet")
    assert file.size == len("c/a.parquet")  # what `make` wrote
    assert file.modified == "1700000000123456789"


def test_the_order_is_by_name_whatever_the_order_of_patterns(tmp_path):
    make(tmp_path, "z/b.parquet", "z/B.parquet", "y/a.parquet", "x/é.parquet")
    patterns = ["z", "y", "x"]
    expected = ["B.parquet", "a.parquet", "b.parquet", "é.parquet"]
    assert names(tmp_path, *patterns) == expected
    assert names(tmp_path, *reversed(patterns)) == expected


def test_links_are_followed_but_not_in_circles(tmp_path):
    make(tmp_path, "store/1.parquet", "store/more/2.parquet")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "one.parquet").symlink_to(tmp_path / "store/1.parquet")
    (corpus / "more").symlink_to(tmp_path / "store/more", target_is_directory=True)
    (corpus / "loop").symlink_to(corpus, target_is_directory=True)
    assert names(tmp_path, "corpus") == ["more/2.parquet", "one.parquet"]
    assert names(tmp_path, "corpus/**/*.parquet") == ["more/2.parquet", "one.parquet"]


@pytest.mark.parametrize("target", ["gone.parquet", "lost.parquet"])
def test_a_dangling_or_circular_link_is_not_passed_over(tmp_path, target):
    (tmp_path / "c").mkdir()
    (tmp_path / "c/lost.parquet").symlink_to(target)
    with pytest.raises(SchemaError, match=r"lost\.parquet` cannot be read"):
        list_inputs(["c"], tmp_path)


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        (["a/x.parquet", "b/x.parquet"], ["{root}/a/x.parquet", "{root}/b/x.parquet", "called"]),
        (["a", "a/*.parquet"], ["{root}/a/x.parquet", "same file"]),
        ([".", "a"], ["{root}/a/x.parquet", "`a/x.parquet`", "`x.parquet`", "same file"]),
        ([".", "b/../a"], ["{root}/a/x.parquet", "{root}/b/../a/x.parquet", "same file"]),
    ],
)
def test_two_inputs_that_would_be_mixed_up_are_both_named(tmp_path, patterns, said):
    make(tmp_path, "a/x.parquet", "b/x.parquet")
    with pytest.raises(SchemaError) as caught:
        list_inputs(patterns, tmp_path)
    for part in said:
        assert part.replace("{root}", str(tmp_path)) in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("nowhere/*.parquet", "nowhere` does not exist"),
        ("a/*.jsonl", "`a/*.jsonl` matches no file"),
        ("a/missing.parquet", "`a/missing.parquet` matches no file"),
        ("empty", "no input file is below the folder `empty`"),
        (" ", "a pattern is empty"),
        ("*", "also fits the folder"),
    ],
)
def test_a_pattern_that_names_nothing_is_an_error_with_the_fix(tmp_path, pattern, said):
    make(tmp_path, "a/x.parquet", "empty/readme.txt", "y.parquet")
    with pytest.raises(SchemaError) as caught:
        list_inputs([pattern], tmp_path)
    assert said in str(caught.value)
    assert caught.value.fix


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "c").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/c/\xff.parquet")).touch()
    with pytest.raises(SchemaError, match="not UTF-8") as caught:
        list_inputs(["c"], tmp_path)
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("source=api/day=2023-03-01/x.parquet", {"source": "api", "day": "2023-03-01"}),
        ("x.parquet", {}),
        ("a=b.parquet", {}),
        ("plain/a=b/x.parquet", {"a": "b"}),
        ("a=b=c/x", {"a": "b=c"}),
        ("a=/=b/x", {"a": ""}),
        ("a%3Db=%2F%20%C3%A9/x", {"a=b": "/ é"}),
        ("a=__HIVE_DEFAULT_PARTITION__/x", {"a": None}),
        ("a=%5F_HIVE_DEFAULT_PARTITION__/x", {"a": "__HIVE_DEFAULT_PARTITION__"}),
    ],
)
def test_hive_partitions_are_read_from_the_path(name, expected):
    assert partitions(name) == expected


@pytest.mark.parametrize("name", ["a=1/a=2/x", "a=%FF/x"])
def test_partitions_that_cannot_be_told_are_refused(name):
    with pytest.raises(SchemaError):
        partitions(name)
