"""Paths to text inside a column: `text`, `messages[].content`, `meta.title`, `payload{}`.

    .name   the field of a struct; of a map's items, `.key` and `.value`
    []      all items of a list, or of a map
    {}      at the end: the strings inside JSON text

Paths that end in `arguments`, where OpenAI's tool calls have JSON, need no `{}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.types as pt

from ..document import suggest
from ..errors import SchemaError

_STEP: Final = re.compile(r"\.(?P<field>[^.\[\]]+)|(?P<items>\[\])")
_ROOT: Final = re.compile(r"[^.\[\]]+")
_JSON: Final = "{}"
_JSON_NAMES: Final = frozenset({"arguments"})


@dataclass(frozen=True)
class TextPath:
    """A column and the steps into it: a struct's field by name, or all items of a list (None).

    `json` says that strings which are JSON are looked into.
    """

    text: str
    column: str
    steps: tuple[str | None, ...]
    json: bool = False

    def check(self, schema: pa.Schema) -> None:
        """Raise SchemaError unless the path leads to strings in this schema."""
        if self.column not in schema.names:
            what = f"there is no column `{self.column}`"
            fix = suggest(self.column, schema.names)
            raise SchemaError(f"text path `{self.text}`", what, fix)
        self.into(schema.field(self.column).type)

    def into(self, kind: pa.DataType) -> tuple[tuple[int | None, ...], pa.DataType]:
        """Follow the path into a column's type: fields by number, and the type of the strings.

        Raises SchemaError unless it leads to strings.

        >>> parse_path("m[].text").into(pa.list_(pa.struct({"id": pa.int8(), "text": pa.string()})))
        ((None, 1), DataType(string))
        """
        where = f"text path `{self.text}`"
        steps: list[int | None] = []
        for step in self.steps:
            index, kind = _into(storage(kind), step, where)
            steps.append(index)
        held = storage(kind)
        if not is_text(held.value_type if pt.is_dictionary(held) else held):
            raise SchemaError(where, f"it leads to {kind}, not to text", "name a string inside it")
        return tuple(steps), kind


def parse_path(text: str, names: list[str] | None = None) -> TextPath:
    """Read a path. A column whose own name looks like a path is taken first, if `names` has it.

    >>> parse_path("messages[].content").steps
    (None, 'content')
    >>> parse_path("calls[].arguments").json, parse_path("payload{}").json
    (True, True)
    """
    if names is not None and text in names:
        return TextPath(text, text, (), text in _JSON_NAMES)
    path = text.removesuffix(_JSON)
    if names is not None and path in names:
        return TextPath(text, path, (), json=True)
    root = _ROOT.match(path)
    position = root.end() if root else 0
    steps: list[str | None] = []
    while root and position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            root = None
            break
        steps.append(step["field"])
        position = step.end()
    if root is None:
        fix = "write text, meta.title, messages[].content or payload{}"
        raise SchemaError(f"text path `{text}`", "it cannot be read", fix)
    last = steps[-1] if steps else root[0]
    return TextPath(text, root[0], tuple(steps), path != text or last in _JSON_NAMES)


def text_paths(column: str, kind: pa.DataType) -> list[TextPath]:
    """List the paths to all strings in a column.

    >>> kind = pa.list_(pa.struct([("role", pa.string()), ("at", pa.int64())]))
    >>> [path.text for path in text_paths("messages", kind)]
    ['messages[].role']
    """
    return [
        TextPath(column + "".join("[]" if s is None else f".{s}" for s in steps), column, steps)
        for steps in _text_ends(storage(kind))
    ]


def _text_ends(kind: pa.DataType) -> Iterator[tuple[str | None, ...]]:
    inner: list[tuple[tuple[str | None, ...], pa.DataType]] = []
    if pt.is_struct(kind):
        fields = [kind.field(index) for index in range(kind.num_fields)]
        inner = [((field.name,), field.type) for field in fields]
    elif pt.is_map(kind):
        inner = [((None, "key"), kind.key_type), ((None, "value"), kind.item_type)]
    elif _is_list(kind):
        inner = [((None,), kind.value_type)]
    elif is_text(kind.value_type if pt.is_dictionary(kind) else kind):
        yield ()
    for steps, within in inner:
        yield from (steps + rest for rest in _text_ends(storage(within)))


def is_text(kind: pa.DataType) -> bool:
    """Say whether a type holds character strings."""
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def storage(kind: pa.DataType) -> pa.DataType:
    """Give the type that an extension type wraps, or the type itself.

    >>> storage(pa.json_()), storage(pa.int8())
    (DataType(string), DataType(int8))
    """
    while isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind


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


def _into(kind: pa.DataType, step: str | None, where: str) -> tuple[int | None, pa.DataType]:
    if step is None:
        if pt.is_map(kind):
            # A map's own names for its two fields vary with who wrote it.
            return None, pa.struct({"key": kind.key_type, "value": kind.item_type})
        if not _is_list(kind):
            raise SchemaError(where, f"`[]` on {kind}, which is no list", "leave [] out")
        return None, kind.value_type
    if not pt.is_struct(kind):
        fix = "add [] for a list" if _is_list(kind) or pt.is_map(kind) else "end the path before it"
        raise SchemaError(where, f"`.{step}` on something that is no struct", fix)
    names = [kind.field(i).name for i in range(kind.num_fields)]
    if step not in names:
        raise SchemaError(where, f"there is no field `{step}`", suggest(step, names))
    if names.count(step) > 1:
        raise SchemaError(where, f"two fields are named `{step}`", "rename one of them")
    index = names.index(step)
    return index, kind.field(index).type


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pt.is_list(kind)
        or pt.is_large_list(kind)
        or pt.is_fixed_size_list(kind)
        or pt.is_list_view(kind)
        or pt.is_large_list_view(kind)
    )
