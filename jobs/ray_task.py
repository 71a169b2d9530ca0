"""What a cluster's worker process does: fetch what the run shares, once, and process units.

Nothing is raised across the cluster, whose logs would keep its words: what went wrong comes back as
a value. Importing this module imports neither Ray nor the engines.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..filters.errors import CorpusgateError, OutputError, unforeseen

if TYPE_CHECKING:
    from ..connectors.audit import UnitResult
    from .context import Context
    from .plan import Unit

Fetch = Callable[[], "Context"]

_NAMED: Final = 3


@dataclass(frozen=True)
class Outcome:
    """What became of a group: its results, or why there are none. `node` says where it ran.

    An `error` that is an OSError may be the node's own, a full disk, say; another is the run's.
    """

    node: str
    host: str
    results: tuple[UnitResult, ...] = ()
    error: CorpusgateError | OSError | None = None


@dataclass(frozen=True)
class Shared:
    """Where the run's context is, and the versions that the run was planned with."""

    context: Any
    versions: Mapping[str, str]


def process_group(pairs: Sequence[tuple[Unit, str]], shared: Shared) -> Outcome:
    """Process a group of units, each with its key, in one task."""
    import ray

    node = ray.get_runtime_context().get_node_id()

    def fetched() -> Context:
        context: Context = ray.get(shared.context)
        return context

    return outcome(pairs, shared, fetched, node)


def outcome(pairs: Sequence[tuple[Unit, str]], shared: Shared, fetch: Fetch, node: str) -> Outcome:
    """Process units; every error becomes a value that quotes nothing of a record."""
    host = socket.gethostname()
    try:
        from .shard import process

        context = _context(shared, fetch, host)
        context.check_goes_on()
        results = process([unit for unit, _ in pairs], dict(pairs), context)
    except (CorpusgateError, OSError) as error:
        return Outcome(node, host, error=error)
    except Exception as error:  # noqa: BLE001 - its message may quote a text
        names = [unit.name for unit, _ in pairs]
        shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        return Outcome(node, host, error=unforeseen(error, shown))
    return Outcome(node, host, tuple(results))


_held: dict[Any, Context] = {}


def _context(shared: Shared, fetch: Fetch, host: str) -> Context:
    """Give the run's context; this process keeps that of one run."""
    if shared.context not in _held:
        from .plan import versions

        here = versions()
        for name, wanted in shared.versions.items():
            if here.get(name) != wanted:
                what = f"{name} is {here.get(name)} there and {wanted} where the run was planned"
                fix = "give all nodes the same versions: bytes depend on them"
                raise OutputError(f"a worker on {host}", what, fix)
        context = fetch()
        context.reduction.load()
        _held.clear()
        _held[shared.context] = context
    return _held[shared.context]
