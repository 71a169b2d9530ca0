"""Policies by name or by file."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from ..filters.errors import Fault, PolicyError
from ..filters.policy import Policy
from ..filters.policy_file import parse_policy


def built_in() -> tuple[str, ...]:
    """Name the policies that come with corpusgate.

    >>> built_in()
    ('openai-api-data',)
    """
    folder = files(f"{__package__.rpartition('.')[0]}.filters") / "policies"
    names = (item.name for item in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_policy(name_or_path: str | Path, base: Path | None = None) -> Policy:
    """Load a built-in policy by its name, or a policy file by its path.

    A relative path is relative to `base`, by default the working directory. Raises PolicyError
    with every fault of the file.

    >>> load_policy("openai-api-data").name
    'openai-api-data'
    """
    if str(name_or_path) in built_in():
        return _built_in(str(name_or_path))
    path = (base or Path()) / name_or_path
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        fault = Fault("file", "not UTF-8 text", "save the policy as UTF-8")
        raise PolicyError(str(path), (fault,)) from None
    except OSError:
        fix = f"built in: {', '.join(built_in())}; otherwise give the path of a policy file"
        raise PolicyError(str(name_or_path), (Fault("file", "no such policy", fix),)) from None
    return parse_policy(text, str(name_or_path))


@cache
def _built_in(name: str) -> Policy:
    folder = files(f"{__package__.rpartition('.')[0]}.filters") / "policies"
    return parse_policy((folder / f"{name}.yaml").read_text(encoding="utf-8"), name)
