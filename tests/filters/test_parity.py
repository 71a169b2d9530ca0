"""Profile `presidio` finds what Presidio finds: same entities, same characters, same scores.

Rows that differ are told by number, entity and offsets; their text stays out of every message.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from corpusgate.filters.detect.scanner import Scanner
from pii import adversarial
from pii.compare import ours
from pii.corpora import corpora, sample
from pii.pairs import Pair, countries, defaults, everything
from pii.reference import languages

DATA = os.environ.get("CORPUSGATE_DATA")
ENGLISH_COUNTRIES = ("au", "ca", "in", "ng", "ph", "sg", "uk", "us", "za")


@pytest.fixture(scope="module")
def english() -> Pair:
    return defaults()


@pytest.fixture(scope="module")
def english_values() -> list[adversarial.Value]:
    return values("en", seed=1)


def values(language: str, seed: int) -> list[adversarial.Value]:
    return [
        *adversarial.of_faker(seed),
        *adversarial.of_patterns(language),
        *adversarial.examples(language),
    ]


def found(rows: list) -> set[str]:
    return {finding.entity for row in rows for finding in row or ()}


def test_default_entities(english, english_values):
    rows = adversarial.rows(2, 600, english_values)
    assert english.differences(rows) == []
    # Rows in which nothing is found would agree too.
    assert sum(bool(row) for row in english.expected(rows)) > 100


@pytest.mark.parametrize("each", [7, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"])
def test_whatever_stands_beside_a_value(english, each):
    texts = [
        text
        for number, edge in enumerate(adversarial.EDGES)
        for value in adversarial.EXAMPLES[number % each :: each]
        for text in (edge + value + edge, value + edge, edge + value)
    ]
    assert english.differences(texts) == []


@pytest.mark.parametrize("zero", adversarial.DIGITS, ids=ascii)
def test_digits_of_every_script(english, zero):
    digits = {ord("0") + i: ord(zero) + i for i in range(10)}
    texts = [f"card phone {value.translate(digits)}" for value in adversarial.EXAMPLES]
    assert english.differences(texts) == []


def test_values_written_otherwise(english, english_values):
    """Digits of other scripts, other white space, other dashes, letters that fold into ASCII."""
    texts = adversarial.rewritten(english_values[::8])
    assert english.differences(texts) == []


def test_letters_that_fold_into_ascii(english):
    texts = [value.translate(adversarial.FOLDING) for value in adversarial.EXAMPLES]
    texts += [f"ro\u017fe\u212aim\u0130 {text} \u0131" for text in adversarial.EXAMPLES]
    assert english.differences(texts) == []


def test_a_value_over_the_edge_of_two_rows_is_in_neither(english):
    cut = ["call 212-555-", "0123 or write to jane@", "example.com, card 4111 1111 ", "1111 1111"]
    assert ours(english.scanner, cut) == [()] * 4
    assert english.differences(cut) == []
    whole = ["".join(cut)]
    assert {"EMAIL_ADDRESS", "CREDIT_CARD"} <= found(ours(english.scanner, whole))


@pytest.mark.parametrize(
    "text",
    [
        "180062345~37175",
        "1995199511~4",
        "3345\u00a06194826878-907",
        "xGB29 NWBK 6016 1331 9268 19",
        "Gb29 NWBK 6016 1331 9268 19",
        "DE89370400440532013000x",
        "\u0131BAN DE89370400440532013000",
    ],
    ids=ascii,
)
def test_what_was_wrong_once(english, text):
    assert english.differences([text]) == []


def test_nulls_and_empty_rows(english):
    rows = [None, "", " ", "\n", "\r\n", None, "jane@example.com", "", None]
    assert english.differences(rows) == []
    assert [bool(row) for row in ours(english.scanner, rows)] == [False] * 6 + [True, False, False]
    assert english.differences([]) == []
    assert english.differences([None]) == []
    assert english.differences([""]) == []


def test_a_long_row(english, english_values):
    row = adversarial.long_row(3, 30_000, english_values)
    assert english.differences(["before", row, "jane@example.com"]) == []


def test_any_batch_gives_the_same_findings(english, english_values):
    rows = adversarial.rows(4, 200, english_values)
    at_once = ours(english.scanner, rows)
    order = adversarial.dice(5).sample(range(len(rows)), len(rows))
    shuffled = ours(english.scanner, [rows[i] for i in order])
    assert shuffled == [at_once[i] for i in order]
    for size in (1, 7, 64):
        batches = [rows[i : i + size] for i in range(0, len(rows), size)]
        assert [row for batch in batches for row in ours(english.scanner, batch)] == at_once
    assert ours(english.scanner, [*rows, *rows]) == [*at_once, *at_once]


def test_slices_of_arrow_arrays(english, english_values):
    """A slice has an offset into its buffers; a chunk of a table is one."""
    rows = adversarial.rows(6, 60, english_values)
    whole = english.scanner.find(pa.array(rows, pa.large_string()))
    part = english.scanner.find(pa.array(rows, pa.large_string()).slice(17, 20))
    inside = (whole.text >= 17) & (whole.text < 37)
    assert (whole.text[inside] - 17).tolist() == part.text.tolist()
    assert whole.start[inside].tolist() == part.start.tolist()
    assert whole.score[inside].tolist() == part.score.tolist()


@pytest.mark.parametrize(
    "threshold", [0.0, 0.5, *(pytest.param(t, marks=pytest.mark.slow) for t in (0.05, 0.85, 1.0))]
)
def test_thresholds(english_values, threshold):
    rows = adversarial.rows(7, 60, english_values)
    assert defaults(threshold=threshold).differences(rows) == []


@pytest.mark.slow
def test_every_english_recogniser_at_once(english_values):
    pair = everything("en")
    rows = [*adversarial.plain(english_values), *adversarial.rewritten(english_values[::16])]
    expected = pair.expected(rows)
    assert found(expected) == set(pair.scanner.entities), "the rows leave out an entity"
    assert pair.differences(rows) == []


@pytest.mark.parametrize(
    "country",
    [
        name if name in {"in", "us"} else pytest.param(name, marks=pytest.mark.slow)
        for name in ENGLISH_COUNTRIES
    ],
)
def test_country_by_country(country, english_values):
    pair = everything("en", country)
    rows = [*adversarial.plain(english_values)[::5], *adversarial.rows(9, 60, english_values)]
    assert pair.differences(rows) == []


def test_countries_are_complete():
    assert tuple(countries("en")) == ENGLISH_COUNTRIES


@pytest.mark.slow
@pytest.mark.parametrize("language", [name for name in languages() if name != "en"])
def test_every_recogniser_of_a_language(language):
    pair = everything(language)
    drawn = values(language, seed=10)
    plain = adversarial.plain(drawn)
    expected = pair.expected(plain)
    assert found(expected) == set(pair.scanner.entities), "the rows leave out an entity"
    rows = [*plain, *adversarial.rewritten(drawn[::9]), *adversarial.rows(11, 60, drawn)]
    assert pair.differences(rows) == []


@pytest.mark.slow
def test_two_languages_at_once(english_values):
    pair = defaults("en", "es")
    rows = adversarial.rows(12, 80, [*english_values, *adversarial.of_patterns("es")])
    assert pair.differences(rows) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_default_entities_at_length(english, seed):
    drawn = [*values("en", seed), *adversarial.of_patterns("de")]
    assert english.differences(adversarial.rows(seed, 3_000, drawn)) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 204))
def test_every_english_recogniser_at_length(seed):
    drawn = values("en", seed)
    rows = [*adversarial.rewritten(drawn), *adversarial.rows(seed, 3_000, drawn)]
    assert everything("en").differences(rows) == []


@pytest.mark.slow
def test_a_very_long_row(english, english_values):
    """The reference looks for a finding's word from the front of its row: values are few."""
    filler = " ".join(["some words without any number"] * 20_000)
    row = f"jane@example.com {filler} 192.0.2.1 {filler} card 4111 1111 1111 1111"
    assert english.differences([row, "", row[1:], None]) == []


@pytest.mark.parametrize(
    "characters", [8_000, pytest.param(600_000, marks=pytest.mark.slow)], ids=["some", "more"]
)
def test_real_text(english, characters):
    if not DATA:
        pytest.skip("real text comes by CORPUSGATE_DATA, which is not set")
    different = {}
    for name, rows in corpora(Path(DATA)).items():
        some = english.differences(sample(rows, characters))
        if some:
            different[name] = some
    assert different == {}


def test_nothing_is_logged(english, english_values, caplog):
    """Presidio logs a text whose IBAN it cannot check, and more where debugging is on."""
    caplog.set_level(logging.DEBUG)
    texts = ["HQ38KF73O\u0131P4 IBAN", *adversarial.rewritten(english_values[::40])]
    ours(english.scanner, texts)
    assert [record.name for record in caplog.records] == []


def test_scanning_opens_no_connection():
    """Presidio would fetch the list of public suffixes when it sees the first e-mail address."""
    program = """
import socket, sys
def refuse(*_):
    sys.exit("a connection was asked for")
socket.getaddrinfo = socket.socket.connect = refuse
import pyarrow as pa
from corpusgate.filters.detect.scanner import Scanner
found = Scanner(profile="presidio").find(pa.array(["jane@example.com"], pa.large_string()))
assert [found.entities[i] for i in found.entity] == ["EMAIL_ADDRESS"]
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TLDEXTRACT_CACHE": os.devnull},
    )
    assert done.returncode == 0, done.stderr


def test_what_is_looked_for_is_what_was_asked_for():
    assert Scanner(["US_SSN", "UK_NHS"], profile="presidio").entities == ("UK_NHS", "US_SSN")
