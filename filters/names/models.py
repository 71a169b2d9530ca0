"""Finding a model on this machine, without loading it and without the network.

Presidio and the engines fetch what is missing. A gate that reads people's text must not talk to
anyone, and must not take another model than the one that was looked at: what is not here is a
fault, with the command that gets it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ..errors import Fault
from .spec import NlpSpec


@dataclass(frozen=True)
class Engine:
    """An optional engine: its name, the modules it needs, and how to get them."""

    title: str
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    install: str


ENGINES: Final = {
    "spacy": Engine("spaCy", ("spacy",), ("spacy",), "pip install spacy"),
    "stanza": Engine(
        "Stanza", ("stanza",), ("stanza", "torch"), 'pip install "presidio-analyzer[stanza]"'
    ),
    "transformers": Engine(
        "transformers",
        ("transformers", "torch"),
        ("transformers", "tokenizers", "torch", "spacy"),
        'pip install "presidio-analyzer[transformers]"',
    ),
    "gliner": Engine(
        "GLiNER",
        ("gliner",),
        ("gliner", "transformers", "torch"),
        'pip install "presidio-analyzer[gliner]"',
    ),
}

# Components of a spaCy pipeline whose labels are no names of anything.
_OTHER_LABELS: Final = frozenset(
    {
        *("tok2vec", "transformer", "tagger", "morphologizer", "parser", "senter", "sentencizer"),
        *("attribute_ruler", "lemmatizer", "trainable_lemmatizer", "entity_linker"),
        *("textcat", "textcat_multilabel", "merge_entities", "merge_noun_chunks", "doc_cleaner"),
    }
)


@dataclass(frozen=True)
class Model:
    """A model that is here.

    `place` is what its engine loads: a folder, or the name of an installed spaCy pipeline.
    `version` is the model's own word; `digest` covers every file of a folder that somebody named.
    `labels` are those it can give, None if its files do not say.
    """

    place: str
    version: str | None
    digest: str | None
    labels: frozenset[str] | None

    @property
    def identity(self) -> dict[str, str | None]:
        """What tells this model from another one, wherever it lies."""
        name = None if self.digest else self.place
        return {"name": name, "version": self.version, "digest": self.digest}


def find_model(spec: NlpSpec, base: Path, where: str) -> Model | Fault:
    """Find the model that a job names, or say how to get it."""
    engine = ENGINES[spec.engine]
    for module in engine.modules:
        if find_spec(module) is None:
            what = f"{engine.title} is not installed: there is no module `{module}`"
            return Fault(f"{where}.engine", what, f"run: {engine.install}")
    place = f"{where}.model"
    match spec.engine:
        case "spacy":
            return find_spacy(spec.model, spec.language, tuple(spec.disable), base, place)
        case "stanza":
            return _find_stanza(spec, base, place)
        case "transformers":
            return _find_hub(spec.model, base, place, "config.json")
        case "gliner":
            return _find_hub(spec.model, base, place, "gliner_config.json")


def find_spacy(
    name: str, language: str, disable: tuple[str, ...], base: Path, where: str
) -> Model | Fault:
    """Find a spaCy pipeline, installed or saved to a folder."""
    if _is_path(name):
        folder = _folder(name, base)
        if not (folder / "meta.json").is_file():
            return Fault(
                where,
                f"no spaCy pipeline at `{name}`: it holds no meta.json",
                "give the folder that `spacy train` or `nlp.to_disk` wrote",
            )
        return _spacy_meta(
            folder, Model(str(folder), None, digest(folder), None), language, disable, where
        )
    try:
        # spaCy itself goes by this, and fetches nothing once it is there.
        metadata.distribution(name)
        found = find_spec(name) if name.isidentifier() else None
    except metadata.PackageNotFoundError:
        found = None
    if found is None or not found.submodule_search_locations:
        return Fault(
            where,
            f"the spaCy pipeline `{name}` is not installed",
            f"run: python -m spacy download {name}; for a folder, write ./{name}",
        )
    folder = Path(next(iter(found.submodule_search_locations)))
    return _spacy_meta(folder, Model(name, None, None, None), language, disable, where)


def _spacy_meta(
    folder: Path, model: Model, language: str, disable: tuple[str, ...], where: str
) -> Model | Fault:
    """Add what a pipeline says of itself, or say why it is not the one that is wanted."""
    meta = _json(folder / "meta.json")
    spoken = meta.get("lang")
    if spoken not in {language, "xx"}:
        what = f"a pipeline for the language `{spoken}`, and the job says `{language}`"
        return Fault(where, what, f"write `language: {spoken}`, or name another model")
    components = list(meta.get("pipeline", ()))
    for name in disable:
        if name not in components:
            what = f"the pipeline has no component `{name}` to disable"
            return Fault(where, what, f"it has {', '.join(components)}")
    naming = [name for name in components if name not in {*disable, *_OTHER_LABELS}]
    told = [meta.get("labels", {}).get(name) for name in naming]
    # A component of somebody's own may name things without saying which.
    labels = frozenset(label for each in told for label in each) if all(told) else None
    return replace(model, version=meta.get("version"), labels=labels)


def _find_stanza(spec: NlpSpec, base: Path, where: str) -> Model | Fault:
    path, language = _is_path(spec.model), spec.language
    if not path and spec.model != language:
        what = f"models for the language `{spec.model}`, and the job says `{language}`"
        return Fault(where, what, f"write `language: {spec.model}`")
    folder = _folder(spec.model, base) if path else _stanza_home()
    wanted = [folder / language / part for part in ("tokenize", "ner")]
    if (folder / "resources.json").is_file() and all(any(p.glob("*.pt")) for p in wanted):
        return Model(str(folder), None, digest(folder, language), None)
    command = f"stanza.download('{language}', processors='tokenize,ner'"
    command += f", model_dir='{spec.model}')" if path else ")"
    return Fault(
        where,
        f"no Stanza models for `{language}` at `{folder if not path else spec.model}`",
        f'run: python -c "import stanza; {command}"',
    )


def _stanza_home() -> Path:
    return Path(import_module("stanza.resources.common").DEFAULT_MODEL_DIR)


def _find_hub(name: str, base: Path, where: str, config: str) -> Model | Fault:
    """Find a model of the Hugging Face hub: a folder, or in the cache of what was fetched."""
    folder = _folder(name, base)
    if folder.is_dir():
        if not (folder / config).is_file():
            what = f"no model at `{name}`: it holds no {config}"
            return Fault(where, what, "give the folder that `save_pretrained` wrote")
        return Model(str(folder), None, digest(folder), _id2label(folder))
    if name.startswith((".", "~", os.sep)):
        return Fault(where, f"there is no folder `{name}`", "give a folder, or a model's name")
    try:
        cached = import_module("huggingface_hub").try_to_load_from_cache(name, config)
    except ValueError:  # no name that the hub could have
        cached = None
    snapshot = Path(cached).parent if isinstance(cached, str) else None
    weights = ("*.safetensors", "*.bin", "*.onnx")
    if snapshot is None or not any(any(snapshot.rglob(kind)) for kind in weights):
        what = f"the model `{name}` is not on this machine"
        return Fault(where, what, f"run: hf download {name}; for a folder, write ./{name}")
    # A snapshot's folder has the name of its commit.
    return Model(str(snapshot), snapshot.name, None, _id2label(snapshot))


def _id2label(folder: Path) -> frozenset[str] | None:
    named = _json(folder / "config.json").get("id2label")
    if not isinstance(named, dict):
        return None
    return frozenset(label.removeprefix("B-").removeprefix("I-") for label in named.values())


def digest(folder: Path, *below: str) -> str:
    """Give one SHA-256 over the names and contents of all files in a folder, or in parts of it."""
    whole = hashlib.sha256()
    for path in sorted(_files(folder.joinpath(*below)), key=lambda path: path.as_posix()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _is_path(name: str) -> bool:
    return name.startswith((".", "~")) or "/" in name or os.sep in name


def _folder(name: str, base: Path) -> Path:
    return (base / Path(name).expanduser()).resolve()


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
