"""Within what one value has one pseudonym."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import pyarrow.compute as pc

from ..errors import SchemaError

if TYPE_CHECKING:
    import pyarrow as pa

Scope = Literal["record", "user", "organisation", "run"]
SCOPES: Final[tuple[Scope, ...]] = ("record", "user", "organisation", "run")
RUN: Final = "run"


def scope_ids(
    scope: Scope, record_ids: pa.Array | pa.ChunkedArray, ids: pa.Array | pa.ChunkedArray | None
) -> pa.Array | pa.ChunkedArray | None:
    """Give the scope of every record, as `Reducer.reduce` takes it; None for a whole run.

    `ids` are the user's or the organisation's. A record without one, or with a blank one, is a
    scope of its own: strangers never share a pseudonym because both are unknown.

    >>> import pyarrow as pa
    >>> scope_ids("user", pa.array(["r1", "r2"]), pa.array(["ada", None])).to_pylist()
    ['user:ada', 'record:r2']
    """
    if scope == RUN:
        return None
    if record_ids.null_count:
        raise SchemaError("record_id", "it is null in some records", "map a column without nulls")
    own = _joined("record", record_ids)
    if scope == "record":
        return own
    if ids is None:
        fix = f"map {'user_id' if scope == 'user' else 'org_id'}, or use the scope record"
        raise SchemaError("pii.scope", f"`{scope}` wants ids that are not mapped", fix)
    named = pc.cast(ids, "string")
    blank = pc.equal(pc.utf8_trim_whitespace(named), "")
    known = pc.and_(pc.is_valid(named), pc.invert(pc.fill_null(blank, fill_value=True)))
    return pc.if_else(known, _joined(scope, named), own)


def _joined(kind: str, ids: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return pc.binary_join_element_wise(kind, pc.cast(ids, "string"), ":")
