"""Which units are decided together changes no byte, and no unit's fate another's."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from corpusgate.connectors.audit import write_table
from corpusgate.connectors.staged import StagedFile
from corpusgate.jobs.plan import Unit
from corpusgate.jobs.workers import grouped
from runs.workshop import Workshop, stable
from runs.world import table


@pytest.fixture
def many(workshop: Workshop) -> Workshop:
    """Shards of several shapes, one of them unreadable, two with the same ids."""
    for index in range(7):
        workshop.shard(f"{index}.parquet")
    twin = table("0.parquet")
    workshop.write("twin.parquet", twin)
    coded = table("coded.parquet")
    place = coded.schema.get_field_index("source")
    workshop.write(
        "coded.parquet", coded.set_column(place, "source", coded["source"].dictionary_encode())
    )
    workshop.write("empty.parquet", twin.slice(0, 0))
    workshop.write("broken.parquet", b"PAR1 and no more")
    cut = workshop.shard("cut.parquet")
    data = bytearray(cut.read_bytes())
    data[40:400] = bytes(360)  # the footer is whole, the pages are not
    cut.write_bytes(data)
    return workshop


def test_groups_of_any_size_give_the_same_bytes(many, monkeypatch):
    from corpusgate.jobs import workers

    process, outputs, sizes = workers.process, [], []
    for rows, files in ((0, 1), (10**9, 3), (10**9, 10**9)):
        monkeypatch.setattr(workers, "GROUP_ROWS", rows)
        monkeypatch.setattr(workers, "GROUP_FILES", files)
        monkeypatch.setattr(workers, "GROUPS_EACH", 1)
        with monkeypatch.context() as patch:
            patch.setattr(
                workers,
                "process",
                lambda group, *rest: sizes.append(len(group)) or process(group, *rest),
            )
            summary = many.run(fresh=True)
        assert sorted(summary.unreadable) == ["broken.parquet", "cut.parquet"]
        outputs.append(stable(many.out))
    assert {1, 3} <= set(sizes)
    assert max(sizes) > 3
    assert outputs[0] == outputs[1] == outputs[2]


@pytest.mark.parametrize(("workers", "share"), [(1, 1), (2, 1 / 10), (4, 1 / 5)])
def test_nobody_waits_long_for_the_last_group(workers, share):
    units = [Unit(str(n), "", 100, "", None, range(1), 0, 43_000) for n in range(20)]
    sizes = [len(group) for group in grouped(units, workers)]
    assert sum(sizes) == 20
    assert max(sizes) <= 20 / workers * share


def test_tiny_files_are_decided_many_at_a_time():
    units = [Unit(str(n), "", 100, "", None, range(1), 0, 43) for n in range(20_000)]
    sizes = [len(group) for group in grouped(units, 2)]
    assert len(sizes) < 200
    assert sum(sizes) == 20_000


def test_ids_of_two_types_meet_in_one_group(workshop):
    for name, ids in (("text.parquet", ["1", "2"]), ("numbers.parquet", [3, 4])):
        rows = table(name, ["web", "web"])
        place = rows.schema.get_field_index("id")
        workshop.write(name, rows.set_column(place, "id", pa.array(ids)))
    summary = workshop.run({"registers": {"deletions": {"empty": True}}})
    assert summary.eligible == 4


@pytest.mark.parametrize("begin", [0, 3_000, 57_000])
def test_a_part_of_a_frame_is_written_as_if_there_were_no_more(tmp_path, begin):
    reasons = [["a-reason", "another"] if row % 3 else ["one"] for row in range(60_000)]
    whole = pl.DataFrame({"row": range(60_000), "reasons": reasons})
    part = whole.slice(begin, 3_000)
    alone = pl.DataFrame(part.to_dicts(), part.schema)
    digests = set()
    for frame in (part, alone, pl.concat([alone[:9], alone[9:]])):
        with StagedFile(tmp_path, "list.parquet") as file:
            write_table(frame.to_arrow(), file)
            digests.add(file.publish().sha256)
    assert len(digests) == 1
