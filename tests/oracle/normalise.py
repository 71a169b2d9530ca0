"""A record's ids, endpoint and model as the rules see them."""

import re
import string
from typing import Any

# Unicode's white space. Python's own `str.strip` would take four separators more.
_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    chr(code) for code in range(0x2000, 0x200B)
)
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_METHOD = re.compile(rf"^(?:get|post|put|patch|delete|head|options)[{_WHITE}]+")
_HOST = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#]*")
_IDS = ("record_id", "org_id", "user_id", "end_user_id", "file_id", "conversation_id")


def normalise_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the record with its ids, endpoint and model normalised."""
    return {
        **record,
        **{column: normalise_id(record[column]) for column in _IDS},
        "endpoint": normalise_endpoint(record["endpoint"]),
        "model": normalise_model(record["model"]),
    }


def normalise_id(given: str | None) -> str | None:
    """Empty an id of nothing but white space; no other is touched.

    >>> normalise_id(" "), normalise_id(" a"), normalise_id(None)
    ('', ' a', None)
    """
    return "" if given is not None and not given.strip(_WHITE) else given


def normalise_model(model: str | None) -> str | None:
    """Trim and lower-case (ASCII only); nothing left is NULL.

    >>> normalise_model(" FT:GPT-3.5-turbo ")
    'ft:gpt-3.5-turbo'
    """
    return None if model is None else model.strip(_WHITE).translate(_ASCII_LOWER) or None


def normalise_endpoint(endpoint: str | None) -> str | None:
    """Reduce an endpoint to its path; nothing left is NULL.

    >>> normalise_endpoint("POST https://api.example.com//v1/audio/Transcriptions/?x=1")
    '/v1/audio/transcriptions'
    >>> normalise_endpoint("https://api.example.com/") is None
    True
    """
    if endpoint is None:
        return None
    path = endpoint.strip(_WHITE).translate(_ASCII_LOWER)
    path = _METHOD.sub("", path)
    path = _HOST.sub("", path)
    path = re.split(r"[?#]", path, maxsplit=1)[0]
    path = re.sub(r"/+", "/", path).rstrip("/")
    if not path:
        return None
    return path if path.startswith("/") else f"/{path}"
