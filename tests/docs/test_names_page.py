"""The page on names: its keys, defaults and commands are the code's."""

import pytest
import yaml
from corpusgate.filters.errors import JobError
from corpusgate.filters.names.models import ENGINES
from corpusgate.filters.names.nlp import open_nlp
from corpusgate.filters.names.spec import NlpSpec

from docs.pages import blocks, codes, page, section, table

PAGE = page("names.md")


def test_the_example_is_a_configuration_that_only_wants_its_model():
    (example,) = (block for block in blocks(PAGE) if block.kind == "yaml")
    spec = yaml.safe_load(example.text)["pii"]["nlp"]
    NlpSpec.model_validate(spec)
    with pytest.raises(JobError, match="python -m spacy download a_model_that_is_not_here"):
        open_nlp(spec | {"model": "a_model_that_is_not_here"})


def test_keys_and_defaults_are_those_of_the_code():
    told = {
        key: row["default"] for row in table(section(PAGE, "Keys")) for key in codes(row["key"])
    }
    fields = NlpSpec.model_fields
    assert set(told) == set(fields)
    assert codes(told["language"]) == [fields["language"].default]
    assert int(told["batch_size"]) == fields["batch_size"].default
    assert int(told["chunk_size"]) == fields["chunk_size"].default
    assert set(yaml.safe_load(codes(told["entities"])[0])) == set(fields["entities"].default)


def test_install_commands_are_those_of_the_messages():
    rows = {codes(row["engine"])[0]: row["install"] for row in table(PAGE)}
    assert set(rows) == set(ENGINES)
    for name, engine in ENGINES.items():
        assert name == "spacy" or codes(rows[name]) == [engine.install]
