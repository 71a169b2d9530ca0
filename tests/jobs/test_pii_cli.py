"""`corpusgate pii`: what is listed, what stays as it is, exit codes, and that no text gets out."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.filters.errors import JobError
from corpusgate.filters.found import Found
from corpusgate.jobs import cli
from corpusgate.jobs.pii import cli as pii_cli
from corpusgate.jobs.pii.files import reduce_files, scan_files
from corpusgate.jobs.pii.options import Search, open_reducer
from corpusgate.jobs.pii.progress import FileProgress
from corpusgate.jobs.pii.reading import Corpus
from corpusgate.jobs.progress import Watcher
from runs.workshop import Done, tree

CANARY = "quokka-canary"
MAIL, CARD = f"{CANARY}@lovelace.org", "4111 1111 1111 1111"
TEXTS = [f"Naïve 😀: {MAIL} now", "nothing here", None, f"{CARD} and {MAIL}"]
CHATS = [
    [{"role": "user", "content": f"I am {MAIL}"}, {"role": "assistant", "content": "ok"}],
    [],
    None,
    [{"role": "user", "content": None}, {"role": "user", "content": MAIL}],
]
BASE = ["record_id", "column", "entity", "start", "end", "score"]
ENTITIES = ("--entities", "EMAIL_ADDRESS,CREDIT_CARD")
KEY = "0123456789abcdef0123"


def records() -> pa.Table:
    return pa.table(
        {
            "doc_id": ["a", "b", "c", "d"],
            "text": pa.array(TEXTS, pa.large_string()),
            "lang": pa.array(["en", "en", None, "de"]).dictionary_encode(),
            "chat": pa.array(CHATS),
            "n": pa.array([1, 2, 3, 4], pa.int16()),
        }
    )


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two Parquet files and one of JSON lines, below the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    folder = tmp_path / "corpus"
    (folder / "deep").mkdir(parents=True)
    pq.write_table(records(), folder / "a.parquet", compression="zstd", row_group_size=2)
    codecs = {"text": "GZIP", "doc_id": "NONE", "lang": "SNAPPY", "n": "ZSTD"}
    chat = dict.fromkeys(("chat.list.element.role", "chat.list.element.content"), "SNAPPY")
    pq.write_table(records(), folder / "deep/b.parquet", compression=codecs | chat)
    with gzip.open(folder / "c.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in records().to_pylist())
    return folder


@pytest.fixture
def pii(corpus, capsys):
    """Run `corpusgate pii` in this process."""

    def run(*arguments: str | Path) -> Done:
        code = 0
        capsys.readouterr()
        try:
            cli.main(["pii", *map(str, arguments)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        done = Done(code, *capsys.readouterr())
        assert CANARY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


class Failing:
    """Finds nothing, and fails on texts with a word in them, or altogether."""

    fingerprint = "failing"
    entities = ("EMAIL_ADDRESS",)
    reach = None

    def __init__(self, word: str = "", error: Exception | None = None) -> None:
        self._word, self._error = word, error

    def find(self, texts):
        if self._error is not None:
            raise self._error
        bad = [at for at, text in enumerate(texts.to_pylist()) if self._word in text]
        none = np.zeros(0, np.int64)
        return Found(self.entities, none, none, none, none, none, np.array(bad, np.int64))


def silent() -> FileProgress:
    return FileProgress(Watcher())


# --- scan ---------------------------------------------------------------------------------------


def test_findings_have_the_promised_columns_and_point_at_the_values(corpus, pii):
    done = pii(
        "scan", corpus / "a.parquet", "-c", "text", "--id", "doc_id", *ENTITIES, "-o", "f.parquet"
    )
    assert done.returncode == 0, done.stderr
    found = pq.read_table("f.parquet")
    assert found.schema.names == BASE
    assert found.schema.types == [
        pa.string(), pa.string(), pa.string(), pa.int32(), pa.int32(), pa.float32(),
    ]  # fmt: skip
    texts = dict(zip("abcd", TEXTS, strict=True))
    values = [
        (row["record_id"], row["entity"], texts[row["record_id"]][row["start"] : row["end"]])
        for row in found.to_pylist()
    ]
    assert values == [
        ("a", "EMAIL_ADDRESS", MAIL), ("d", "CREDIT_CARD", CARD), ("d", "EMAIL_ADDRESS", MAIL),
    ]  # fmt: skip


def test_nested_findings_say_where_they_are(corpus, pii):
    pii("scan", corpus / "a.parquet", "-c", "text,chat[].content", *ENTITIES, "-o", "f.parquet")
    found = pq.read_table("f.parquet")
    assert found.schema.names == [*BASE, "index", "pointer"]
    places = [(r["record_id"], r["column"], r["index"]) for r in found.to_pylist()]
    assert places == [
        (0, "text", []), (0, "chat[].content", [0]),
        (3, "text", []), (3, "text", []), (3, "chat[].content", [1]),
    ]  # fmt: skip


def test_findings_inside_json_have_a_pointer(tmp_path, pii):
    rows = pa.table({"payload": [json.dumps({"to": [MAIL]}), MAIL]})
    pq.write_table(rows, "json.parquet")
    pii("scan", "json.parquet", "-c", "payload{}", *ENTITIES, "-o", "f.parquet")
    assert pq.read_table("f.parquet")["pointer"].to_pylist() == [
        "/0/0",
        None,
    ]  # keys are text: members are numbered


def test_without_id_the_row_number_is_the_id_and_files_are_told_apart(corpus, pii):
    pii("scan", corpus, "-c", "text", "-e", "CREDIT_CARD", "-o", "f.parquet")
    found = pq.read_table("f.parquet")
    assert found.schema.names == [*BASE, "shard"]
    assert found.schema.field("record_id").type == pa.int64()
    assert found.select(["record_id", "shard"]).to_pylist() == [
        {"record_id": 3, "shard": name} for name in ("a.parquet", "c.jsonl.gz", "deep/b.parquet")
    ]


@pytest.mark.parametrize(
    ("kind", "listed"),
    [
        (pa.int16(), pa.int64()), (pa.int64(), pa.int64()), (pa.uint64(), pa.string()),
        (pa.string(), pa.string()), (pa.string_view(), pa.string()),
        (pa.dictionary(pa.int8(), pa.string()), pa.string()),
    ],
)  # fmt: skip
def test_ids_keep_their_kind(tmp_path, pii, kind, listed):
    ids = pa.array(["7", "8"]).cast(pa.string())
    ids = ids.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else ids.cast(kind)
    pq.write_table(pa.table({"id": ids, "text": ["", MAIL]}), "ids.parquet")
    pii("scan", "ids.parquet", "-c", "text", "--id", "id", *ENTITIES, "-o", "f.parquet")
    found = pq.read_table("f.parquet")["record_id"]
    assert (found.type, [str(each) for each in found.to_pylist()]) == (listed, ["8"])


def test_the_size_of_row_groups_changes_no_finding(tmp_path, pii, monkeypatch):
    monkeypatch.setattr("corpusgate.connectors.pending.TABLE_ROWS", 64)
    monkeypatch.setattr("corpusgate.connectors.parquet._BATCH_ROWS", 64)
    rows = pa.table({"text": [MAIL if row % 7 == 3 else "none" for row in range(500)]})
    listed = []
    for size in (1, 90, 500):
        pq.write_table(rows, "rows.parquet", row_group_size=size)
        pii("scan", "rows.parquet", "-c", "text", *ENTITIES, "-o", "f.parquet")
        listed.append(pq.read_table("f.parquet"))
    assert listed[0]["record_id"].to_pylist() == list(range(3, 500, 7))
    assert listed[0].equals(listed[1])
    assert listed[0].equals(listed[2])


def test_counts_go_to_stdout(corpus, pii):
    done = pii("scan", corpus, "-c", "text,chat[].content", *ENTITIES, "--json", "--quiet")
    facts = json.loads(done.stdout)
    assert facts["findings"] == {
        "text": {"CREDIT_CARD": 3, "EMAIL_ADDRESS": 6}, "chat[].content": {"EMAIL_ADDRESS": 6},
    }  # fmt: skip
    assert (facts["files"], facts["rows"], facts["unreadable"]) == (3, 12, [])
    assert done.stderr == ""
    shown = pii("scan", corpus, "-c", "text", *ENTITIES)
    assert [line.split()[:2] for line in shown.stdout.splitlines()[1:3]] == [
        ["EMAIL_ADDRESS", "6"], ["CREDIT_CARD", "3"],
    ]  # fmt: skip
    assert "deep/b.parquet: 4 rows, 3 findings" in shown.stderr


def test_the_threshold_and_profile_are_the_scanner_s(corpus, pii):
    done = pii(
        "scan",
        corpus,
        "-c",
        "text",
        *ENTITIES,
        "--threshold",
        "1",
        "--profile",
        "presidio",
        "--json",
    )
    assert json.loads(done.stdout)["findings"] == {"text": {"EMAIL_ADDRESS": 6, "CREDIT_CARD": 3}}


def test_recognizers_of_one_s_own(corpus, pii):
    Path("own.yaml").write_text(
        "recognizers: [{name: Ticket, supported_entity: TICKET, supported_language: en,"
        " patterns: [{name: t, regex: 'noth[a-z]+', score: 0.9}]}]",
        "utf-8",
    )
    arguments = ("-c", "text", "-e", "TICKET", "--recognizers", "own.yaml", "--json")
    done = pii("scan", corpus / "a.parquet", *arguments)
    assert json.loads(done.stdout)["findings"] == {"text": {"TICKET": 1}}


# --- reduce -------------------------------------------------------------------------------------


def test_only_the_named_texts_change(corpus, pii):
    done = pii("reduce", corpus, "-c", "text,chat[].content", "-o", "out", *ENTITIES, "--json")
    assert done.returncode == 0, done.stderr
    for name in ("a.parquet", "deep/b.parquet"):
        before, after = pq.ParquetFile(corpus / name), pq.ParquetFile(Path("out") / name)
        assert after.schema_arrow.equals(before.schema_arrow)
        assert codecs(after) == codecs(before)
        rows = after.read().to_pylist()
        told = json.dumps(records().to_pylist()).replace(MAIL, "<EMAIL_ADDRESS>")
        assert rows == json.loads(told.replace(CARD, "<CREDIT_CARD>"))
    assert {*tree(Path("out"))} == {".lock", "a.parquet", "c.jsonl.gz.parquet", "deep/b.parquet"}
    assert all(CANARY.encode() not in data for data in tree(Path("out")).values())


def codecs(file: pq.ParquetFile) -> dict[str, str]:
    group = file.metadata.row_group(0)
    columns = map(group.column, range(group.num_columns))
    return {column.path_in_schema: column.compression for column in columns}


def test_reduced_columns_have_no_statistics_and_others_keep_theirs(corpus, pii):
    pii("reduce", corpus / "a.parquet", "-c", "text", "-o", "out", *ENTITIES)
    group = pq.ParquetFile("out/a.parquet").metadata.row_group(0)
    assert {group.column(i).path_in_schema: group.column(i).is_stats_set for i in (1, 5)} == {
        "text": False, "n": True,
    }  # fmt: skip


def test_reducing_again_changes_nothing(corpus, pii):
    arguments = ("-c", "text,chat[].content", *ENTITIES)
    pii("reduce", corpus, *arguments, "-o", "out")
    first = tree(Path("out"))
    pii("reduce", corpus, *arguments, "-o", "out")
    assert tree(Path("out")) == first
    done = pii("reduce", "out", *arguments, "-o", "twice", "--json")
    assert json.loads(done.stdout)["findings"] == {}
    for name in ("a.parquet", "deep/b.parquet"):
        assert pq.read_table(f"twice/{name}").equals(pq.read_table(f"out/{name}"))


def test_operators_by_entity_and_the_list_of_what_was_done(corpus, pii):
    Path("operators.yaml").write_text("CREDIT_CARD: {type: mask, chars_to_mask: 9}\n", "utf-8")
    pii(
        "reduce", corpus / "a.parquet", "-c", "text", "--id", "doc_id", *ENTITIES, "-o", "out",
        "--operators", "EMAIL_ADDRESS=redact", "--operators", "operators.yaml",
        "--findings", "f.parquet",
    )  # fmt: skip
    texts = pq.read_table("out/a.parquet")["text"].to_pylist()
    assert texts == ["Naïve 😀:  now", "nothing here", None, "*********" + CARD[9:] + " and "]
    found = pq.read_table("f.parquet")
    assert found.schema.names == [*BASE, "operator"]
    listed = [(r["record_id"], r["entity"], r["operator"]) for r in found.to_pylist()]
    assert listed == [
        ("a", "EMAIL_ADDRESS", "redact"), ("d", "CREDIT_CARD", "mask"),
        ("d", "EMAIL_ADDRESS", "redact"),
    ]  # fmt: skip


@pytest.mark.parametrize(("scope", "same"), [("record", False), ("run", True)])
def test_pseudonyms_are_one_a_scope(corpus, pii, monkeypatch, scope, same):
    monkeypatch.setenv("PII_KEY", KEY)
    done = pii(
        "reduce", corpus, "-c", "text,chat[].content", *ENTITIES, "-o", "out", "--scope", scope,
        "--operators", "EMAIL_ADDRESS=pseudonym", "--key-env", "PII_KEY",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = {}
    for name in ("a", "deep/b"):
        rows = pq.read_table(f"out/{name}.parquet").to_pylist()
        names[name] = rows[0]["text"].split()[2], rows[3]["text"].split()[-1]
        assert rows[0]["chat"][0]["content"] == f"I am {names[name][0]}"
    # Row 0 of one file is not row 0 of another: without ids they are strangers.
    together = {value for pair in names.values() for value in pair}
    assert len(together) == (1 if same else 4)


def test_a_key_from_a_file_is_that_of_the_environment(corpus, pii, monkeypatch):
    monkeypatch.setenv("PII_KEY", KEY)
    Path("key").write_text(f"{KEY}\n", "utf-8")
    arguments = ("-c", "text", *ENTITIES, "--operators", "DEFAULT=hash", "--id", "doc_id")
    pii("reduce", corpus / "a.parquet", *arguments, "-o", "one", "--key-env", "PII_KEY")
    pii("reduce", corpus / "a.parquet", *arguments, "-o", "two", "--key-file", "key")
    assert tree(Path("one")) == tree(Path("two"))
    texts = pq.read_table("one/a.parquet")["text"].to_pylist()
    assert [len(text) for text in texts if text] == [
        len(TEXTS[0]) - len(MAIL) + 64,
        12,
        64 + 5 + 64,
    ]


# --- what cannot be read ------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("scan",), ("reduce", "-o", "out")])
def test_an_unreadable_file_is_named_and_the_others_are_done(corpus, pii, command):
    (corpus / "b.parquet").write_bytes(b"bad " + CANARY.encode())
    done = pii(*command, corpus, "-c", "text", *ENTITIES, "--json", "--quiet")
    assert done.returncode == pii_cli.INCOMPLETE
    facts = json.loads(done.stdout)
    assert (facts["unreadable"], facts["rows"]) == (["b.parquet"], 12)
    assert "b.parquet" in done.stderr


@pytest.mark.parametrize("command", ["scan", "reduce"])
def test_json_lines_without_lines_are_no_rows(corpus, pii, command):
    """They come first here, and do not settle of which type ids are."""
    (corpus / "0.jsonl").write_bytes(b"")
    (corpus / "1.jsonl.gz").write_bytes(gzip.compress(b"\n"))
    place = {"scan": "-o", "reduce": "--findings"}[command]
    output = ("-o", "out") if command == "reduce" else ()
    arguments = ("-c", "text,chat[].content", "--id", "n", *ENTITIES, place, "f.parquet", "--json")
    done = pii(command, corpus, *arguments, *output)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["files"], facts["rows"], facts["unreadable"]) == (5, 12, [])
    assert pa.types.is_integer(pq.read_schema("f.parquet").field("record_id").type)
    if output:
        assert pq.read_table("out/0.jsonl.parquet").num_rows == 0
        assert {*pq.read_schema("out/1.jsonl.gz.parquet").names} == {"n", "text", "chat"}


def test_what_is_wrong_with_json_lines_is_said_as_it_is(corpus, pii):
    line = (json.dumps({"doc_id": "x", "text": CANARY}) + "\n").encode()
    (corpus / "half.jsonl").write_bytes(line + line.replace(b'"x"', rb'"\ud83d"'))
    (corpus / "large.jsonl").write_bytes(line.replace(b'"x"', b"99999999999999999999"))
    done = pii("scan", corpus, "-c", "text", *ENTITIES)
    assert done.returncode == pii_cli.INCOMPLETE
    said = " ".join(done.stderr.split())
    assert "half.jsonl: line 2 has half of a surrogate pair, which is no Unicode" in said
    assert "large.jsonl: a number in `doc_id` is too large for 64 bits" in said


def test_what_an_earlier_reduction_left_of_an_unreadable_file_goes(corpus, pii):
    pii("reduce", corpus, "-c", "text", *ENTITIES, "-o", "out")
    whole = (corpus / "a.parquet").read_bytes()
    (corpus / "a.parquet").write_bytes(whole[:200] + b"\0" * 60 + whole[260:])
    done = pii("reduce", corpus, "-c", "text", *ENTITIES, "-o", "out")
    assert done.returncode == pii_cli.INCOMPLETE
    assert {*tree(Path("out"))} == {".lock", "c.jsonl.gz.parquet", "deep/b.parquet"}


def test_a_record_that_cannot_be_read_never_passes_as_clean(corpus):
    asked = Corpus((str(corpus / "a.parquet"),), ("text",), "doc_id")
    totals = scan_files(asked, Failing("nothing"), listing=None, progress=silent())
    assert totals.excluded == {"pii:unreadable": 1}
    reducer = open_reducer(Search(("EMAIL_ADDRESS",)), (), None)
    reducer._scanner = Failing("nothing")
    totals = reduce_files(asked, reducer, Path("out"), scope="run", listing=None, progress=silent())
    assert (totals.rows, totals.excluded) == (4, {"pii:unreadable": 1})
    assert pq.read_table("out/a.parquet")["doc_id"].to_pylist() == ["a", "c", "d"]


def test_scan_says_so_and_does_not_exit_as_done(corpus, pii, monkeypatch):
    monkeypatch.setattr(Search, "scanner", lambda _: Failing("nothing"))
    done = pii("scan", corpus / "a.parquet", "-c", "text")
    assert done.returncode == pii_cli.INCOMPLETE
    assert "1 record could not be read (pii:unreadable)" in done.stdout


def test_an_error_that_quotes_a_text_is_not_passed_on(corpus, pii, monkeypatch):
    error = ValueError(f"cannot read {MAIL}")
    monkeypatch.setattr(Search, "scanner", lambda _: Failing(error=error))
    done = pii("scan", corpus / "a.parquet", "-c", "text")
    assert done.returncode == pii_cli.INCOMPLETE
    assert "ValueError" in done.stderr


def test_ids_that_are_null_or_of_another_kind_make_a_file_unreadable(corpus, pii):
    rows = records()
    nulls = rows.set_column(0, "doc_id", pa.array(["a", None, "c", "d"]))
    pq.write_table(nulls, corpus / "nulls.parquet")
    pq.write_table(rows.set_column(0, "doc_id", rows["n"]), corpus / "other.parquet")
    done = pii("scan", corpus, "-c", "text", "--id", "doc_id", *ENTITIES, "--json")
    assert json.loads(done.stdout)["unreadable"] == ["nulls.parquet", "other.parquet"]
    assert done.returncode == pii_cli.INCOMPLETE


# --- usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scan", "corpus"], "no column is named. Name those with texts among doc_id, text"),
        (["scan", "corpus", "-c", "txt"], "there is no column `txt`. Did you mean `text`?"),
        (["scan", "corpus", "-c", "chat.content"], "Add [] for a list"),
        (["scan", "corpus", "-c", "n"], "it leads to int16, not to text"),
        (["scan", "corpus", "-c", "text", "--id", "docid"], "Did you mean `doc_id`?"),
        (["scan", "corpus", "-c", "text", "--id", "chat"], "neither a string nor an integer"),
        (["scan", "corpus", "-c", "text", "-e", "EMAIL"], "--entities: entity `EMAIL`"),
        (["scan", "corpus", "-c", "text", "--profile", "strikt"], "--profile: profile `strikt`"),
        (["scan", "corpus", "-c", "text", "--recognizers", "no.yaml"], "--recognizers: no.yaml"),
        (["scan", "corpus", "-c", "text", "--nlp", "spacy"], "Write spacy:en_core_web_lg"),
        (["scan", "corpus", "-c", "text", "--nlp", "spacy:xx_no"], "Run: python -m spacy download"),
        (["scan", "corpus", "-c", "text", "-o", "corpus/a.parquet"], "written over the input"),
        (["scan", "corpus", "-c", "text", "-o", "corpus/f.parquet"], "input itself the next time"),
        (["reduce", "corpus", "-c", "text", "-o", "corpus"], "written over the input"),
        (["reduce", "corpus", "-c", "text", "-o", "."], "written over the input"),
        (["reduce", "corpus", "-c", "text", "-o", "corpus/out"], "input itself the next time"),
        (["reduce", "corpus", "-c", "text", "-o", "o", "--operators", "DEFAULT=kep"], "`keep`"),
        (["reduce", "corpus", "-c", "text", "-o", "o", "--operators", "no.yaml"], "EMAIL_ADDRESS="),
        (["reduce", "corpus", "-c", "text", "-o", "o", "--operators", "URL=keep"], "not among"),
        (["reduce", "corpus", "-c", "text", "-o", "o", "--operators", "DEFAULT=hash"], "--key-env"),
        (["reduce", "corpus", "-c", "text", "-o", "o", "--key-env", "NO_KEY"], "NO_KEY is not set"),
        (["reduce", "corpus", "-c", "text", "-o", "o", "--scope", "user"], "Write record or run"),
    ],
)  # fmt: skip
def test_exit_code_2_and_one_line_with_the_way_out(pii, arguments, said, monkeypatch):
    monkeypatch.delenv("NO_KEY", raising=False)
    before = tree(Path("corpus"))
    done = pii(*arguments, *(() if "-e" in arguments else ENTITIES), "--quiet")
    assert done.returncode == cli.USAGE
    assert done.stdout == ""
    assert said in done.stderr
    assert [line.startswith("corpusgate: ") for line in done.stderr.splitlines()] == [True]
    assert tree(Path("corpus")) == before


def test_a_name_that_is_never_input_may_lie_beside_the_input(corpus, pii):
    arguments = ("-c", "text", *ENTITIES)
    assert pii("scan", corpus, *arguments, "-o", "corpus/_findings.parquet").returncode == 0
    assert pii("scan", corpus, *arguments, "--json").returncode == 0


def test_two_inputs_for_one_output_are_refused(corpus, pii):
    pq.write_table(records(), corpus / "c.jsonl.gz.parquet")
    done = pii("reduce", corpus, "-c", "text", *ENTITIES, "-o", "out")
    assert done.returncode == cli.USAGE
    assert "Rename one of them" in done.stderr


def test_exit_codes_are_those_of_the_command_line():
    assert (pii_cli.USAGE, pii_cli.INCOMPLETE) == (cli.USAGE, cli.INCOMPLETE)


@pytest.mark.parametrize("command", ["scan", "reduce", "evaluate", "entities"])
def test_every_command_has_help_with_an_example(pii, command):
    assert f"Example: corpusgate pii {command}" in pii(command, "--help").stdout


def test_a_scanner_fault_names_its_option():
    with pytest.raises(JobError, match="--languages: "):
        Search(languages=()).scanner()


# --- evaluate, entities -------------------------------------------------------------------------


def gold(texts: list[tuple[str, list[tuple[int, int, str]]]]) -> pa.Table:
    spans = [
        [dict(zip(("start", "end", "label"), span, strict=True)) for span in marked]
        for _, marked in texts
    ]
    kind = pa.list_(pa.struct({"start": pa.int32(), "end": pa.int32(), "label": pa.string()}))
    ids = ["same"] * len(texts)  # nobody promised that they are unique
    return pa.table(
        {"doc_id": ids, "text": [text for text, _ in texts], "spans": pa.array(spans, kind)}
    )


def test_scores_are_counted_on_texts_that_do_not_go_well(pii):
    # One right and exact, one right and too long, one missed, two found that are not marked.
    texts = [
        ("ann@lovelace.org", [(0, 16, "EMAIL")]),
        ("bob@lovelace.org", [(0, 3, "EMAIL")]),
        ("write to me", [(9, 11, "EMAIL"), (0, 5, "PERSON")]),
        ("eve@lovelace.org and joe@lovelace.org", []),
    ]
    pq.write_table(gold(texts), "gold.parquet")
    done = pii("evaluate", "gold.parquet", "--json")
    (one,) = json.loads(done.stdout)["gold"]
    (email,) = one["entities"]
    assert (email["entity"], email["gold"], email["found"]) == ("EMAIL_ADDRESS", 3, 4)
    names = ("recall", "precision", "f1", "f2")
    assert [email[name] for name in names] == pytest.approx([2 / 3, 1 / 2, 4 / 7, 5 / 8])
    exact = [email[f"exact_{name}"] for name in names]
    assert exact == pytest.approx([1 / 3, 1 / 4, 2 / 7, 5 / 16])
    assert (one["texts"], one["unreadable"], one["not_looked_for"]) == (4, 0, ["PERSON"])
    shown = pii("evaluate", "gold.parquet").stdout
    assert shown.count("EMAIL_ADDRESS") == 2
    assert "0.6667" in shown
    assert "not looked for: PERSON" in shown


def test_texts_that_could_not_be_read_are_told_beside_the_scores(pii, monkeypatch):
    pq.write_table(gold([("x", [(0, 1, "EMAIL")])]), "gold.parquet")
    monkeypatch.setattr(Search, "scanner", lambda _: Failing("x"))
    done = pii("evaluate", "gold.parquet")
    assert "1 text could not be read" in done.stdout


def test_an_error_of_a_recogniser_is_no_traceback(pii, monkeypatch):
    pq.write_table(gold([(MAIL, [(0, 1, "EMAIL")])]), "gold.parquet")
    monkeypatch.setattr(Search, "scanner", lambda _: Failing(error=ValueError(MAIL)))
    done = pii("evaluate", "gold.parquet")
    assert (done.returncode, "ValueError" in done.stderr) == (cli.FAILED, True)


def test_an_entity_that_is_named_may_be_marked_by_its_own_name(pii):
    pq.write_table(gold([("https://lovelace.org/x", [(0, 22, "UUID")])]), "gold.parquet")
    done = pii("evaluate", "gold.parquet", "--entities", "UUID", "--json")
    (uuid,) = json.loads(done.stdout)["gold"][0]["entities"]
    assert (uuid["entity"], uuid["gold"], uuid["recall"]) == ("UUID", 1, 0.0)


@pytest.mark.parametrize("name", ["a.parquet", "spans.parquet"])
def test_what_is_no_gold_is_refused(corpus, pii, name):
    pq.write_table(pa.table({"text": ["a"], "spans": ["b"]}), corpus / "spans.parquet")
    done = pii("evaluate", corpus / name)
    assert done.returncode == cli.FAILED
    assert "list<struct<start, end, label>>" in " ".join(done.stderr.split()).lower()


@pytest.mark.parametrize("span", [(5, 2), (3, 3), (-1, 2), (0, 5)])
def test_spans_that_are_no_part_of_their_text_are_refused(pii, span):
    pq.write_table(gold([("four", [(0, 4, "EMAIL"), (*span, "EMAIL")])]), "gold.parquet")
    done = pii("evaluate", "gold.parquet")
    assert (done.returncode, "1 of the spans lies outside" in done.stderr) == (cli.FAILED, True)


def test_the_catalogue_shows_defaults_and_the_rest_when_asked(pii):
    shown = {tuple(a): json.loads(pii("entities", *a, "--json").stdout) for a in ([], ["--all"])}
    default, every = shown.values()
    assert {entry["asked"] for entry in default} == {"default"}
    assert {entry["asked"] for entry in every} == {"default", "by name", "nlp"}
    names = [entry["entity"] for entry in every]
    assert names == sorted(set(names))
    assert {"PERSON", "UUID", "DE_PLZ", "US_SSN"} <= {*names}
    (ssn,) = [entry for entry in every if entry["entity"] == "US_SSN"]
    assert (ssn["country"], ssn["presidio"]) == ("us", ["UsSsnRecognizer"])
    assert ssn["strict"]
    german = json.loads(pii("entities", "--language", "de", "--json").stdout)
    assert {entry["country"] for entry in german} == {"de"}


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom corpusgate.jobs.cli import main\ntry:\n    main(['pii', '--help'])\n"
        "except SystemExit:\n    pass\nprint(sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    for name in ("presidio_analyzer", "spacy", "polars", "pyarrow", "duckdb", "ray", "hyperscan"):
        assert f"'{name}'" not in loaded
