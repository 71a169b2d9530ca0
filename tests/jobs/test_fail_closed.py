"""What must stop a run before anything is written, and say what to do."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs.workshop import Workshop
from runs.world import AS_OF, COLUMNS, GONE_AT, NEW, REGISTERS, SCHEMA, rows, table

FAILED, USAGE = 1, 2


def without(*columns: str) -> dict:
    return {"input": {"columns": dict.fromkeys(columns)}}


def mapped(**columns: object) -> dict:
    return {"input": {"columns": columns}}


def refused(workshop: Workshop, capsys, changes: dict | None, code: int, *words: str) -> str:
    """Run the job; it must stop with this code, say these words and write nothing."""
    done = workshop.command(capsys, "run", workshop.job(changes), "--json")
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not workshop.out.exists()
    return done.stderr


@pytest.fixture
def full(workshop: Workshop) -> Workshop:
    """A workshop with one shard, whose job would run."""
    workshop.shard("a.parquet")
    return workshop


def test_the_job_of_these_tests_runs(full, capsys):
    assert full.command(capsys, "run", full.job()).returncode == 0


@pytest.mark.parametrize(
    ("column", "rules"),
    [
        ("org_id", ["business-plan"]),
        ("user_id", ["opted-out"]),
        ("submitted_at", ["retention-over", "api-opted-in"]),
        ("model", ["fine-tuned-model"]),
        ("endpoint", ["unstored-endpoint"]),
        ("part", ["retention-over"]),
        ("license_ends_at", ["licensed"]),
    ],
)
def test_a_column_that_rules_read_is_mapped_or_called_absent(full, capsys, column, rules):
    refused(full, capsys, without(column), USAGE, f"`{column}`", "input.absent", *rules)


def test_all_unmapped_columns_are_named_at_once(full, capsys):
    refused(full, capsys, without("org_id", "model", "part"), USAGE, "org_id", "model", "part")


def test_a_column_called_absent_excludes_what_needs_it(full):
    changes = {"input": {"columns": {"model": None}, "absent": ["model"]}}
    summary = full.run(changes)
    assert summary.reasons["fine-tuned-model?"] == 3
    assert summary.reasons["public"] == 1
    assert any("model" in warning for warning in summary.warnings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (mapped(surface={"sql": "CASE WHEN org IS NOT NULL THEN 'api' ELSE 'public_web' END"}),
         ["known surface"]),
        (mapped(surface={"sql": "COALESCE(source, 'public_web')"}), ["known surface"]),
        (mapped(surface={"sql": "'consumer'"}), ["known surface"]),
        (mapped(surface={"constant": "public web"}), ["surface"]),
        (mapped(record_id={"constant": "x"}), ["record_id"]),
        (mapped(nonsense="id"), ["nonsense"]),
        (mapped(org_id="organisation"), ["organisation"]),
        (mapped(org_id={"column": "org", "sql": "org"}), ["exactly one"]),
        (mapped(submitted_at="score"), ["unit"]),
        (mapped(submitted_at={"column": "score", "unit": "fortnight"}), ["fortnight"]),
        ({"input": {"text": ["txet"]}}, ["txet", "text"]),
        ({"input": {"text": ["score"]}}, ["score"]),
        ({"input": {"keep": ["lang"]}}, ["lang", "keep_raw"]),
        ({"input": {"keep": ["parents"]}}, ["parents", "keep_raw"]),
        ({"input": {"keep": ["nothing"]}}, ["nothing"]),
        ({"input": {"txt": ["text"]}}, ["txt", "text"]),
        ({"purpose": "pre-training"}, ["pretraining"]),
        ({"purpose": "custom_model"}, ["for_org"]),
        ({"for_org": "acme"}, ["for_org"]),
        ({"as_of": "2023-08-01"}, ["as_of"]),
        ({"as_of": "2023-08-01T00:00:00"}, ["as_of"]),
        ({"max_register_age": "a week"}, ["max_register_age"]),
        ({"policy": "openai"}, ["openai-api-data"]),
        ({"parameters": {"cut_off": "2023-03-01T00:00:00Z"}}, ["cut_off"]),
        ({"parameters": {"cutoff": "March"}}, ["cutoff"]),
        ({"parameters": {"as_of": "2023-03-01T00:00:00Z"}}, ["as_of"]),
        ({"input": {"path": []}}, ["path"]),
        ({"pii": "on"}, ["pii"]),
        ({"registers": {"consents": "registers/consent.parquet"}}, ["consents", "consent"]),
    ],
)  # fmt: skip
def test_a_faulty_job_is_refused_with_the_way_out(full, capsys, changes, words):
    refused(full, capsys, changes, USAGE, *words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input": {"path": "nowhere"}}, ["nowhere"]),
        ({"input": {"path": "corpus/*.jsonl"}}, ["matches no file"]),
        ({"input": {"path": ["corpus/a.parquet", "corpus"]}}, ["a.parquet"]),
        ({"input": {"path": "s3://key:hunter2@bucket/a"}}, ["s3"]),
        ({"registers": {"consent": None}}, ["consent", "empty: true"]),
        ({"registers": {"accounts": None}}, ["accounts"]),
        ({"registers": {"deletions": None}}, ["deletions"]),
        ({"registers": {"consent": "registers/nowhere.parquet"}}, ["registers.consent"]),
        ({"registers": {"consent": "registers/accounts.parquet"}}, ["subject_kind"]),
        ({"max_register_age": "30 days"}, ["registers.", "older than 30 days"]),
    ],
)
def test_what_cannot_be_relied_on_stops_the_run(full, capsys, changes, words):
    said = refused(full, capsys, changes, FAILED, *words)
    assert "hunter2" not in said


def event(register: str, **changes: object) -> dict:
    """One register, its first row changed."""
    first, *others = REGISTERS[register]
    return {register: [{**first, **changes}, *others]}


NAIVE = datetime(2023, 1, 1)  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (event("consent", choice=None), "choice"),
        (event("consent", choice="maybe"), "choice"),
        (event("consent", choice="OPT_IN"), "choice"),
        (event("consent", subject_kind="team"), "subject_kind"),
        (event("consent", subject_kind="file"), "subject_kind"),
        (event("consent", subject_kind=None), "subject_kind"),
        (event("consent", subject_id=None), "subject_id"),
        (event("consent", subject_id="  "), "subject_id"),
        (event("consent", effective_at=None), "effective_at"),
        (event("accounts", zero_retention=None), "zero_retention"),
        (event("accounts", baa=None), "baa"),
        (event("accounts", effective_at=None), "effective_at"),
        (event("deletions", requested_at=None), "requested_at"),
        (event("deletions", subject_kind="household"), "subject_kind"),
        ({"consent": [{**row, "subject_id": 7} for row in REGISTERS["consent"]]}, "integer"),
        ({"accounts": [{**row, "org_id": 7} for row in REGISTERS["accounts"]]}, "integer"),
        ({"consent": [{**row, "effective_at": NAIVE} for row in REGISTERS["consent"]]}, "zone"),
        ({"consent": [{**row, "effective_at": "2023-01-01T00:00:00"}
                      for row in REGISTERS["consent"]]}, "effective_at"),
    ],
)  # fmt: skip
def test_a_register_with_gaps_or_strange_values_stops_the_run(full, capsys, change, word):
    full.register(**change)
    refused(full, capsys, None, FAILED, "registers.", word)


def test_an_empty_register_must_be_called_empty(full, capsys):
    empty = pa.Table.from_pylist(REGISTERS["consent"]).slice(0, 0)
    pq.write_table(empty, full.folder / "registers/consent.parquet")
    refused(full, capsys, None, FAILED, "registers.consent", "empty: true")
    consent = {"path": "registers/consent.parquet", "empty": True}
    assert full.run({"registers": {"consent": consent}}).rows_in == 15


def test_a_subject_kind_whose_column_is_not_mapped_stops_the_run(full, capsys):
    full.register(**event("deletions", subject_kind="conversation"))
    refused(full, capsys, without("conversation_id"), FAILED, "conversation", "conversation_id")


def test_ids_of_another_type_than_the_registers_stop_the_run(workshop, capsys):
    numbers = [int(f"{index}") for index, _ in enumerate(rows("a.parquet"))]
    content = table("a.parquet")
    content = content.set_column(
        SCHEMA.get_field_index("user"), "user", pa.array(numbers, pa.int64())
    )
    workshop.write("a.parquet", content)
    refused(workshop, capsys, None, FAILED, "user_id", "integers")


@pytest.mark.parametrize("age", ["31 days", "32 days"])
def test_a_register_just_young_enough_is_taken(full, age):
    assert timedelta(days=31) == AS_OF - GONE_AT
    assert full.run({"max_register_age": age}).eligible > 0


def test_a_register_of_unknown_age_warns_or_stops(full, capsys):
    plain = [{k: v for k, v in row.items() if k != "recorded_at"} for row in REGISTERS["consent"]]
    full.register(consent=plain)
    refused(full, capsys, {"max_register_age": "365 days"}, FAILED, "registers.consent", "taken")
    done = full.command(capsys, "run", full.job(), "--quiet")
    assert done.returncode == 0
    assert "warning: registers.consent" in done.stderr
    assert full.manifest()["registers"]["consent"]["snapshot_at"] is None


def test_a_snapshot_time_that_the_job_gives_is_its_age(full, capsys):
    plain = [{k: v for k, v in row.items() if k != "recorded_at"} for row in REGISTERS["consent"]]
    full.register(consent=plain)
    given = {"path": "registers/consent.parquet", "snapshot_at": "2023-06-01T00:00:00Z"}
    stale = {"registers": {"consent": given}, "max_register_age": "50 days"}
    refused(full, capsys, stale, FAILED, "registers.consent", "2023-06-01")
    done = full.command(capsys, "run", full.job({"registers": {"consent": given}}))
    assert done.returncode == 0
    assert "warning" not in done.stderr


def test_a_time_without_a_zone_stops_the_run_unless_the_job_names_one(workshop, capsys):
    content = table("a.parquet")
    place = SCHEMA.get_field_index("created_at")
    naive = content["created_at"].cast(pa.timestamp("us"))
    workshop.write("a.parquet", content.set_column(place, "created_at", naive))
    refused(workshop, capsys, None, USAGE, "input.columns.submitted_at", "zone")
    zoned = mapped(submitted_at={"column": "created_at", "timezone": "UTC"})
    assert workshop.run(zoned).reasons["api-opted-in"] == 1


@pytest.mark.parametrize("moment", [datetime(1970, 1, 1, tzinfo=UTC), AS_OF + timedelta(days=1)])
def test_an_implausible_time_excludes_its_record(workshop, moment):
    given = rows("a.parquet", ["web", "consumer", "early"])
    workshop.write(
        "a.parquet", pa.Table.from_pylist([{**r, "created_at": moment} for r in given], SCHEMA)
    )
    assert workshop.run().reasons == {"input:implausible-time": 3}


@pytest.mark.parametrize(("year", "warned"), [(2023, False), (2999, True)])
def test_a_time_that_no_register_knows_of_is_warned_of(full, year, warned):
    summary = full.run({"as_of": f"{year}-08-01T00:00:00Z"})
    assert any("lies in the future" in warning for warning in summary.warnings) == warned


def test_an_id_that_stands_twice_in_a_unit_names_neither(workshop):
    content = pa.concat_tables([table("x", ["web", "consumer"]), table("x", ["web"])])
    workshop.write("a.parquet", content)
    assert workshop.run().reasons == {"consumer": 1, "input:duplicate-record_id": 2}


@pytest.mark.parametrize(("unique", "expected"), [("unit", 4), ("run", 2)])
def test_an_id_that_stands_in_two_shards_is_found_where_asked_for(workshop, unique, expected):
    workshop.write("a.parquet", table("x", ["web", "consumer"]))
    workshop.write("b.parquet", pa.concat_tables([table("x", ["web"]), table("y", ["consumer"])]))
    summary = workshop.run({"input": {"unique": unique}})
    assert summary.eligible == expected


@pytest.mark.parametrize("kind", ["garbage", "binary", "floats"])
def test_unique_over_the_run_stops_at_ids_that_cannot_be_read(workshop, capsys, kind):
    workshop.write("a.parquet", table("x", ["web", "consumer"]))
    if kind == "floats":
        workshop.write("b.jsonl", b'{"id": 7.5, "source": "public_web", "text": "t"}\n')
    else:
        ids = pa.array([b"1"]) if kind == "binary" else pa.array(["1"])
        wrong = table("y", ["web"])
        wrong = wrong.set_column(wrong.schema.get_field_index("id"), "id", ids)
        path = workshop.write("b.parquet", wrong)
        if kind == "garbage":
            path.write_bytes(b"PAR1 and no more")
    done = workshop.command(capsys, "run", workshop.job({"input": {"unique": "run"}}))
    assert done.returncode == FAILED
    (line,) = [line for line in done.stderr.splitlines() if "`unique: run` must know" in line]
    assert "b." in line
    assert not list(workshop.out.glob("eligible/*"))
    assert workshop.run(fresh=True).unreadable  # without it, that shard alone


def test_unique_over_the_run_holds_for_json_lines_too(workshop, capsys):
    workshop.write("a.parquet", table("x", ["web", "consumer"]).drop_columns(["parents"]))
    workshop.write("b.jsonl", b'{"id": "x#0#web", "source": "public_web", "text": "t"}\n')
    columns = dict.fromkeys(COLUMNS)
    columns |= {"record_id": "id", "surface": "source"}
    changes = {
        "input": {
            "columns": columns,
            "absent": [name for name in COLUMNS if name not in {"record_id", "surface"}],
            "text": ["text"],
            "keep": [],
            "keep_raw": [],
            "unique": "run",
        },
        "registers": {name: {"empty": True} for name in REGISTERS},
    }
    changes["registers"] = dict.fromkeys(REGISTERS) | changes["registers"]
    done = workshop.command(capsys, "run", workshop.job(changes), "--json")
    assert done.returncode == 0, done.stderr
    assert '"input:duplicate-record_id": 2' in done.stdout


@pytest.mark.parametrize(
    ("path", "output", "inside"),
    [
        ("corpus", "corpus", True),
        ("corpus", "corpus/out", True),
        ("corpus", "corpus/_out", False),  # a folder's hidden files are passed over
        ("corpus/**/*.parquet", "corpus/out", True),
        ("corpus/**/*.parquet", "corpus/.out", False),
        ("c*/*.parquet", "corpus/out", False),
        ("c*/?.parquet", "corpus", True),
        ("corpus/*.parquet", "corpus/out", False),
        ("corpus/a.parquet", "corpus/out", False),
        ("**/a.parquet", "elsewhere", True),
        ("corpus", "elsewhere", False),
    ],
)
def test_an_output_that_the_next_run_would_read(full, capsys, path, output, inside):
    job = full.job({"input": {"path": [path]}, "output": {"path": output}})
    for command in (["run"], ["plan"]) if inside else (["run"], ["run"]):
        before = set(full.folder.rglob("*"))
        done = full.command(capsys, *command, job)
        if inside:
            assert done.returncode != 0
            assert set(full.folder.rglob("*")) == before
        else:
            assert done.returncode == 0, done.stderr


def test_lists_apart_are_not_read_by_the_next_run_either(full, capsys):
    job = full.job({"output": {"path": "out", "audit": "corpus/audit"}})
    done = full.command(capsys, "run", job)
    assert (done.returncode, "the output lies inside the input" in done.stderr) == (USAGE, True)


def test_an_output_that_holds_something_else_is_left_alone(full, capsys):
    full.out.mkdir()
    (full.out / "thesis.tex").write_text("ten years of work", "utf-8")
    for flags in ([], ["--fresh"]):
        done = full.command(capsys, "run", full.job(), *flags)
        assert done.returncode == FAILED
        assert "output" in done.stderr
        assert [path.name for path in full.out.iterdir()] == ["thesis.tex"]


def test_an_output_that_is_a_file_is_left_alone(full, capsys):
    full.out.write_text("x", "utf-8")
    assert full.command(capsys, "run", full.job()).returncode == FAILED
    assert full.out.read_text("utf-8") == "x"


@pytest.mark.parametrize("output", [".", "corpus", "corpus/.."])
@pytest.mark.parametrize("flags", [[], ["--fresh"]])
def test_the_output_never_takes_in_the_input(full, capsys, output, flags):
    before = {p: p.stat().st_mtime_ns for p in full.folder.rglob("*") if p.name != "job.yaml"}
    job = full.job({"output": {"path": output}})
    done = full.command(capsys, "run", job, *flags)
    assert done.returncode in {FAILED, USAGE}
    assert before.keys() <= {*full.folder.rglob("*")}


@pytest.mark.parametrize("audit", ["corpus", "out/eligible", "registers", "."])
def test_audit_files_are_not_mixed_with_others(full, capsys, audit):
    before = {path.relative_to(full.folder) for path in full.folder.rglob("*.parquet")}
    for flags in ([], ["--fresh"]):
        done = full.command(capsys, "run", full.job({"output": {"audit": audit}}), *flags)
        assert done.returncode in {FAILED, USAGE}
        assert {p.relative_to(full.folder) for p in full.folder.rglob("*.parquet")} == before


def test_two_inputs_that_would_be_one_file_are_refused(workshop, capsys):
    workshop.shard("a.jsonl.parquet")
    workshop.write("a.jsonl", b'{"id": "1"}\n')
    done = workshop.command(capsys, "run", workshop.job())
    assert done.returncode == USAGE
    assert "a.jsonl.parquet" in done.stderr
    assert not workshop.out.exists()


def test_parts_and_a_file_that_is_called_like_one_are_refused(workshop, capsys):
    workshop.shard("x.parquet", row_group_size=8)
    workshop.shard("x-00000-of-00002.parquet", ["web"])
    done = workshop.command(capsys, "run", workshop.job({"input": {"max_unit_bytes": 1}}))
    assert done.returncode == USAGE
    assert "x-00000-of-00002.parquet" in done.stderr


def test_an_opt_in_recorded_late_or_at_the_same_instant_does_not_count(workshop):
    for effective, recorded in ((NEW, NEW), (NEW - timedelta(days=9), NEW + timedelta(days=1))):
        late = event("consent", effective_at=effective, recorded_at=recorded)
        workshop.register(**late)
        workshop.shard("a.parquet", ["opted-in"])
        assert workshop.run(fresh=True).eligible == 0
