"""Names under which DuckDB reads files, wherever they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from .folder import Folder
    from .named_files import NamedFiles


class DuckNames:
    """Names of files for one connection: paths, and for what is remote names of our own."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        """Begin without any; what only remote files need is loaded for the first of them."""
        self._database = database
        self._remote: NamedFiles | None = None

    def name(self, folder: Folder, path: str, size: int, version: str | None = None) -> str:
        """Name a file. If `version` is given, it must still be that when it is opened."""
        if not folder.remote:
            return str(folder.local / path)
        if self._remote is None:
            from .named_files import NamedFiles

            self._remote = NamedFiles()
            self._database.register_filesystem(self._remote)
        return self._remote.add(folder, path, size, version)
