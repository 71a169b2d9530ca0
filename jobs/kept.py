"""What earlier runs left in an output: which of it stands, and what goes."""

from __future__ import annotations

from dataclasses import replace

from ..connectors.audit import (
    LISTS,
    UnitResult,
    clear_audit,
    committed,
    read_shards,
    withdraw,
)
from ..connectors.folder import Folder
from ..connectors.manifest import MANIFEST, OURS, RUN, RunState, read_manifest
from ..filters.errors import OutputError
from .plan import Plan
from .summary import Summary, summarise

_ANEW = "start anew with --fresh, say as_of in the job, or give another output.path"


def done_before(
    plan: Plan, output: Folder, audit: Folder, before: RunState, done: dict[str, UnitResult]
) -> Summary | None:
    """Give the summary of a finished run, if it is this very one; None if files of it are gone.

    Raises OutputError if it is another one.
    """
    keys = set(plan.keys().values())
    same = plan.digest == before.digest and not plan.unreadable
    if same and keys == done.keys() and (facts := read_manifest(output)) is not None:
        return replace(summarise(facts, output, plan.job.output.path), done_before=True)
    if same and keys == committed(audit).keys():
        return None
    what = f"a run as of {before.as_of} is finished here, and what it was made from has changed"
    raise OutputError(str(output), what, _ANEW)


def only_unreadable(
    plan: Plan, audit: Folder, before: RunState, done: dict[str, UnitResult]
) -> None:
    """Raise OutputError unless all that is to be done is shards that could not be read before."""
    shards = read_shards(audit)
    if before.state == "running" or shards is None:
        what = "the run here has not ended, so nobody knows which shards are unreadable"
        raise OutputError(str(audit), what, "finish it first: run without --retry-unreadable")
    bad = set(shards.filter(shards["rows"].is_null())["shard"])
    keys = plan.keys()
    todo = {unit.name for unit, key in keys.items() if key not in done}
    todo |= {item.name for item in plan.unreadable}
    if plan.digest != before.digest:
        what = "the job, the policy, a register or a version has changed since"
    elif stray := sorted(todo - bad):
        more = f" and {len(stray) - 1} more" if len(stray) > 1 else ""
        what = f"{stray[0]}{more} would be done as well: new, or changed since"
    elif set(shards["shard"]) - {item.name for item in plan.inputs}:
        what = "shards have been taken out of the input since"
    else:
        return
    fix = "run without --retry-unreadable, which does all that has changed"
    raise OutputError(str(audit), what, fix)


def intact(output: Folder, audit: Folder) -> dict[str, UnitResult]:
    """List the results of units whose files are all there, as long as they were written."""
    results = committed(audit)
    if not results:
        return {}
    there: dict[Folder, dict[str, int]] = {output: output.sizes("eligible"), audit: {}}
    for name in LISTS:
        there[audit] |= audit.sizes(name)
    return {
        key: result
        for key, result in results.items()
        if all(
            there[root].get(file.path) == file.bytes for root, file in result.files(output, audit)
        )
    }


def drop_stale(output: Folder, audit: Folder, done: dict[str, UnitResult], keys: set[str]) -> None:
    """Remove what no unit of this run vouches for: results first, then their files."""
    good = keys & done.keys()
    withdraw(audit, keep=good)
    keep: dict[Folder, set[str]] = {output: set(), audit: set()}
    for key in good:
        for root, file in done[key].files(output, audit):
            keep[root].add(file.path)
    output.retain("eligible", keep[output])
    for name in LISTS:
        audit.retain(name, keep[audit])


def clear(output: Folder, audit: Folder) -> None:
    """Remove all that runs have written, the lock aside; last what says that a run was here."""
    output.clear(MANIFEST)
    clear_audit(audit)
    for name in sorted(OURS - {".lock", MANIFEST, RUN}):
        output.clear(name)
    output.clear(RUN)
