"""Object stores by scheme: how each is opened, and what their errors say without quoting a secret.

Credentials come from where each provider's own tools look for them, and from nowhere else.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..filters.errors import SchemaError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_RETRY: Final[Any] = {
    "max_retries": 10,
    "retry_timeout": timedelta(minutes=3),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=15),
        "base": 2,
    },
}
_TIMEOUT: Final = timedelta(minutes=1)
_STATUS: Final = re.compile(r"status code: (\d{3}[A-Za-z ]*)")
_DENIES: Final = (
    "the object store denies access: check the credentials, their permissions, and this "
    "machine's clock"
)
CHANGED: Final = "the object is another one by now"
_DENIED: Final = ("PermissionDeniedError", "UnauthenticatedError")


@dataclass(frozen=True)
class Storage:
    """How object stores are reached; never with which credentials.

    `endpoint` is that of a store which speaks a provider's protocol elsewhere, `profile` one of
    the user's own AWS profiles; `anonymous` sends no credentials at all.
    """

    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    anonymous: bool = False


USUAL: Final = Storage()


class StoreError(OSError):
    """What went wrong with a store, in words that quote nothing of a request.

    `answered` says that the store did answer; its client has then asked often enough.
    """

    answered: bool = False


@lru_cache(maxsize=64)
def open_store(scheme: str, bucket: str, storage: Storage) -> ObjectStore:
    """Connect to a bucket; nothing is asked of it yet. Raises SchemaError."""
    from obstore.exceptions import BaseError

    try:
        return _STORES[scheme](bucket, storage)
    except (BaseError, ValueError):
        what = "the object store cannot be opened with these settings"
        fix = "check `storage` in the job file, and the provider's own environment variables"
    raise SchemaError(f"{scheme}://{bucket}", what, fix)


def _s3(bucket: str, storage: Storage) -> ObjectStore:
    from obstore.store import S3Store

    endpoint = storage.endpoint or _set("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    given: dict[str, Any] = {}  # what is written is digested for the signature, and checked there
    if endpoint:
        given["endpoint"] = endpoint
    if storage.region:
        given["region"] = storage.region
    if storage.anonymous:
        given["skip_signature"] = True
    elif storage.profile or not _set("AWS_ACCESS_KEY_ID", *_AWS_ROLES):
        given |= _s3_profile(storage)
    return S3Store(bucket, **given, client_options=_client(endpoint), retry_config=_RETRY)


_AWS_ROLES: Final = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def _s3_profile(storage: Storage) -> dict[str, Any]:
    """Read the user's AWS profile, if there is one; else the machine's role is asked for."""
    profile = storage.profile or _set("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    files = [
        Path(os.environ.get(variable) or Path.home() / ".aws" / name)
        for variable, name in (
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            ("AWS_CONFIG_FILE", "config"),
        )
    ]
    if not profile and not any(path.is_file() for path in files):
        return {}
    try:
        import boto3
        import botocore.exceptions
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        fix = "install it: pip install 'corpusgate[s3]'"
        raise SchemaError("storage.profile", "AWS profiles are read with boto3", fix) from None
    try:
        session = boto3.Session(profile_name=profile)
        if session.get_credentials() is None:
            return {}
        provider = Boto3CredentialProvider(session)
    except (botocore.exceptions.BotoCoreError, ValueError):
        what = f"the AWS profile `{profile or 'default'}` cannot be used"
        fix = "check it with `aws sts get-caller-identity --profile …`"
        raise SchemaError("storage.profile", what, fix) from None
    return {"credential_provider": provider}


def _gs(bucket: str, storage: Storage) -> ObjectStore:
    from obstore.store import GCSStore

    given: dict[str, Any] = {}
    if storage.endpoint:
        given["base_url"] = storage.endpoint
    if storage.anonymous:
        given["skip_signature"] = True
    client = _client(storage.endpoint)
    return GCSStore(bucket, **given, client_options=client, retry_config=_RETRY)


def _abfs(bucket: str, storage: Storage) -> ObjectStore:
    from obstore.store import AzureStore

    container, _, host = bucket.partition("@")
    given: dict[str, Any] = {}
    if host:
        given["account_name"] = host.partition(".")[0]
    if storage.endpoint:
        given["endpoint"] = storage.endpoint
    if storage.anonymous:
        given["skip_signature"] = True
    client = _client(storage.endpoint)
    return AzureStore(container, **given, client_options=client, retry_config=_RETRY)


def _set(*names: str) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _client(endpoint: str | None) -> Any:  # noqa: ANN401 - obstore's dictionary of options
    plain = bool(endpoint) and str(endpoint).startswith("http://")
    return {"timeout": _TIMEOUT, **({"allow_http": True} if plain else {})}


_STORES: Final[dict[str, Callable[[str, Storage], ObjectStore]]] = {
    "s3": _s3,
    "gs": _gs,
    "abfs": _abfs,
    "abfss": _abfs,
}
SCHEMES: Final = tuple(_STORES)


@contextmanager
def store_errors(place: str) -> Iterator[None]:
    """Make an OSError of whatever a store raises; FileNotFoundError where something is not there.

    What the store's client says is dropped, but for the HTTP status: it may quote a request.
    """
    from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

    failure: OSError
    try:
        yield
        return  # noqa: TRY300 - what follows is for failures
    except FileNotFoundError:
        failure = FileNotFoundError(errno.ENOENT, "no such object", place)
    except (AlreadyExistsError, PreconditionError):
        failure = FileExistsError(errno.EEXIST, CHANGED, place)
    except BaseError as error:
        status = _STATUS.search(str(error))
        what = f"answered {status[1].strip()}" if status else "did not answer, or was cut off"
        if type(error).__name__ in _DENIED or (status and status[1][:3] in {"401", "403"}):
            failure = StoreError(errno.EACCES, _DENIES, place)
        else:
            failure = StoreError(errno.EIO, f"the object store {what}", place)
        failure.answered = status is not None
    raise failure
