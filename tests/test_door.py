"""The door: what is public, and that looking through it costs nothing."""

import json
import subprocess
import sys
import time
from pathlib import Path

import corpusgate
import pytest

HEAVY = {"duckdb", "polars", "presidio_analyzer", "pyarrow", "ray", "spacy"}
PUBLIC = {
    "CorpusgateError",
    "EligibilityFilter",
    "JobError",
    "OutputError",
    "PiiScanner",
    "Policy",
    "PolicyError",
    "RegisterError",
    "Registers",
    "SchemaError",
    "Summary",
    "UnitError",
    "__version__",
    "connect",
    "decide",
    "load_policy",
    "register",
    "run",
}


REPORT = """
import json, sys
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", code + REPORT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_public_names_are_exactly_these():
    assert set(corpusgate.__all__) == PUBLIC
    assert set(dir(corpusgate)) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_resolves(name):
    assert getattr(corpusgate, name) is not None


def test_every_error_raised_on_purpose_is_public():
    errors = [corpusgate.CorpusgateError]
    for error in errors:
        errors.extend(error.__subclasses__())
    # A class that others only share code through is not part of the tree people catch by.
    raised = {error.__name__ for error in errors if not error.__subclasses__()}
    assert raised <= PUBLIC


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'decided'"):
        _ = corpusgate.decided


def test_import_loads_nothing_heavy():
    assert not modules_after("import corpusgate") & (HEAVY | {"pydantic"})


HELP = """
import sys
from corpusgate.jobs.cli import main
sys.argv = ["corpusgate", "--help"]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""


def test_help_loads_nothing_heavy():
    assert not modules_after(HELP) & HEAVY


def test_help_answers_at_once():
    command = [str(Path(sys.executable).with_name("corpusgate")), "--help"]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
        assert "Usage" in done.stdout
    assert min(seconds) < 0.5, seconds
