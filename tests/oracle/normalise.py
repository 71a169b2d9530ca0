"""`endpoint` and `model` as the rules see them."""

import re
import string
from typing import Any

_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_METHOD = re.compile(r"(?:get|post|put|patch|delete|head|options)\s+")
_HOST = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*")


def normalise_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the record with its endpoint and model normalised."""
    return {
        **record,
        "endpoint": normalise_endpoint(record.get("endpoint")),
        "model": normalise_model(record.get("model")),
    }


def normalise_model(model: str | None) -> str | None:
    """Trim and lower-case (ASCII only); nothing left is NULL.

    >>> normalise_model(" FT:GPT-3.5-turbo ")
    'ft:gpt-3.5-turbo'
    """
    return None if model is None else model.strip().translate(_ASCII_LOWER) or None


def normalise_endpoint(endpoint: str | None) -> str | None:
    """Reduce an endpoint to its path; nothing left is NULL.

    >>> normalise_endpoint("POST https://api.example.com//v1/audio/Transcriptions/?x=1")
    '/v1/audio/transcriptions'
    >>> normalise_endpoint("https://api.example.com/") is None
    True
    """
    if endpoint is None:
        return None
    path = endpoint.strip().translate(_ASCII_LOWER)
    path = _METHOD.sub("", path, count=1) if _METHOD.match(path) else path
    path = _HOST.sub("", path, count=1) if _HOST.match(path) else path
    path = re.split(r"[?#]", path, maxsplit=1)[0]
    path = re.sub(r"/+", "/", path).strip().rstrip("/")
    if not path:
        return None
    return path if path.startswith("/") else f"/{path}"
