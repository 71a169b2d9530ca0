"""Names and places: Presidio's results, each text once, offsets right, nothing fetched."""

import importlib
import json
import pickle
import random
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import spacy
from corpusgate.filters.errors import JobError
from corpusgate.filters.found import Found
from corpusgate.filters.names import nlp as module
from corpusgate.filters.names.chunks import chunks
from corpusgate.filters.names.loaded import Loaded
from corpusgate.filters.names.nlp import open_nlp
from hypothesis import given, settings
from hypothesis import strategies as st
from nlp_models.small import FAMILY, GIVEN, SENTENCES, package, train, write
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NlpEngineProvider
from spacy.language import Language

LABELS = {"PERSON": "PERSON", "GPE": "LOCATION"}
ODD = [
    "",
    " \r\n\t ",
    "Ravi Keller",
    "\r\nRavi Keller\r\nOslo\r\n",
    "😀 Greta Santos 👩‍👩‍👧 lives in Leeds.",
    "e\u0301 Marta Novak e\u0301",
    "שלום Jonas Brandt lives in Graz. שלום",
    "٣٤٥ Ines Silva \uff12\uff13",
    "\u200bLeila Haddad\ufeff",
    "x" * 500 + " Pedro Moreau",
    "Hanna\x00Petrov lives in Tunis.",
    "名前は Oskar Demir です",
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("names") / "pipeline"
    train().to_disk(path)
    return path


@pytest.fixture(scope="session")
def texts():
    dice = random.Random(1)  # noqa: S311 - a seed, not secrecy
    made = [
        " ".join(write(dice.choice(SENTENCES), dice)[0] for _ in range(dice.randint(1, 6)))
        for _ in range(300)
    ]
    return made + ODD


@pytest.fixture
def config(folder):
    return {"engine": "spacy", "model": str(folder)}


def column(*texts: str | None) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def rows(names: Found) -> list[tuple]:
    fields = zip(names.text, names.start, names.end, names.score, names.entity, strict=True)
    return [(int(t), int(s), int(e), float(c), names.entities[n]) for t, s, e, c, n in fields]


def presidio(folder, texts, entities, threshold, ner):
    """What AnalyzerEngine finds with the same model and configuration, in our order."""
    engine = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": "en", "model_name": str(folder)}],
            "ner_model_configuration": ner,
        }
    ).create_engine()
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.add_nlp_recognizer(engine)
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine)
    return sorted(
        (
            (i, r.start, r.end, r.score, r.entity_type)
            for i, text in enumerate(texts)
            for r in analyzer.analyze(text, "en", entities=entities, score_threshold=threshold)
        ),
        key=lambda r: (r[0], r[1], -r[2], -r[3], r[4]),
    )


SHIPPED = {
    "model_to_presidio_entity_mapping": {"PERSON": "PERSON", "GPE": "LOCATION"},
    "labels_to_ignore": ["ORG", "CARDINAL"],
}
LOW = {**SHIPPED, "low_score_entity_names": ["LOCATION"], "low_confidence_score_multiplier": 0.4}


@pytest.mark.parametrize(
    ("entities", "threshold", "ner", "count"),
    [
        (["LOCATION", "PERSON"], 0.4, None, 312),
        pytest.param(["PERSON"], 0.85, None, 60, marks=pytest.mark.slow),
        (["LOCATION", "PERSON"], 0.4, LOW, 60),
        pytest.param(["LOCATION", "PERSON"], 0.3, LOW, 60, marks=pytest.mark.slow),
        pytest.param(["LOCATION"], 0.86, None, 60, marks=pytest.mark.slow),
        (["PERSON"], 0.4, {**SHIPPED, "model_to_presidio_entity_mapping": {"GPE": "PERSON"}}, 60),
        (["PERSON"], 0.0, {**SHIPPED, "default_score": 0.0}, 60),
    ],
)
def test_findings_equal_those_of_analyzer_engine(folder, texts, entities, threshold, ner, count):
    config = {"engine": "spacy", "model": str(folder), "entities": entities}
    nlp = open_nlp(config | ({"ner_model_configuration": ner} if ner else {}))
    some = texts[-count:]
    ours = rows(nlp.find(column(*some), threshold))
    assert ours == presidio(folder, some, entities, threshold, ner or SHIPPED)
    found = {entity for *_, entity in ours}
    if threshold == 0.86 or (ner and ner.get("default_score") == 0.0):
        assert not found
    elif ner is LOW and threshold == 0.4:
        assert found == {"PERSON"}
    else:
        assert found == set(entities)
        assert len(ours) > count


def test_names_are_found_where_they_stand(config):
    dice = random.Random(2)  # noqa: S311 - a seed, not secrecy
    made = [write(dice.choice(SENTENCES), dice) for _ in range(100)]
    found = rows(open_nlp(config).find(column(*(text for text, _ in made)), 0.4))
    planted = [(i, s, e, LABELS[label]) for i, (_, all_) in enumerate(made) for s, e, label in all_]
    hit = {(i, s, e, entity) for i, s, e, _, entity in found}
    assert len(hit & set(planted)) >= 0.95 * len(planted)
    assert len(hit) <= 1.05 * len(planted)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_findings_do_not_depend_on_how_texts_are_batched(config, texts, batch_size):
    texts = texts[-120:]
    expected = rows(open_nlp(config).find(column(*texts), 0.4))
    nlp = open_nlp(config | {"batch_size": batch_size})
    module._loaded.clear()
    order = list(range(len(texts)))
    random.Random(3).shuffle(order)  # noqa: S311 - a seed, not secrecy
    shuffled = rows(nlp.find(column(*(texts[i] for i in order)), 0.4))
    assert sorted((order[i], *rest) for i, *rest in shuffled) == sorted(expected)


def test_nulls_and_empty_texts_have_no_findings(config):
    nlp = open_nlp(config)
    for empty in (column(), column(None, "", None), pa.array([None], pa.string())):
        names = nlp.find(empty, 0.4)
        assert rows(names) == []
        assert names.unreadable.tolist() == []
        assert (names.text.dtype, names.entity.dtype) == (np.int64, np.int16)
    found = nlp.find(column(None, "I met Ravi Keller yesterday.", ""), 0.4)
    assert found.text.tolist() == [1]


def seen(loaded: Loaded, monkeypatch) -> list[str]:
    """Record the texts that reach the engine."""
    record: list[str] = []
    process = loaded.process

    def watched(batch):
        record.extend(batch)
        return process(batch)

    monkeypatch.setattr(loaded, "process", watched)
    return record


def test_no_text_is_looked_at_twice(config, monkeypatch):
    nlp = open_nlp(config | {"chunk_size": 201})
    record = seen(nlp.load(), monkeypatch)
    first = nlp.find(column("Ask Ravi Keller.", "It rained.", "Ask Ravi Keller."), 0.4)
    again = nlp.find(column("It rained.", "Ask Ravi Keller."), 0.9)
    assert sorted(record) == ["Ask Ravi Keller.", "It rained."]
    assert first.text.tolist() == [0, 2]
    assert rows(again) == []


@given(st.text("ab \n", max_size=400), st.integers(8, 60))
@settings(derandomize=True, database=None, max_examples=300, deadline=None)
def test_chunks_cover_a_text_and_keep_their_size(text, size):
    cut = list(chunks(text, size))
    assert [c.core_end for c in cut[:-1]] == [c.core_start for c in cut[1:]]
    assert (cut[0].start, cut[0].core_start) == (0, 0)
    assert (cut[-1].end, cut[-1].core_end) == (len(text), len(text))
    for c in cut:
        assert c.start <= c.core_start <= c.core_end <= c.end
        assert c.end - c.start <= size
        assert c.core_start < c.core_end or not text


@pytest.mark.parametrize("size", [200, 333, 1000])
def test_offsets_are_right_across_the_borders_of_chunks(folder, size):
    dice = random.Random(4)  # noqa: S311 - a seed, not secrecy
    text, planted = "", []
    while len(text) < 12_000:
        more, entities = write(dice.choice(SENTENCES), dice)
        planted += [(len(text) + s, len(text) + e, LABELS[label]) for s, e, label in entities]
        text += more + dice.choice([" ", "\n", "\r\n", " 😀 "])
    nlp = open_nlp({"engine": "spacy", "model": str(folder), "chunk_size": size})
    hit = {(s, e, entity) for _, s, e, _, entity in rows(nlp.find(column(text), 0.4))}
    assert len(hit & set(planted)) >= 0.95 * len(planted)
    assert len(hit) <= 1.05 * len(planted)


def by_pattern(batch):
    """An engine that is a pattern: what it finds does not depend on where a text was cut."""
    name = re.compile(rf"\b(?:{'|'.join(GIVEN)}) (?:{'|'.join(FAMILY)})\b")
    return [
        [RecognizerResult("PERSON", *match.span(), 0.85) for match in name.finditer(text)]
        for text in batch
    ]


@pytest.mark.parametrize("between", [" ", "", "\n", "—"])
def test_a_name_on_a_border_is_found_once(between):
    dice = random.Random(5)  # noqa: S311 - a seed, not secrecy
    people = (f"{dice.choice(GIVEN)} {dice.choice(FAMILY)}" for _ in range(20_000))
    text = "".join(name + between * (1 + dice.randrange(9)) for name in people)
    whole = [(r.start, r.end, 0.85, "PERSON") for r in by_pattern([text])[0]]
    found = Loaded(by_pattern, 8, 500).judge({b"1": text})[b"1"]
    assert sorted(found or ()) == whole


def test_what_only_the_end_of_a_piece_makes_a_name_is_none():
    def misled(batch):
        ends = [(0, 3), (-3, 0)]
        return [
            [RecognizerResult("PERSON", s % len(text), e or len(text), 0.9) for s, e in ends]
            for text in batch
        ]

    found = Loaded(misled, 8, 500).judge({b"1": "word " * 2000})[b"1"]
    assert sorted(found or ()) == [(0, 3, 0.9, "PERSON"), (9997, 10_000, 0.9, "PERSON")]


def test_a_batch_never_holds_more_than_a_longest_piece_may(monkeypatch):
    loaded = Loaded(by_pattern, 4, 1000)
    sizes = []
    monkeypatch.setattr(
        loaded,
        "process",
        lambda batch: sizes.append([len(text) for text in batch]) or by_pattern(batch),
    )
    loaded.judge({bytes([i]): "x " * (i * 37) for i in range(1, 60)})
    assert max(map(sum, sizes)) <= 1000
    assert max(map(len, sizes)) == 4


QUOTED = "Zebulon Quixote"


@Language.component("fails_on_some")
def fails_on_some(doc):
    if "boom" in doc.text:
        raise ValueError(doc.text)
    return doc


def test_a_failing_text_is_unreadable_and_leaves_the_others_alone(folder, tmp_path, caplog):
    pipeline = spacy.load(folder)
    pipeline.add_pipe("fails_on_some", last=True)
    pipeline.to_disk(tmp_path / "failing")
    nlp = open_nlp({"engine": "spacy", "model": "./failing"}, base=tmp_path)
    for _ in range(2):  # a failure is not remembered, and does no harm to what comes after
        names = nlp.find(
            column("I met Ravi Keller yesterday.", f"{QUOTED} boom", "Ask Ines Silva.", "boom"), 0.4
        )
        assert names.unreadable.tolist() == [1, 3]
        assert sorted(set(names.text.tolist())) == [0, 2]
        assert not nlp.load().process.engine.get_nlp("en").vocab.in_memory_zone
    assert QUOTED not in caplog.text


def test_a_long_text_is_unreadable_if_one_piece_fails():
    def process(batch):
        if any("boom" in text for text in batch):
            raise RuntimeError(batch[0])
        return by_pattern(batch)

    long = "Ravi Keller " * 100 + "boom " + "Ravi Keller " * 100
    found = Loaded(process, 4, 300).judge({b"1": long, b"2": "Ravi Keller"})
    assert found == {b"1": None, b"2": ((0, 11, 0.85, "PERSON"),)}


def test_bytes_that_are_no_text_are_unreadable(config):
    offsets = np.array([0, 3, 5, 33], dtype=np.int64)
    data = b"abc\xff\xfeI met Ravi Keller yesterday."
    broken = pa.LargeStringArray.from_buffers(3, pa.py_buffer(offsets), pa.py_buffer(data))
    names = open_nlp(config).find(broken, 0.4)
    assert names.unreadable.tolist() == [1]
    assert names.text.tolist() == [2]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"engine": "spacey"}, "pii.nlp.engine: wrong type or value"),
        ({"modle": "x"}, "pii.nlp.modle: unknown key. Did you mean `model`?"),
        ({"language": "de"}, "pii.nlp.model: a pipeline for the language `en`"),
        ({"entities": ["PERSN"]}, "pii.nlp.entities: no label is mapped to `PERSN`"),
        ({"entities": ["NRP"]}, "the model names no `NRP`. It names LOCATION, PERSON"),
        ({"model": "./nowhere"}, "no spaCy pipeline at `./nowhere`"),
        ({"model": "en_core_web_none"}, "run: python -m spacy download en_core_web_none"),
        ({"model": "blank:en"}, "is not installed"),
        ({"disable": "tagger"}, "no component `tagger` to disable. It has ner"),
        ({"disable": "ner"}, "the model names no `PERSON`. It names nothing"),
        ({"spacy_model": "en_core_web_sm"}, "engine spacy does not know it. Leave it out"),
        ({"chunk_size": 2_000_000}, "pii.nlp.chunk_size"),
        ({"ner_model_configuration": {"labels_to_ignor": []}}, "did you mean `labels_to_ignore`?"),
        ({"ner_model_configuration": {"default_score": "high"}}, "configuration.default_score"),
        ({"ner_model_configuration": {"labels_to_ignore": ["LOCATION"]}}, "`LOCATION` is ignored"),
    ],
)
def test_a_wrong_configuration_is_told_with_its_fix(config, changes, told):
    with pytest.raises(JobError) as caught:
        open_nlp(config | changes)
    assert told.casefold() in str(caught.value).casefold()
    assert all(fault.fix for fault in caught.value.faults)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


@pytest.mark.parametrize(
    ("engine", "model", "command"),
    [
        ("stanza", "en", 'pip install "presidio-analyzer[stanza]"'),
        ("transformers", "dslim/bert-base-NER", 'pip install "presidio-analyzer[transformers]"'),
        ("gliner", "urchade/gliner_multi_pii-v1", 'pip install "presidio-analyzer[gliner]"'),
    ],
)
def test_an_engine_that_is_missing_is_told_with_the_command(engine, model, command, monkeypatch):
    monkeypatch.setattr("corpusgate.filters.names.models.find_spec", lambda _: None)
    with pytest.raises(JobError) as caught:
        open_nlp({"engine": engine, "model": model})
    assert command in str(caught.value)


def test_nothing_is_fetched(folder, monkeypatch):
    def refused(*_args, **_more):
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("socket.getaddrinfo", refused)
    monkeypatch.setattr("spacy.cli.download", refused)
    monkeypatch.setattr("subprocess.Popen", refused)
    with pytest.raises(JobError):
        open_nlp({"engine": "spacy", "model": "en_core_web_sm_that_nobody_has"})
    module._loaded.clear()
    assert open_nlp({"engine": "spacy", "model": str(folder)}).find(column("x"), 0.4)


def test_a_label_can_be_given_a_meaning(config):
    nlp = open_nlp(config | {"labels": {"GPE": "TOWN"}, "entities": "TOWN"})
    found = rows(nlp.find(column("We moved to Oslo last year."), 0.4))
    assert found == [(0, 12, 16, 0.85, "TOWN")]


def test_an_installed_pipeline_is_opened_by_name(folder, tmp_path, monkeypatch, texts):
    name = package(folder, tmp_path)
    texts = texts[-60:]
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    nlp = open_nlp({"engine": "spacy", "model": name})
    told = nlp.describe()
    assert (told["model"], told["version"], told["digest"]) == ("en_names", "1.2.3", None)
    by_path = open_nlp({"engine": "spacy", "model": str(folder)})
    assert rows(nlp.find(column(*texts), 0.4)) == rows(by_path.find(column(*texts), 0.4))


def test_the_manifest_tells_which_model_it_was(config):
    told = open_nlp(config).describe()
    assert told["engine"] == "spacy"
    assert (told["version"], told["language"]) == ("1.2.3", "en")
    assert re.fullmatch("sha256:[0-9a-f]{64}", told["digest"])
    assert set(told["libraries"]) == {"presidio-analyzer", "spacy"}
    json.dumps(told)


def test_the_fingerprint_says_what_decides_findings(folder, config, tmp_path):
    mine = open_nlp(config).fingerprint
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    same = [{"model": "./elsewhere"}, {"batch_size": 3}, {"entities": ["PERSON", "LOCATION"]}]
    other = [{"entities": "PERSON"}, {"chunk_size": 5000}, {"labels": {"GPE": "PERSON"}}]
    for changes in same:
        assert open_nlp(config | changes, base=tmp_path).fingerprint == mine
    for changes in other:
        changed = {**config, "entities": "PERSON", **changes}
        assert open_nlp(changed).fingerprint != mine
    (elsewhere / "tokenizer").write_bytes(b"")
    assert open_nlp(config | {"model": "./elsewhere"}, base=tmp_path).fingerprint != mine


def test_a_model_that_changed_since_the_check_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    nlp = open_nlp({"engine": "spacy", "model": "./copy"}, base=tmp_path)
    meta = json.loads((tmp_path / "copy" / "meta.json").read_text())
    (tmp_path / "copy" / "meta.json").write_text(json.dumps(meta | {"version": "1.2.4"}))
    with pytest.raises(JobError, match="has changed since the job was checked"):
        nlp.find(column("x"), 0.4)


def test_a_model_that_cannot_be_loaded_is_told(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "ner" / "model").unlink()
    nlp = open_nlp({"engine": "spacy", "model": "./copy"}, base=tmp_path)
    with pytest.raises(JobError, match="cannot be loaded"):
        nlp.load()


def test_threads_share_one_model(config, texts, monkeypatch):
    texts = texts[-60:]
    module._loaded.clear()
    nlp = open_nlp(config)
    expected = rows(open_nlp(config | {"batch_size": 3}).find(column(*texts), 0.4))
    module._loaded.clear()
    loads = []
    original = module.Loaded
    monkeypatch.setattr(module, "Loaded", lambda *a: loads.append(1) or original(*a))
    start = threading.Barrier(4)

    def work(_):
        start.wait()
        return rows(nlp.find(column(*texts), 0.4))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [expected] * 4
    assert loads == [1]


WORKER = """
import pickle, sys
import pyarrow as pa
nlp, texts = pickle.load(sys.stdin.buffer)
pickle.dump(nlp.find(pa.array(texts, pa.large_string()), 0.4), sys.stdout.buffer)
"""


def test_workers_open_the_model_for_themselves(config, texts):
    nlp = open_nlp(config)
    nlp.load()
    sent = pickle.dumps((nlp, texts[:20]))
    assert len(sent) < 20_000
    done = subprocess.run(
        [sys.executable, "-c", WORKER], input=sent, capture_output=True, check=True
    )
    there = pickle.loads(done.stdout)  # noqa: S301 - ours
    assert rows(there) == rows(nlp.find(column(*texts[:20]), 0.4))


def test_checking_a_job_loads_neither_spacy_nor_presidio(folder):
    code = (
        "import sys; from corpusgate.filters.names.nlp import open_nlp;"
        f"open_nlp({{'engine': 'spacy', 'model': {str(folder)!r}}});"
        "print(sorted({'spacy', 'presidio_analyzer', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_trained_model_is_the_same_every_time(folder, tmp_path):
    train().to_disk(tmp_path / "again")
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        again = tmp_path / "again" / Path(file).relative_to(folder)
        assert file.read_bytes() == again.read_bytes()
