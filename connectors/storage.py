"""A URI or path → folder and path; listing the inputs of a job.

Another scheme is one more row in `_FOLDERS`, and nothing outside this file looks at a scheme of
files.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ..filters.errors import SchemaError
from .folder import HERE, Folder, LocalFolder
from .globs import HIDDEN, fits, has_magic, passed_over
from .hdfs_folder import HdfsFolder
from .object_folder import ObjectFolder
from .object_inputs import Far, matching
from .stores import SCHEMES, USUAL, Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

INPUT_SUFFIXES = (
    ".parquet",
    *(f"{lines}{packed}" for lines in (".jsonl", ".ndjson") for packed in ("", ".gz", ".zst")),
)
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# Options of other programs' URIs, credentials among them. A key may hold a question mark.
_OPTION = re.compile(
    r"[?&](access_key|secret_key|session_token|token|sas|sig|key|region|endpoint_override|scheme"
    r"|profile|anonymous|x-amz-[a-z-]+)=",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class InputFile:
    """One input file: `path` in the folder `folder`, `name` for the outputs.

    `size` is in bytes, `modified` the modification time in nanoseconds, as digits, or the ETag of
    an object.
    """

    path: str
    name: str
    size: int
    modified: str
    folder: Folder = HERE

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return self.folder.show(self.path)

    @property
    def real(self) -> Folder:
        """Where it is, links followed, to compare it with folders."""
        if self.folder.remote:
            return self.folder.at(self.path)
        return LocalFolder(Path(self.path).resolve())


def scheme_of(uri: str) -> str:
    """Return the scheme of a URI in lower case; a path has none.

    >>> scheme_of("FILE:///data"), scheme_of("data/a=b"), scheme_of("sqlite:///a.db#t")
    ('file', '', 'sqlite')
    """
    match = _SCHEME.match(uri)
    return match[1].lower() if match else ""


def resolve(uri: str, base: Path, storage: Storage = USUAL) -> tuple[Folder, str]:
    """Turn a path or URI into a folder and a path in it; a local path is absolute.

    A relative path is relative to `base`. Nothing is touched: the path need not exist.
    Raises SchemaError for a scheme that is not supported, and for credentials in a URI; the message
    shows only the scheme, since a URI may carry a password.

    >>> resolve("file:///data/a%20b.parquet", Path("/jobs"))[1]
    '/data/a b.parquet'
    >>> resolve("corpus/a.parquet", Path("/jobs"))[1]
    '/jobs/corpus/a.parquet'
    >>> resolve("s3://bucket/corpus/a.parquet", Path("/jobs"))
    (ObjectFolder(scheme='s3', bucket='bucket', prefix=''), 'corpus/a.parquet')
    """
    scheme = scheme_of(uri)
    if scheme not in _FOLDERS:
        raise SchemaError(
            f"{scheme}://",
            f"the scheme `{scheme}` is not supported for files",
            f"use a local path, or one of {', '.join(f'{name}://' for name in _FOLDERS if name)}",
        )
    return _FOLDERS[scheme](uri, base, storage)


def open_folder(uri: str, base: Path, storage: Storage = USUAL) -> Folder:
    """Turn a path or URI into the folder it names; links in a local one are followed."""
    folder, path = resolve(uri, base, storage)
    return folder.at(path) if folder.remote else LocalFolder(Path(path).resolve())


def list_inputs(patterns: Sequence[str], base: Path, storage: Storage = USUAL) -> list[InputFile]:
    """List the files that `patterns` name, sorted by name.

    A pattern is a file, a folder (every file below it with one of `INPUT_SUFFIXES`) or a glob
    (`*`, `?`, `[…]` inside one level, `**` for any number of levels). What exists literally is
    taken literally before it is tried as a glob. Files and folders whose names start with `.` or
    `_` are left out unless the pattern spells that first character. Symbolic links are followed.

    A file's name is its path below the folder, or below the deepest folder above the first glob
    character, or just its file name. Raises SchemaError for a pattern without a match, for two
    files of one name, and for a file that is listed twice.
    """
    by_name: dict[str, InputFile] = {}
    by_path: dict[str, InputFile] = {}
    for pattern in patterns:
        for file in _matches(pattern, base, storage):
            place = file.place if file.folder.remote else os.path.normpath(file.path)
            twin = by_name.get(file.name) or by_path.get(place)
            if twin is not None:
                raise _collision(twin, file)
            by_name[file.name] = by_path[place] = file
    return sorted(by_name.values(), key=lambda file: file.name)


def would_list(
    patterns: Sequence[str],
    base: Path,
    storage: Storage,
    folder: Folder,
    names: Callable[[], Iterable[str]],
) -> bool:
    """Say whether `list_inputs` would give any file if files were called so, below a folder.

    `names` gives them, in case that they matter. The folder need not be there.
    """
    for pattern in patterns:
        root, glob = _root(*resolve(pattern, base, storage))
        if not root.holds(folder):
            continue
        inner = [part for part in str(folder)[len(str(root)) :].split("/") if part]
        marks = passed_over(glob) if glob else HIDDEN
        if any(part.startswith(marks) for part in inner if marks):
            continue
        if not glob or any(fits([*inner, *name.split("/")], glob) for name in names()):
            return True
    return False


def _root(folder: Folder, place: str) -> tuple[Folder, Sequence[str]]:
    """Part a pattern into what is there, links followed, and the glob below it, if it has one."""
    if not folder.remote:
        path = Path(place)
        above, glob = (path, ()) if path.exists() else split_glob(path)
        return LocalFolder(above.resolve()), glob
    parts = place.split("/")
    fixed = next((at for at, part in enumerate(parts) if has_magic(part)), len(parts))
    return folder.at("/".join(parts[:fixed])), parts[fixed:]


def partitions(name: str) -> dict[str, str | None]:
    """Return the Hive partitions in a relative path, percent-decoded, outermost first.

    >>> partitions("source=api/day=2023-03-01/x.parquet")
    {'source': 'api', 'day': '2023-03-01'}
    >>> partitions("team=r%26d/org=__HIVE_DEFAULT_PARTITION__/a=b.parquet")
    {'team': 'r&d', 'org': None}
    """
    found: dict[str, str | None] = {}
    for folder in name.split("/")[:-1]:
        key, equals, value = folder.partition("=")
        if not equals or not key:
            continue
        try:
            key = unquote(key, errors="strict")
            decoded = None if value == NULL_PARTITION else unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise SchemaError(
                name, "a partition is not percent-encoded UTF-8", "rename the folder"
            ) from None
        if key in found:
            raise SchemaError(
                name, f"the partition `{key}` stands in the path twice", "keep one of the two"
            )
        found[key] = decoded
    return found


def _local(uri: str, base: Path, _: Storage) -> tuple[Folder, str]:
    """Resolve a path, or a `file://` URI without a host."""
    path = uri
    if scheme_of(uri):
        host, slash, rest = uri.partition("://")[2].partition("/")
        if host not in ("", "localhost") or not slash:
            raise SchemaError(
                "file://",
                "a file:// URI names a host or a relative path",
                "write three slashes and an absolute path, as in file:///data/corpus",
            )
        path = "/" + unquote(rest)
    return HERE, str(base.absolute() / path)


def _in_store(uri: str, _: Path, storage: Storage) -> tuple[Folder, str]:
    """Resolve the URI of an object. Keys are taken as they are, nothing is percent-decoded."""
    scheme = scheme_of(uri)
    address = uri.partition("://")[2].split("/", 1)
    bucket, key = address[0], address[1].rstrip("/") if len(address) > 1 else ""
    user, at = bucket.rpartition("@")[:2]
    if (at and (":" in user or not scheme.startswith("abfs"))) or _OPTION.search(uri):
        raise SchemaError(
            f"{scheme}://",
            "a URI holds credentials or options",
            "take them out: credentials come from where the provider's tools look for them, "
            "endpoint and region stand under `storage` in the job file",
        )
    if not (bucket or scheme == "hdfs") or any(
        part in ("", ".", "..") for part in key.split("/") if key
    ):
        raise SchemaError(
            f"{scheme}://", "a URI names no bucket, or an empty folder", f"write {scheme}://b/c/d"
        )
    if scheme == "hdfs":
        return HdfsFolder(bucket), key
    return ObjectFolder(scheme, bucket, "", storage), key


_FOLDERS: dict[str, Callable[[str, Path, Storage], tuple[Folder, str]]] = {
    "": _local,
    "file": _local,
    **dict.fromkeys((*SCHEMES, "hdfs"), _in_store),
}


def _matches(pattern: str, base: Path, storage: Storage) -> list[InputFile]:
    """List what one pattern names, at least one file; the order is the folders' own."""
    if not pattern.strip():
        raise SchemaError("input", "a pattern is empty", "name a file, a folder or a glob")
    folder, place = resolve(pattern, base, storage)
    if isinstance(folder, (ObjectFolder, HdfsFolder)):
        return list(_objects(folder, place))
    return _local_matches(pattern, Path(place))


def _local_matches(pattern: str, path: Path) -> list[InputFile]:
    if path.is_file():
        return [_describe(path, path.name)]
    if path.is_dir():
        names: Iterator[str] = (n for n in _walk(path) if n.lower().endswith(INPUT_SUFFIXES))
        what, fix = (
            f"no input file is below the folder `{pattern}`",
            f"put {', '.join(INPUT_SUFFIXES)} files there, or name others with a glob",
        )
    else:
        path, glob = split_glob(path)
        names = _glob(path, glob)
        what, fix = (
            f"`{pattern}` matches no file",
            f"correct it; the part up to `{path}` exists"
            if path.is_dir()
            else f"correct it; the folder `{path}` does not exist",
        )
    files = [_describe(path / name, name) for name in names]
    if not files:
        raise SchemaError("input", what, fix)
    return files


def _objects(bucket: Far, key: str) -> Iterator[InputFile]:
    try:
        for above, entry in matching(bucket, key, INPUT_SUFFIXES):
            path = above.key(entry.path)
            yield InputFile(path, entry.path, entry.size, entry.version, bucket)
    except OSError as error:
        what = f"`{bucket.show(key)}` cannot be listed: {error.strerror}"
        raise SchemaError("input", what, "check that it is there and may be read") from None


def split_glob(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Split a path that does not exist into the folder above its first glob part, and the rest."""
    anchor, *parts = path.parts
    folder = Path(anchor)
    for position, part in enumerate(parts):
        # A folder may be called `data [v1]`: what exists is literal. Without any glob character
        # the last part is what is missing.
        literal = not has_magic(part) or (folder / part).exists()
        if not literal or position == len(parts) - 1:
            return folder, tuple(parts[position:])
        folder /= part
    return folder, ()


def _glob(folder: Path, parts: tuple[str, ...]) -> Iterator[str]:
    """Yield the names below `folder` that fit the glob."""
    if not folder.is_dir():
        return
    depth = None if "**" in parts else len(parts)
    for name in _walk(folder, hidden=passed_over(parts), depth=depth):
        if not fits(name.rstrip("/").split("/"), parts):
            continue
        if name.endswith("/"):
            raise SchemaError(
                "input",
                f"`{'/'.join(parts)}` also fits the folder `{folder / name}`",
                "write `**` to read what is below it, or a glob that fits only files",
            )
        yield name


def _walk(
    folder: Path,
    *,
    hidden: tuple[str, ...] = HIDDEN,
    depth: int | None = None,
    prefix: str = "",
    above: frozenset[str] = frozenset(),
) -> Iterator[str]:
    """Yield the relative names of the files below `folder`, at most `depth` levels down.

    A folder at the last level is yielded with a slash: what is below it must not go unnoticed.
    Linked folders are entered, but not when they lead back to one they stand in. A dangling link
    is yielded: whoever lists it must say that it cannot be read, not pass over it.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(hidden)]
    except OSError as error:
        raise _unreadable(folder, error) from None
    for entry in found:
        linked = entry.is_symlink()
        if not (Path(entry).is_dir() if linked else entry.is_dir()):
            if linked or entry.is_file():
                yield prefix + entry.name
        elif depth == 1:
            yield f"{prefix}{entry.name}/"
        else:
            yield from _walk(
                folder / entry.name,
                hidden=hidden,
                depth=None if depth is None else depth - 1,
                prefix=f"{prefix}{entry.name}/",
                above=above | {real},
            )


def _describe(path: Path, name: str) -> InputFile:
    """Look at one file. Its name must be UTF-8: it goes into every output."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SchemaError(
            "input", f"the name of a file is not UTF-8: {os.fsencode(path)!r}", "rename it"
        ) from None
    try:
        facts = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    return InputFile(str(path), name, facts.st_size, str(facts.st_mtime_ns))


def _unreadable(path: Path, error: OSError) -> SchemaError:
    """Say why the operating system does not show a file or folder."""
    why = error.strerror or type(error).__name__
    return SchemaError("input", f"`{path}` cannot be read: {why}", "repair, remove or exclude it")


def _collision(first: InputFile, second: InputFile) -> SchemaError:
    """Name both paths of two inputs that would be mixed up."""
    if os.path.normpath(first.place) == os.path.normpath(second.place):
        return SchemaError(
            "input",
            f"two patterns list the same file: `{first.place}` as `{first.name}`, "
            f"`{second.place}` as `{second.name}`",
            "drop one of the patterns, so that no record is read twice",
        )
    return SchemaError(
        "input",
        f"two files would both be called `{second.name}`: `{first.place}` and `{second.place}`",
        "name a folder above both with one pattern, so that their relative paths differ",
    )
