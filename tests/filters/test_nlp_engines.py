"""The optional engines, each where it is installed, on models that the test makes.

GLiNER's and torch's own imports warn: run this file with `-o filterwarnings=default` there.
"""

import os
import random
import sys
from importlib.resources import files
from types import SimpleNamespace

import pyarrow as pa
import pytest
import spacy
import yaml
from corpusgate.filters.errors import JobError
from corpusgate.filters.names.engines import _offline, _Pipeline, _StanzaOffsets
from corpusgate.filters.names.nlp import open_nlp
from corpusgate.filters.names.spec import NlpSpec
from nlp_models.small import SENTENCES, write
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpEngineProvider

BOTH = ["LOCATION", "PERSON"]


@pytest.fixture(scope="module")
def texts():
    dice = random.Random(7)  # noqa: S311 - a seed, not secrecy
    made = [
        " ".join(write(dice.choice(SENTENCES), dice)[0] for _ in range(dice.randint(1, 20)))
        for _ in range(30)
    ]
    return [*made, "", " \r\n", "😀 Greta Santos lives in Leeds.", "\nIch bin Ravi Keller\r\n"]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refused(*_args, **_more):
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("socket.getaddrinfo", refused)


def rows(names):
    fields = zip(names.text, names.start, names.end, names.score, names.entity, strict=True)
    return [(int(t), int(s), int(e), float(c), names.entities[n]) for t, s, e, c, n in fields]


def total(found):
    return sorted(found, key=lambda r: (r[0], r[1], -r[2], -r[3], r[4]))


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    pytest.importorskip("transformers", reason="the extra presidio-analyzer[transformers]")
    from nlp_models.hub import train_bert

    folder = tmp_path_factory.mktemp("hub")
    train_bert(folder / "bert")
    train_bert(folder / "bounded", longest=None)
    spacy.blank("en").to_disk(folder / "tokens")
    return folder


@pytest.mark.parametrize("tokens", [{}, {"spacy_model": "./tokens"}])
def test_transformers_findings_equal_those_of_analyzer_engine(hub, texts, tokens):
    conf = files("presidio_analyzer").joinpath("conf", "transformers.yaml")
    shipped = yaml.safe_load(conf.read_text("utf-8"))
    names = {"spacy": str(hub / "tokens"), "transformers": str(hub / "bert")}
    shipped["models"][0]["model_name"] = names
    engine = NlpEngineProvider(nlp_configuration=shipped).create_engine()
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.add_nlp_recognizer(engine)
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine)
    theirs = total(
        (i, r.start, r.end, float(r.score), r.entity_type)
        for i, text in enumerate(texts)
        for r in analyzer.analyze(text, "en", entities=BOTH, score_threshold=0.4)
    )
    nlp = open_nlp({"engine": "transformers", "model": "./bert", **tokens}, base=hub)
    ours = rows(nlp.find(pa.array(texts, pa.large_string()), 0.4))
    assert ours == theirs
    assert len(ours) > 200


def test_a_text_on_which_a_transformers_model_fails_is_unreadable(hub, texts):
    nlp = open_nlp({"engine": "transformers", "model": "./bounded"}, base=hub)
    long = "Ravi Keller lives in Oslo. " * 40
    names = nlp.find(pa.array(["I met Ravi Keller yesterday.", long], pa.large_string()), 0.4)
    assert names.unreadable.tolist() == [1]
    assert set(names.text.tolist()) == {0}


def test_a_model_of_the_hub_is_taken_from_its_cache_or_not_at_all(hub, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "models--ours--bert"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(commit)
    (home / "snapshots").mkdir()
    (home / "snapshots" / commit).symlink_to(hub / "bert", target_is_directory=True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    nlp = open_nlp({"engine": "transformers", "model": "ours/bert"})
    assert (nlp.describe()["version"], nlp.describe()["digest"]) == (commit, None)
    assert rows(nlp.find(pa.array(["I met Ravi Keller yesterday."], pa.large_string()), 0.4))
    with pytest.raises(JobError, match=r"hf download theirs/bert; for a folder, write"):
        open_nlp({"engine": "transformers", "model": "theirs/bert"})


def test_gliner_findings_equal_those_of_its_recogniser(tmp_path, texts):
    pytest.importorskip("gliner", reason="the extra presidio-analyzer[gliner]")
    from nlp_models.hub import make_gliner
    from presidio_analyzer.predefined_recognizers.ner import GLiNERRecognizer

    make_gliner(tmp_path)
    recognizer = GLiNERRecognizer(
        model_name=str(tmp_path / "model"),
        entity_mapping={"person": "PERSON", "location": "LOCATION"},
    )
    theirs = total(
        (i, r.start, r.end, r.score, r.entity_type)
        for i, text in enumerate(texts)
        for r in EntityRecognizer.remove_duplicates(recognizer.analyze(text, BOTH) if text else [])
        if r.score >= 0.4
    )
    nlp = open_nlp({"engine": "gliner", "model": str(tmp_path / "model")})
    assert rows(nlp.find(pa.array(texts, pa.large_string()), 0.4)) == theirs
    assert theirs
    no_spaces = nlp.find(pa.array(["名前" * 900], pa.large_string()), 0.0)
    assert max(e - s for _, s, e, _, _ in rows(no_spaces)) <= 375


def test_stanza_entities_keep_stanzas_own_offsets(monkeypatch):
    """With a stand-in for the pipeline: Stanza's models take minutes to train."""
    text = "Je viens du Mans, dit Anne."
    found = [("LOC", 9, 16), ("PER", 22, 26), ("MISC", 0, 2)]

    def bulk_process(documents):
        spans = [SimpleNamespace(type=t, start_char=s, end_char=e) for t, s, e in found]
        return [SimpleNamespace(text=d.text, entities=spans) for d in documents]

    document = SimpleNamespace(Document=lambda _, text: SimpleNamespace(text=text))
    monkeypatch.setitem(sys.modules, "stanza", document)
    ner = NerModelConfiguration(labels_to_ignore=["MISC"])
    engine = _StanzaOffsets.__new__(_StanzaOffsets)
    engine.ner_model_configuration = ner
    spec = NlpSpec(engine="stanza", model="fr", language="fr")
    process = _Pipeline(spec, engine, SimpleNamespace(bulk_process=bulk_process))
    (results,) = process([text])
    assert [(r.entity_type, text[r.start : r.end]) for r in results] == [
        ("LOCATION", "du Mans"),
        ("PERSON", "Anne"),
    ]


def test_the_environment_is_as_it_was_once_a_model_is_loaded(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    with _offline():
        assert (os.environ["HF_HUB_OFFLINE"], os.environ["TRANSFORMERS_OFFLINE"]) == ("1", "1")
    assert os.environ["HF_HUB_OFFLINE"] == "0"
    assert "TRANSFORMERS_OFFLINE" not in os.environ
