"""Paths to text inside a column: `text`, `messages[].content`, `meta.title`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.types as pt

from .document import suggest
from .errors import SchemaError

_STEP: Final = re.compile(r"\.(?P<field>[^.\[\]]+)|(?P<items>\[\])")
_ROOT: Final = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True)
class TextPath:
    """A column and the steps into it: a struct's field by name, or all items of a list (None)."""

    text: str
    column: str
    steps: tuple[str | None, ...]

    def check(self, schema: pa.Schema) -> None:
        """Raise SchemaError unless the path leads to strings in this schema."""
        where = f"text path `{self.text}`"
        if self.column not in schema.names:
            what = f"there is no column `{self.column}`"
            raise SchemaError(where, what, suggest(self.column, schema.names))
        kind = schema.field(self.column).type
        for step in self.steps:
            kind = _into(kind, step, where)
        if pt.is_dictionary(kind):
            kind = kind.value_type
        if not is_text(kind):
            raise SchemaError(where, f"it leads to {kind}, not to text", "name a string inside it")


def parse_path(text: str, names: list[str] | None = None) -> TextPath:
    """Read a path. A column whose own name looks like a path is taken first, if `names` has it.

    >>> parse_path("messages[].content").steps
    (None, 'content')
    """
    if names is not None and text in names:
        return TextPath(text, text, ())
    root = _ROOT.match(text)
    position = root.end() if root else 0
    steps: list[str | None] = []
    while root and position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            root = None
            break
        steps.append(step["field"])
        position = step.end()
    if root is None:
        fix = "write text, meta.title or messages[].content"
        raise SchemaError(f"text path `{text}`", "it cannot be read", fix)
    return TextPath(text, root[0], tuple(steps))


def is_text(kind: pa.DataType) -> bool:
    """Say whether a type holds character strings."""
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def holds_text(kind: pa.DataType) -> bool:
    """Say whether strings or bytes stand anywhere in a type.

    >>> holds_text(pa.list_(pa.struct([("role", pa.string())]))), holds_text(pa.int8())
    (True, False)
    """
    if pt.is_dictionary(kind):
        return holds_text(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return holds_text(kind.storage_type)
    if pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind):
        return True
    if is_text(kind) or pt.is_binary_view(kind):
        return True
    return any(holds_text(kind.field(i).type) for i in range(kind.num_fields))


def _into(kind: pa.DataType, step: str | None, where: str) -> pa.DataType:
    if step is None:
        if not (pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind)):
            raise SchemaError(where, f"`[]` on {kind}, which is no list", "leave [] out")
        return kind.value_type
    if not pt.is_struct(kind):
        raise SchemaError(where, f"`.{step}` on something that is no struct", "add [] for a list")
    fields = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
    if step not in fields:
        raise SchemaError(where, f"there is no field `{step}`", suggest(step, fields))
    return fields[step]
