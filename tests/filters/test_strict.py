"""What profile `strict` finds and what it leaves alone, kind by kind."""

import os
import pickle
import re
import time
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
import regex
from corpusgate.filters.detect.evaluate import evaluate
from corpusgate.filters.detect.scanner import Scanner
from corpusgate.filters.detect.shapes import shape
from corpusgate.filters.recognizers.secrets import secret_recognizers
from corpusgate.filters.recognizers.strict import strict_recognizers
from hypothesis import given
from hypothesis import strategies as st
from properties.efforts import efforts

RECOGNIZERS = strict_recognizers()


def found(text, recognizers=RECOGNIZERS):
    """Give the widest findings of a text, as entity and words."""
    spans = set()
    for recognizer in recognizers:
        entity = recognizer.supported_entities[0]
        findings = recognizer.analyze(text, [entity])
        spans |= {(f.start, f.end, entity) for f in findings if f.score >= 0.4}
    inner = {
        one
        for one in spans
        for other in spans
        if one != other and other[2] == one[2] and other[0] <= one[0] and one[1] <= other[1]
    }
    return [(entity, text[start:end]) for start, end, entity in sorted(spans - inner)]


FOUND = [
    # E-mail addresses.
    ("EMAIL_ADDRESS", "Write to [[jane.doe@example.com]]."),
    ("EMAIL_ADDRESS", "<[[Danny_Jones%CORP@mail.example.org]]>"),
    ("EMAIL_ADDRESS", "email=[[a+b@sub.example.co.uk]]&x=1"),
    ("EMAIL_ADDRESS", '[["two words"@example.com]]'),
    ("EMAIL_ADDRESS", "[[jörg@bücher.example.de]]"),
    ("EMAIL_ADDRESS", "[[用户@例子.广告]]"),
    ("EMAIL_ADDRESS", "mail [[me@example.org]].Please answer"),
    ("EMAIL_ADDRESS", "[[root@printer.local]]"),
    ("EMAIL_ADDRESS", "'[[o'neill@example.ie]]'"),
    # Telephone numbers.
    ("PHONE_NUMBER", "[[+44 20 7946 0958]]"),
    ("PHONE_NUMBER", "[[+4930123456]] is ours"),
    ("PHONE_NUMBER", "[[+41 (0)44 668 18 00]]"),
    ("PHONE_NUMBER", "[[0049 30 123456]]"),
    ("PHONE_NUMBER", "[[(212) 555-0143]]"),
    ("PHONE_NUMBER", "[[212.555.0143 x12]]"),
    ("PHONE_NUMBER", "Sera ([[713/853-5984]])"),
    ("PHONE_NUMBER", "[[212 867 5309]] or so"),
    ("PHONE_NUMBER", "au [[06 12 34 56 78]], merci"),
    ("PHONE_NUMBER", "[[0161 496 0123]]"),
    ("PHONE_NUMBER", "[[(03) 9221 4101]]"),
    ("PHONE_NUMBER", "[[923 123 456]]"),
    ("PHONE_NUMBER", "Phone:\n[[467 3395]]"),
    ("PHONE_NUMBER", "Fax: [[9498777106]]"),
    ("PHONE_NUMBER", "call me at [[72 128 827]] tonight"),
    ("PHONE_NUMBER", "Desk: [[5403926876]]"),
    ("PHONE_NUMBER", "my new number is [[467 3395]]"),
    ("PHONE_NUMBER", "[[555–123–4567]]".replace("555–123", "212–867")),  # noqa: RUF001
    # Cards.
    ("CREDIT_CARD", "[[4111111111111111]]"),
    ("CREDIT_CARD", "[[4111 1111 1111 1111]] 12/27"),
    ("CREDIT_CARD", "[[5500-0055-5555-5559]]"),
    ("CREDIT_CARD", "[[3782 822463 10005]]"),
    ("CREDIT_CARD", "[[3056 930902 5904]]"),
    ("CREDIT_CARD", "[[2223003122003222]]"),
    ("CREDIT_CARD", "my card [[503802053770]] is lost"),
    ("CREDIT_CARD", "card # [[4735615260219382870]]"),
    ("CREDIT_CARD", "Visa: [[41 1111 1111 111111]]"),
    # Accounts.
    ("IBAN_CODE", "[[GB82 WEST 1234 5698 7654 32]] is mine"),
    ("IBAN_CODE", "[[de89370400440532013000]]"),
    ("IBAN_CODE", "[[NO93 8601 1117 947]]"),
    ("US_BANK_NUMBER", "account number: [[000123456789]]"),
    ("US_BANK_NUMBER", "my checking account is [[84736251]]"),
    ("CRYPTO", "[[1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa]]"),
    ("CRYPTO", "[[bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq]]"),
    # Networks.
    ("IP_ADDRESS", "from [[41.173.96.26]] blocked"),
    ("IP_ADDRESS", "http://[[8.8.8.8]]/"),
    ("IP_ADDRESS", "ping [[1.2.3.4]]"),
    ("IP_ADDRESS", "[[2001:db8:85a3::8a2e:370:7334]]"),
    ("IP_ADDRESS", "[[6e40:4041:c617:e898:c11:40d2:c669:2eb4]]"),
    ("IP_ADDRESS", "[[fe80::1ff:fe23:4567:890a%eth0]]"),
    ("IP_ADDRESS", "[[::ffff:192.0.2.128]]"),
    ("IP_ADDRESS", "via [[64:ff9b::c000:221]], [[2001:DB8::]] and [[fd12:3456:789a:1::1/64]]"),
    ("IP_ADDRESS", "[[2a00:1450:4001:81b:0:0:0:200e/64]]"),
    ("MAC_ADDRESS", "[[00:1A:2b:3C:4D:5e]]"),
    ("MAC_ADDRESS", "[[00-1a-2b-3c-4d-5e]]"),
    ("MAC_ADDRESS", "[[001a.2b3c.4d5e]]"),
    # Persons.
    ("US_SSN", "His number is [[536-22-1045]]."),
    ("US_SSN", "SSN [[536221045]]"),
    ("US_SSN", "social security number: [[536 22 1045]]"),
    ("US_ITIN", "[[912-88-1234]]"),
    ("US_ITIN", "ITIN [[912881234]]"),
    ("US_PASSPORT", "passport no. [[C03005988]]"),
    ("US_PASSPORT", "Passport: [[912803456]]"),
    ("US_DRIVER_LICENSE", "My driver's license number is [[6940579]]"),
    ("US_DRIVER_LICENSE", "driver’s licence: [[F255-921-50-094]]"),  # noqa: RUF001
    ("US_DRIVER_LICENSE", "DL# [[D1234567]]"),
    ("UK_NHS", "NHS number [[943 476 5919]]"),
    ("MEDICAL_LICENSE", "DEA number [[BB1388568]]"),
]


@pytest.mark.parametrize(("entity", "marked"), FOUND, ids=lambda value: value[:40])
def test_found(entity, marked):
    expected = re.search(r"\[\[(.*?)\]\]", marked)[1]
    text = marked.replace("[[", "").replace("]]", "")
    assert (entity, expected) in found(text)


NOTHING = [
    # No addresses.
    "@pytest.fixture\ndef x(self): ...",
    "y = W@x.T + a@b.shape",
    "numpy@1.26.4 lodash@4.17.21",
    "icon@2x.png logo@3x.zip",
    "git@github.com:owner/repository.git",
    "https://user:secret99x@example.org/ http:a:b@example.org",
    "uses: actions/checkout@v4.1",
    "jodud...@example.com",
    "me@-leadingdash.com me@twodots..com",
    # No telephone numbers.
    "2023-11-07 12:30:05,123",
    "on 07.11.2023 and 11/07/2023",
    "call 2014-01-01",
    "[10:23:45] 12345.678901",
    "0x0000000012345678 1699351805123",
    "3.14159 26535 89793",
    "12 34 56 78 90 12 34 56",
    "07 00 00 00 02 00 00 00",
    "0065 0302 0301 ; [.2007.0022.000",
    "Copyright 2017-2022 Mobile Corporation",
    "CVE-2021-41945 call",
    "M0 011.067 12 2.926 2.926 0 014",
    "Houston, TX 77042-2016",
    "+12345678 -87654321",
    "ISBN 0-306-40615-2",
    "UUID 123e4567-e89b-12d3-a456-426614174000",
    # No cards.
    "4111111111111112",
    "0.4111111111111111",
    "deadbeef4111111111111111",
    "card_id = 1699351805123456",
    "5751 5994 6333 7841 727C 785C",
    # No accounts.
    "GB82WEST12345698765433",
    "sha1 = de893704004405320130001234567890abcdef12",
    "x/DE89370400440532013000+abc",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
    "checkpoint_12345678 account 12345678",
    # No networks' addresses.
    "version 10.45.3.122",
    '"version": "101.0.4951.64"',
    "numpy==1.26.44.1",
    "upgrade V8 to 4.6.85.23",
    "1.3.6.1.4.1.311.21",
    "see section 1.2.3.4",
    "127.0.0.1 0.0.0.0 255.255.255.0 224.0.0.1",
    "std::vector<ab::cd> x; a::b::c",
    "12:34:56 to 23:45:01",
    "aa:bb:cc:dd:ee:ff:00:11:22",
    "01:00:5e:00:00:fb ff:ff:ff:ff:ff:ff",
    "20-11-07-12-30-05",
    # No persons' numbers.
    "000-12-3456 666-12-3456 536-00-1234 536-22-0000",
    "123 45 6789",
    "912-93-1234",
    "int x = 912345678; y = A12345678;",
    "9434765919",
    "AB1234563",
    "MIT License 1234567",
]


@pytest.mark.parametrize("text", NOTHING, ids=lambda text: text[:40])
def test_nothing_found(text):
    assert found(text) == []


def test_lists_of_numbers_are_all_found():
    text = "713-654-0365 800-553-3119 x365 (415) 973-2776 (415) 973-3634"
    assert len(found(text)) == 4


def test_recognizers_travel():
    again = pickle.loads(pickle.dumps(RECOGNIZERS))  # noqa: S301
    text = "card 4111 1111 1111 1111, call (212) 555-0143"
    assert found(text, again) == found(text) != []


ALL = RECOGNIZERS + secret_recognizers()
PIECES = [marked.replace("[[", "").replace("]]", "") for _, marked in FOUND] + NOTHING
PIECES += ["é", "“", "7", " ", "\n", "-", ".", "x", "phone ", "card "]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)


@efforts(fast=40, slow=800)
def test_every_match_begins_in_an_anchor(effort):
    @effort
    @given(TEXTS)
    def check(text):
        for recognizer in ALL:
            for pattern in recognizer.patterns:
                spans = None
                flags = recognizer.global_regex_flags
                for match in regex.finditer(pattern.regex, text, flags=flags):
                    if spans is None:
                        anchor = getattr(pattern, "anchor", pattern.regex)
                        hits = regex.finditer(anchor, text, flags=flags, overlapped=True)
                        spans = [hit.span() for hit in hits]
                    first = match.start() + getattr(pattern, "before", 0)
                    last = match.end() + shape(pattern.regex, flags).ahead
                    inside = (a <= first and match.start() <= b <= last for a, b in spans)
                    assert any(inside), pattern.name

    check()


def test_of_many_pairs_in_a_row_an_address_is_tried_once():
    fingerprint = ":".join(["ab"] * 32)
    found = Scanner(["IP_ADDRESS"]).find(pa.array([fingerprint, "00:1a:2b:3c:4d:5e"]))
    assert found.tried.tolist() == [[0, len(fingerprint) + 1]]


@efforts(fast=30, slow=400)
def test_a_window_decides_as_the_whole_text_does(effort):
    filler = ("lorem ipsum dolor sit amet, " * 40)[:1000]

    @effort
    @given(TEXTS)
    def check(text):
        middle = f" \n{text}\n "
        offset = len(filler)
        for recognizer in RECOGNIZERS:
            entity = recognizer.supported_entities[0]
            alone = recognizer.analyze(f"{filler[-300:]}{middle}{filler[:300]}", [entity])
            whole = recognizer.analyze(f"{filler}{middle}{filler}", [entity])
            assert {(f.start - 300, f.end - 300, f.score) for f in alone} == {
                (f.start - offset, f.end - offset, f.score) for f in whole
            }

    check()


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        *("-----BEGIN PRIVATE KEY-----", "1", "12 ", "4111 ", "a.", "a.b@c-", "1:", "ab:", "AbC1"),
        *("eyJaaaaaaaa.", "http://a:", "+1 ", "phone ", '"a"@', "GB82 WEST ", "card 4", "(01"),
        "nrt\n",
    ],
)
def test_no_text_takes_long(piece):
    text = (piece * 100_000)[:100_000]
    begun = time.process_time()
    for recognizer in ALL:
        recognizer.analyze(text, recognizer.supported_entities)
    assert time.process_time() - begun < 10


def test_the_scanner_finds_what_the_recognizers_find():
    texts = [*PIECES, " ".join(PIECES), "\n".join(PIECES)]
    scanner = Scanner(profile="strict")
    there = scanner.find(pa.array(texts, pa.large_string()))
    fast = {*zip(there.text, there.start, there.end, there.entity, strict=True)}
    for number, text in enumerate(texts):
        for recognizer in ALL:
            [entity] = recognizer.supported_entities
            kind = there.entities.index(entity)
            for f in recognizer.analyze(text, [entity]):
                # Duplicates inside wider findings are dropped.
                assert f.score < 0.4 or any(
                    (row, what) == (number, kind) and start <= f.start and f.end <= end
                    for row, start, end, what in fast
                ), (entity, f.analysis_explanation.pattern_name)
    assert not there.unreadable.size


DATA = os.environ.get("CORPUSGATE_DATA")


def scores(name):
    gold = pl.read_parquet(Path(DATA) / "gold" / f"{name}.parquet")
    rows = [
        (doc, f.entity_type, f.start, f.end)
        for doc, text in gold.select("doc_id", "text").iter_rows()
        for recognizer in RECOGNIZERS
        for f in recognizer.analyze(text, recognizer.supported_entities)
        if f.score >= 0.4
    ]
    findings = pl.DataFrame(rows, schema=["doc_id", "entity", "start", "end"], orient="row")
    return {row["entity"]: row for row in evaluate(gold, findings).iter_rows(named=True)}


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="CORPUSGATE_DATA is not set")
def test_scores_on_gold_data():
    web = scores("ewt_contact")["EMAIL_ADDRESS"]
    assert min(web["recall"], web["precision"]) >= 0.99
    synthetic = scores("presidio_synth_v2")
    assert synthetic["CREDIT_CARD"]["recall"] >= 0.95
    assert synthetic["PHONE_NUMBER"]["f1"] >= 0.75
    for entity in ("US_SSN", "IBAN_CODE", "IP_ADDRESS"):
        assert synthetic[entity]["recall"] >= 0.99
