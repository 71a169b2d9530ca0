"""Jobs whose corpus, registers and output lie in an object store: the same bytes as at home."""

import gzip
import io
import json
import random
import re
import shutil
import string
import subprocess
import threading
from urllib.parse import unquote

import corpusgate
import duckdb
import obstore
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.connectors import lease
from runs.away import SHARDS, Away, at_home
from runs.s3 import SECRET, address_of, one_in_five, proxy
from runs.workshop import CHANGING, CLI, Workshop, merge
from runs.world import COLUMNS, NAMES, REGISTERS, SCHEMA, rows
from sampled import sampled


@pytest.fixture
def away(home, s3, tmp_path):
    """The same here and there; there, nothing has run yet."""
    folder = shutil.copytree(home, tmp_path / "home")
    return Away(Workshop(folder), s3, f"jobs/{tmp_path.name}")


@pytest.fixture
def anywhere(home, store, tmp_path):
    """The same in each of the stores."""
    folder = shutil.copytree(home, tmp_path / "home")
    return Away(Workshop(folder), store, f"jobs/{tmp_path.name}")


def test_a_run_in_a_bucket_writes_the_same_bytes(anywhere):
    summary = anywhere.run()
    assert summary.rows_in == 3 * len(NAMES)
    assert summary.output == anywhere.uri("out")
    assert anywhere.tree() == at_home(anywhere.workshop)
    there = anywhere.store.tree(f"{anywhere.prefix}/out")
    assert there.keys() >= {"manifest.json", "run.json", "report.html", "audit/shards.parquet"}
    assert lease.LOCK not in there
    ours, theirs = json.loads(there["manifest.json"]), anywhere.workshop.manifest()
    assert ours["job"].pop("input")["path"] == [anywhere.uri("corpus")]
    assert theirs["job"].pop("input")["path"] == ["corpus"]
    assert ours == theirs


@pytest.mark.slow
def test_workers_in_processes_connect_by_themselves(away, monkeypatch):
    from corpusgate.jobs import workers

    changes = {"pii": {"entities": ["EMAIL_ADDRESS"]}}
    away.run(changes)
    good = away.tree()
    monkeypatch.setattr(workers, "LARGE", 0)
    away.run(changes, workers=2, fresh=True)
    assert away.tree() == good


@pytest.mark.slow
def test_corpus_there_and_output_here_and_the_other_way_round(away):
    away.run({"output": {"path": "mixed"}})
    assert at_home(away.workshop, away.workshop.folder / "mixed") == at_home(away.workshop)
    away.run({"input": {"path": "corpus"}, "output": {"path": away.uri("turned")}})
    assert away.tree("turned") == at_home(away.workshop)


def test_the_audit_folder_in_a_place_of_its_own(away, capsys):
    apart = {"output": {"audit": away.uri("audit")}}
    away.run(apart)
    assert not [name for name in away.tree() if name.startswith("audit/")]
    assert {f"audit/{name}" for name in away.tree("audit")} >= {
        name for name in at_home(away.workshop) if name.startswith("audit/")
    }
    other = away.job({"output": {"path": away.uri("other"), "audit": away.uri("audit")}}, "o.yaml")
    done = away.workshop.command(capsys, "run", other)
    assert done.returncode == 1
    assert "files that are not this output's" in done.stderr


def test_json_lines_there(away, s3):
    line = '{{"id": "{0}", "source": "public_web", "text": "number {0}"}}\n'
    text = "".join(line.format(number) for number in range(500)).encode()
    columns = dict.fromkeys(COLUMNS) | {"record_id": "id", "surface": "source"}
    changes = {
        "input": {"columns": columns, "absent": [n for n in COLUMNS if columns[n] is None],
                  "text": "text", "keep": [], "keep_raw": [], "path": "lines"},
        "registers": {name: {"empty": True, "path": None} for name in REGISTERS},
        "output": {"path": "lines-out"},
    }  # fmt: skip
    here = away.workshop.folder / "lines"
    here.mkdir()
    (here / "a.jsonl").write_bytes(text)
    (here / "b.jsonl.gz").write_bytes(gzip.compress(text.replace(b'"id": "', b'"id": "b')))
    s3.upload(here, f"{away.prefix}/lines")
    away.workshop.run(changes)
    turned = {"input": {"path": away.uri("lines")}, "output": {"path": away.uri("lines-out")}}
    assert away.run(merge(changes, turned)).eligible == 1000
    assert away.tree("lines-out") == at_home(away.workshop, away.workshop.folder / "lines-out")


@pytest.mark.slow
def test_ids_that_stand_twice_in_the_run(away):
    away.store.upload(away.workshop.folder / "corpus/day=1", f"{away.prefix}/corpus/twice")
    shutil.copytree(away.workshop.folder / "corpus/day=1", away.workshop.folder / "corpus/twice")
    summary = away.run({"input": {"unique": "run"}})
    away.workshop.run({"input": {"unique": "run"}})
    assert summary.reasons["input:duplicate-record_id"] > len(NAMES)
    assert away.tree() == at_home(away.workshop)


def test_csv_registers_there(away, s3):
    frame = pl.DataFrame(REGISTERS["consent"])
    lists = {
        n: pl.col(n).list.join(",") for n, t in frame.schema.items() if t == pl.List(pl.String)
    }
    frame = frame.with_columns(**lists)
    folder = s3.folder(f"{away.prefix}/csv")
    for name in ("consent.csv", "consent.csv.gz"):
        data = frame.write_csv().encode()
        packed = gzip.compress(data) if name.endswith("gz") else data
        obstore.put(folder.store, folder.key(name), packed)
        from corpusgate.connectors.registers import read_register

        table = read_register("consent", folder.show(name), away.workshop.folder, folder.storage)
        assert table.table.num_rows == frame.height
        assert not table.typed


# Resuming


def uploads(front, since=0):
    return [
        path
        for method, path, _ in front.seen[since:]
        if method == "PUT" and "/eligible/" in unquote(path) and "comp=blocklist" not in path
    ]


def test_a_rerun_does_nothing_again(away, s3):
    with proxy(s3, lambda *_: "") as front:
        job = away.job(address=address_of(front))
        corpusgate.run(job, workers=1)
        before, marked = s3.tree(f"{away.prefix}/out"), len(front.seen)
        assert len(uploads(front)) == 3
        corpusgate.run(job, workers=1)
        assert uploads(front, marked) == []
    after = s3.tree(f"{away.prefix}/out")
    assert {n: d for n, d in before.items() if n not in CHANGING} == {
        n: d for n, d in after.items() if n not in CHANGING
    }


def test_another_machine_goes_on_where_the_first_one_stopped(anywhere, monkeypatch, tmp_path):
    """Another job file elsewhere, another time zone, the same objects."""
    from corpusgate.jobs import workers

    process, seen = workers.process, []

    def short(group, keys, context):
        seen.append(group)
        if len(seen) > 1:
            raise KeyboardInterrupt
        return process(group, keys, context)

    with monkeypatch.context() as patch:
        patch.setattr(workers, "process", short)
        with pytest.raises(KeyboardInterrupt):
            anywhere.run()
    there = tmp_path / "elsewhere"
    there.mkdir()
    with proxy(anywhere.store, lambda *_: "") as front:
        (there / "job.yaml").write_bytes(anywhere.job(address=address_of(front)).read_bytes())
        corpusgate.run(there / "job.yaml", workers=1)
        assert len(uploads(front)) == 2
    assert anywhere.tree() == at_home(anywhere.workshop)


@pytest.mark.slow
def test_objects_uploaded_anew_with_the_same_content_are_not_done_again(away, s3):
    away.run()
    s3.upload(away.workshop.folder / "corpus", f"{away.prefix}/corpus")
    with proxy(s3, lambda *_: "") as front:
        corpusgate.run(away.job(address=address_of(front)), workers=1)
        assert uploads(front) == []


@pytest.mark.slow
def test_changed_new_and_removed_objects(away, s3):
    away.run()
    away.workshop.shard("a.parquet", NAMES[:4])
    away.workshop.shard("d.parquet")
    (away.workshop.folder / "corpus" / SHARDS[1]).unlink()
    s3.upload(away.workshop.folder / "corpus", f"{away.prefix}/corpus")
    s3.folder(f"{away.prefix}/corpus").delete([SHARDS[1]])
    away.run()
    away.workshop.run()
    assert away.tree() == at_home(away.workshop)


@pytest.mark.parametrize(
    "path",
    ["eligible/a.parquet", pytest.param("audit/purge/a.parquet", marks=pytest.mark.slow)],
)
def test_an_object_that_is_gone_is_made_again_and_a_stray_one_goes(away, s3, path):
    away.run()
    folder = s3.folder(f"{away.prefix}/out")
    folder.delete([path])
    obstore.put(folder.store, folder.key("eligible/stray.parquet"), b"x")
    away.run()
    assert away.tree() == at_home(away.workshop)


def test_fresh_starts_anew(away, s3):
    away.run()
    before = {e.path: e.modified for e in s3.folder(f"{away.prefix}/out").files("audit/units")}
    away.run({"as_of": "2023-07-01T00:00:00Z"}, fresh=True)
    after = {e.path for e in s3.folder(f"{away.prefix}/out").files("audit/units")}
    assert not after & before.keys()
    assert len(after) == 3


# Two runs, and folders that are somebody else's


def test_a_second_run_stops_with_one_clear_line(anywhere, capsys):
    from corpusgate.connectors.lock import locked

    with locked(anywhere.store.folder(f"{anywhere.prefix}/out"), "", run="x"):
        done = anywhere.workshop.command(capsys, "run", anywhere.job())
    assert done.returncode == 1
    assert "another run is writing here, on " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert anywhere.tree() == {}


def test_of_two_runs_at_once_one_does_it_all(anywhere):
    outcomes = []

    def one():
        try:
            outcomes.append(anywhere.run().rows_in)
        except corpusgate.OutputError as error:
            outcomes.append(str(error))

    job = anywhere.job()
    anywhere.job = lambda *_, **__: job
    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [outcome for outcome in outcomes if outcome == 3 * len(NAMES)]
    stopped = [outcome for outcome in outcomes if "another run" in str(outcome)]
    assert done, outcomes
    assert len(done) + len(stopped) == 2, outcomes
    assert anywhere.tree() == at_home(anywhere.workshop)


def test_a_folder_with_something_else_in_it_is_left_alone(away, s3, capsys):
    folder = s3.folder(f"{away.prefix}/out")
    obstore.put(folder.store, folder.key("holiday.jpg"), b"x")
    done = away.workshop.command(capsys, "run", away.job())
    assert done.returncode == 1
    assert "files that are not a run's output" in done.stderr
    assert away.store.tree(f"{away.prefix}/out").keys() == {"holiday.jpg"}


@pytest.mark.parametrize("out", ["corpus", "", "registers"])
def test_an_output_over_the_input_is_refused(away, s3, capsys, out):
    before = s3.tree(away.prefix)
    done = away.workshop.command(capsys, "run", away.job({"output": {"path": away.uri(out)}}))
    assert done.returncode in {1, 2}
    assert s3.tree(away.prefix) == before


def lines(away, name="lines/d.jsonl.gz"):
    """Put a shard of JSON lines beside the others."""
    blank = dict.fromkeys(SCHEMA.names)
    text = "\n".join(json.dumps(blank | row, default=str) for row in rows("d"))
    folder = away.store.folder(f"{away.prefix}/corpus")
    obstore.put(folder.store, folder.key(name), gzip.compress(text.encode()))


SAYS = (
    "SELECT reason, count(*) FROM decisions GROUP BY ALL ORDER BY ALL",
    "SELECT shard, row, record_id FROM excluded ORDER BY ALL",
    "SELECT * FROM texts ORDER BY ALL",
    "SELECT count(*), min(text) FROM released",
    "SELECT * FROM purge ORDER BY ALL",
)


def test_sql_answers_there_as_at_home(away):
    away.run()
    here = corpusgate.connect(away.workshop.job())
    there = corpusgate.connect(away.job())
    for query in SAYS:
        assert there.sql(query).fetchall() == here.sql(query).fetchall() != []


def test_sql_reads_json_lines_there(away):
    lines(away)
    con = corpusgate.connect(away.job())
    query = "SELECT count(*), min(shard) FROM decisions WHERE shard LIKE 'lines/%'"
    assert con.sql(query).fetchall() == [(len(NAMES), "lines/d.jsonl.gz")]


def test_sql_fetches_what_a_query_asks_for(away, s3):
    text = "".join(random.Random(1).choices(string.printable, k=1_000_000))  # noqa: S311 - no secret
    pages = pq.read_table(away.workshop.folder / "corpus/a.parquet")
    long = pa.array([text] * len(pages), pages.schema.field("text").type)
    at = pages.schema.get_field_index("text")
    file = io.BytesIO()
    pq.write_table(pages.set_column(at, "text", long), file, use_dictionary=False)
    folder = s3.folder(f"{away.prefix}/corpus")
    obstore.put(folder.store, folder.key("a.parquet"), file.getvalue())
    sent = []
    look = lambda handler: sent.append(handler.headers.get("Range", ""))  # noqa: E731
    with proxy(s3, lambda *_: "", look=look) as front:
        con = corpusgate.connect(away.job(address=address_of(front)))
        con.sql("SELECT reason, count(*) FROM decisions GROUP BY ALL").fetchall()
    spans = [re.fullmatch(r"bytes=(\d+)-(\d+)", span) for span in sent if span]
    fetched = sum(int(span[2]) - int(span[1]) + 1 for span in spans if span)
    assert 0 < fetched < len(file.getvalue()) / 10


def test_sql_cannot_read_or_write_anything_else_there(away):
    away.run()
    con = corpusgate.connect(away.job())
    name = "SELECT filename FROM read_parquet('corpusgate://{}', filename=true) LIMIT 1"
    assert con.sql(name.format(away.uri("corpus/a.parquet"))).fetchall()
    for path in ("out/audit/decisions/a.parquet", "corpus/*.parquet"):
        with pytest.raises(duckdb.Error):
            con.sql(name.format(away.uri(path))).fetchall()
    before = away.store.tree(away.prefix)
    for path in ("corpus/a.parquet", "corpus/new.parquet"):
        target = f"corpusgate://{away.uri(path)}"
        with pytest.raises((duckdb.Error, OSError)):
            con.execute(f"COPY (SELECT 1) TO '{target}' (FORMAT parquet, USE_TMP_FILE false)")
    assert away.store.tree(away.prefix) == before


def of_one_size(away):
    """The first shard twice, as objects of one size; other records."""
    table = pq.read_table(away.workshop.folder / "corpus/a.parquet")
    at = table.schema.get_field_index(COLUMNS["record_id"])
    for letter in "xy":
        ids = pa.array([letter + name.as_py()[1:] for name in table.column(at)])
        file = io.BytesIO()
        changed = table.set_column(at, table.schema.field(at), ids)
        pq.write_table(changed, file, compression="none", use_dictionary=False)
        yield file.getvalue()


def test_an_object_that_is_replaced_or_gone_while_a_session_is_open_is_an_error(away):
    folder = away.store.folder(f"{away.prefix}/corpus")
    one, other = of_one_size(away)
    assert len(one) == len(other)
    for act in (
        lambda: obstore.put(folder.store, folder.key("a.parquet"), other),
        lambda: folder.delete(["a.parquet"]),
    ):
        obstore.put(folder.store, folder.key("a.parquet"), one)
        con = corpusgate.connect(away.job())
        act()
        with pytest.raises((duckdb.Error, OSError)) as caught:
            con.sql("SELECT reason, count(*) FROM decisions GROUP BY ALL").fetchall()
        assert not [word for word in away.store.secrets if word in str(caught.value)]


def checked(away, capsys, *options):
    done = away.workshop.command(
        capsys, "verify", away.uri("out"), "--job", away.job(), "--pii", "all", "--json", *options
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("unique", sampled(["unit", "run"], "run"))
def test_a_run_in_a_bucket_is_verified(away, capsys, unique):
    lines(away)
    summary = away.run({"input": {"unique": unique}})
    code, verdict = checked(away, capsys)
    assert (code, verdict["faults"], verdict["unchecked"]) == (0, [], [])
    right = {row["check"]: row["right"] for row in verdict["checks"]}
    assert right["decisions"] == summary.rows_in == 4 * len(NAMES)
    assert (right["input"], right["rows"]) == (4, summary.eligible)
    assert right["files"] == 4 * 3 + 1


def test_an_output_there_and_its_lists_here_are_verified(away, capsys):
    away.run({"output": {"audit": str(away.workshop.folder / "apart")}})
    assert checked(away, capsys)[0] == 0


TAMPERED = {
    "a released object": ("out/eligible/a.parquet", "files"),
    "a list": ("out/audit/decisions/a.parquet", "files"),
    "an input": ("corpus/a.parquet", "input"),
}


@pytest.mark.parametrize("gone", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", TAMPERED)
def test_an_object_that_was_changed_or_is_missing_is_found(away, capsys, what, gone):
    path, check = TAMPERED[what]
    away.run()
    folder = away.store.folder(away.prefix)
    data = bytearray(folder.read(path))
    data[-20] ^= 1
    folder.delete([path])
    if not gone:
        obstore.put(folder.store, folder.key(path), bytes(data))
    code, verdict = checked(away, capsys)
    assert code == 1
    assert check in {fault["check"] for fault in verdict["faults"]}
    assert all("a.parquet" in f["where"] for f in verdict["faults"] if f["check"] == check)


def test_an_object_that_no_run_has_written_is_found(away, capsys):
    away.run()
    folder = away.store.folder(f"{away.prefix}/out")
    obstore.put(folder.store, folder.key("eligible/more.parquet"), b"x")
    code, verdict = checked(away, capsys)
    assert code == 1
    assert [(f["check"], f["where"]) for f in verdict["faults"]] == [
        ("files", "eligible/more.parquet")
    ]


def test_plan_and_explain_work_there(away, capsys):
    plan = away.workshop.command(capsys, "plan", away.job(), "--json")
    assert plan.returncode == 0, plan.stderr
    assert json.loads(plan.stdout)["output"]["path"] == away.uri("out")
    ids = pq.read_table(away.workshop.folder / "corpus/a.parquet")[COLUMNS["record_id"]]
    told = away.workshop.command(capsys, "explain", away.job(), "--record", ids[0].as_py())
    assert told.returncode == 0, told.stderr


# Faults and secrets


def test_a_store_that_fails_one_request_in_five(anywhere):
    with proxy(anywhere.store, one_in_five(1)) as front:
        summary = corpusgate.run(anywhere.job(address=address_of(front)), workers=2)
        broken = [kind for _, _, kind in front.seen if kind]
    assert summary.shards_unreadable == 0
    assert len(broken) > 10
    assert anywhere.tree() == at_home(anywhere.workshop)


def test_credentials_are_nowhere_to_be_found(anywhere):
    command = [*CLI, "run", str(anywhere.job()), "--workers", "1"]
    done = subprocess.run(command, cwd=anywhere.workshop.folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    written = [*anywhere.store.tree(f"{anywhere.prefix}/out").values(), done.stdout, done.stderr]
    for secret in anywhere.store.secrets:
        assert not [data for data in written if secret.encode() in data]


def test_an_endpoint_with_credentials_is_a_fault_of_the_job_file(away, capsys):
    job = away.job({"storage": {"endpoint": f"https://user:{SECRET}@store.example"}})
    done = away.workshop.command(capsys, "run", job)
    assert done.returncode == 2
    assert "storage.endpoint: not the address of a store" in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.slow
def test_init_and_pii_read_objects(away, s3, capsys, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.address)
    drafted = away.workshop.command(capsys, "init", away.uri("corpus"))
    assert drafted.returncode == 0, drafted.stderr
    assert away.uri("corpus") in drafted.stdout
    assert "path: out" in drafted.stdout
    found = away.workshop.command(
        capsys, "pii", "scan", away.uri("corpus"), "--columns", "text", "--json"
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["rows"] == 3 * len(NAMES)
