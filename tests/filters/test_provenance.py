"""Provenance columns in the one form that rules compare."""

import polars as pl
import pytest
from corpusgate.filters.errors import SchemaError
from corpusgate.filters.provenance import conform, id_kinds
from corpusgate.filters.schema import PROVENANCE


def one(name, value, dtype=None):
    given = {"record_id": ["r"], "surface": ["api"]} | {name: pl.Series([value], dtype=dtype)}
    return conform(pl.DataFrame(given))


@pytest.mark.parametrize(
    ("name", "given", "normal"),
    [
        ("model", " FT:GPT-3.5 ", "ft:gpt-3.5"),
        ("model", "Davinci:FT-Org", "davinci:ft-org"),
        ("model", "\u00a0gpt\u3000", "gpt"),
        ("model", "İ", "İ"),
        ("model", " ", None),
        (
            "endpoint",
            "POST https://host:8/V1/Audio//Transcriptions/?a=b#c",
            "/v1/audio/transcriptions",
        ),
        ("endpoint", "v1/x", "/v1/x"),
        ("endpoint", "get\t/v1/x/", "/v1/x"),
        ("endpoint", "https://host", None),
        ("endpoint", "/", None),
        ("org_id", " a ", " a "),
        ("org_id", "A", "A"),
        ("org_id", " \t\u3000", ""),
        ("org_id", None, None),
        ("file_id", 7, "7"),
        ("file_id", -(2**63), str(-(2**63))),
        ("region", " EU ", " EU "),
        ("surface", "API", "API"),
    ],
)
def test_normalised(name, given, normal):
    assert one(name, given)[name].item() == normal


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["FT:x"])])
def test_dictionaries_are_strings(dtype):
    assert one("model", "FT:x", dtype)["model"].item() == "ft:x"
    assert one("org_id", "FT:x", dtype)["org_id"].item() == "FT:x"


@pytest.mark.parametrize(
    ("parents", "has"), [([], False), (None, False), (["a"], True), ([None], True)]
)
def test_parents(parents, has):
    assert one("parent_ids", parents, pl.List(pl.String))["has_parents"].item() is has


@pytest.mark.parametrize(
    ("name", "value", "dtype", "said"),
    [
        ("submitted_at", None, pl.Datetime("us"), "a time without a zone"),
        ("submitted_at", 1, pl.Int64, "Int64 is not a time"),
        ("submitted_at", None, pl.Date, "Date is not a time"),
        ("surface", 1, pl.Int64, "Int64 is not a string"),
        ("org_id", 1.5, pl.Float64, "Float64 is not a string"),
        ("parent_ids", "a", pl.String, "String is not a list"),
    ],
)
def test_types_that_cannot_be_read(name, value, dtype, said):
    with pytest.raises(SchemaError) as caught:
        one(name, value, dtype)
    assert str(caught.value).startswith(f"column `{name}`: {said}")


@pytest.mark.parametrize("name", ["record_id", "surface"])
def test_required(name):
    with pytest.raises(SchemaError, match=f"column `{name}`: it is missing"):
        conform(pl.DataFrame({"record_id": ["r"], "surface": ["api"]}).drop(name))


def test_id_kinds():
    schema = pl.Schema(
        {"org_id": pl.String, "file_id": pl.Int8, "user_id": pl.Null, "part": pl.String}
    )
    assert id_kinds(schema) == {"org_id": "string", "file_id": "integer", "user_id": None}


def test_parents_that_nobody_has():
    assert one("parent_ids", None, pl.Null)["has_parents"].item() is False


@pytest.mark.parametrize(
    "given",
    [
        "/v1/x ?a=b",
        "//host.example/v1/x",
        "host.example:8080/v1/x",
        "//v1//x",
        "/v1/x/ /",
        "GET /v1/x HTTP/1.1",
    ],
)
def test_endpoints_that_slip_past_a_forbid(given):
    assert one("endpoint", given)["endpoint"].item() == "/v1/x"


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_frame_of_nothing_but_nulls_keeps_its_rows(rows):
    frame = pl.DataFrame({name: pl.Series([None] * rows, dtype=pl.Null) for name in PROVENANCE})
    assert conform(frame).height == rows
    assert conform(frame.select("record_id", "surface")).height == rows
