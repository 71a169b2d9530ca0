"""Whole runs: equal bytes for equal inputs, and inputs of every shape and name."""

import subprocess
import sys
from importlib.util import find_spec

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs.workshop import Workshop, stable, tree
from runs.world import NAMES, SCHEMA, kind_of, rows, table

STRANGE = (
    "with space.parquet",
    "quo'te.parquet",
    'quo"te.parquet',
    "grüße/日本.parquet",
    "[v1]/a[0].parquet",
    "st*r/wh?t.parquet",
    "per%20cent.parquet",
    "semi;colon & $HOME.parquet",
    "-dash.parquet",
    "two.dots.parquet",
    "new\nline.parquet",
    "{brace}.parquet",
)


def test_a_summary_says_what_the_decisions_say(workshop):
    workshop.shard("a.parquet", repeat=2)
    summary = workshop.run()
    decided = workshop.decisions()
    assert summary.rows_in == len(decided) == 2 * len(NAMES)
    assert summary.eligible == decided["eligible"].sum()
    assert summary.excluded == summary.rows_in - summary.eligible
    assert summary.reasons == dict(decided["reason"].value_counts().rows())
    assert not summary.done_before


def test_equal_inputs_give_equal_bytes_with_any_number_of_workers(workshop):
    for number in range(5):
        workshop.shard(f"{number}.parquet", NAMES[number:], repeat=number + 1)
    outputs = []
    for number, workers in enumerate((1, 1, 2, 4)):
        workshop.run({"output": {"path": f"out{number}"}}, workers=workers)
        outputs.append(stable(workshop.folder / f"out{number}"))
    assert outputs[0] == outputs[1] == outputs[2] == outputs[3]
    assert len(outputs[0]) == 4 * 5 + 2


def test_fresh_gives_the_same_bytes(workshop):
    workshop.shard("a.parquet")
    workshop.run()
    first = stable(workshop.out)
    workshop.run(fresh=True)
    assert stable(workshop.out) == first


def test_the_order_of_patterns_does_not_show_in_the_decisions(workshop):
    workshop.shard("x/a.parquet")
    workshop.shard("y/b.parquet")
    patterns = ["corpus/x/a.parquet", "corpus/y/b.parquet"]
    workshop.run({"input": {"path": patterns}})
    assert set(tree(workshop.out / "eligible")) == {"a.parquet", "b.parquet"}
    first = tree(workshop.out / "audit/decisions")
    workshop.run({"input": {"path": patterns[::-1]}})
    assert tree(workshop.out / "audit/decisions") == first


@pytest.mark.parametrize("workers", [1, 3])
def test_names_with_every_kind_of_character(workshop, workers):
    for name in STRANGE:
        workshop.shard(name, ["web", "gone"])
    summary = workshop.run(workers=workers)
    assert summary.shards_unreadable == 0
    assert summary.rows_in == 2 * len(STRANGE)
    assert set(tree(workshop.out / "eligible")) == set(STRANGE)
    assert set(workshop.shards()["shard"]) == set(STRANGE)
    assert workshop.manifest()["registers"]["deletions"]["subjects_unmatched"] == 1


def test_a_corpus_and_an_output_with_strange_names(tmp_path):
    workshop = Workshop(tmp_path)
    workshop.shard("a.parquet", ["web"])
    (tmp_path / "corpus").rename(tmp_path / "my [corpus] é'")
    changes = {"input": {"path": "my [corpus] é'"}, "output": {"path": "out [é] *'/deep er"}}
    assert workshop.run(changes).eligible == 1
    assert (tmp_path / "out [é] *'/deep er/eligible/a.parquet").exists()
    assert workshop.run({**changes, "as_of": None}, fresh=True).eligible == 1


def test_shards_without_rows_and_row_groups_of_one_row(workshop):
    workshop.write("empty.parquet", SCHEMA.empty_table())
    workshop.shard("ones.parquet", row_group_size=1)
    with pq.ParquetWriter(workshop.folder / "corpus/gaps.parquet", SCHEMA) as writer:
        for kinds in ([], ["web"], [], [], ["gone", "web"], []):
            writer.write_table(table("gaps", kinds) if kinds else SCHEMA.empty_table())
    summary = workshop.run()
    assert summary.shards_unreadable == 0
    assert summary.rows_in == len(NAMES) + 3
    assert len(workshop.released("empty.parquet")) == 0
    assert len(workshop.released("gaps.parquet")) == 2
    assert workshop.shards().filter(shard="empty.parquet")["rows"].item() == 0


def test_a_corpus_without_a_single_row(workshop, capsys):
    workshop.write("empty.parquet", SCHEMA.empty_table())
    done = workshop.command(capsys, "run", workshop.job())
    assert done.returncode == 0, done.stderr
    assert workshop.manifest()["totals"]["rows_in"] == 0
    assert workshop.decisions().is_empty()


def test_hive_partitions_are_columns(workshop):
    narrow = table("a", ["web", "web"]).drop_columns(["source"])
    workshop.write("source=public_web/day=2023-03-01/a.parquet", narrow)
    workshop.write("source=enterprise/day=2023-03-01/a.parquet", narrow)
    workshop.write("source=__HIVE_DEFAULT_PARTITION__/day=2023-03-01/a.parquet", narrow)
    summary = workshop.run()
    assert summary.reasons == {"public": 2, "enterprise-surface": 2, "input:unknown-surface": 2}
    released = workshop.released("source=public_web/day=2023-03-01/a.parquet")
    assert released["id"].to_pylist() == narrow["id"].to_pylist()
    assert "source" not in released.column_names


def test_parts_of_a_big_file_have_row_numbers_of_the_whole(workshop):
    workshop.shard("d/x.parquet", repeat=4, row_group_size=len(NAMES))
    summary = workshop.run({"input": {"max_unit_bytes": 1}})
    assert summary.shards == 1
    parts = [f"d/x-0000{number}-of-00004.parquet" for number in range(4)]
    assert sorted(tree(workshop.out / "eligible")) == parts
    decided = workshop.decisions()
    assert decided["row"].to_list() == list(range(4 * len(NAMES)))
    assert set(decided["shard"]) == {"d/x.parquet"}
    source = pq.read_table(workshop.folder / "corpus/d/x.parquet")["id"].to_pylist()
    assert decided["record_id"].to_list() == source
    shards = workshop.shards()
    assert shards["row_offset"].to_list() == [0, 15, 30, 45]
    assert shards["part"].to_list() == [0, 1, 2, 3]
    for record in decided.filter("eligible").iter_rows(named=True):
        part = workshop.released(parts[record["row"] // len(NAMES)])
        assert part["id"][record["out_row"]].as_py() == record["record_id"]


def test_parts_together_are_the_file_in_one(workshop):
    workshop.shard("x.parquet", repeat=4, row_group_size=7)
    workshop.run()
    whole = workshop.released("x.parquet")
    workshop.run({"input": {"max_unit_bytes": 5000}})
    names = sorted(tree(workshop.out / "eligible"))
    assert len(names) > 1
    assert pa.concat_tables([workshop.released(name) for name in names]).equals(whole)


def test_an_id_that_stands_in_two_parts_of_a_file_is_found(workshop):
    workshop.write("x.parquet", pa.concat_tables([table("x", ["web"])] * 2), row_group_size=1)
    assert workshop.run().reasons == {"input:duplicate-record_id": 2}
    parts = workshop.run({"input": {"max_unit_bytes": 1, "unique": "run"}})
    assert parts.reasons == {"input:duplicate-record_id": 2}


def test_two_thousand_columns(workshop):
    content = table("wide.parquet")
    extra = pa.array(["x" * 20] * len(content))
    for number in range(2000):
        content = content.append_column(f"c{number}", extra)
    workshop.write("wide.parquet", content)
    summary = workshop.run({"input": {"keep_raw": ["lang", "c7", "c1999"]}})
    assert summary.rows_in == len(NAMES)
    released = workshop.released("wide.parquet")
    assert released.column_names == ["id", "score", "text", "messages", "lang", "c7", "c1999"]


def test_what_no_pattern_names_is_not_read(workshop):
    workshop.shard("a.parquet")
    for name in (".hidden.parquet", "_tmp/b.parquet", "notes.txt", "a.parquet.crc"):
        workshop.write(name, b"nothing to see")
    assert workshop.run().shards == 1


def test_linked_files_are_read_under_the_name_of_the_link(workshop):
    path = workshop.shard("store/a.parquet", ["web"])
    (workshop.folder / "corpus/link.parquet").symlink_to(path)
    summary = workshop.run({"input": {"path": "corpus/*.parquet"}})
    assert summary.eligible == 1
    assert list(tree(workshop.out / "eligible")) == ["link.parquet"]


def test_a_constant_surface_stands_for_a_whole_corpus(workshop):
    workshop.write("a.parquet", table("a", ["web", "licensed"]).drop_columns(["source"]))
    summary = workshop.run({"input": {"columns": {"surface": {"constant": "human_review"}}}})
    assert summary.reasons == {"human-review": 2}
    assert workshop.manifest()["assertions"] == {"surface": "human_review"}


def test_a_policy_of_one_s_own_and_its_parameters(workshop):
    workshop.shard("a.parquet")
    (workshop.folder / "mine.yaml").write_text(
        "name: mine\nversion: 1\npermit:\n  - {id: public, when: surface = 'public_web',"
        " purposes: [pretraining], because: it is public, clause: house rule}\n",
        "utf-8",
    )
    summary = workshop.run({"policy": "mine.yaml"})
    assert summary.reasons["public"] == 1
    assert summary.eligible == 1
    assert workshop.manifest()["policy"]["name"] == "mine"


def test_every_survivor_of_a_mixed_corpus_is_a_kind_that_may_train(workshop):
    for number in range(3):
        workshop.shard(f"{number}.parquet", NAMES[::-1], repeat=2, row_group_size=4)
    workshop.run(workers=2)
    released = [key for name in tree(workshop.out / "eligible")
                for key in workshop.released(name)["id"].to_pylist()]  # fmt: skip
    wanted = [row["id"] for number in range(3)
              for row in rows(f"{number}.parquet", NAMES[::-1], 2)
              if kind_of(row["id"]).eligible]  # fmt: skip
    assert sorted(released) == sorted(wanted)


def test_a_run_loads_nothing_that_it_does_not_use(workshop):
    """Each of these takes a tenth of a second and more to import."""
    workshop.shard("a.parquet")
    program = (
        "import sys, corpusgate\n"
        f"summary = corpusgate.run({str(workshop.job({'pii': 'off'}))!r})\n"
        "assert summary.eligible\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "polars" in loaded
    assert not loaded & {"duckdb", "pandas", "presidio_analyzer", "ray", "spacy"}


@pytest.mark.skipif(find_spec("pandas") is None, reason="wants pandas to be there")
def test_the_command_line_does_not_load_pandas(workshop):
    workshop.shard("a.parquet")
    program = (
        "import sys\n"
        "from corpusgate.jobs.cli import main\n"
        "try:\n"
        f"    main(['run', {str(workshop.job({'pii': {}}))!r}, '--quiet'])\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        "assert 'presidio_analyzer' in sys.modules\n"
        "assert 'pandas' not in sys.modules\n"
        "import pandas\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
