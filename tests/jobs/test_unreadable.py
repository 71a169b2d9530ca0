"""Shards that cannot be read: named, releasing nothing, holding nobody up, done once mended."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs.workshop import Workshop, stable, tree
from runs.world import CANARY, NAMES, SCHEMA, table
from sampled import sampled

NAME = "day=1/bad.parquet"


def written(content: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(content, sink, **options)
    return sink.getvalue()


def cut_in_the_middle() -> bytes:
    data = written(table(NAME, repeat=20))
    return data[: len(data) // 2]


def cut_at_the_end() -> bytes:
    return written(table(NAME))[:-3]


def a_page_of_text() -> bytes:
    """Only the pages of the text column are broken: the decisions can be made."""
    data = written(
        table(NAME, repeat=20), compression="none", use_dictionary=False, write_page_checksum=True
    )
    needle = CANARY.encode() + b" in the text"
    place = data.index(needle, data.index(needle) + 2000)  # the first stands in the page's header
    return data[:place] + b"\xff" * 40 + data[place + 40 :]


def a_page_of_ids() -> bytes:
    data = written(
        table(NAME, repeat=20), compression="none", use_dictionary=False, write_page_checksum=True
    )
    place = data.index(b"#10#")
    return data[:place] + b"\xff" + data[place + 1 :]


def one_row_group_of_several() -> bytes:
    """A compressed page in the middle is noise."""
    data = bytearray(written(table(NAME, repeat=20), row_group_size=30, write_page_checksum=True))
    group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(5)
    place = group.column(SCHEMA.get_field_index("text")).data_page_offset + 60
    data[place : place + 50] = bytes(reversed(range(50)))
    return bytes(data)


def another_schema() -> bytes:
    return written(table(NAME).rename_columns([f"x_{name}" for name in SCHEMA.names]))


def text_missing() -> bytes:
    return written(table(NAME).drop_columns(["text"]))


def ids_missing() -> bytes:
    return written(table(NAME).drop_columns(["id"]))


def times_without_zone() -> bytes:
    content = table(NAME)
    place = SCHEMA.get_field_index("created_at")
    naive = content["created_at"].cast(pa.timestamp("us"))
    return written(content.set_column(place, "created_at", naive))


def floats_for_ids() -> bytes:
    numbers = pa.array([float(n) for n in range(len(NAMES))])
    return written(table(NAME).set_column(0, "id", numbers))


def encrypted() -> bytes:
    """What stands at both ends of a file with an encrypted footer."""
    return b"PARE" + bytes(200) + (100).to_bytes(4, "little") + b"PARE"


BAD = {
    make.__name__: make
    for make in (
        cut_in_the_middle, cut_at_the_end, a_page_of_text, a_page_of_ids, one_row_group_of_several,
        another_schema, text_missing, ids_missing, times_without_zone, floats_for_ids, encrypted,
    )
} | {
    "empty": lambda: b"",
    "one byte": lambda: b"P",
    "magic only": lambda: b"PAR1PAR1",
    "garbage": lambda: b"garbage " * 1000,
    "a huge footer": lambda: b"PAR1" + bytes(100) + b"\xff\xff\xff\x7fPAR1",
    "zeros for a footer": lambda: b"PAR1" + bytes(100) + (64).to_bytes(4, "little") + b"PAR1",
}  # fmt: skip


QUICK = ("cut_in_the_middle", "a_page_of_text", "another_schema", "empty", "a huge footer")


@pytest.mark.parametrize("make", sampled(BAD, *QUICK))
def test_a_bad_shard_is_named_and_releases_nothing_and_the_others_go_on(workshop, capsys, make):
    workshop.shard("good.parquet")
    workshop.shard("day=1/also good.parquet")
    workshop.write(NAME, make())
    done = workshop.command(capsys, "run", workshop.job(), "--json")
    assert done.returncode == 3, done.stderr
    assert f"unreadable: {NAME}: " in done.stderr
    assert "Traceback" not in done.stderr
    assert f'"unreadable": ["{NAME}"]' in done.stdout
    assert {name for name in tree(workshop.out) if name.endswith("bad.parquet")} == set()
    assert len(workshop.decisions()) == 2 * len(NAMES)
    shards = {row["shard"]: row for row in workshop.shards().iter_rows(named=True)}
    bad = shards.pop(NAME)
    assert all(bad[name] is None for name in ("rows", "eligible", "excluded", "purge", "released"))
    assert bad["error"]
    assert [row["rows"] for row in shards.values()] == [len(NAMES)] * 2
    manifest = workshop.manifest()
    assert list(manifest["unreadable"]) == [NAME]
    assert manifest["totals"]["shards"] == 3
    assert manifest["totals"]["shards_unreadable"] == 1
    assert manifest["totals"]["rows_in"] == 2 * len(NAMES)


@pytest.mark.parametrize("make", [cut_at_the_end, a_page_of_text, another_schema])
def test_once_mended_a_rerun_does_what_is_missing_and_nothing_else(workshop, capsys, make):
    good = workshop.shard("good.parquet")
    workshop.write(NAME, make())
    assert workshop.command(capsys, "run", workshop.job()).returncode == 3
    before = (workshop.out / "eligible/good.parquet").stat().st_mtime_ns
    assert workshop.command(capsys, "run", workshop.job()).returncode == 3
    workshop.shard(NAME)
    assert workshop.command(capsys, "run", workshop.job()).returncode == 0
    assert (workshop.out / "eligible/good.parquet").stat().st_mtime_ns == before
    assert workshop.manifest()["unreadable"] == {}
    assert good.exists()
    whole = {"output": {"path": "whole"}}
    workshop.run(whole)
    assert stable(workshop.folder / "whole") == stable(workshop.out)


def test_a_shard_that_breaks_after_it_was_released_is_withdrawn(workshop, capsys):
    workshop.shard("good.parquet")
    workshop.shard(NAME)
    workshop.run()
    assert (workshop.out / "eligible" / NAME).exists()
    workshop.write(NAME, cut_at_the_end())
    assert workshop.command(capsys, "run", workshop.job()).returncode == 3
    assert not (workshop.out / "eligible" / NAME).exists()
    assert {name for name in tree(workshop.out) if name.endswith("bad.parquet")} == set()


def test_bad_parts_of_a_shard_are_counted_once_and_its_good_parts_are_its_own(workshop, capsys):
    workshop.write("a.parquet", one_row_group_of_several())
    workshop.shard("good.parquet")
    job = workshop.job({"input": {"max_unit_bytes": 1}})
    done = workshop.command(capsys, "run", job, "--json")
    assert done.returncode == 3
    totals = workshop.manifest()["totals"]
    shards = workshop.shards()
    assert totals["shards"] == 2
    assert totals["shards_unreadable"] == 1
    released = {name for name in tree(workshop.out / "eligible") if name.startswith("a-")}
    # An unreadable shard releases nothing, and its rows are in no total.
    assert released == set()
    assert totals["rows_in"] == len(NAMES)
    assert shards.filter(shard="a.parquet")["rows"].null_count() == 10


def test_only_bad_shards_are_no_success(workshop, capsys):
    workshop.write("a.parquet", b"garbage " * 10)
    done = workshop.command(capsys, "run", workshop.job(), "--json")
    assert done.returncode == 3
    assert '"rows_in": 0' in done.stdout
    assert (workshop.out / "report.html").exists()


def test_a_link_to_nowhere_is_not_passed_over(workshop, capsys):
    workshop.shard("good.parquet")
    Path(workshop.folder / "corpus/lost.parquet").symlink_to("/nonexistent/lost.parquet")
    done = workshop.command(capsys, "run", workshop.job())
    assert done.returncode != 0
    assert "lost.parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_shard_that_vanishes_while_the_run_goes_on(workshop: Workshop, monkeypatch):
    from corpusgate.jobs import workers

    workshop.shard("good.parquet")
    lost = workshop.shard("lost.parquet")
    process = workers.process

    def late(units, keys, context):
        lost.unlink(missing_ok=True)
        return process(units, keys, context)

    monkeypatch.setattr(workers, "process", late)
    summary = workshop.run()
    assert list(summary.unreadable) == ["lost.parquet"]
    assert summary.rows_in == len(NAMES)
