"""A small spaCy pipeline that names people and places, trained in seconds on sentences of ours.

It knows its own few templates and little else: enough to see that names are found where they
stand, far too little for anything but tests.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import spacy
from spacy.training import Example
from spacy.util import fix_random_seed

if TYPE_CHECKING:
    from spacy.language import Language

GIVEN = (
    *("Marta", "Jonas", "Aylin", "Tomasz", "Ines", "Ravi", "Oskar"),
    *("Leila", "Pedro", "Hanna", "Yusuf", "Greta", "Noor"),
)
FAMILY = (
    *("Keller", "Novak", "Demir", "Okafor", "Lindqvist", "Moreau"),
    *("Santos", "Petrov", "Haddad", "Brandt", "Silva"),
)
PLACES = (
    *("Lisbon", "Utrecht", "Ankara", "Krakow", "Porto", "Leeds"),
    *("Malmo", "Tunis", "Graz", "Oslo", "Bergen"),
)
SENTENCES = (
    "{P} lives in {L}.",
    "My name is {P} and I am from {L}.",
    "I met {P} yesterday.",
    "We moved to {L} last year.",
    "Please call {P} about the order.",
    "The office in {L} is closed.",
    "Ask {P} or {P}.",
    "Dear {P}, thank you.",
    "The function returns a list.",
    "It rained all day.",
    "Nobody knows why it fails.",
    "How do I sort a table by date?",
)
_TOK2VEC = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 32,
    "depth": 2,
    "embed_size": 300,
    "window_size": 1,
    "maxout_pieces": 3,
    "subword_features": True,
}
_NER = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "ner",
    "extra_state_tokens": False,
    "hidden_width": 32,
    "maxout_pieces": 2,
    "use_upper": True,
    "tok2vec": _TOK2VEC,
}

Entity = tuple[int, int, str]


def write(template: str, dice: random.Random) -> tuple[str, list[Entity]]:
    """Fill a template: the text, and where its people (PERSON) and places (GPE) stand."""
    text, entities = "", []
    for part in re.split(r"(\{.\})", template):
        if part in {"{P}", "{L}"}:
            person = f"{dice.choice(GIVEN)} {dice.choice(FAMILY)}"
            name = person if part == "{P}" else dice.choice(PLACES)
            label = "PERSON" if part == "{P}" else "GPE"
            entities.append((len(text), len(text) + len(name), label))
            text += name
        else:
            text += part
    return text, entities


def train(examples: int = 400, rounds: int = 10) -> Language:
    """Train the pipeline. The same every time."""
    dice = random.Random(0)  # noqa: S311 - a seed, not secrecy
    fix_random_seed(0)
    nlp = spacy.blank("en", meta={"name": "names", "version": "1.2.3"})
    nlp.add_pipe("ner", config={"model": _NER})
    gold = []
    for _ in range(examples):
        text, entities = write(dice.choice(SENTENCES), dice)
        gold.append(Example.from_dict(nlp.make_doc(text), {"entities": entities}))
    optimizer = nlp.initialize(lambda: gold)
    for _ in range(rounds):
        dice.shuffle(gold)
        for start in range(0, len(gold), 32):
            nlp.update(gold[start : start + 32], sgd=optimizer, drop=0.1)
    return nlp


def package(folder: Path, site: Path) -> str:
    """Lay a saved pipeline out as `pip install` would, under `site`; give the package's name."""
    name, version = "en_names", "1.2.3"
    home = site / name
    home.mkdir(parents=True)
    (home / f"{name}-{version}").symlink_to(folder, target_is_directory=True)
    (home / "meta.json").write_bytes((folder / "meta.json").read_bytes())
    (home / "__init__.py").write_text(
        "from spacy.util import load_model_from_init_py\n\n\n"
        "def load(**overrides):\n"
        "    return load_model_from_init_py(__file__, **overrides)\n"
    )
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return name


if __name__ == "__main__":
    train().to_disk(sys.argv[1])
