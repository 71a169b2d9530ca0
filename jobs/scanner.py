"""The scanner for people: recognisers from files, compiled patterns kept between runs.

Importing this module imports Presidio.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..connectors.compiled import cached
from ..filters.detect.scanner import Scanner

if TYPE_CHECKING:
    from ..filters.names.nlp import Nlp


class PiiScanner(Scanner):
    """Finds personal information in a column of texts.

    `recognizers` may name files in the format of Presidio's recogniser files. The compiled
    patterns are kept in the user's cache folder.

    >>> import pyarrow as pa
    >>> texts = pa.array(["write to ada@lovelace.org", None])
    >>> PiiScanner(["EMAIL_ADDRESS"]).scan(texts).select(["row", "start", "end"]).to_pylist()
    [{'row': 0, 'start': 9, 'end': 25}]
    """

    def __init__(  # noqa: PLR0917 - in the order in which people add them
        self,
        entities: Sequence[str] | None = None,
        threshold: float = 0.4,
        languages: Sequence[str] = ("en",),
        profile: str = "strict",
        nlp: Nlp | None = None,
        recognizers: Iterable[Any] = (),
    ) -> None:
        """Choose what is looked for. Raises ValueError, which says what to write instead."""
        read = [_recognizers(r) if isinstance(r, (str, Path)) else r for r in recognizers]
        super().__init__(
            entities,
            threshold,
            languages,
            profile,
            nlp=nlp,
            recognizers=read,
            cache=cached,
        )


def _recognizers(path: str | Path) -> Any:  # noqa: ANN401 - what YAML holds
    """Read a recogniser file. Raises ValueError."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise ValueError(f"{path}: cannot be read as a YAML file of recognizers") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path}: it holds no recognizers")  # noqa: TRY004 - a wrong file
    return data
