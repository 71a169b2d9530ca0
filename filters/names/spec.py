"""What a job says about the engine that finds names: its keys, and what its labels mean.

The labels of a model (GPE, PER, B-LOC, …) become Presidio's entities through Presidio's own
configuration for the engine; `labels` adds to it, `ner_model_configuration` replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..document import Document, suggest
from ..errors import Fault
from ..policy_file import model_faults

ENTITIES: Final = ("LOCATION", "PERSON")

_ONLY: Final = {
    "disable": ("spacy",),
    "spacy_model": ("transformers",),
    "ner_model_configuration": ("spacy", "stanza", "transformers"),
}
# Asked for every word it knows, GLiNER names more than is wanted and gets slow: only these.
_GLINER_LABELS: Final = {
    "person": "PERSON",
    "location": "LOCATION",
    "organization": "ORGANIZATION",
    "date": "DATE_TIME",
}


class NlpSpec(BaseModel):
    """The keys of `pii.nlp` in a job file.

    `model` is a name or a folder. `labels` maps labels of the model to entities. `disable` names
    components of a spaCy pipeline that need not run; `spacy_model` is the pipeline that splits
    words for a transformers model (without it, spaCy's rules for the language do).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    engine: Literal["spacy", "stanza", "transformers", "gliner"]
    model: str = Field(min_length=1)
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}$")
    entities: list[str] = Field(default=list(ENTITIES), min_length=1)
    labels: dict[str, str] = Field(default_factory=dict)
    batch_size: int = Field(default=64, ge=1)
    chunk_size: int = Field(default=100_000, ge=200, le=1_000_000)  # spaCy refuses longer texts
    disable: list[str] = Field(default_factory=list)
    spacy_model: str | None = None
    ner_model_configuration: dict[str, Any] | None = None

    @field_validator("entities", "disable", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("entities")
    @classmethod
    def _sorted(cls, value: list[str]) -> list[str]:
        return sorted(set(value))


@dataclass(frozen=True)
class Labels:
    """What a model's labels mean, as Presidio's `NerModelConfiguration` takes it."""

    configuration: dict[str, Any]

    @property
    def mapping(self) -> dict[str, str]:
        """Labels and the entities that they stand for."""
        return dict(self.configuration["model_to_presidio_entity_mapping"])

    def of(self, entity: str) -> list[str]:
        """Give the labels that stand for an entity, the ignored ones left out.

        >>> read_labels(NlpSpec(engine="gliner", model="m"), None).of("PERSON")
        ['person']
        """
        ignored = set(self.configuration["labels_to_ignore"])
        found = [label for label, meant in self.mapping.items() if meant == entity]
        return [] if entity in ignored else sorted(set(found) - ignored)


def read_spec(config: Mapping[str, Any], where: str) -> NlpSpec | list[Fault]:
    """Read the keys of `pii.nlp`, or say all that is wrong with them.

    >>> for fault in read_spec({"engine": "spacy", "modell": "x"}, "pii.nlp"):
    ...     print(fault)
    pii.nlp.model: this key is missing. Add it
    pii.nlp.modell: unknown key. Did you mean `model`?
    """
    try:
        spec = NlpSpec.model_validate(dict(config))
    except ValidationError as error:
        return [
            Fault(
                f"{where}.{fault.where}",
                fault.what,
                suggest(fault.where.rpartition(".")[2], NlpSpec.model_fields)
                if fault.what == "unknown key"
                else fault.fix,
            )
            for fault in model_faults(error, Document(None, {}))
        ]
    faults = [
        Fault(f"{where}.{key}", f"engine {spec.engine} does not know it", "leave it out")
        for key, engines in _ONLY.items()
        if key in spec.model_fields_set and spec.engine not in engines
    ]
    faults += _configuration_faults(spec.ner_model_configuration or {}, where)
    return faults or spec


def read_labels(spec: NlpSpec, known: frozenset[str] | None) -> Labels:
    """Work out what the labels mean.

    `known` are the labels that the model can give, None if its files do not say. Those that lead
    to nothing wanted are ignored from the start: Presidio would drop them later, with a warning
    for each.
    """
    wanted = set(spec.entities)
    if spec.engine == "gliner":
        mapping = {k: v for k, v in (spec.labels or _GLINER_LABELS).items() if v in wanted}
        return Labels({"model_to_presidio_entity_mapping": mapping, "labels_to_ignore": []})
    given = spec.ner_model_configuration
    base = _presidio_configuration(spec.engine) if given is None else given
    mapping = base.get("model_to_presidio_entity_mapping") or _default_mapping()
    mapping = {**mapping, **spec.labels}
    ignored = set(base.get("labels_to_ignore") or ()) - {None}
    if given is None:
        # Presidio's list is a matter of taste (organisations: "many false positives"). Who asks
        # for an entity by name has decided otherwise.
        ignored -= wanted | {label for label, entity in mapping.items() if entity in wanted}
    ignored |= {label for label in known or () if mapping.get(label, label) not in wanted} - wanted
    low = sorted(set(base.get("low_score_entity_names") or ()) - {None})
    return Labels(
        {
            **base,
            "model_to_presidio_entity_mapping": mapping,
            "labels_to_ignore": sorted(ignored),
            "low_score_entity_names": low,
        }
    )


def label_faults(
    spec: NlpSpec, labels: Labels, known: frozenset[str] | None, where: str
) -> Iterator[Fault]:
    """Say which of the wanted entities this model can never find."""
    possible = {entity for label, entity in labels.mapping.items() if label in (known or ())}
    for entity in spec.entities:
        of = labels.of(entity)
        if not of and entity in labels.mapping.values():
            what = f"`{entity}` is ignored"
            fix = "take it and its labels off ner_model_configuration.labels_to_ignore"
        elif not of:
            what = f"no label is mapped to `{entity}`"
            fix = f"add `labels: {{LABEL: {entity}}}` with a label of the model"
        elif known is not None and not known.intersection(of):
            what = f"the model names no `{entity}`"
            fix = f"it names {', '.join(sorted(possible)) or 'nothing that Presidio knows'}"
        else:
            continue
        yield Fault(f"{where}.entities", what, fix)


def _configuration_faults(given: dict[str, Any], where: str) -> Iterator[Fault]:
    if not given:
        return
    from presidio_analyzer.nlp_engine import NerModelConfiguration

    place = f"{where}.ner_model_configuration"
    fields = NerModelConfiguration.model_fields
    for key in sorted(set(given) - set(fields)):  # Presidio itself would pass over them
        yield Fault(f"{place}.{key}", "unknown key", suggest(key, fields))
    try:
        NerModelConfiguration.model_validate(given)
    except ValidationError as error:
        for fault in model_faults(error, Document(None, {})):
            yield Fault(f"{place}.{fault.where}", fault.what, fault.fix)


def _presidio_configuration(engine: str) -> dict[str, Any]:
    """Read the configuration that Presidio ships for an engine.

    By its path: importing Presidio would load spaCy, and checking a job should not take seconds.
    """
    found = find_spec("presidio_analyzer")
    folder = Path(next(iter(found.submodule_search_locations or ()))) if found else Path()
    text = (folder / "conf" / f"{engine}.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text)["ner_model_configuration"])


def _default_mapping() -> dict[str, str]:
    from presidio_analyzer.nlp_engine import NerModelConfiguration

    return dict(NerModelConfiguration().model_to_presidio_entity_mapping or {})
