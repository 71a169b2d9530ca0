"""The table of what was found in texts: where, what, and what became of it. No text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from .operators import Operators
from .scanned import Text

if TYPE_CHECKING:
    from ..texts.leaves import Leaves

FINDINGS: Final = pa.schema(
    {
        "row": pa.int64(),
        "path": pa.string(),
        "index": pa.list_(pa.int32()),
        "pointer": pa.string(),
        "entity": pa.string(),
        "start": pa.int32(),
        "end": pa.int32(),
        "score": pa.float32(),
        "operator": pa.string(),
    }
)


def findings_table(
    leaves: Sequence[Leaves], operators: Operators, texts: Sequence[Text]
) -> pa.Table:
    """Give the findings listed of each text, in order of row, path, text and place in it."""
    if not any(text.listed for text in texts):
        return FINDINGS.empty_table()
    ordered = sorted(texts, key=lambda text: (text.row, text.leaves, text.number))
    starts, ends, entities, scores = zip(
        *(finding for text in ordered for finding in sorted(text.listed)), strict=True
    )
    counts = [len(text.listed) for text in ordered]
    rows = np.repeat([text.row for text in ordered], counts)
    paths = np.repeat([text.leaves for text in ordered], counts)
    numbers = np.repeat([text.number for text in ordered], counts)
    names = [each.path.text for each in leaves]
    indices, pointers = _places(leaves, paths, numbers)
    columns = {
        "row": rows,
        "path": [names[path] for path in paths.tolist()],
        "index": indices,
        "pointer": pointers,
        "entity": entities,
        "start": starts,
        "end": ends,
        "score": scores,
        "operator": [operators.of(entity).type for entity in entities],
    }
    return pa.table(columns, schema=FINDINGS)


def _places(
    leaves: Sequence[Leaves], paths: np.ndarray, numbers: np.ndarray
) -> tuple[pa.Array, pa.Array]:
    """Take the places of texts: path by path, then back in the order asked for."""
    parts = [(each, pa.array(numbers[paths == at], pa.int64())) for at, each in enumerate(leaves)]
    index = pa.concat_arrays(
        [each.index.take(which).cast(FINDINGS.field("index").type) for each, which in parts]
    )
    pointer = pa.concat_arrays(
        [each.pointer.take(which).cast(pa.string()) for each, which in parts]
    )
    back = np.empty(len(paths), np.int64)
    back[np.argsort(paths, kind="stable")] = np.arange(len(paths))
    order = pa.array(back)
    return index.take(order), pointer.take(order)
