"""The demo's corpus: the same bytes every time, and every situation that it promises."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

PROGRAM = Path(__file__).parents[2] / "examples" / "demo" / "make_corpus.py"
CUTOFF = datetime(2023, 3, 1, tzinfo=UTC)
SURFACES = {
    "public_web",
    "licensed",
    "human_review",
    "consumer",
    "api",
    "playground",
    "file_upload",
    "fine_tuning",
    "enterprise",
    "abuse_monitoring",
}
NEVER_ELIGIBLE = {"enterprise", "fine_tuning", "abuse_monitoring"}


def make(directory: Path) -> Path:
    arguments = [directory, "--records", "6000", "--shards", "12"]
    subprocess.run([sys.executable, PROGRAM, *map(str, arguments)], check=True)
    return directory


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def shards(demo) -> list[Path]:
    return sorted((demo / "corpus").glob("*/*.parquet"))


@pytest.fixture(scope="module")
def corpus(shards) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(shard) for shard in shards)


def register(demo: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(demo / "registers" / f"{name}.parquet")


def digests(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_two_builds_are_byte_identical(demo, tmp_path):
    assert digests(make(tmp_path)) == digests(demo)


def test_there_are_as_many_records_and_shards_as_asked_for(shards, corpus):
    assert (len(corpus), len(shards)) == (6000, 12)


def test_every_surface_is_there_and_so_are_unknown_ones(corpus):
    found = set(corpus["source"].unique())
    assert found >= SURFACES
    assert found - SURFACES - {None}


@pytest.mark.parametrize("before", [timedelta(0), timedelta(microseconds=1)])
def test_api_records_lie_exactly_on_the_cutoff_and_just_before(corpus, before):
    api = corpus.filter(pl.col("source").is_in(["api", "playground"]))
    assert CUTOFF - before in api["created_at"]


def test_some_row_group_and_some_whole_shard_cannot_have_a_survivor(shards):
    hopeless = {
        shard: [
            set(file.read_row_group(group, columns=["source"])["source"].to_pylist())
            <= NEVER_ELIGIBLE
            for group in range(file.num_row_groups)
        ]
        for shard in shards
        for file in [pq.ParquetFile(shard)]
    }
    assert any(all(groups) for groups in hopeless.values())
    assert any(any(groups) and not all(groups) for groups in hopeless.values())


def test_shards_come_from_three_writers_with_several_codecs(shards):
    footers = [pq.read_metadata(shard) for shard in shards]
    writers = {footer.created_by.split()[0].lower() for footer in footers}
    assert len(writers) >= 3
    assert len({footer.row_group(0).column(0).compression for footer in footers}) >= 2


def test_chats_have_messages_and_everything_else_has_text(corpus):
    chats = pl.col("id").str.starts_with("chat-")
    wrong = corpus.filter(
        (pl.col("messages").is_null() == chats) | (pl.col("text").is_null() != chats)
    )
    assert wrong.is_empty()


def test_contact_details_are_reserved_ones(corpus):
    domains = corpus["text"].str.extract_all(r"@[\w.]+\w").explode().drop_nulls().unique()
    phones = corpus["text"].str.extract_all(r"\+1 \d{3} [\d-]+").explode().drop_nulls()
    assert set(domains) <= {"@example.com", "@example.org", "@example.net"}
    assert phones.len() > 0
    assert phones.str.contains(r" 555-01\d\d$").all()


def test_deletions_name_every_kind_of_subject_and_some_have_a_scope(demo):
    requests = register(demo, "deletions")
    kinds = {"record", "file", "conversation", "user", "end_user", "org", "model"}
    assert set(requests["subject_kind"]) == kinds
    assert 0 < requests["scope_until"].null_count() < len(requests)


def test_some_holds_are_open_and_some_are_over(demo):
    until = register(demo, "holds")["until"]
    assert 0 < until.null_count() < until.len()


def test_an_organisation_opted_in_and_then_out(demo):
    choices = register(demo, "consent").filter(subject_kind="org").sort("effective_at", "choice")
    stories = choices.group_by("subject_id", maintain_order=True).agg("choice")["choice"].to_list()
    assert {("opt_in", "opt_out"), ("opt_out", "opt_in")} <= {tuple(story) for story in stories}


def test_accounts_know_zero_retention_health_agreements_and_later_business_plans(demo):
    accounts = register(demo, "accounts")
    later = accounts.filter(pl.col("plan").shift(1).over("org_id").is_not_null())
    assert accounts["zero_retention"].any()
    assert accounts["baa"].any()
    assert "enterprise" in later["plan"]


def test_the_job_maps_columns_that_every_shard_has(demo, shards):
    job = yaml.safe_load((demo / "job.yaml").read_text(encoding="utf-8"))
    mapped = {*job["input"]["columns"].values(), *job["input"]["keep_raw"], "text", "messages"}
    assert all(mapped <= set(pq.read_schema(shard).names) for shard in shards)
    assert all((demo / path).is_file() for path in job["registers"].values())
