"""JSON lines in, Parquet out."""

import gzip
import json
import os
import zlib

import pyarrow as pa
import pytest
from corpusgate.jobs.verify.verify import verify
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


def edited(line: bytes, **values: object) -> bytes:
    """A line of the small world with other values; strings as they are to stand in JSON."""
    row = json.loads(line)
    for key in row.keys() & values.keys():
        row[key] = f"<{key}>"
    data = json.dumps(row | {key: f"<{key}>" for key in values}, ensure_ascii=False)
    for key, value in values.items():
        data = data.replace(f'"<{key}>"', str(value))
    return data.encode() + b"\n"


ONE = GOOD.splitlines(keepends=True)[0]
HALF = "line 3 has half of a surrogate pair, which is no Unicode"
TYPES = "a line is not a JSON object, or values of one key are of types that do not go together"
FALSE = {
    "a first half": (GOOD + edited(ONE, text=r'"x \ud83d"'), HALF),
    "a second half": (GOOD + edited(ONE, text=r'"x\udc00"'), HALF),
    "a first half before a letter": (GOOD + edited(ONE, text=r'"\uD83D\u0041"'), HALF),
    "halves that an escaped backslash parts": (GOOD + edited(ONE, text=r'"\ud83d\\ude00"'), HALF),
    "half an id": (GOOD + edited(ONE, id=r'"\ud83d"') + edited(ONE, id=r'"\ud83e"'), HALF),
    "half behind blank lines": (b"\n\n" + edited(ONE, notes=r'"\ude00"'), HALF),
    "a large id": (edited(ONE, id=10**23), "a number in `id` is too large for 64 bits"),
    "a large number inside": (
        GOOD + edited(ONE, more=f'[{{"a": {2**63}}}]'),
        "a number in `more` is too large for 64 bits",
    ),
    "a number of no type": (GOOD + edited(ONE, more=10**50), "a number in it cannot be read"),
    "an endless number": (GOOD + edited(ONE, more="1e999"), "a number in it cannot be read"),
    "true beside numbers": (edited(ONE, more="true") + edited(ONE, more=1), TYPES),
    "numbers beside objects": (edited(ONE, more='{"a": 1}') + edited(ONE, more="1"), TYPES),
    "Latin 1": (GOOD + edited(ONE, text='"xé"').decode().encode("latin-1"), "it is not UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "it begins with a byte order mark"),
    "no object": (GOOD + b"[1, 2]\n", TYPES),
    "packed": (zlib.compress(GOOD), "its name says plain text, and its first bytes do not"),
}


@pytest.mark.parametrize(("content", "what"), FALSE.values(), ids=FALSE.keys())
def test_what_is_wrong_with_a_file_is_said_as_it_is(workshop, content, what):
    workshop.write("bad.jsonl", content)
    workshop.write("good.jsonl", lines("good"))
    summary = workshop.run()
    assert summary.unreadable == {"bad.jsonl": what}
    assert summary.rows_in == len(NAMES)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_what_is_wrong_with_a_packed_file_is_said_as_it_is(workshop, suffix):
    half = b"\n" * (3 << 20) + edited(ONE, text=r'"\ud83d"')
    workshop.write(f"half.jsonl{suffix}", PACK[suffix](half))
    workshop.write(f"short.jsonl{suffix}", PACK[suffix](GOOD * 200)[:-9])
    workshop.write(f"plain.jsonl{suffix}", GOOD)
    kind = {".gz": "gzip", ".zst": "zstd"}[suffix]
    assert workshop.run().unreadable == {
        f"half.jsonl{suffix}": HALF.replace("3", f"{(3 << 20) + 1:,}"),
        f"short.jsonl{suffix}": "its compression is broken",
        f"plain.jsonl{suffix}": f"its name says {kind}, and its first bytes do not",
    }


@pytest.mark.parametrize("suffix", PACK)
def test_whole_pairs_and_escaped_backslashes_are_text(workshop, suffix):
    said = r'"\ud83d\ude00 \uD83D\uDE00\ud83d\ude00 \\ud83d \\\ud83d\ude00 \ud7ff\ue000 \u0000"'
    workshop.write(f"a.jsonl{suffix}", PACK[suffix](edited(ONE, text=said)))
    assert workshop.run().unreadable == {}
    assert workshop.released(f"a.jsonl{suffix}.parquet")["text"].to_pylist() == [json.loads(said)]


EMPTY = {
    "a.jsonl": b"",
    "b.jsonl": b"\n \r\n\n",
    "c.jsonl.gz": gzip.compress(b""),
    "d.jsonl.zst": zst(b"\n"),
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"input": {"unique": "run"}},
        {"pii": {"entities": ["EMAIL_ADDRESS"]}, "record_ids": "hmac", "key": {"file": "key"}},
        {"input": {"columns": {"region": "in"}, "keep_raw": ["lang", "notes"]}},
    ],
)
def test_files_without_lines_have_no_records(workshop: Workshop, changes):
    (workshop.folder / "key").write_text("k" * 40, "utf-8")
    for name, content in EMPTY.items():
        workshop.write(f"in=eu/{name}", content)
    workshop.write("in=eu/good.jsonl", lines("good"))
    summary = workshop.run(changes)
    assert (summary.unreadable, summary.rows_in) == ({}, len(NAMES))
    for name in EMPTY:
        released = workshop.released(f"in=eu/{name}.parquet")
        assert len(released) == 0
        assert {"id", "score", "text", "messages", "lang"} <= {*released.column_names}
    verdict = verify(workshop.out, **({"key": b"k" * 40} if "key" in changes else {}))
    assert verdict.sound, verdict.tally


def test_only_files_without_lines(workshop):
    workshop.write("a.jsonl", b"")
    summary = workshop.run()
    assert (summary.unreadable, summary.rows_in) == ({}, 0)


def test_a_key_that_no_line_has_is_another_schema(workshop):
    """Were it NULL, the opt-outs and deletions of users would pass by where a key was renamed."""
    workshop.write("new.jsonl", lines("new").replace(b'"user":', b'"user_id":'))
    workshop.write("old.jsonl", lines("old"))
    summary = workshop.run()
    what = "input.columns.user_id: there is no column `user`"
    assert summary.unreadable == {"new.jsonl": what}


def test_a_changed_line_is_seen_whatever_the_clock_says(workshop):
    path = workshop.write("a.jsonl", lines("a", ["web"]))
    stamp = path.stat()
    workshop.run()
    path.write_bytes(path.read_bytes().replace(b"public_web", b"enterprise"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_size == stamp.st_size
    assert workshop.run().reasons == {"enterprise-surface": 1}
    assert len(workshop.released("a.jsonl.parquet")) == 0
