"""Reduction with the real scanner: what is written is settled, whatever the context."""

import os
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpusgate.filters.detect.scanner import Scanner
from corpusgate.filters.reduce.operators import parse_operators
from corpusgate.filters.reduce.pseudonyms import reserved
from corpusgate.filters.reduce.record_rules import RecordRules
from corpusgate.filters.reduce.reducer import Reducer, remaining
from properties.finder import column_of, reduced_texts

KEY = b"a key for tests, no secret"
VALUES = {
    "EMAIL_ADDRESS": ["grace.hopper@navy.mil", "ada@math.ox.ac.uk"],
    "PHONE_NUMBER": ["(212) 736-5000", "+44 20 7925 0918", "+33 1 42 68 53 00", "+49 30 227 32152"],
    "CREDIT_CARD": ["4012 8888 8888 1899", "371449635398449", "5105105105105118"],
    "US_SSN": ["219-09-1234", "536 22 1987"],
    "US_ITIN": ["912-70-1234"],
    "UK_NHS": ["943 476 5919"],
    "IBAN_CODE": ["DE44500105175407324931", "FR76 3000 6000 0112 3456 7890 189"],
    "IP_ADDRESS": ["8.8.8.8", "2a00:1450:4001:81b::200e"],
    "MAC_ADDRESS": ["3c:22:fb:4a:91:0d"],
    "CRYPTO": ["1BoatSLRHtKNngkdXEeobR76b53LETtpyT"],
    "MEDICAL_LICENSE": ["BB1388568"],
    "US_PASSPORT": ["912803456"],
    "US_BANK_NUMBER": ["945456787654"],
    "US_DRIVER_LICENSE": ["H12234567"],
}
CONTEXTS = (
    "{}",
    "my passport number is {} and the phone number of my bank account is the same",
    "card: {}, social security: {}\ncall me, IP {}",
    "tax id/driver license {}; medical certificate {}, bank account {}",
)


@pytest.fixture(scope="module")
def scanner():
    return Scanner(profile="presidio")


def texts():
    values = [value for several in VALUES.values() for value in several]
    for context, value in product(CONTEXTS, values):
        yield context.format(*[value] * context.count("{}"))
    for at, context in enumerate(CONTEXTS * 12):
        yield context.format(*(values[(at * 7 + n * 5) % len(values)] for n in range(3)))


@pytest.mark.parametrize(
    "operator", ["replace", "redact", "mask", "hash", "pseudonym", {"type": "hash", "length": 16}]
)
def test_one_pass_settles(scanner, operator):
    operators, _ = parse_operators({"DEFAULT": operator})
    reducer = Reducer(scanner, operators, key=KEY, rules=RecordRules())
    rows = list(texts())
    result = reducer.reduce([column_of(rows)], None)
    assert result.excluded == {}
    assert set(VALUES) <= set(result.findings["entity"].to_pylist())
    out = reduced_texts(reducer, rows)
    table, unreadable = remaining(scanner, operators, [column_of(out)])
    assert (table.num_rows, unreadable) == (0, set())
    assert reduced_texts(reducer, out) == out


def test_pseudonyms_are_found_and_reserved(scanner):
    """They look like the real thing to a scanner of anybody's, and `reserved` tells them apart."""
    operators, _ = parse_operators({"DEFAULT": "pseudonym"})
    reducer = Reducer(scanner, operators, key=KEY, rules=RecordRules())
    for entity in ("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS"):
        out = reduced_texts(reducer, VALUES[entity])
        assert all(reserved(entity, value) for value in out)
        found = scanner.find(pa.array(out, pa.large_string()))
        names = [found.entities[number] for number in found.entity]
        assert names.count(entity) >= len(out)


def test_mixed_operators(scanner):
    written = {"PHONE_NUMBER": {"type": "mask", "chars_to_mask": 9}, "EMAIL_ADDRESS": "pseudonym"}
    operators, _ = parse_operators(written | {"IP_ADDRESS": "keep"})
    reducer = Reducer(scanner, operators, key=KEY, rules=RecordRules())
    text = "call 212-736-5000 or mail ada@math.ox.ac.uk from 8.8.8.8, SSN 219-09-1234"
    out = reduced_texts(reducer, [text])[0].split()
    assert out[1] == "*********000"
    assert out[-1] == "<US_SSN>"
    assert out[6] == "8.8.8.8,"


@pytest.mark.parametrize("name", ["presidio_synth_v2", "vectors_phone", "ewt_contact"])
def test_shared_texts_settle(scanner, name):
    data = os.environ.get("CORPUSGATE_DATA")
    if not data:
        pytest.skip("CORPUSGATE_DATA names no folder")
    rows = pq.read_table(Path(data) / "gold" / f"{name}.parquet")["text"].to_pylist()
    operators, _ = parse_operators({"DEFAULT": "pseudonym"})
    reducer = Reducer(scanner, operators, key=KEY, rules=RecordRules())
    out = reduced_texts(reducer, rows)
    assert None not in out
    assert remaining(scanner, operators, [column_of(out)])[0].num_rows == 0
