"""Jobs whose corpus, registers and output lie in HDFS: the same bytes as at home."""

import gzip
import json
import random
import shutil
import signal
import subprocess
import threading
import time

import corpusgate
import polars as pl
import pyarrow.parquet as pq
import pytest
from corpusgate.connectors import lease
from corpusgate.connectors.lock import cells_of, locked
from corpusgate.connectors.registers import read_register
from corpusgate.jobs import workers
from corpusgate.jobs.status import status
from runs.away import SHARDS, Away, at_home
from runs.hdfs import DATA, NAME, put
from runs.workshop import CLI, Workshop
from runs.world import COLUMNS, NAMES, REGISTERS

pytestmark = pytest.mark.slow

MANY = 10
REDUCED = {"pii": {"entities": ["EMAIL_ADDRESS", "PHONE_NUMBER"]}}


@pytest.fixture
def away(home, hdfs, tmp_path):
    """The same here and there; there, nothing has run yet."""
    folder = shutil.copytree(home, tmp_path / "home")
    return Away(Workshop(folder), hdfs, f"jobs/{tmp_path.name}")


def out(away):
    return away.store.folder(f"{away.prefix}/out")


# What a run leaves


def test_a_run_there_writes_the_same_bytes(away):
    summary = away.run()
    assert summary.rows_in == 3 * len(NAMES)
    assert summary.output == away.uri("out")
    assert away.tree() == at_home(away.workshop)
    there = away.store.tree(f"{away.prefix}/out")
    assert there.keys() >= {"manifest.json", "run.json", "report.html", "audit/shards.parquet"}
    assert out(away).names() == {"audit", "eligible", "manifest.json", "run.json", "report.html"}
    ours, theirs = json.loads(there["manifest.json"]), away.workshop.manifest()
    assert ours["job"].pop("input")["path"] == [away.uri("corpus")]
    assert theirs["job"].pop("input")["path"] == ["corpus"]
    assert ours == theirs
    assert out(away).status("audit").permission == 0o700
    assert out(away).status("audit/decisions/a.parquet").permission == 0o600


def test_corpus_there_and_output_here_and_the_other_way_round(away):
    away.run({"output": {"path": "mixed"}})
    assert at_home(away.workshop, away.workshop.folder / "mixed") == at_home(away.workshop)
    away.run({"input": {"path": "corpus"}, "output": {"path": away.uri("turned")}})
    assert away.tree("turned") == at_home(away.workshop)


def test_the_audit_folder_in_a_place_of_its_own(away, capsys):
    away.run({"output": {"audit": away.uri("audit")}})
    assert not [name for name in away.tree() if name.startswith("audit/")]
    assert {f"audit/{name}" for name in away.tree("audit")} >= {
        name for name in at_home(away.workshop) if name.startswith("audit/")
    }
    other = away.job({"output": {"path": away.uri("other"), "audit": away.uri("audit")}}, "o.yaml")
    done = away.workshop.command(capsys, "run", other)
    assert done.returncode == 1
    assert "files that are not this output's" in done.stderr


def test_json_lines_and_csv_registers_there(away):
    line = '{{"id": "{0}", "source": "public_web", "text": "number {0}"}}\n'
    text = "".join(line.format(number) for number in range(500)).encode()
    columns = dict.fromkeys(COLUMNS) | {"record_id": "id", "surface": "source"}
    folder = away.store.folder(f"{away.prefix}/lines")
    put(folder, "a.jsonl.gz", gzip.compress(text))
    summary = away.run({
        "input": {"columns": columns, "absent": [n for n in COLUMNS if columns[n] is None],
                  "text": "text", "keep": [], "keep_raw": [], "path": str(folder)},
        "registers": {name: {"empty": True, "path": None} for name in REGISTERS},
    })  # fmt: skip
    assert summary.eligible == 500
    frame = pl.DataFrame(REGISTERS["consent"]).select("subject_id", "choice")
    put(folder, "consent.csv.gz", gzip.compress(frame.write_csv().encode()))
    read = read_register("consent", folder.show("consent.csv.gz"), away.workshop.folder)
    assert read.table.num_rows == frame.height


def test_workers_in_processes_connect_by_themselves(away, monkeypatch):
    away.run(REDUCED)
    good = away.tree()
    monkeypatch.setattr(workers, "LARGE", 0)
    away.run(REDUCED, workers=2, fresh=True)
    assert away.tree() == good


def test_workers_of_ray_connect_by_themselves(away):
    done = away.workshop.cli("run", away.job(), "--engine", "ray", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert away.tree() == at_home(away.workshop)


# What other commands see there


def test_status_plan_explain_init_and_sql_work_there(away, capsys):
    command = away.workshop.command
    drafted = command(capsys, "init", away.uri("corpus"))
    assert drafted.returncode == 0, drafted.stderr
    plan = command(capsys, "plan", away.job(), "--json")
    assert json.loads(plan.stdout)["output"]["path"] == away.uri("out")
    away.run()
    told = command(capsys, "status", away.uri("out"), "--json")
    assert json.loads(told.stdout)["state"] == "finished"
    ids = pq.read_table(away.workshop.folder / "corpus/a.parquet")[COLUMNS["record_id"]]
    assert command(capsys, "explain", away.job(), "--record", ids[0].as_py()).returncode == 0
    here, there = corpusgate.connect(away.workshop.job()), corpusgate.connect(away.job())
    for query in ("SELECT reason, count(*) FROM decisions GROUP BY ALL ORDER BY ALL",
                  "SELECT * FROM texts ORDER BY ALL",
                  "SELECT count(*), min(text) FROM released"):  # fmt: skip
        assert there.sql(query).fetchall() == here.sql(query).fetchall() != []


def checked(away, capsys):
    done = away.workshop.command(
        capsys, "verify", away.uri("out"), "--job", away.job(), "--pii", "all", "--json"
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_run_there_is_verified(away, capsys):
    away.run()
    code, verdict = checked(away, capsys)
    assert (code, verdict["faults"], verdict["unchecked"]) == (0, [], [])
    put(out(away), "eligible/more.parquet", b"x")
    data = bytearray(out(away).read("eligible/a.parquet"))
    data[-20] ^= 1
    put(out(away), "eligible/a.parquet", bytes(data))
    out(away).delete([f"audit/decisions/{SHARDS[1]}"])
    code, verdict = checked(away, capsys)
    assert code == 1
    wrong = {fault["where"] for fault in verdict["faults"] if fault["check"] == "files"}
    for name in ("a.parquet", "eligible/more.parquet", SHARDS[1]):
        assert any(where.startswith(name) for where in wrong)


# Resuming


def test_another_machine_goes_on_where_the_first_one_stopped(away, monkeypatch, tmp_path):
    process, seen = workers.process, []

    def short(group, keys, context):
        seen.append(group)
        if len(seen) > 1:
            raise KeyboardInterrupt
        return process(group, keys, context)

    with monkeypatch.context() as patch:
        patch.setattr(workers, "process", short)
        with pytest.raises(KeyboardInterrupt):
            away.run()
    before = {entry.path: entry.version for entry in out(away).files("eligible")}
    assert len(before) == 1
    there = tmp_path / "elsewhere"
    there.mkdir()
    (there / "job.yaml").write_bytes(away.job().read_bytes())
    corpusgate.run(there / "job.yaml", workers=1)
    after = {entry.path: entry.version for entry in out(away).files("eligible")}
    assert before.items() < after.items()
    assert away.tree() == at_home(away.workshop)


def test_a_part_that_is_gone_is_made_again_and_a_stray_one_goes(away):
    away.run()
    before = {entry.path: entry.version for entry in out(away).files("eligible")}
    out(away).delete(["eligible/a.parquet"])
    put(out(away), "eligible/stray/b.parquet", b"x")
    away.run()
    assert away.tree() == at_home(away.workshop)
    after = {entry.path: entry.version for entry in out(away).files("eligible")}
    assert [name for name in before if before[name] != after[name]] == ["eligible/a.parquet"]
    assert "stray" not in out(away).at("eligible").names()


def test_fresh_starts_anew(away):
    away.run()
    before = {entry.path for entry in out(away).files("audit/units")}
    away.run({"as_of": "2023-07-01T00:00:00Z"}, fresh=True)
    after = {entry.path for entry in out(away).files("audit/units")}
    assert not after & before
    assert len(after) == 3


# Two runs, and folders that are somebody else's


def test_a_second_run_stops_with_one_clear_line(away, capsys):
    with locked(out(away), "", run="x"):
        done = away.workshop.command(capsys, "run", away.job())
    assert done.returncode == 1
    assert "another run is writing here, on " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert away.tree() == {}


def test_of_two_runs_at_once_one_does_it_all(away):
    outcomes, job = [], away.job()

    def one():
        try:
            outcomes.append(corpusgate.run(job, workers=1).rows_in)
        except corpusgate.OutputError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [outcome for outcome in outcomes if outcome == 3 * len(NAMES)]
    stopped = [outcome for outcome in outcomes if "another run" in str(outcome)]
    assert done, outcomes
    assert len(done) + len(stopped) == 2, outcomes
    assert away.tree() == at_home(away.workshop)


def test_a_lock_that_is_lost_ends_the_run_and_leaves_the_others_output(away, capsys, monkeypatch):
    process, seen, folder = workers.process, [], out(away)
    monkeypatch.setattr(lease, "BEAT", 0.1)

    def robbed(group, keys, context):
        if len(seen) == 1:
            folder.clear("")
            owner = {"id": "x", "run": "y", "host": "far", "pid": 1, "machine": "", "began": "",
                     "started_at": "now"}  # fmt: skip
            cells_of(folder).create(lease.LOCK, json.dumps(owner).encode())
        seen.append(group)
        return process(group, keys, context)

    monkeypatch.setattr(workers, "process", robbed)
    done = away.workshop.command(capsys, "run", away.job(), "--workers", "1", "-q")
    assert done.returncode == 1
    assert "has ended" in done.stderr or "taken over" in done.stderr
    assert folder.names() == {lease.LOCK}


def test_a_folder_with_something_else_in_it_is_left_alone(away, capsys):
    put(out(away), "holiday.jpg", b"x")
    done = away.workshop.command(capsys, "run", away.job())
    assert done.returncode == 1
    assert "files that are not a run's output" in done.stderr
    assert away.store.tree(f"{away.prefix}/out").keys() == {"holiday.jpg"}


# Runs that are killed, nodes that fail


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A dozen shards, and what an undisturbed run on this machine makes of them."""
    workshop = Workshop(tmp_path_factory.mktemp("large"))
    for number in range(MANY):
        workshop.shard(f"{number % 3}/{number:02}.parquet", NAMES, repeat=30, row_group_size=100)
    workshop.run(REDUCED)
    return workshop


def start(away, path):
    return subprocess.Popen([*CLI, "run", str(path), "--workers", "2"], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            cwd=away.workshop.folder)  # fmt: skip


@pytest.mark.faults
def test_killed_at_random_moments_and_resumed_it_ends_the_same(large, hdfs, tmp_path):
    away = Away(large, hdfs, f"jobs/{tmp_path.name}")
    path, moments = away.job(REDUCED, "killed.yaml"), random.Random(20230801)  # noqa: S311
    good, seen, kills = at_home(large), set(), 0
    # Machines differ in speed: go on, and wait longer, until three moments differ.
    while kills < 4 or len(seen) <= 2:
        assert kills < 40, "the moments lie too close together"
        run = start(away, path)
        for line in run.stderr:
            if "units to do" in line:
                break
        time.sleep(moments.uniform(0, 1.5 + kills / 4))
        run.kill()
        run.communicate()
        there = hdfs.tree(f"{away.prefix}/out")
        if "manifest.json" in there:
            out(away).clear("")  # too late for this one
            continue
        assert run.returncode == -signal.SIGKILL
        kills += 1
        eligible = {name: data for name, data in there.items() if name.startswith("eligible/")}
        assert not [name for name, data in eligible.items() if good[name] != data]
        found = status(path)
        assert found.state == "stopped"
        seen.add((found.units_done, len(there)))
        if moments.random() < 0.3:
            out(away).clear("")
    run = start(away, path)
    _, told = run.communicate()
    assert run.returncode == 0, told
    assert away.tree() == good
    everything = [found.path for found in out(away).listed("", recursive=True)]
    assert not [path for path in everything if "partial" in path or "lock" in path]


@pytest.mark.faults
def test_without_a_data_node_a_run_stops_with_one_line_and_the_next_one_goes_on(
    away, hdfs, capsys, monkeypatch
):
    monkeypatch.setattr("corpusgate.connectors.hdfs_folder.PAUSES", (0.1,))
    process, seen = workers.process, []

    def cut(group, keys, context):
        if len(seen) == 1:
            hdfs.kill(DATA)
        seen.append(group)
        return process(group, keys, context)

    with monkeypatch.context() as patch:
        patch.setattr(workers, "process", cut)
        try:
            done = away.workshop.command(capsys, "run", away.job(), "--workers", "1", "-q")
        finally:
            hdfs.start(DATA)
    assert done.returncode in {1, 3}, done.stderr
    assert "HDFS" in done.stderr
    assert "Traceback" not in done.stderr
    assert "java" not in done.stderr.lower()
    assert away.run().shards_unreadable == 0
    assert away.tree() == at_home(away.workshop)


@pytest.mark.faults
def test_a_name_node_that_starts_again_is_waited_for(away, hdfs, monkeypatch):
    process, seen = workers.process, []

    def cut(group, keys, context):
        if len(seen) == 1:
            hdfs.kill(NAME)
            hdfs.start(NAME, ready=False)
        seen.append(group)
        return process(group, keys, context)

    with monkeypatch.context() as patch:
        patch.setattr(workers, "process", cut)
        assert away.run().shards_unreadable == 0
    assert away.tree() == at_home(away.workshop)
