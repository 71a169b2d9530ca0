"""What all units of a run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..connectors.folder import Folder
from ..connectors.manifest import RUNNING, read_run_state
from ..filters.decide import Judge
from ..filters.errors import OutputError
from ..filters.registers import RegisterSet
from .reduction import Reduction
from .settings import Settings

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Context:
    """What all units of a run share."""

    judge: Judge
    registers: RegisterSet
    settings: Settings
    reduction: Reduction
    output: Folder
    audit: Folder
    duplicates: pl.Series | None = None
    began: str | None = None
    """When the run began, where a worker may outlive it: then nothing more is published."""

    def check_goes_on(self) -> None:
        """Raise OutputError if the run has ended, or another one writes to its output now."""
        if self.began is None:
            return
        state = read_run_state(self.output)
        if state is None or (state.started_at, state.state) != (self.began, RUNNING):
            what = "the run that this worker works for has ended"
            raise OutputError(str(self.output), what, "run again to go on")
