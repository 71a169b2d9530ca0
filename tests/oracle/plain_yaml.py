"""YAML in which only `true` and `false` are booleans and a time stays the text it was."""

import re
from pathlib import Path
from typing import Any

import yaml


class _PlainLoader(yaml.SafeLoader):
    """A safe loader with three scalar types beside text: boolean, integer, null."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, refusing a key that stands twice: the second would win silently."""
        keys = [key.value for key, _ in node.value]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"{node.start_mark}: key given twice: {', '.join(twice)}")
        return super().construct_mapping(node, deep)


_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf")
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789")
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""]
)


def parse_yaml(text: str) -> Any:
    """Return the plain data of a YAML text.

    >>> parse_yaml("{region: no, on: 2023-03-01T00:00:00Z, holds: null, n: 3, yes: true}")
    {'region': 'no', 'on': '2023-03-01T00:00:00Z', 'holds': None, 'n': 3, 'yes': True}
    """
    return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader


def read_yaml(path: Path) -> Any:
    """Return the plain data of a YAML file."""
    return parse_yaml(path.read_text(encoding="utf-8"))
