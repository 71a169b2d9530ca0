"""Every error crosses processes and says the same on the other side."""

import pickle

import pytest
from corpusgate.filters import errors
from corpusgate.filters.errors import Fault

FAULTS = (Fault("forbid[0].when", "unknown column `x`", "did you mean `y`?", "12:11"),)
PLACED = [
    errors.RegisterError,
    errors.SchemaError,
    errors.UnitError,
    errors.OutputError,
]


@pytest.mark.parametrize(
    "error",
    [errors.PolicyError("p.yaml", FAULTS * 2), errors.JobError("job.yaml", FAULTS)]
    + [kind("here", "it is wrong", "mend it") for kind in PLACED]
    + [kind("here", "it is wrong") for kind in PLACED],
    ids=lambda error: type(error).__name__,
)
def test_errors_pickle(error):
    other = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(other) is type(error)
    assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))
    assert isinstance(other, errors.CorpusgateError)


def test_messages():
    assert str(errors.PolicyError("p", FAULTS * 2)).splitlines() == [
        "p: 2 faults",
        "  12:11 forbid[0].when: unknown column `x`. Did you mean `y`?",
        "  12:11 forbid[0].when: unknown column `x`. Did you mean `y`?",
    ]
    assert str(errors.SchemaError("here", "it is wrong")) == "here: it is wrong"
