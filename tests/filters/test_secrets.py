"""Which credentials are found, where exactly, and what only looks like one.

Every secret here was made up for the test; those with a checksum have a right one.
"""

import base64
import json
import pickle
import random
import string
import zlib

import pytest
from corpusgate.filters.recognizers.secret_checks import checksum62, is_placeholder
from corpusgate.filters.recognizers.secret_keys import API_KEYS
from corpusgate.filters.recognizers.secrets import secret_recognizers

_DICE = random.Random(20)  # noqa: S311  # the same made-up secrets every time
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BODY = "\n".join("".join(_DICE.choices(_BASE62 + "+/", k=64)) for _ in range(12))


def letters(count, alphabet=string.ascii_letters + string.digits):
    # One of each kind first, so that no check of variety depends on the dice.
    kinds = [c for c in "aB3" if c in alphabet]
    return "".join(kinds + _DICE.choices(alphabet, k=count - len(kinds)))


HEX = "0123456789abcdef"


def summed(prefix):
    body = letters(30)
    number, digits = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return prefix + body + digits.rjust(6, "0")


def token(header):
    parts = (json.dumps(header).encode(), b'{"sub":"17"}')
    return ".".join([*(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts), "c2lnbg"])


def pem(kind):
    return f"-----BEGIN {kind}-----\n{_BODY}\n-----END {kind}-----"


def found(text):
    findings = []
    for recognizer in secret_recognizers():
        entity = recognizer.supported_entities[0]
        findings += [
            (entity, text[f.start : f.end])
            for f in recognizer.analyze(text, [entity])
            if f.score >= 0.4
        ]
    return sorted(set(findings))


AWS_SECRET = letters(38) + "/+"

KEYS = [
    "AKIA" + letters(16, string.ascii_uppercase + "234567").upper(),
    "AIza" + letters(35),
    "ya29." + letters(60),
    "GOCSPX-" + letters(28),
    summed("ghp_"),
    summed("ghs_"),
    "github_pat_" + letters(22) + "_" + letters(59),
    "glpat-" + letters(20),
    "xoxb-" + letters(12, string.digits) + "-" + letters(24),
    "https://hooks.slack.com/services/T0AB12CD3/B0AB12CD3/" + letters(24),
    "sk_live_" + letters(24),
    "rk_live_" + letters(24),
    "sk-proj-" + letters(60),
    "sk-" + letters(48),
    "sk-ant-api03-" + letters(93) + "AA",
    "hf_" + letters(34),
    summed("npm_"),
    "pypi-AgEIcHlwaS5vcmc" + letters(90),
    "SG." + letters(22) + "." + letters(43),
    "dop_v1_" + letters(64, HEX),
    "shpat_" + letters(32, HEX),
    "1234509876:A" + letters(34),
    "MTAyMzQ1Njc4OTAxMjM0NTY3." + letters(6) + "." + letters(30),
    "hvs." + letters(24),
    "dapi" + letters(32, HEX),
    letters(14) + ".atlasv1." + letters(66),
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:8])
@pytest.mark.parametrize("around", ["{}", "key: {}.", '"{}"', "API={}\n", "({})", "…{}…"])
def test_a_key_is_found_whole(key, around):
    assert found(around.format(key)) == [("API_KEY", key)]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:8])
def test_a_key_inside_a_longer_word_is_none(key):
    assert found(f"x{key}") == []
    assert ("API_KEY", key) not in found(f"{key}_x")


@pytest.mark.parametrize(
    "lead",
    [
        "aws_secret_access_key = ",
        'AWS_SECRET_ACCESS_KEY="',
        '"SecretAccessKey": "',
        "secret access key is ",
    ],
)
def test_an_aws_secret_is_found_after_its_name(lead):
    assert found(lead + AWS_SECRET) == [("API_KEY", AWS_SECRET)]


def test_an_aws_secret_has_no_form_of_its_own():
    assert found(f"digest = {AWS_SECRET}") == []
    assert found(f"aws_secret_access_key = {letters(40, HEX)}") == []


@pytest.mark.parametrize("kind", ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY"])
def test_a_private_key_is_found_from_begin_to_end(kind):
    block = pem(kind)
    assert found(f"key:\n{block}\nend") == [("PRIVATE_KEY", block)]


def test_a_private_key_is_found_in_one_line_of_source():
    block = pem("EC PRIVATE KEY").replace("\n", "\\n")
    assert found(f'KEY = "{block}"') == [("PRIVATE_KEY", block)]


def test_two_keys_are_two():
    one, other = pem("RSA PRIVATE KEY"), pem("PGP PRIVATE KEY BLOCK")
    assert found(f"{one}\n{other}") == sorted([("PRIVATE_KEY", one), ("PRIVATE_KEY", other)])


def test_an_unfinished_key_is_found_as_far_as_it_goes():
    block = pem("RSA PRIVATE KEY").partition("\n-----END")[0]
    assert found(f"{block}\n\n(cut off here)") == [("PRIVATE_KEY", block)]


@pytest.mark.parametrize(
    "text",
    [
        'if text.startswith("-----BEGIN RSA PRIVATE KEY-----"):\n    return load(text)',
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nYOUR-PRIVATE-KEY-HERE\n-----END PRIVATE KEY-----",
        pem("PUBLIC KEY"),
        pem("CERTIFICATE"),
    ],
)
def test_markers_without_a_key_are_none(text):
    assert found(text) == []


def test_an_age_key_is_found():
    key = "AGE-SECRET-KEY-1" + letters(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L").upper()
    assert found(f"# created\n{key}\n") == [("PRIVATE_KEY", key)]


def test_a_wireguard_key_is_found_after_its_name():
    key = letters(43) + "="
    assert found(f"[Interface]\nPrivateKey = {key}\n") == [("PRIVATE_KEY", key)]
    assert found(f"PublicKey = {key}\n") == []


def test_a_token_is_found_if_its_header_names_an_algorithm():
    good = token({"alg": "HS256", "typ": "JWT"})
    assert found(f"Authorization: Bearer {good}") == [("JSON_WEB_TOKEN", good)]
    assert found(token({"typ": "JWT", "version": 1})) == []
    assert found("eyJ" + letters(30) + "." + letters(20) + ".x") == []


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("postgres://bob:s3cr3t!W@db.example.org:5432/x", "s3cr3t!W"),
        ("https://user:p%40ss9word@host/", "p%40ss9word"),
        ("redis://:hunter2xyz@cache", "hunter2xyz"),
        ("amqp+tls://svc:Tr0ub4dor@[::1]:5671", "Tr0ub4dor"),
    ],
)
def test_only_the_password_of_a_url_is_found(url, password):
    assert found(f"DSN={url} # here") == [("URL_PASSWORD", password)]


@pytest.mark.parametrize(
    "url",
    [
        "https://user:password@host/",
        "https://user:${PASSWORD}@host/",
        "https://{user}:{password}@host/",
        "https://user:<password>@host/",
        "https://user:%s@host/",
        "https://user:****@host/",
        "https://user:xxxxxx@host/",
        "https://host:8080/path@here",
        "https://host/a:b@c",
        "git+ssh://git@host/path",
    ],
)
def test_what_stands_for_a_password_is_none(url):
    assert found(url) == []


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "sk-your-api-key-here",
        "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
        "sk_test_" + "0" * 24,
        "ghp_" + letters(36),
        "npm_" + letters(36),
        "AIzaSyXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
        "hf_abcdefghijklmnopqrstuvwxyzabcdefgh",
        "glpat-ABCDEFGHIJKLMNOPQRST"[:6] + "a" * 20,
        "xoxb-your-token-goes-here-please",
        "d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "123e4567-e89b-12d3-a456-426614174000",
        "sha512-" + letters(86) + "==",
        "data:image/png;base64," + letters(200) + "==",
        "SKIPPED_BECAUSE_OF_ACCESS",
        "password = os.environ['PASSWORD']",
        "api_key = get_secret('stripe')",
    ],
)
def test_placeholders_hashes_and_ids_are_none(text):
    assert found(text) == []


def test_checksums_are_those_of_the_services():
    # Public since GitHub described the format; long revoked.
    assert checksum62("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")
    assert not checksum62("ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq16")


def test_every_kind_of_key_says_where_it_is_published():
    assert all(key.source for key in API_KEYS)
    assert len({key.name for key in API_KEYS}) == len(API_KEYS)


def test_recognizers_travel():
    text = f"key {KEYS[0]} and {pem('RSA PRIVATE KEY')}"
    here = secret_recognizers("de")
    there = pickle.loads(pickle.dumps(here))  # noqa: S301
    for one, other in zip(here, there, strict=True):
        entity = one.supported_entities
        assert one.supported_language == other.supported_language == "de"
        assert [f.start for f in one.analyze(text, entity)] == [
            f.start for f in other.analyze(text, entity)
        ]


STANDING_FOR = [
    *("EXAMPLE", "placeholder", "Redacted", "dummy", "sample", "replace", "insert", "change-me"),
    *("changeme", "foobar", "your-", "my-key", "the_api_key", "some token", "testsecret"),
    *("ACCESS_PASSWORD", "fake-key", " fake", "1fake", "...", "\u2026", "${A", "{{a", "<a", "%s "),
    *("%d.", "aaaaaa", "AAAaaa", "000000", "******", "######", "......", "------", "abcdefgh"),
    *("bcdefghi", "hijklmn", "12345678", "23456789", "98765432", "deadbeef", "QWERTY", "0123456"),
    *("in\u017fert", "test\u212aey"),
]


@pytest.mark.parametrize("text", STANDING_FOR)
def test_what_stands_for_a_secret(text):
    assert is_placeholder(f"qX7{text}9Zq")
    assert not is_placeholder(f"qX7{text[: len(text) > 1]}9Zq")
