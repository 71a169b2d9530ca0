"""YAML text → plain data, with the line and column of every key.

Stricter than YAML 1.1 where a slip could change what a policy means: a key given twice is an
error, and so is an alias; only `true` and `false` are booleans; times and fractions stay strings,
so that a time without an offset cannot be read as some zone's, nor version 1.10 as 1.1.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from .errors import Fault

Path = tuple[str | int, ...]

_LISTED: Final = 20
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER: Final = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})")
_PLAIN: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """Data of a YAML file, where each of its parts stands, and what is wrong with its form."""

    data: Any
    positions: dict[Path, tuple[int, int]]
    faults: tuple[Fault, ...] = ()

    def position(self, path: Path) -> str:
        r"""Give `line:column` of a path, or of its nearest ancestor that stands in the file.

        >>> parse_document("a:\n  b: 1").position(("a", "b", "c"))
        '2:3'
        """
        for end in range(len(path), -1, -1):
            if path[:end] in self.positions:
                line, column = self.positions[path[:end]]
                return f"{line}:{column}"
        return ""


@dataclass
class _Builder:
    positions: dict[Path, tuple[int, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def build(self, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401 - YAML is any data
        self.positions.setdefault(path, _mark(node))
        if id(node) in self.seen:
            self._fault(path, "an alias", "write it out", node)
            return None
        if not isinstance(node, yaml.ScalarNode):
            self.seen.add(id(node))
            if node.tag not in {f"{_PLAIN}map", f"{_PLAIN}seq"}:
                self._fault(path, f"the YAML tag `{node.tag}`", "write plain values", node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(path, "a key that is no word", "write plain keys", key_node)
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in data or key == "<<":
                what = "a merge key" if key == "<<" else "this key stands here twice"
                self._fault(here, what, "write each key once, in full", key_node)
                continue
            self.positions[here] = _mark(key_node)
            data[key] = self.build(value_node, here)
        return data

    def _scalar(self, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401 - YAML is any data
        text = str(node.value)
        match node.tag.removeprefix(_PLAIN):
            case "null" if text in _NULLS:
                return None
            case "bool" if text.lower() in {"true", "false"}:
                return text.lower() == "true"
            case "int" if _INTEGER.fullmatch(text):
                return int(text)
            case "str" | "bool" | "int" | "float" | "timestamp" | "value":
                return text
            case tag:
                self._fault(path, f"the YAML tag `{tag}`", "write plain values", node)
                return text

    def _fault(self, path: Path, what: str, fix: str, node: yaml.Node) -> None:
        line, column = _mark(node)
        self.faults.append(Fault(spell(path), what, fix, f"{line}:{column}"))


def parse_document(text: str) -> Document:
    r"""Read one YAML document.

    Faults of form stand in `faults`; with a syntax error `data` is None.

    >>> parse_document("cutoff: 2023-03-01T00:00:00Z\nanswer: yes").data
    {'cutoff': '2023-03-01T00:00:00Z', 'answer': 'yes'}
    >>> [str(fault) for fault in parse_document("a: 1\na: 2").faults]
    ['2:1 a: this key stands here twice. Write each key once, in full']
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        position = f"{mark.line + 1}:{mark.column + 1}" if mark else ""
        fault = Fault("file", f"not YAML: {error.problem}", "mend the syntax", position)
        return Document(None, {}, (fault,))
    except yaml.YAMLError:
        return Document(None, {}, (Fault("file", "not YAML text", "save it as UTF-8 text"),))
    except RecursionError:
        return Document(None, {}, (Fault("file", "nested too deeply", "write it flat"),))
    if node is None:
        return Document({}, {})
    builder = _Builder()
    data = builder.build(node, ())
    return Document(data, builder.positions, tuple(builder.faults))


def spell(path: Path) -> str:
    """Write a path as people do.

    >>> spell(("forbid", 0, "when"))
    'forbid[0].when'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "file"


def suggest(word: str, known: Iterable[str]) -> str:
    """Give `did you mean …?` for the nearest known word, or the list of them.

    >>> suggest("orgid", ["org_id", "user_id"])
    'did you mean `org_id`?'
    """
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    more = ", …" if len(names) > _LISTED else ""
    return f"did you mean `{near[0]}`?" if near else f"one of {', '.join(names[:_LISTED])}{more}"


def _mark(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
