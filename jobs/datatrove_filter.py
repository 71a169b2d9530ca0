"""The gate as a block of a datatrove pipeline. Importing this module imports datatrove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..filters.errors import OutputError

try:
    from datatrove.pipeline.filters.base_filter import BaseFilter
except ImportError:
    raise OutputError(
        "datatrove", "it cannot be imported", "pip install 'corpusgate[datatrove]'"
    ) from None

if TYPE_CHECKING:
    from datatrove.data import Document

    from .eligibility import EligibilityFilter


class DatatroveFilter(BaseFilter):  # type: ignore[misc]
    """Passes eligible documents on, with reduced texts and what the job keeps of their metadata.

    A document is a record with the columns `id`, `text` and those of its metadata; `reason` and
    `reasons` are added to the metadata. Of an excluded document the exclusion writer gets the id
    and the reasons.
    """

    name = "corpusgate"
    _requires_dependencies = ("corpusgate",)

    def __init__(self, gate: EligibilityFilter, exclusion_writer: Any, batch_size: int) -> None:  # noqa: ANN401
        """Take a gate that keeps excluded records."""
        super().__init__(exclusion_writer, batch_size)
        self._gate = gate

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Decide one document."""
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: list[Document]) -> list[bool | tuple[bool, str]]:
        """Decide documents together, and leave in each what may be passed on."""
        # What no document of a batch has is unknown, as where some document has it.
        found = (name for doc in batch for name in doc.metadata)
        names = dict.fromkeys((*self._gate.columns, *found))
        columns = {name: [doc.metadata.get(name) for doc in batch] for name in names}
        columns |= {"id": [doc.id for doc in batch], "text": [doc.text for doc in batch]}
        decided = self._gate(columns)
        results: list[bool | tuple[bool, str]] = []
        for doc, values in zip(batch, zip(*decided.values(), strict=True), strict=True):
            row = dict(zip(decided, values, strict=True))
            eligible, reason = row.pop("eligible"), row["reason"]
            doc.id, doc.text = row.pop("id"), row.pop("text", None) or ""
            doc.media = []
            doc.metadata = row if eligible else {name: row[name] for name in ("reason", "reasons")}
            results.append(True if eligible else (False, reason))
        return results
