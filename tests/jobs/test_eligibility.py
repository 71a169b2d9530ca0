"""The gate in a pipeline: what a run would release, batch by batch, and nothing else."""

from __future__ import annotations

import json
import pickle

import polars as pl
import pyarrow as pa
import pytest
import yaml
from corpusgate import EligibilityFilter, JobError, OutputError, SchemaError
from corpusgate.jobs import eligibility
from runs.workshop import JOB, Workshop, merge
from runs.world import CANARY, COLUMNS, NAMES, REGISTERS, RELEASED, kind_of, rows, table

MAIL = "ann@example.com"
PII = {"pii": {"entities": ["EMAIL_ADDRESS"]}}


@pytest.fixture(autouse=True)
def _nothing_is_held(monkeypatch):
    monkeypatch.setattr(eligibility, "_held", {})


def with_mail(records: pa.Table) -> pa.Table:
    place = records.schema.get_field_index("text")
    texts = [f"{text} {MAIL}" for text in records["text"].to_pylist()]
    return records.set_column(place, "text", pa.array(texts, pa.large_string()))


def gate(workshop: Workshop, changes: dict | None = None, **options) -> EligibilityFilter:
    return EligibilityFilter(workshop.job(changes or {}), **options)


@pytest.mark.parametrize("changes", [{}, PII], ids=["as-it-is", "reduced"])
def test_a_batch_gives_what_a_run_releases(workshop, changes):
    records = with_mail(table("a.parquet", NAMES, 3))
    workshop.write("a.parquet", records)
    workshop.run(changes)
    released, decisions = workshop.released("a.parquet"), workshop.decisions()
    out = gate(workshop, changes)(records)
    assert out.column_names == [*RELEASED, "eligible", "reason", "reasons"]
    assert out.select(RELEASED).equals(released)
    assert (MAIL in str(out["text"].to_pylist())) == (not changes)
    kept = decisions.filter("eligible")
    assert out["reason"].to_pylist() == kept["reason"].to_list()
    assert out["reasons"].to_pylist() == kept["reasons"].to_list()
    everything = gate(workshop, changes, excluded="keep")(records)
    assert everything["id"].equals(records["id"])
    for name in ("eligible", "reason", "reasons"):
        assert everything[name].to_pylist() == decisions[name].to_list()
    assert everything.filter(everything["eligible"]).equals(out)
    blank = everything.filter(pa.compute.invert(everything["eligible"]))
    assert all(blank[name].null_count == len(blank) for name in RELEASED if name != "id")


def test_a_record_that_cannot_be_reduced_is_excluded(workshop):
    records = with_mail(table("a.parquet", NAMES))
    dense = {"pii": {"entities": ["EMAIL_ADDRESS"], "exclude": {"max_findings": 0}}}
    assert len(gate(workshop, dense)(records)) == 0
    everything = gate(workshop, dense, excluded="keep")(records)
    assert everything["eligible"].to_pylist() == [False] * len(NAMES)
    reasons = dict(zip(NAMES, everything["reason"].to_pylist(), strict=True))
    assert reasons["web"].startswith("pii:")
    assert everything["text"].null_count == len(NAMES)


def test_what_comes_in_comes_out(workshop):
    records = table("a.parquet", NAMES)
    decide = gate(workshop)
    arrow = decide(records)
    frame = decide(pl.DataFrame(records))
    assert isinstance(frame, pl.DataFrame)
    assert frame["id"].to_list() == arrow["id"].to_pylist()
    lists = decide(records.to_pydict())
    assert lists["id"] == arrow["id"].to_pylist()
    assert lists["reasons"] == arrow["reasons"].to_pylist()
    assert all(kind_of(each).eligible for each in lists["id"])
    nothing = decide(records.slice(0, 0))
    assert len(nothing) == 0
    assert nothing.schema.equals(arrow.schema)


@pytest.mark.parametrize("messages", [None, [], [{"role": "user", "content": None}]])
def test_texts_that_are_none_throughout_a_batch_are_no_fault(workshop, messages):
    lists = table("a.parquet", ["web", "refused"]).to_pydict()
    for name in ("text", "org", "user"):
        lists[name] = [None, None]
    lists["messages"] = [messages, messages]
    out = gate(workshop, PII)(lists)
    assert out["messages"] == [messages]
    assert out["reason"] == ["public"]


def test_keyed_ids_are_keyed_for_excluded_records_too(workshop, monkeypatch):
    monkeypatch.setenv("SECRET", "k" * 32)
    keyed = {"record_ids": "hmac", "key": {"env": "SECRET"}}
    records = table("a.parquet", NAMES)
    everything = gate(workshop, keyed, excluded="keep")(records)["id"].to_pylist()
    assert not {*everything} & {*records["id"].to_pylist()}
    assert len({*everything}) == len(NAMES)
    kept = gate(workshop, keyed)(records)["id"].to_pylist()
    assert {*kept} < {*everything}


def test_it_travels_and_knows_registers_that_changed(workshop):
    records = table("a.parquet", NAMES)
    first = gate(workshop)
    sent = pickle.dumps(first)
    assert pickle.loads(sent)(records).equals(first(records))  # noqa: S301 - our own
    eligibility._held.clear()
    assert pickle.loads(sent)(records).equals(first(records))  # noqa: S301
    gone = {**REGISTERS["deletions"][0], "subject_id": "u-plain"}
    workshop.register(deletions=[*REGISTERS["deletions"], gone])
    eligibility._held.clear()
    with pytest.raises(OutputError, match="others than where it was made"):
        pickle.loads(sent)  # noqa: S301
    assert gate(workshop).fingerprint != first.fingerprint


def test_what_is_unknown_stops_it_before_the_first_batch(workshop):
    with pytest.raises(JobError, match="as_of"):
        gate(workshop, {"as_of": None})
    assert gate(workshop, {"as_of": None}, as_of="2023-08-01T00:00:00Z")
    with pytest.raises(JobError, match=r"input\.unique"):
        gate(workshop, {"input": {"unique": "run"}})
    with pytest.raises(ValueError, match="say drop or keep"):
        gate(workshop, excluded="mark")


def test_batches_that_cannot_be_decided(workshop):
    decide, records = gate(workshop), table("a.parquet", NAMES)
    with pytest.raises(SchemaError, match="no column `org`"):
        decide(records.drop_columns(["org"]))
    with pytest.raises(SchemaError, match="a column `reason` already"):
        decide(records.append_column("reason", records["id"]))
    with pytest.raises(TypeError, match="batch_format"):
        decide(records.to_pandas())
    with pytest.raises(SchemaError, match="cannot be decided") as caught:
        decide({"id": ["1", 2, CANARY]})
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__


# Each against the real library.

DROPPED = ["web", "refused", "consumer", "gone", "early"]
KEPT = [name for name in DROPPED if name in {"web", "consumer", "early"}]


def test_hugging_face_datasets(workshop, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets.disable_progress_bars()
    records = with_mail(table("a.parquet", DROPPED))
    given = datasets.Dataset(records)
    decide = gate(workshop, PII)
    options = {"batched": True, "remove_columns": given.column_names, "batch_size": 2}
    out = given.with_format("arrow").map(decide, **options)
    again = given.map(decide, **options)
    for each in (out.with_format(None), again):
        assert [kind_of(record).name for record in each["id"]] == KEPT
        assert "<EMAIL_ADDRESS>" in each["text"][0]
        assert MAIL not in str(each["text"][:])
        assert each["reason"][0] == "public"


def test_a_hugging_face_cache_is_not_used_when_a_register_has_changed(workshop):
    datasets = pytest.importorskip("datasets")
    from datasets.fingerprint import Hasher

    before = Hasher.hash(gate(workshop))
    assert Hasher.hash(gate(workshop)) == before
    gone = {**REGISTERS["deletions"][0], "subject_id": "u-plain"}
    workshop.register(deletions=[*REGISTERS["deletions"], gone])
    assert Hasher.hash(gate(workshop)) != before
    assert datasets


def test_datatrove(workshop, tmp_path):
    pytest.importorskip("datatrove")
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    wanted = ("record_id", "surface", "user_id", "org_id", "submitted_at")
    columns = {name: COLUMNS[name] for name in wanted}
    absent = ["license_ends_at", "endpoint", "model", "part"]
    spec = merge(JOB, {**PII, "registers": {"deletions": None}})
    spec["input"] |= {"columns": columns, "absent": absent, "text": "text", "keep": ["score"]}
    spec["registers"]["deletions"] = {"empty": True}
    path = workshop.folder / "job.yaml"
    path.write_text(yaml.safe_dump(spec))
    lines = [
        {**row, "text": f"{row['text']} {MAIL}", "created_at": None, "messages": None}
        for row in rows("a", ["web", "refused", "strange"])
    ]
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    block = EligibilityFilter(path).datatrove(
        JsonlWriter(str(tmp_path / "out"), compression=None), batch_size=2
    )
    kept = JsonlWriter(str(tmp_path / "kept"), compression=None)
    LocalPipelineExecutor(
        [JsonlReader(str(source)), pickle.loads(pickle.dumps(block)), kept],  # noqa: S301
        logging_dir=str(tmp_path / "logs"),
    ).run()
    [one] = [json.loads(line) for line in (tmp_path / "kept/00000.jsonl").read_text().splitlines()]
    assert kind_of(one["id"]).name == "web"
    assert "<EMAIL_ADDRESS>" in one["text"]
    assert {*one["metadata"]} == {"score", "reason", "reasons", "lang"}
    dropped = (tmp_path / "out/00000.jsonl").read_text()
    assert CANARY not in dropped
    reasons = [json.loads(line)["metadata"]["reason"] for line in dropped.splitlines()]
    assert len(reasons) == 2
    assert "input:unknown-surface" in reasons
    assert block.filter(Document("text", "1", metadata={"source": "enterprise"}))[0] is False


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_data(workshop, monkeypatch):
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.setenv(name, "0")
    import ray

    records = with_mail(table("a.parquet", DROPPED, 50))
    job = workshop.job(PII)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        given = ray.data.from_arrow([records.slice(0, 100), records.slice(100)])
        out = given.map_batches(
            EligibilityFilter,
            fn_constructor_kwargs={"job": job},
            batch_format="pyarrow",
            batch_size=64,
            compute=ray.data.ActorPoolStrategy(size=1),
        ).to_pandas()
    finally:
        ray.shutdown()
    assert sorted(kind_of(record).name for record in out["id"]) == sorted(KEPT * 50)
    assert all("<EMAIL_ADDRESS>" in text and MAIL not in text for text in out["text"])
