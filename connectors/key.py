"""The secret behind hashes, pseudonyms and keyed ids: from the environment or a file."""

from __future__ import annotations

import os
from pathlib import Path

from ..filters.errors import Fault, JobError


def read_key(
    env: str | None, file: Path | None, source: str, names: tuple[str, str]
) -> bytes | None:
    """Read the key; None where neither place is given. A file's last line break is not part of it.

    Raises JobError for `source`; `names` is how people call the two places: `key.env`, `key.file`.
    """
    if env is not None:
        where, secret = names[0], os.environ.get(env, "").encode()
        missing = f"the environment variable {env} is not set"
    elif file is not None:
        where, missing = names[1], f"{file} cannot be read, or is empty"
        try:
            secret = file.read_bytes().rstrip(b"\r\n")
        except OSError:
            secret = b""
    else:
        return None
    if not secret:
        fix = "put a secret there; `openssl rand -hex 32` makes one"
        raise JobError(source, (Fault(where, missing, fix),))
    return secret
