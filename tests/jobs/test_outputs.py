"""What a run leaves behind: which files, with which columns, rows, types and permissions."""

import hashlib
import stat
from html.parser import HTMLParser

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs.workshop import Workshop, stable, tree
from runs.world import CANARY, KINDS, NAMES, RELEASED, SCHEMA, kind_of, rows, table

TIME = pl.Datetime("us", "UTC")
DECISIONS = {
    "record_id": pl.String(),
    "eligible": pl.Boolean(),
    "reason": pl.String(),
    "reasons": pl.List(pl.String()),
    "shard": pl.String(),
    "row": pl.Int64(),
    "out_row": pl.Int64(),
    "surface": pl.String(),
    "part": pl.String(),
    "submitted_at": TIME,
    "license_ends_at": TIME,
    "org_id": pl.String(),
    "user_id": pl.String(),
    "end_user_id": pl.String(),
    "file_id": pl.String(),
    "conversation_id": pl.String(),
    "model": pl.String(),
}
MANIFEST = {
    "schema", "job", "purpose", "for_org", "as_of", "policy", "assertions", "registers", "pii",
    "versions", "totals", "unreadable", "shards",
}  # fmt: skip
SHARDS = ("a.parquet", "sub/b.parquet")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A workshop whose job has run over two shards; only looked at."""
    workshop = Workshop(tmp_path_factory.mktemp("done"))
    workshop.shard("a.parquet", row_group_size=4)
    workshop.shard("sub/b.parquet", repeat=3, row_group_size=7)
    workshop.run()
    return workshop


def test_these_files_and_no_others(done):
    units = {name for name in tree(done.out) if name.startswith("audit/units/")}
    assert len(units) == 2
    assert set(tree(done.out)) - units - {".lock"} == {
        *(f"eligible/{name}" for name in SHARDS),
        *(f"audit/decisions/{name}" for name in SHARDS),
        *(f"audit/purge/{name}" for name in SHARDS),
        "audit/shards.parquet",
        "manifest.json",
        "run.json",
        "report.html",
    }


def test_every_record_is_decided_as_its_kind_is(done):
    decided = done.decisions()
    given = [row["id"] for name, repeat in zip(SHARDS, (1, 3), strict=True)
             for row in rows(name, repeat=repeat)]  # fmt: skip
    assert sorted(decided["record_id"]) == sorted(given)
    for record in decided.iter_rows(named=True):
        kind = kind_of(record["record_id"])
        assert (kind.name, record["reason"]) == (kind.name, kind.reason)
        assert record["eligible"] is kind.eligible
        assert record["reason"] == record["reasons"][0]


def test_a_decision_says_where_the_record_stood_and_where_it_is_now(done):
    for record in done.decisions().iter_rows(named=True):
        source = pq.ParquetFile(done.folder / "corpus" / record["shard"]).read(["id"])["id"]
        assert source[record["row"]].as_py() == record["record_id"]
        assert (record["out_row"] is not None) is record["eligible"]
        if record["eligible"]:
            released = done.released(record["shard"])["id"]
            assert released[record["out_row"]].as_py() == record["record_id"]


def test_decisions_have_these_columns_in_row_order(done):
    for name in SHARDS:
        frame = pl.read_parquet(done.out / "audit/decisions" / name)
        assert dict(frame.schema) == DECISIONS
        assert frame["row"].to_list() == list(range(len(frame)))
        assert frame["shard"].unique().to_list() == [name]


def test_decisions_keep_what_a_later_recheck_needs(done):
    names = {"surface": "source", "submitted_at": "created_at", "org_id": "org",
             "user_id": "user", "end_user_id": "end_user", "model": "model"}  # fmt: skip
    for record in done.decisions().iter_rows(named=True):
        given = kind_of(record["record_id"]).values
        wanted = {ours: given.get(theirs) for ours, theirs in names.items()}
        if CANARY in wanted["surface"]:
            wanted["surface"] = None
        assert {ours: record[ours] for ours in names} == wanted


@pytest.mark.parametrize("name", SHARDS)
def test_released_files_have_the_input_s_rows_order_and_types(done, name):
    given = pq.ParquetFile(done.folder / "corpus" / name).read()
    keep = pa.array([kind_of(key).eligible for key in given["id"].to_pylist()])
    released = done.released(name)
    assert released.schema.remove_metadata() == pa.schema([SCHEMA.field(n) for n in RELEASED])
    assert released.equals(given.filter(keep).select(RELEASED))
    assert len(released) > 0


@pytest.mark.parametrize("name", SHARDS)
def test_released_footers_hold_no_values_of_text_and_ids(done, name):
    metadata = pq.ParquetFile(done.out / "eligible" / name).metadata
    with_statistics = set()
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            if chunk.is_stats_set:
                with_statistics.add(chunk.path_in_schema)
    assert with_statistics == {"score"}
    raw = (done.out / "eligible" / name).read_bytes()
    footer = raw[-int.from_bytes(raw[-8:-4], "little") - 8 :]
    assert CANARY.encode() not in footer
    assert b"#web" not in footer


def test_the_purge_list_names_who_must_go_and_by_when(done):
    for name, repeat in zip(SHARDS, (1, 3), strict=True):
        frame = pl.read_parquet(done.out / "audit/purge" / name)
        assert dict(frame.schema) == {
            "record_id": pl.String(),
            "reason": pl.String(),
            "deadline": TIME,
        }
        wanted = [
            (row["id"], kind.reason, kind.deadline)
            for row in rows(name, repeat=repeat)
            if (kind := kind_of(row["id"])).deadline
        ]
        assert frame.rows() == wanted


def test_shards_add_up_and_vouch_for_every_file(done):
    shards = done.shards()
    assert shards["shard"].to_list() == list(SHARDS)
    assert shards["rows"].to_list() == [len(NAMES), 3 * len(NAMES)]
    assert (shards["rows"] == shards["eligible"] + shards["excluded"]).all()
    assert shards["error"].null_count() == 2
    roots = {
        "released": done.out,
        "decisions": done.out / "audit",
        "purge_list": done.out / "audit",
    }
    for row in shards.iter_rows(named=True):
        for column, root in roots.items():
            data = (root / row[column]["path"]).read_bytes()
            assert row[column]["bytes"] == len(data)
            assert row[column]["sha256"] == hashlib.sha256(data).hexdigest()


def test_the_manifest_says_what_the_decisions_say(done):
    manifest, decided = done.manifest(), done.decisions()
    totals = manifest["totals"]
    assert set(manifest) == MANIFEST
    assert totals["rows_in"] == len(decided) == 4 * len(KINDS)
    assert totals["eligible"] == decided["eligible"].sum()
    assert totals["excluded"] == (~decided["eligible"]).sum()
    assert totals["reasons"] == dict(sorted(decided["reason"].value_counts().rows()))
    assert totals["purge"] == 4 * sum(kind.deadline is not None for kind in KINDS)
    assert (totals["shards"], totals["shards_unreadable"]) == (2, 0)
    counted: dict[str, int] = {}
    for reasons in totals["surfaces"].values():
        for reason, count in reasons.items():
            counted[reason] = counted.get(reason, 0) + count
    assert counted == totals["reasons"]
    shards = (done.out / "audit/shards.parquet").read_bytes()
    assert manifest["shards"]["sha256"] == hashlib.sha256(shards).hexdigest()


def test_the_manifest_names_registers_with_time_rows_and_strangers(done):
    registers = done.manifest()["registers"]
    assert {name: item["rows"] for name, item in registers.items()} == {
        "consent": 2, "accounts": 2, "deletions": 2, "holds": 0,
    }  # fmt: skip
    assert registers["deletions"]["subjects_unmatched"] == 1
    assert registers["deletions"]["snapshot_at"] == "2023-07-01T00:00:00+00:00"


def test_a_manifest_does_not_grow_with_the_corpus(workshop):
    workshop.shard("00.parquet")
    workshop.run()
    one = len((workshop.out / "manifest.json").read_bytes())
    for number in range(1, 9):
        workshop.shard(f"{number:02}.parquet", NAMES[::-1])
    workshop.run()
    digits = 4 * len(workshop.manifest()["totals"]["reasons"]) + 50
    assert abs(len((workshop.out / "manifest.json").read_bytes()) - one) < digits


def test_constants_are_recorded_as_the_job_s_assertions(workshop):
    workshop.shard("a.parquet", ["web"])
    workshop.run({"input": {"columns": {"license_ends_at": {"constant": "perpetual"}}}})
    assert workshop.manifest()["assertions"] == {"license_ends_at": "perpetual"}


class _Strict(HTMLParser):
    """Remembers what is open, links and scripts."""

    optional = frozenset({"html", "meta", "tr", "td", "th", "li", "p", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not {"src", "href", "onclick"} & {name for name, _ in attrs}
        if tag not in self.optional:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.optional:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_report_is_one_whole_page_without_script_or_network(done):
    page = _Strict()
    page.feed((done.out / "report.html").read_text("utf-8"))
    page.close()
    assert page.open == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "retention-over" in page.text


def test_names_are_escaped_in_the_report(workshop):
    workshop.shard("good.parquet")
    workshop.write("<b>&amp;.parquet", b"no parquet")
    workshop.run()
    page = _Strict()
    page.feed((workshop.out / "report.html").read_text("utf-8"))
    assert "b" not in page.tags
    assert "<b>&amp;.parquet" in page.text


def _modes(folder) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}


def test_audit_is_for_its_owner_only(done):
    audit = done.out / "audit"
    assert stat.S_IMODE(audit.stat().st_mode) == 0o700
    assert _modes(audit) == {0o600}


def test_audit_can_lie_elsewhere(workshop):
    workshop.shard("a.parquet")
    workshop.shard("b.jsonl.parquet")
    workshop.run({"output": {"audit": "secret/audit"}})
    audit = workshop.folder / "secret/audit"
    assert not (workshop.out / "audit").exists()
    assert stat.S_IMODE(audit.stat().st_mode) == 0o700
    assert _modes(audit) == {0o600}
    assert len(workshop.decisions(audit)) == 2 * len(NAMES)


def test_one_output_is_the_same_wherever_its_audit_lies(workshop):
    workshop.shard("a.parquet")
    workshop.run()
    here = tree(workshop.out / "audit"), tree(workshop.out / "eligible")
    workshop.run({"output": {"path": "out2", "audit": "elsewhere"}})
    assert here == (stable(workshop.folder / "elsewhere"), tree(workshop.folder / "out2/eligible"))


def test_a_file_without_a_survivor_gives_a_file_without_rows(workshop):
    workshop.shard("none.parquet", ["workspace", "gone"])
    workshop.run()
    released = workshop.released("none.parquet")
    assert len(released) == 0
    assert released.schema.remove_metadata() == pa.schema([SCHEMA.field(n) for n in RELEASED])


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"keep": [], "keep_raw": []}, ["id", "text", "messages"]),
        ({"keep": [], "keep_raw": [], "text": "text"}, ["id", "text"]),
        ({"keep": ["score", "created_at"], "keep_raw": []},
         ["id", "score", "created_at", "text", "messages"]),
        ({"keep": ["text"], "keep_raw": ["lang"]}, ["id", "text", "messages", "lang"]),
    ],
)  # fmt: skip
def test_released_are_the_id_the_text_and_what_is_kept_by_name(workshop, changes, names):
    workshop.write("a.parquet", table("a.parquet", ["web"]))
    workshop.run({"input": changes})
    assert workshop.released("a.parquet").column_names == names
