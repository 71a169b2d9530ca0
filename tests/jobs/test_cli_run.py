"""The command line in a process of its own: exit codes, streams, options, help."""

import json

import pytest
from runs.workshop import Workshop, stable, tree
from runs.world import NAMES

KEYS = {
    "rows_in", "eligible", "excluded", "shards", "shards_unreadable", "reasons", "purge",
    "seconds", "output", "manifest_sha256",
}  # fmt: skip


@pytest.fixture
def full(workshop: Workshop) -> Workshop:
    """A workshop with two shards."""
    workshop.shard("a.parquet")
    workshop.shard("b.parquet", NAMES[:3])
    return workshop


def test_json_goes_to_stdout_and_all_else_to_stderr(full):
    done = full.cli("run", full.job(), "--json", "--workers", "2")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert set(summary) >= KEYS
    assert done.stdout.count("\n") == 1
    assert summary["rows_in"] == len(NAMES) + 3 == summary["eligible"] + summary["excluded"]
    assert sum(summary["reasons"].values()) == summary["rows_in"]
    assert summary["output"] == "out"
    assert summary["seconds"] > 0
    assert "a.parquet" in done.stderr


def test_for_people_there_is_a_table_that_says_why(full):
    done = full.cli("run", full.job())
    assert done.returncode == 0
    for word in ("released", "excluded", "opted-out", "public data is a training source"):
        assert word in done.stdout
    assert "out/report.html" in done.stdout


@pytest.mark.parametrize("flags", [["--quiet"], ["-q"]])
def test_quiet_says_nothing_where_nothing_is_wrong(full, flags, capsys):
    done = full.command(capsys, "run", full.job(), *flags)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_quiet_keeps_json_and_names_what_is_unreadable(full, capsys):
    full.write("bad.parquet", b"bad")
    done = full.command(capsys, "run", full.job(), "--quiet", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["unreadable"] == ["bad.parquet"]
    assert [line for line in done.stderr.splitlines() if "bad.parquet" not in line] == []


def test_exit_code_1_for_a_register_that_cannot_be_relied_on(full):
    done = full.cli("run", full.job({"registers": {"consent": "registers/none.parquet"}}))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("corpusgate: registers.consent")
    assert "Traceback" not in done.stderr


def test_exit_code_2_for_a_faulty_job_with_every_fault_and_its_place(full):
    done = full.cli("run", full.job({"purpose": "fun", "as_of": "noon", "max_register_age": "old"}))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "3 faults" in done.stderr
    for key in ("purpose", "as_of", "max_register_age"):
        assert key in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["run"], ["run", "job.yaml", "--wrokers", "2"], ["run", "job.yaml", "--workers", "0"],
     ["run", "job.yaml", "--workers", "many"], ["frobnicate"], ["run", "a", "b"]],
)  # fmt: skip
def test_exit_code_2_for_bad_usage(full, arguments, capsys):
    full.job()
    done = full.command(capsys, *arguments)
    assert done.returncode == 2
    assert not full.out.exists()


@pytest.mark.parametrize("name", ["nowhere.yaml", ".", "corpus/a.parquet"])
def test_exit_code_2_for_what_is_no_job_file(full, name, capsys):
    done = full.command(capsys, "run", full.folder / name)
    assert done.returncode == 2
    assert "job" in done.stderr


@pytest.mark.parametrize("text", ["", "[]", "policy: [", "a: 1\na: 2", "\x00", "just words"])
def test_exit_code_2_for_a_file_that_is_no_mapping(full, text, capsys):
    path = full.folder / "job.yaml"
    path.write_text(text, "utf-8")
    done = full.command(capsys, "run", path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_job_can_be_run_from_anywhere(full, monkeypatch, tmp_path_factory, capsys):
    job = full.job()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert full.command(capsys, "run", job).returncode == 0
    assert (full.out / "manifest.json").exists()


def test_the_same_bytes_from_the_command_line_as_from_python(full, capsys):
    full.command(capsys, "run", full.job(), "--workers", "2")
    first = stable(full.out)
    full.run(fresh=True, workers=1)
    assert stable(full.out) == first


def test_fresh_starts_anew(full, capsys):
    full.command(capsys, "run", full.job())
    before = tree(full.out / "eligible")
    stamp = (full.out / "eligible/a.parquet").stat().st_mtime_ns
    assert full.command(capsys, "run", full.job(), "--fresh").returncode == 0
    assert (full.out / "eligible/a.parquet").stat().st_mtime_ns > stamp
    assert tree(full.out / "eligible") == before


COMMANDS = (["run"], ["plan"], ["explain"], ["init"], ["policy", "show"], ["policy", "check"],
            ["policy", "list"])  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example(workshop, command, capsys):
    done = workshop.command(capsys, *command, "--help")
    assert done.returncode == 0
    assert f"corpusgate {' '.join(command)}" in done.stdout.partition("Example")[2]


def test_help_names_the_exit_codes(workshop, capsys):
    done = workshop.command(capsys, "--help")
    assert done.returncode == 0
    for words in ("0 done", "1 failed", "2 bad usage", "3 done but"):
        assert words in " ".join(done.stdout.split())


def test_version(workshop, capsys):
    done = workshop.command(capsys, "--version")
    assert (done.returncode, done.stdout) == (0, "corpusgate 0.1.0\n")
