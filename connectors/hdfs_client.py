"""HDFS: how it is reached, and what its errors say without Java's words.

The client needs no Java. It reads the address and the rest from Hadoop's own configuration, where
HADOOP_CONF_DIR or HADOOP_HOME names one.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ..filters.errors import SchemaError
from .stores import StoreError

if TYPE_CHECKING:
    from hdfs_native import Client, FileWriter

PORT: Final = 8020
"""Where a name node listens whose address gives no port."""
_TRIES: Final = "dfs.client.failover.max.attempts"
PATIENCE: Final = {_TRIES: "3"}
"""How often the client asks before it gives up: for some five seconds."""
_NO_NODE: Final = "No NameNode hosts found"
_JAVA: Final = re.compile(r'^RPCError\("[\w.$]*?(\w+)"')
_DENIES: Final = (
    "HDFS denies access: check the user (HADOOP_USER_NAME, or a Kerberos ticket) and who may read "
    "and write there"
)
_REFUSALS: Final = {
    "AccessControlException": (errno.EACCES, _DENIES),
    "SafeModeException": (errno.EBUSY, "HDFS is in safe mode and takes no writes"),
    "NSQuotaExceededException": (errno.EPERM, "the folder's quota of names in HDFS is used up"),
    "DSQuotaExceededException": (errno.EPERM, "the folder's quota of space in HDFS is used up"),
    "InvalidPathException": (errno.EINVAL, "HDFS takes no file of this name (one with a colon?)"),
}
_NO_ROOM: Final = "could only be"
"""What it says where too few data nodes are there, or have room."""
_PASSING: Final = (errno.EIO, errno.EBUSY)


@lru_cache(maxsize=8)
def open_hdfs(server: str) -> Client:
    """Connect to a name node, or a name service, by default that of Hadoop's configuration.

    Raises SchemaError, within seconds where nobody answers at this address.
    """
    try:
        from hdfs_native import Client
    except ImportError:
        fix = "install it: pip install 'corpusgate[hdfs]'"
        raise SchemaError("hdfs://", "HDFS is reached with hdfs-native", fix) from None
    url = f"hdfs://{server}" if server else None
    try:
        try:
            client = Client(url, PATIENCE)
        except RuntimeError as error:
            if url is None or _NO_NODE not in str(error):
                raise
            url = f"{url}:{PORT}"
            client = Client(url, PATIENCE)
        client.get_file_info("/")
    except (OSError, RuntimeError, ValueError):
        what = "HDFS cannot be reached at this address"
        fix = "check host and port; for a name service, or hdfs:///, HADOOP_CONF_DIR must be set"
        raise SchemaError(f"hdfs://{server}", what, fix) from None
    return client


@contextmanager
def new_file(client: Client, path: str, mode: int, *, parents: bool = True) -> Iterator[FileWriter]:
    """Write a file where there is none, and the folders above it. Raises what the client does.

    A writer that failed is not closed: it would wait for HDFS again, and once more when Python
    forgets it.
    """
    from hdfs_native import WriteOptions

    file = client.create(path, WriteOptions(permission=mode, create_parent=parents))
    try:
        yield file
        file.close()
    finally:
        vars(file)["close"] = _nothing


def _nothing() -> None:
    """Close no file."""


@contextmanager
def hdfs_errors(place: str) -> Iterator[None]:
    """Make an OSError of whatever the client raises; FileNotFoundError where nothing is there.

    >>> with hdfs_errors("hdfs://node/a"):
    ...     raise RuntimeError('RPCError("org.apache.hadoop.hdfs.SafeModeException", "…")')
    Traceback (most recent call last):
    corpusgate.connectors.stores.StoreError: [Errno 16] HDFS is in safe mode ...: 'hdfs://node/a'
    """
    failure: OSError
    try:
        yield
        return  # noqa: TRY300 - what follows is for failures
    except StoreError:
        raise
    except FileNotFoundError:
        failure = FileNotFoundError(errno.ENOENT, "no such file", place)
    except FileExistsError:
        failure = FileExistsError(errno.EEXIST, "the file is there already", place)
    except PermissionError:
        failure = StoreError(*_REFUSALS["AccessControlException"], place)
    except (OSError, RuntimeError, ValueError) as error:
        failure = _failure(str(error), place)
    raise failure from None


def _failure(said: str, place: str) -> StoreError:
    """Say what happened; `answered` is false where it may pass, so that trying anew has a point."""
    java = _JAVA.match(said)
    if java is not None and java[1] in _REFUSALS:
        number, what = _REFUSALS[java[1]]
    elif java is not None and _NO_ROOM in said:
        number, what = errno.EBUSY, "HDFS has no data node that answers and has room"
    elif java is not None:
        number, what = errno.EPROTO, "HDFS refused a request"
    else:
        number, what = errno.EIO, "HDFS did not answer, or was cut off"
    failure = StoreError(number, what, place)
    failure.answered = number not in _PASSING
    return failure
