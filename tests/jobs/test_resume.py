"""Resuming: what is done is kept, what is no longer true is gone, and no run disturbs another."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import corpusgate
import pytest
from corpusgate.connectors.manifest import MANIFEST
from filelock import FileLock
from runs.workshop import Workshop, merge, stable, tree
from runs.world import GONE_AT, NAMES, REGISTERS
from sampled import sampled

STAMPED = ("eligible", "audit/decisions", "audit/purge", "audit/units")


def stamps(workshop: Workshop) -> dict[str, int]:
    """When each file that a unit wrote was written."""
    return {
        path.relative_to(workshop.out).as_posix(): path.stat().st_mtime_ns
        for name in STAMPED
        for path in (workshop.out / name).rglob("*")
        if path.is_file()
    }


def redone(workshop: Workshop, before: dict[str, int]) -> set[str]:
    """Name the released files that were written since."""
    after = stamps(workshop)
    return {
        name.removeprefix("eligible/")
        for name in after
        if name.startswith("eligible/") and before.get(name) != after[name]
    }


def like_new(workshop: Workshop, changes: dict | None = None) -> bool:
    """Say whether the output is what a first run would have written."""
    job = workshop.job(merge(changes or {}, {"output": {"path": "new"}}))
    corpusgate.run(job, workers=1)
    return stable(workshop.folder / "new") == stable(workshop.out)


@pytest.fixture
def full(workshop: Workshop) -> Workshop:
    """A workshop with three shards."""
    for name in ("a", "b", "c"):
        workshop.shard(f"{name}.parquet")
    return workshop


def stop_after(monkeypatch: pytest.MonkeyPatch, units: int, error: BaseException) -> None:
    """Let a run end before its unit number `units` is done."""
    from corpusgate.jobs import workers

    process, seen = workers.process, []

    def short(group, keys, context):
        seen.append(group)
        if len(seen) > units:
            raise error
        return process(group, keys, context)

    monkeypatch.setattr(workers, "process", short)


@pytest.mark.parametrize("units", [0, 1, 2])
def test_an_interrupted_run_goes_on_and_ends_as_if_undisturbed(full, monkeypatch, units):
    with monkeypatch.context() as patch:
        stop_after(patch, units, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            full.run()
    assert not (full.out / "manifest.json").exists()
    assert len(tree(full.out / "eligible")) == units
    before = stamps(full)
    summary = full.run()
    assert len(redone(full, before)) == 3 - units
    assert summary.rows_in == 3 * len(NAMES)
    assert like_new(full)


def test_an_unfinished_run_keeps_its_as_of(full, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 1, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            full.run({"as_of": None})
    before, began = stamps(full), datetime.now(UTC)
    summary = full.run({"as_of": None})
    assert summary.as_of < began
    assert len(redone(full, before)) == 2


def test_a_finished_run_with_a_default_as_of_says_so_and_touches_nothing(full, capsys):
    job = full.job({"as_of": None})
    assert full.command(capsys, "run", job).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in full.out.rglob("*")}
    done = full.command(capsys, "run", job)
    assert done.returncode == 0
    assert "done as of" in done.stdout + done.stderr
    assert "--fresh" in done.stdout + done.stderr
    full.shard("d.parquet")
    changed = full.command(capsys, "run", job)
    assert changed.returncode == 1
    assert "has changed" in changed.stderr
    assert "--fresh" in changed.stderr
    assert {path: path.stat().st_mtime_ns for path in full.out.rglob("*")} == before


@pytest.mark.parametrize("name", ["eligible/a.parquet", "audit/decisions/b.parquet", MANIFEST])
@pytest.mark.parametrize("cut", [False, True])
def test_what_is_missing_of_a_finished_run_is_made_again(full, capsys, name, cut):
    job = full.job({"as_of": None})
    full.command(capsys, "run", job)
    whole, path = stable(full.out), full.out / name
    if cut and name != MANIFEST:
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    done = full.command(capsys, "run", job)
    assert done.returncode == 0, done.stderr
    assert stable(full.out) == whole


@pytest.mark.parametrize("content", sampled(["x", "[]", "{}", '{"state": "finished"}'], "x", "{}"))
def test_a_run_state_that_says_nothing_is_one_line_and_fresh_helps(full, capsys, content):
    job = full.job()
    full.command(capsys, "run", job)
    (full.out / "run.json").write_text(content, "utf-8")
    done = full.command(capsys, "run", job)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "--fresh" in done.stderr
    assert full.command(capsys, "run", job, "--fresh").returncode == 0


def test_done_before_is_told_to_machines_and_to_the_quiet(full, capsys):
    job = full.job({"as_of": None})
    full.command(capsys, "run", job)
    machine = full.command(capsys, "run", job, "--json")
    assert machine.returncode == 0
    assert '"rows_in": 45' in machine.stdout
    assert "done as of" in machine.stderr
    assert full.command(capsys, "run", job, "--quiet").returncode == 0


def test_done_before_still_says_that_shards_are_unreadable(full, capsys):
    full.write("bad.parquet", b"bad")
    job = full.job({"as_of": None})
    assert full.command(capsys, "run", job).returncode == 3
    assert full.command(capsys, "run", job).returncode == 3


def test_another_job_is_not_done_because_this_one_was(full, capsys):
    full.command(capsys, "run", full.job({"as_of": None}))
    other = full.job({"as_of": None, "purpose": "custom_model", "for_org": "acme"})
    done = full.command(capsys, "run", other, "--json")
    assert done.returncode != 0 or '"public"' not in done.stdout


def test_fresh_asks_the_question_anew(full):
    first = full.run({"as_of": None})
    again = full.run({"as_of": None}, fresh=True)
    assert again.as_of > first.as_of
    assert not again.done_before


def test_a_rerun_for_the_same_moment_writes_no_unit_again(full):
    first = full.run()
    before, bytes_before = stamps(full), stable(full.out)
    again = full.run()
    assert stamps(full) == before
    assert stable(full.out) == bytes_before
    assert again.manifest_sha256 == first.manifest_sha256
    assert not again.done_before


def test_a_changed_shard_alone_is_done_again(full):
    full.run()
    before = stamps(full)
    full.shard("b.parquet", NAMES[:4])
    full.run()
    assert redone(full, before) == {"b.parquet"}
    assert len(full.decisions().filter(shard="b.parquet")) == 4
    assert like_new(full)


def test_a_new_shard_alone_is_done(full):
    full.run()
    before = stamps(full)
    full.shard("d/d.parquet")
    full.run()
    assert redone(full, before) == {"d/d.parquet"}
    assert like_new(full)


def test_what_a_removed_shard_released_disappears(full):
    full.shard("deep/er/d.parquet")
    full.run()
    (full.folder / "corpus/deep/er/d.parquet").unlink()
    full.run()
    assert not [name for name in tree(full.out) if "deep" in name]
    assert not (full.out / "eligible/deep").exists()
    assert like_new(full)


CHANGES = {
    "policy parameter": ({"parameters": {"cutoff": "2023-02-01T00:00:00Z"}}, {}),
    "purpose": ({"purpose": "alignment"}, {}),
    "as_of": ({"as_of": "2023-07-20T00:00:00Z"}, {}),
    "kept columns": ({"input": {"keep": []}}, {}),
    "compression": ({"output": {"compression_level": 3}}, {}),
    "a register's rows": (
        {},
        {"deletions": [*REGISTERS["deletions"], {**REGISTERS["deletions"][0],
                                                 "subject_id": "u-plain"}]},
    ),
    "a register's snapshot": (
        {},
        {"consent": [{**row, "recorded_at": GONE_AT - timedelta(days=1)}
                     if row["choice"] == "opt_out" else row for row in REGISTERS["consent"]]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "registers"), sampled(CHANGES, "purpose", "kept columns", "a register's rows")
)
def test_whatever_decides_the_output_has_all_units_done_again(full, changes, registers):
    full.run()
    before = stamps(full)
    full.register(**registers)
    full.run(changes)
    assert redone(full, before) == {"a.parquet", "b.parquet", "c.parquet"}
    assert len([name for name in tree(full.out) if name.startswith("audit/units/")]) == 3
    assert like_new(full, changes)


def test_no_stale_file_stands_while_a_changed_run_is_under_way(full, monkeypatch):
    from corpusgate.jobs import workers

    full.run()
    process, seen = workers.process, []

    def looking(units, keys, context):
        seen.append(set(tree(full.out / "eligible")))
        assert not (full.out / "manifest.json").exists()
        return process(units, keys, context)

    monkeypatch.setattr(workers, "process", looking)
    gone = {**REGISTERS["deletions"][0], "subject_id": "u-plain"}
    full.register(deletions=[*REGISTERS["deletions"], gone])
    full.run()
    assert [len(names) for names in seen] == [0, 1, 2]


@pytest.mark.parametrize("name", ["eligible/b.parquet", "audit/decisions/b.parquet",
                                  "audit/purge/b.parquet"])  # fmt: skip
@pytest.mark.parametrize("harm", ["remove", "cut"])
def test_a_file_that_is_gone_or_cut_short_is_made_again(full, name, harm):
    full.run()
    good = stable(full.out)
    path = full.out / name
    if harm == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20])
    full.run()
    assert stable(full.out) == good


def test_a_file_that_no_unit_vouches_for_is_swept_from_the_released(full):
    full.run()
    good = stable(full.out)
    (full.out / "eligible/sneaked.parquet").write_bytes(b"in")
    (full.out / "eligible/.x.parquet.partial").write_bytes(b"half")
    (full.out / "audit/units/.y.json.partial").write_bytes(b"half")
    full.run()
    assert stable(full.out) == good


DAMAGED = {
    "nothing": b"",
    "half of it": b"{",
    "a list": b"[]",
    "no fields": b"{}",
    "null": b"null",
    "no text": b"\xff",
}


@pytest.mark.parametrize("content", sampled(DAMAGED, "nothing", "no fields"))
def test_a_damaged_unit_result_is_done_again(full, content):
    full.run()
    good = stable(full.out)
    result = next((full.out / "audit/units").iterdir())
    result.write_bytes(content)
    full.run()
    assert stable(full.out) == good


@pytest.mark.parametrize("content", sampled(DAMAGED, "nothing", "no fields"))
def test_a_damaged_run_state_is_one_clear_error_that_fresh_mends(full, capsys, content):
    full.run()
    (full.out / "run.json").write_bytes(content)
    done = full.command(capsys, "run", full.job())
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}
    assert full.command(capsys, "run", full.job(), "--fresh").returncode == 0
    assert like_new(full)


def test_a_second_run_into_the_same_output_stops(full, capsys):
    full.run()
    before = stable(full.out)
    with FileLock(full.out / ".lock"):
        for flags in ([], ["--fresh"]):
            done = full.command(capsys, "run", full.job(), *flags)
            assert done.returncode == 1
            assert "another run" in done.stderr
    assert stable(full.out) == before


def test_two_outputs_with_one_audit_folder_do_not_mix(full, capsys):
    one = {"output": {"path": "one", "audit": "audit"}}
    two = {"output": {"path": "two", "audit": "audit"}, "purpose": "alignment"}
    full.run(one)
    before = tree(full.folder / "audit")
    done = full.command(capsys, "run", full.job(two))
    assert done.returncode == 1
    assert "audit" in done.stderr
    assert tree(full.folder / "audit") == before


def test_an_audit_folder_that_moved_leaves_none_behind(full, capsys):
    full.run()
    done = full.command(capsys, "run", full.job({"output": {"audit": "elsewhere"}}))
    manifest_audit = Path(full.folder / "elsewhere/decisions")
    assert done.returncode == 0
    assert len(tree(manifest_audit)) == 3
    assert tree(full.out / "eligible").keys() == tree(manifest_audit).keys()
