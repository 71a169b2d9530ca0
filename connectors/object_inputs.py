"""The files elsewhere that a pattern names: one listing, and no look at any file by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ..filters.errors import SchemaError
from .folder import Entry
from .globs import HIDDEN, fits, has_magic, passed_over
from .hdfs_folder import HdfsFolder
from .object_folder import ObjectFolder

Far: TypeAlias = ObjectFolder | HdfsFolder
Found: TypeAlias = tuple[Far, Entry]


def matching(bucket: Far, key: str, suffixes: tuple[str, ...]) -> Iterator[Found]:
    """Yield the objects that `key` names, each with the folder that its name is relative to.

    `key` is an object, a prefix (every object below it with one of `suffixes`) or a glob; what is
    there literally is taken literally. Raises SchemaError for a key that names nothing, OSError
    where the store does not answer.
    """
    above, _, last = key.rpartition("/")
    one = bucket.entry(key) if key else None
    if one is not None:
        yield bucket.at(above), Entry(last, one.size, one.version, one.modified)
        return
    there = False
    found = False
    folder = bucket.at(key)
    for entry in folder.files():
        there = True
        parts = entry.path.split("/")
        hidden = any(part.startswith(HIDDEN) for part in parts)
        if not hidden and entry.path.lower().endswith(suffixes):
            found = True
            yield folder, entry
    if not there and has_magic(key):
        for match in _globbed(bucket, key):
            found = True
            yield match
    if not found:
        what = "no input file is below" if there else "no object is called or lies below"
        fix = f"put {', '.join(suffixes)} files there, or correct the path"
        raise SchemaError("input", f"{what} `{bucket.show(key)}`", fix)


def _globbed(bucket: Far, key: str) -> Iterator[Found]:
    parts = key.split("/")
    fixed = next(index for index, part in enumerate(parts) if has_magic(part))
    folder, glob = bucket.at("/".join(parts[:fixed])), parts[fixed:]
    marks = passed_over(glob)
    for entry in folder.files():
        names = entry.path.split("/")
        if fits(names, glob) and not any(name.startswith(marks) for name in names if marks):
            yield folder, entry
