"""JSON lines in, Parquet out."""

import gzip
import json
import os

import pyarrow as pa
import pytest
from runs.workshop import Workshop, tree
from runs.world import COLUMNS, NAMES, kind_of, rows, table


def lines(name: str, kinds=NAMES, repeat: int = 1) -> bytes:
    """The records of the small world, one JSON object a line."""
    given = rows(name, kinds, repeat)
    for row in given:
        for key in ("created_at", "license_ends_at"):
            if row.get(key) is not None:
                row[key] = row[key].isoformat()
    names = {*COLUMNS.values(), *given[0]}
    filled = [{key: row.get(key) for key in sorted(names)} for row in given]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in filled).encode()


def zst(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACK = {"": lambda data: data, ".gz": gzip.compress, ".zst": zst}


@pytest.mark.parametrize("suffix", [*(f".jsonl{p}" for p in PACK), ".ndjson"])
def test_json_lines_are_decided_and_released_as_parquet(workshop: Workshop, suffix):
    pack = PACK[suffix.removeprefix(".jsonl").removeprefix(".ndjson")]
    workshop.write(f"sub/a{suffix}", pack(lines("a")))
    summary = workshop.run()
    assert summary.unreadable == {}
    decided = workshop.decisions()
    assert decided["reason"].to_list() == [kind_of(key).reason for key in decided["record_id"]]
    assert set(decided["shard"]) == {f"sub/a{suffix}"}
    assert list(tree(workshop.out / "eligible")) == [f"sub/a{suffix}.parquet"]
    released = workshop.released(f"sub/a{suffix}.parquet")
    kept = [row for row in rows("a") if kind_of(row["id"]).eligible]
    for column in ("id", "text", "messages", "lang", "score"):
        assert released[column].to_pylist() == [row[column] for row in kept]
    assert not [name for name in tree(workshop.out) if "scratch" in name]


def test_json_lines_and_parquet_go_together(workshop):
    workshop.write("a.jsonl", lines("a"))
    workshop.write("b.parquet", table("b"))
    assert workshop.run(workers=2).rows_in == 2 * len(NAMES)


@pytest.mark.parametrize("name", ["a[0].jsonl", "[v1]/é b.jsonl", "wh?t*.jsonl", "%41.jsonl.gz"])
def test_names_that_look_like_patterns_are_taken_as_they_are(workshop, name):
    workshop.write(name, PACK[".gz" if name.endswith(".gz") else ""](lines("a")))
    workshop.write("0/a0.jsonl", lines("b"))
    assert workshop.run().unreadable == {}
    assert len(workshop.decisions().filter(shard=name)) == len(NAMES)


def test_a_column_that_is_null_on_every_line_is_unknown(workshop):
    workshop.write("a.jsonl", lines("a", ["web"]))
    assert workshop.run().reasons == {"public": 1}


def test_the_same_rows_from_packed_and_plain_lines(workshop):
    workshop.write("a.jsonl", lines("a", repeat=2))
    workshop.run()
    plain = workshop.released("a.jsonl.parquet")
    (workshop.folder / "corpus/a.jsonl").unlink()
    workshop.write("a.jsonl.gz", gzip.compress(lines("a", repeat=2)))
    workshop.run()
    assert list(tree(workshop.out / "eligible")) == ["a.jsonl.gz.parquet"]
    assert workshop.released("a.jsonl.gz.parquet").equals(plain)


GOOD = lines("bad", ["web", "web"])


@pytest.mark.parametrize(
    "content",
    [
        GOOD + b'{"id": "x", \n',
        GOOD + b"not json\n",
        GOOD + b"[1, 2]\n",
        GOOD + b'"a string"\n',
        b'{"id"\n' + GOOD,
        GOOD[:-20],
        GOOD + b'{"id": "y", "source": "public_web", "text": "\xff\xfe"}\n',
        GOOD + b'{"id": "z"} {"id": "zz"}\n',
        b"\x00\x01\x02",
        b"",
        b"\n\n",
    ],
)
def test_a_malformed_line_makes_its_file_unreadable(workshop, capsys, content):
    workshop.write("bad.jsonl", content)
    workshop.write("good.jsonl", lines("good"))
    done = workshop.command(capsys, "run", workshop.job(), "--json")
    assert "Traceback" not in done.stderr
    assert done.returncode == 3, done.stderr
    assert "unreadable: bad.jsonl" in done.stderr
    assert json.loads(done.stdout)["rows_in"] == len(NAMES)
    assert [name for name in tree(workshop.out) if "bad.jsonl" in name] == []


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_broken_compression_makes_a_file_unreadable(workshop, capsys, suffix):
    packed = PACK[suffix](lines("bad", repeat=200))
    workshop.write("good.jsonl", lines("good"))
    for broken in (packed[: len(packed) // 2], packed[:-4], b"plain text"):
        workshop.write(f"bad.jsonl{suffix}", broken)
        done = workshop.command(capsys, "run", workshop.job())
        assert done.returncode == 3, done.stderr
        assert f"bad.jsonl{suffix}" in workshop.manifest()["unreadable"]


def test_a_changed_line_is_seen_whatever_the_clock_says(workshop):
    path = workshop.write("a.jsonl", lines("a", ["web"]))
    stamp = path.stat()
    workshop.run()
    path.write_bytes(path.read_bytes().replace(b"public_web", b"enterprise"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_size == stamp.st_size
    assert workshop.run().reasons == {"enterprise-surface": 1}
    assert len(workshop.released("a.jsonl.parquet")) == 0
