"""Personal information in SQL: what the functions find and reduce, and what they never let pass."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from corpusgate import JobError, PiiScanner, Registers, SchemaError, register
from corpusgate.jobs.pii_functions import MARK, Looking
from corpusgate.jobs.queries import QUERIES
from corpusgate.jobs.query import ask
from corpusgate.jobs.session import open_session
from presidio_analyzer import EntityRecognizer
from runs.reducing import ADDRESS, KEY, MAIL, RECORDS, Reducing


class Failing(EntityRecognizer):
    """Fails on some texts, and quotes them when it does."""

    def __init__(self):
        super().__init__(supported_entities=["TROUBLE"], name="Failing")

    def load(self):
        pass

    def analyze(self, text, entities, nlp_artifacts):  # noqa: ARG002 - Presidio's
        if "trouble" in text:
            raise RuntimeError(text)
        return []


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = Reducing(tmp_path_factory.mktemp("functions"))
    world.records("a.parquet", RECORDS)
    return world


@pytest.fixture(scope="module")
def session(world):
    session = open_session(world.job())
    yield session
    session.database.close()


def rows(session, query):
    answer = ask(session, query)
    assert answer is not None
    return [tuple(row.values()) for batch in answer.batches for row in batch.to_pylist()]


def test_texts_are_reduced_as_a_run_reduces_them(world, session):
    world.run()
    released = world.released("a.parquet")
    found = rows(session, "SELECT id, pii_reduce(text) FROM eligible ORDER BY shard, row")
    assert found == list(zip(*released.select(["id", "text"]).to_pydict().values(), strict=True))


def test_chats_are_reduced_in_place(session):
    query = """
        SELECT list_transform(messages, lambda m: pii_reduce(m.content)) AS contents,
            list_transform(messages, lambda m: has_pii(m.content)) AS some
        FROM corpus WHERE messages IS NOT NULL
    """
    assert rows(session, query) == [(["ping <IP_ADDRESS>", None], [True, None])]


def test_findings_are_those_that_a_run_lists(world, session):
    world.run()
    query = """
        SELECT id, f.entity, f."start", f."end", f.score
        FROM (SELECT id, unnest(pii_findings(text)) AS f FROM eligible) ORDER BY ALL
    """
    columns = ["record_id", "entity", "start", "end", "score"]
    listed = world.findings("a.parquet").filter(path="text").select(columns)
    assert rows(session, query) == sorted(listed.rows())
    counted = rows(session, "SELECT sum(pii_count(text)) FROM eligible")
    assert counted == [(listed.height,)]


def test_density_counts_what_a_run_lists(world, session):
    """A chat's JSON is one text here and several there; what is in it is found all the same."""
    world.run()
    found = rows(session, QUERIES["pii-density"].sql)
    assert [row[:3] for row in found] == [("public_web", 5, 7)]
    (_, records, _, megabytes, findings, per_megabyte, per_1000, percent) = found[0]
    assert findings == world.findings("a.parquet").height
    hit = world.findings("a.parquet")["record_id"].n_unique()
    assert (per_1000, percent) == (findings * 1000 / records, hit * 100 / records)
    assert per_megabyte > findings / (megabytes + 0.001)


def test_null_is_null_and_clean_is_empty(session):
    query = """
        SELECT pii_reduce(t), pii_findings(t), pii_count(t), has_pii(t)
        FROM (VALUES (NULL), ('clean'), ('')) AS x(t)
    """
    assert rows(session, query) == [
        (None, None, None, None),
        ("clean", [], 0, False),
        ("", [], 0, False),
    ]


def test_many_rows_keep_their_order_and_repeated_texts_are_looked_at_once(session, monkeypatch):
    seen: list[int] = []
    findings = Looking.findings
    monkeypatch.setattr(
        Looking, "findings", lambda self, texts: seen.append(len(texts)) or findings(self, texts)
    )
    texts = f"CASE i % 3 WHEN 0 THEN 'call {ADDRESS}' WHEN 1 THEN NULL ELSE 'x' END"
    query = f"SELECT i, pii_count({texts}), has_pii({texts}) FROM range(5000) AS r(i) ORDER BY i"
    expected = [(1, True), (None, None), (0, False)]
    assert rows(session, query) == [(i, *expected[i % 3]) for i in range(5000)]
    assert 0 < len(seen) <= 5  # pii_count and has_pii share one look at each batch
    assert set(seen) == {2}


def with_scanner(**options) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    nothing = Registers(empty=["consent", "accounts", "deletions", "holds"])
    register(
        database,
        policy="openai-api-data",
        registers=nothing,
        purpose="pretraining",
        as_of="2023-08-01T00:00:00Z",
        **options,
    )
    return database


def test_a_text_that_cannot_be_judged_is_never_clean():
    """One finding from end to end, nothing left of the text, and its neighbours as they are."""
    scanner = PiiScanner(["TROUBLE", "EMAIL_ADDRESS"], recognizers=[Failing()])
    with with_scanner(pii=scanner) as database:
        query = """
            SELECT pii_reduce(t), pii_count(t), has_pii(t), pii_findings(t)
            FROM (VALUES ('a@b.com is fine'), ('trouble of ada@lovelace.org'), ('fine')) AS x(t)
        """
        first, second, third = database.sql(query).fetchall()
    assert (first[1], third) == (1, ("fine", 0, False, []))
    whole = {"entity": "pii:unreadable", "start": 0, "end": 27, "score": None}
    assert second == (MARK, 1, True, [whole])


def test_what_fails_altogether_says_nothing_of_its_texts(session, monkeypatch):
    def fail(self, texts):
        raise ValueError(texts[0].as_py())

    monkeypatch.setattr(Looking, "findings", fail)
    with pytest.raises(SchemaError) as refused:
        rows(session, "SELECT pii_count(text) FROM corpus")
    assert str(refused.value) == (
        "pii_findings: some texts cannot be looked at: ValueError."
        " Report this; leave those texts out to go on"
    )
    assert refused.value.__cause__ is refused.value.__context__ is None
    with pytest.raises(SchemaError, match="a value cannot be cast"):
        rows(session, "SELECT text::INT FROM corpus")  # what was wrong before is forgotten


def test_keyed_operators_want_the_job_s_key(world, monkeypatch):
    changes = {"pii": {"operators": {"DEFAULT": "hash"}}, "key": {"env": "CG_KEY"}}
    monkeypatch.delenv("CG_KEY", raising=False)
    with open_session(world.job(changes)).database as without:
        assert without.sql(f"SELECT pii_count('{MAIL}')").fetchall() == [(1,)]
        with pytest.raises(duckdb.Error, match="JobError") as refused:
            without.sql(f"SELECT pii_reduce('{MAIL}')").fetchall()
        assert MAIL not in str(refused.value)
    session = open_session(world.job(changes))
    with pytest.raises(JobError, match="CG_KEY is not set"), session.database:
        rows(session, f"SELECT pii_reduce('{MAIL}')")
    monkeypatch.setenv("CG_KEY", KEY)
    with open_session(world.job(changes)).database as keyed:
        ((hashed,),) = keyed.sql(f"SELECT pii_reduce('{MAIL}')").fetchall()
        assert len(hashed) == 64


def test_where_a_job_looks_for_nothing_what_is_usual_is_looked_for(world):
    with open_session(world.job({"pii": "off"})).database as database:
        assert database.sql(f"SELECT pii_reduce('{MAIL}')").fetchall() == [("<EMAIL_ADDRESS>",)]


def test_a_connection_that_is_there_gets_them_when_it_wants_them():
    with with_scanner() as database, pytest.raises(duckdb.Error, match="pii_count"):
        database.sql("SELECT pii_count('x')")
    scanner = PiiScanner(["EMAIL_ADDRESS"])
    with with_scanner(pii=scanner, operators={"DEFAULT": "redact"}) as database:
        database.register("staged", pa.table({"t": [f"to {MAIL}", f"from {ADDRESS}"]}))
        query = "SELECT pii_reduce(t) FROM staged"
        assert database.sql(query).fetchall() == [("to ",), (f"from {ADDRESS}",)]
    with pytest.raises(JobError, match="want a key"):
        with_scanner(pii=scanner, operators={"DEFAULT": "hash"})
    with pytest.raises(JobError, match="Did you mean"):
        with_scanner(pii=scanner, operators={"DEFAULT": "hsh"})
