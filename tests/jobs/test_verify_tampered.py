"""What somebody changed after the run is found, and named by its shard and kind.

Nearly everywhere every digest in the run's own files is put right again, which leaves a forger's
work to be found by what it says.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.filters.policy_file import parse_policy
from corpusgate.jobs.verify.verify import verify
from runs.reducing import ADDRESS, KEY, MAIL, Reducing, record
from runs.workshop import Workshop
from runs.world import REGISTERS

A, B = "a.parquet", "in/b.parquet"


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("original"))
    workshop.shard(A)
    workshop.shard(B)
    workshop.run()
    return workshop


def copied(original: Workshop, folder: Path) -> None:
    """Copy a finished run, and let it name its own job file."""
    shutil.copytree(original.folder, folder, dirs_exist_ok=True)
    state = json.loads((folder / "out/run.json").read_bytes())
    (folder / "out/run.json").write_text(json.dumps(state | {"job": str(folder / "job.yaml")}))


@pytest.fixture
def finished(original, tmp_path) -> Workshop:
    copied(original, tmp_path)
    return Workshop(tmp_path)


def some_slow(cases: Iterable[str], *quick: str) -> list[object]:
    """Try these few cases every time, and all others with the slow tests."""
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in cases]


def digested(workshop: Workshop) -> None:
    """Put the digests, sizes and results right, as a forger would."""
    audit = workshop.out / "audit"
    units = pl.read_parquet(audit / "shards.parquet").to_dicts()
    for unit in units:
        for name in ("released", "decisions", "purge_list", "findings"):
            if unit[name] and unit[name]["path"]:
                root = workshop.out if name == "released" else audit
                data = (root / unit[name]["path"]).read_bytes()
                unit[name] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    schema = pl.read_parquet_schema(audit / "shards.parquet")
    pl.DataFrame(units, schema=schema).write_parquet(audit / "shards.parquet")
    for path in (audit / "units").iterdir():
        data = json.loads(path.read_bytes())
        (unit,) = [u for u in units if (u["shard"], u["part"]) == (data["shard"], data["part"])]
        path.write_text(json.dumps(data | unit))
    manifest = workshop.manifest()
    shards = (audit / "shards.parquet").read_bytes()
    manifest["shards"] |= {"bytes": len(shards), "sha256": hashlib.sha256(shards).hexdigest()}
    (workshop.out / "manifest.json").write_text(json.dumps(manifest))


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.ParquetFile(path).read()), path)


def found(workshop: Workshop, **options) -> set[tuple[str, str, str]]:
    verdict = verify(workshop.out, **{"pii": None, **options})
    assert not verdict.sound
    return {(fault.check, fault.where, fault.kind) for fault in verdict.faults}


def of_check(faults: set[tuple[str, str, str]], check: str) -> set[tuple[str, str]]:
    return {(where, kind) for name, where, kind in faults if name == check}


DIGEST = {("files", f"{B}: eligible/{B}", "the file has another digest")}


@pytest.mark.parametrize("place", [100, -100, -2])
def test_one_byte(finished: Workshop, place):
    """Its digest tells; without that, either the file cannot be read, or a value differs."""
    path = finished.out / "eligible" / B
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert found(finished) >= DIGEST
    digested(finished)
    assert "files" not in {check for check, _, _ in found(finished)}
    assert {where for _, where, _ in found(finished)} == {B}


def test_one_character(finished: Workshop):
    def change(table: pa.Table) -> pa.Table:
        texts = table["text"].to_pylist()
        texts[2] = texts[2].replace("a", "A", 1)
        return table.set_column(2, table.schema.field(2), pa.array(texts, table["text"].type))

    assert released(finished, change) == {("texts", B, "a text is not the input's")}


def released(workshop: Workshop, change: Callable[[pa.Table], pa.Table]):
    """Change the second shard's released rows; give what is found once digests are right again."""
    rewritten(workshop.out / "eligible" / B, change)
    digested(workshop)
    return found(workshop)


def test_one_row_dropped(finished: Workshop):
    kinds = released(finished, lambda table: table.slice(1))
    assert kinds == {("rows", B, "records are missing")}


def test_a_dropped_row_that_nobody_counted(finished: Workshop):
    """The run's own counts are changed as well: its decisions still say otherwise."""
    rewritten(finished.out / "eligible" / B, lambda table: table.slice(1))
    shards = finished.out / "audit/shards.parquet"
    less = pl.col("eligible") - (pl.col("shard") == B).cast(pl.Int64)
    pl.read_parquet(shards).with_columns(less).write_parquet(shards)
    digested(finished)
    kinds = found(finished)
    assert ("rows", B, "records are missing") in kinds
    assert B in {where for where, _ in of_check(kinds, "conservation")}
    assert ("totals.eligible", "it is not what the shards come to") in of_check(kinds, "manifest")


def test_two_rows_swapped(finished: Workshop):
    kinds = released(finished, lambda table: table.take([1, 0, *range(2, len(table))]))
    assert kinds == {("rows", B, "records are in another order")}


def test_one_row_doubled(finished: Workshop):
    kinds = released(finished, lambda table: table.take([0, *range(len(table))]))
    assert kinds == {("rows", B, "there are records too many")}


def test_an_excluded_record_released(finished: Workshop):
    given = pq.read_table(finished.folder / "corpus" / B)

    def change(table: pa.Table) -> pa.Table:
        return pa.concat_tables([table, given.select(table.schema.names).slice(1, 1)])

    assert released(finished, change) == {("rows", B, "excluded records are released")}


def test_a_record_from_elsewhere(finished: Workshop):
    def change(table: pa.Table) -> pa.Table:
        ids = ["nobody", *table["id"].to_pylist()[1:]]
        return table.set_column(0, "id", pa.array(ids))

    assert released(finished, change) == {
        ("rows", B, "records are missing"),
        ("rows", B, "there are records too many"),
    }


def test_a_column_more_and_one_of_another_type(finished: Workshop):
    def more(table: pa.Table) -> pa.Table:
        return table.append_column("notes", pa.array(["x"] * len(table)))

    kinds = released(finished, more)
    assert kinds == {("types", B, "the columns are not those that the job releases")}
    finished.run(fresh=True)

    def other(table: pa.Table) -> pa.Table:
        return table.set_column(1, "score", table["score"].cast(pa.int64()))

    assert released(finished, other) == {("types", B, "the column `score` has another type")}


def test_a_kept_value(finished: Workshop):
    def change(table: pa.Table) -> pa.Table:
        scores = table["score"].to_pylist()
        scores[-1] += 1
        return table.set_column(1, "score", pa.array(scores, pa.int16()))

    assert released(finished, change) == {("columns", B, "a value is not the input's")}


DECISIONS = {
    "eligibility": (
        {"eligible": True, "reason": "public", "reasons": ["public"]},
        "a record's eligibility differs",
    ),
    "a reason": ({"reason": "opted-out", "reasons": ["opted-out"]}, "a record's reasons differ"),
    "a second reason": ({"reasons": ["no-permit", "deleted"]}, "a record's reasons differ"),
    "a finding that nobody made": (
        {"reason": "pii:too-dense", "reasons": ["pii:too-dense"]},
        "a record's reasons differ",
    ),
    "the record": ({"record_id": "another"}, "a decision is of another record"),
    "its organisation": ({"org_id": "another"}, "a record's provenance differs"),
    "its surface": ({"surface": "licensed"}, "a record's provenance differs"),
    "its row": ({"row": 77}, "a decision stands in the wrong place"),
    "its shard": ({"shard": A}, "a decision stands in the wrong place"),
    "its place": ({"out_row": 77}, "a record's place in what is released differs"),
}


@pytest.mark.parametrize(
    "name", some_slow(DECISIONS, "eligibility", "a second reason", "its organisation", "its row")
)
def test_one_decision(finished: Workshop, name):
    changes, kind = DECISIONS[name]
    rewritten(
        finished.out / "audit/decisions" / B,
        lambda table: pa.Table.from_pylist(
            [
                row | (changes if number == 1 else {})
                for number, row in enumerate(table.to_pylist())
            ],
            table.schema,
        ),
    )
    digested(finished)
    kinds = found(finished)
    assert (B, kind) in of_check(kinds, "decisions")
    assert {where for where, _ in of_check(kinds, "decisions")} == {B}
    assert "files" not in {check for check, _, _ in kinds}


@pytest.mark.parametrize("reasons", [None, [None], ["pii:unreadable"]])
def test_a_record_kept_out_of_the_released_ones(finished: Workshop, reasons):
    """The job looks for no personal information, so nothing is excluded for it."""
    path = finished.out / "audit/decisions" / B
    change = {"eligible": False, "reason": reasons and reasons[0], "reasons": reasons}
    rows = pq.read_table(path).to_pylist()
    first = next(n for n, row in enumerate(rows) if row["eligible"])
    rewritten(
        path,
        lambda table: pa.Table.from_pylist(
            [row | change if n == first else row for n, row in enumerate(rows)], table.schema
        ),
    )
    digested(finished)
    assert (B, "a record's eligibility differs") in of_check(found(finished), "decisions")


@pytest.mark.parametrize("change", [lambda t: t.slice(1), lambda t: t.take([0, *range(len(t))])])
def test_decisions_dropped_and_doubled(finished: Workshop, change):
    rewritten(finished.out / "audit/decisions" / B, change)
    digested(finished)
    kinds = found(finished)
    assert {where for where, _ in of_check(kinds, "decisions")} == {B}
    assert {where for where, _ in of_check(kinds, "conservation")} == {B}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda t: t.slice(1), "a record that is due is not listed"),
        (lambda t: t.take([*range(len(t)), 0]), "a record that is not due is listed"),
        (
            lambda t: t.set_column(1, "reason", pa.array(["other"] * len(t), t["reason"].type)),
            "an entry differs",
        ),
    ],
)
def test_the_purge_list(finished: Workshop, change, kind):
    rewritten(finished.out / "audit/purge" / B, change)
    digested(finished)
    assert (B, kind) in of_check(found(finished), "purge")


def manifest(workshop: Workshop, change: Callable[[dict], None]) -> None:
    data = workshop.manifest()
    before = json.dumps(data)
    change(data)
    assert json.dumps(data) != before
    (workshop.out / "manifest.json").write_text(json.dumps(data))


def test_the_policy_in_the_manifest(finished: Workshop):
    """A rule is changed, then its fingerprint, too: then records are decided otherwise."""

    def later(data: dict) -> None:
        text = data["policy"]["text"]
        data["policy"]["text"] = text.replace("2023-03-01", "2021-03-01")

    manifest(finished, later)
    kinds = found(finished)
    assert ("policy.fingerprint", "it is not what the policy's text comes to") in of_check(
        kinds, "manifest"
    )
    fingerprint = parse_policy(finished.manifest()["policy"]["text"], "x").fingerprint
    manifest(finished, lambda data: data["policy"].update(fingerprint=fingerprint))
    kinds = found(finished)
    differs = "a record's eligibility differs"
    assert of_check(kinds, "decisions") == {(A, differs), (B, differs)}
    manifest(finished, lambda data: data["policy"].update(text="rules: none"))
    assert of_check(found(finished), "manifest") == {
        ("policy.text", "it is no policy that these settings can be put to")
    }


SETTINGS = {
    "purpose": (lambda m: m.update(purpose="search"), "manifest"),
    "as_of": (lambda m: m.update(as_of="2022-09-01T00:00:00+00:00"), "manifest"),
    "a total": (lambda m: m["totals"].update(excluded=0), "manifest"),
    "a reason": (lambda m: m["totals"]["reasons"].update(public=1), "manifest"),
    "a register": (lambda m: m["registers"]["consent"].update(rows=1), "registers"),
    "no register": (lambda m: m["registers"].pop("consent"), "registers"),
    "a column": (
        lambda m: m["job"]["input"]["columns"]["org_id"].update(column="user"),
        "decisions",
    ),
    "the purpose of the job": (lambda m: m["job"].update(purpose="search"), "manifest"),
    "what is kept": (lambda m: m["job"]["input"].update(keep=[]), "types"),
    "where texts are": (lambda m: m["job"]["input"].update(text=["text"]), "types"),
    "the shards": (lambda m: m["shards"].update(sha256="0" * 64), "files"),
}


@pytest.mark.parametrize("name", some_slow(SETTINGS, "a total", "a column", "what is kept"))
def test_a_fact_of_the_manifest(finished: Workshop, name):
    change, check = SETTINGS[name]
    manifest(finished, change)
    assert check in {check for check, _, _ in found(finished)}


def test_files_missing_and_files_that_nobody_wrote(finished: Workshop):
    for root in ("eligible", "audit/decisions", "audit/purge"):
        (finished.out / root / B).unlink()
        kinds = found(finished)
        where = f"{B}: {root.removeprefix('audit/')}/{B}"
        assert (where, "the file is missing") in of_check(kinds, "files")
    finished.run(fresh=True)
    for name in (
        "eligible/c.parquet",
        "audit/decisions/c.parquet",
        "notes.txt",
        "audit/units/x.json",
    ):
        (finished.out / name).write_bytes(b"{}")
    kinds = of_check(found(finished), "files")
    assert {where for where, _ in kinds} == {
        "eligible/c.parquet", "audit/decisions/c.parquet", "notes.txt", "units/x.json",
    }  # fmt: skip


def test_a_result_that_says_something_else(finished: Workshop):
    path = next((finished.out / "audit/units").iterdir())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rows": 1}))
    ((_, kind),) = of_check(found(finished), "files")
    assert kind == "it says something else than shards.parquet"
    path.unlink()
    ((_, kind),) = of_check(found(finished), "files")
    assert kind == "the result of its unit 0 is missing"


def test_a_register_changed_since(finished: Workshop):
    finished.register(consent=REGISTERS["consent"][:1])
    assert found(finished) == {("registers", "registers.consent", "it has changed since the run")}
    (finished.folder / "registers/consent.parquet").unlink()
    ((check, where, _),) = found(finished)
    assert (check, where) == ("registers", "registers.consent")


def test_input_changed_since(finished: Workshop):
    finished.shard(B, ["web"])
    assert ("input", B, "it has changed since the run") in found(finished)
    (finished.folder / "corpus" / B).unlink()
    finished.shard("c.parquet")
    kinds = found(finished)
    assert of_check(kinds, "input") == {
        (B, "the file is no longer there"),
        ("c.parquet", "the run did not see this file"),
    }


def test_an_input_whose_pages_changed_under_an_old_footer(finished: Workshop):
    """The footer's digest is that of the run; what it leads to is not."""
    path = finished.folder / "corpus" / A
    data = bytearray(path.read_bytes())
    data[4:2000] = bytes(len(data[4:2000]))
    path.write_bytes(data)
    kinds = found(finished)
    assert A in {where for _, where, _ in kinds}
    assert {where for _, where, _ in kinds if where != A} <= {
        "totals.reasons", "totals.surfaces", "totals.findings", "totals.findings_by_surface",
    }  # fmt: skip


@pytest.fixture(scope="module")
def letters(tmp_path_factory) -> Reducing:
    world = Reducing(tmp_path_factory.mktemp("letters"))
    world.records(A, [record(n, f"text {n}") for n in range(4)])
    chat = [{"role": "u", "content": f"to {MAIL}", "tool_calls": [
        {"name": "n", "arguments": json.dumps({"to": [MAIL], "n": 1})}]}]  # fmt: skip
    some = [record(10, f"to {MAIL} from {ADDRESS}."), record(11, "nothing"),
            record(12, f"{MAIL} {MAIL}", messages=chat)]  # fmt: skip
    world.records(B, some)
    world.run()
    return world


@pytest.fixture
def reduced(letters, tmp_path) -> Reducing:
    copied(letters, tmp_path)
    return Reducing(tmp_path)


def in_texts(workshop: Reducing, change: Callable[[list[dict]], None]):
    """Change released records; give what is found once digests are right again."""

    def changed(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        change(rows)
        return pa.Table.from_pylist(rows, table.schema)

    return released(workshop, changed)


def unreduced(rows: list[dict]) -> None:
    rows[0]["text"] = rows[0]["text"].replace("<EMAIL_ADDRESS>", MAIL)


def unreduced_in_json(rows: list[dict]) -> None:
    call = rows[2]["messages"][0]["tool_calls"][0]
    call["arguments"] = call["arguments"].replace("<EMAIL_ADDRESS>", MAIL)


@pytest.mark.parametrize("change", [unreduced, unreduced_in_json])
@pytest.mark.parametrize("pii", [None, 1.0])
def test_one_value_unreduced(reduced: Reducing, change, pii):
    path = reduced.out / "eligible" / B

    def changed(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        change(rows)
        return pa.Table.from_pylist(rows, table.schema)

    rewritten(path, changed)
    digested(reduced)
    kinds = found(reduced, pii=pii)
    assert of_check(kinds, "texts") == {(B, "a finding is not replaced")}
    left = {(B, "personal information is left in a record")}
    assert of_check(kinds, "remaining") == (left if pii else set())


def test_a_value_unreduced_without_the_key(reduced: Reducing, monkeypatch):
    monkeypatch.setenv("CG_KEY", KEY)
    keyed = {"pii": {"operators": {"DEFAULT": "hash"}}, "key": {"env": "CG_KEY"}}
    reduced.run(keyed, fresh=True)
    monkeypatch.delenv("CG_KEY")

    def change(rows: list[dict]) -> None:
        hashed = rows[0]["text"].removeprefix("to ").partition(" ")[0]
        rows[0]["text"] = rows[0]["text"].replace(hashed, MAIL)

    assert ("texts", B, "a finding is not replaced") in in_texts(reduced, change)


CHANGES = {
    "around": lambda rows: rows[0].update(text=rows[0]["text"].replace("to ", "too ")),
    "another stand-in": lambda rows: rows[0].update(text=rows[0]["text"].replace("EMAIL", "MAIL")),
    "a role": lambda rows: rows[2]["messages"][0].update(role=MAIL),
    "in JSON": lambda rows: rows[2]["messages"][0]["tool_calls"][0].update(
        arguments=json.dumps({"to": ["<EMAIL_ADDRESS>"], "n": 2})
    ),
    "no JSON": lambda rows: rows[2]["messages"][0]["tool_calls"][0].update(arguments="{"),
    "a message less": lambda rows: rows[2].update(messages=[]),
    "NULL": lambda rows: rows[2].update(text=None),
}


@pytest.mark.parametrize("name", some_slow(CHANGES, "around", "in JSON"))
def test_a_text_changed_beside_its_findings(reduced: Reducing, name):
    kinds = in_texts(reduced, CHANGES[name])
    assert {where for where, _ in of_check(kinds, "texts")} == {B}


def test_a_finding_unlisted(reduced: Reducing):
    """The value is released as well: without its finding the text would be right as it is."""
    rewritten(reduced.out / "audit/findings" / B, lambda table: table.slice(1))
    rewritten(reduced.out / "eligible" / B, lambda t: pa.Table.from_pylist(
        [row | {"text": row["text"].replace("<EMAIL_ADDRESS>", MAIL)} if n == 0 else row
         for n, row in enumerate(t.to_pylist())], t.schema))  # fmt: skip
    digested(reduced)
    kinds = found(reduced, pii=1.0)
    assert of_check(kinds, "texts") == set()
    assert of_check(kinds, "findings") == {(B, "a finding is not listed")}
    assert of_check(kinds, "remaining") == {(B, "personal information is left in a record")}


def test_findings_of_nobody(reduced: Reducing):
    path = reduced.out / "audit/findings" / B
    rewritten(path, lambda t: t.set_column(2, "row", pa.array([99] * len(t), pa.int64())))
    digested(reduced)
    kinds = of_check(found(reduced), "findings")
    assert kinds == {(B, "a finding is of no record that was looked at")}


@pytest.mark.parametrize(("column", "value"), [("operator", "keep"), ("path", "role")])
def test_findings_that_the_job_does_not_know(reduced: Reducing, column, value):
    path = reduced.out / "audit/findings" / B

    def change(table: pa.Table) -> pa.Table:
        index = table.schema.get_field_index(column)
        kind = table.schema.field(column).type
        return table.set_column(index, column, pa.array([value] * len(table), kind))

    rewritten(path, change)
    digested(reduced)
    kind = "a finding has another operator, or path, than the job gives it"
    assert (B, kind) in of_check(found(reduced), "findings")


def test_a_record_excluded_without_a_finding(reduced: Reducing):
    """Somebody keeps a record out of what is released, and says that it could not be read."""
    changes = {"eligible": False, "reason": "pii:unreadable", "reasons": ["pii:unreadable"]}
    rewritten(reduced.out / "audit/decisions" / B, lambda table: pa.Table.from_pylist(
        [row | ({**changes, "out_row": None} if n == 1 else {"out_row": int(n == 2)})
         for n, row in enumerate(table.to_pylist())], table.schema))  # fmt: skip
    rewritten(reduced.out / "eligible" / B, lambda table: table.take([0, 2]))
    digested(reduced)
    kinds = of_check(found(reduced, pii=0.01), "findings")
    assert kinds == {(B, "a record is excluded for findings that are not there")}


def test_no_value_stands_in_what_is_said(reduced: Reducing, capsys):
    in_texts(reduced, unreduced)
    done = reduced.command(capsys, "verify", reduced.out, "--pii", "all")
    assert done.returncode == 1
    assert "Not sound" in done.stdout
    assert "a finding is not replaced" in " ".join(done.stdout.split())
    for secret in (MAIL, ADDRESS, "r-10"):
        assert secret not in done.stdout + done.stderr
