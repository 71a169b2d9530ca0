"""Operators: what a job may write, and what comes to stand in the text."""

import hashlib
import hmac

import pytest
from corpusgate.filters.errors import JobError
from corpusgate.filters.reduce.operators import Operator, Operators, parse_operators, stand_in
from corpusgate.filters.reduce.pseudonyms import Key, reserved

SECRET = b"a key for tests, no secret"
PHONE = "212-736-5000"


def written(operator, value=PHONE, entity="PHONE_NUMBER", key=SECRET):
    operators, faults = parse_operators({entity: operator})
    assert faults == []
    key = None if key is None else Key(key)
    return stand_in(operators.of(entity), entity, value, key=key, scope="run")


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("replace", "<PHONE_NUMBER>"),
        ({"type": "replace", "new_value": "[phone]"}, "[phone]"),
        ({"type": "replace", "new_value": None}, "<PHONE_NUMBER>"),
        ("redact", ""),
        ("mask", "************"),
        ({"type": "mask", "masking_char": "#", "chars_to_mask": 7}, "#######-5000"),
        ({"type": "mask", "chars_to_mask": 4, "from_end": True}, "212-736-****"),
        ({"type": "mask", "chars_to_mask": 12, "from_end": True}, "************"),
        ({"type": "mask", "chars_to_mask": 99}, "************"),
        ("hash", hmac.new(SECRET, PHONE.encode(), hashlib.sha256).hexdigest()),
        (
            {"type": "hash", "length": 20},
            hmac.new(SECRET, PHONE.encode(), hashlib.sha256).hexdigest()[:20],
        ),
        ("keep", PHONE),
    ],
)
def test_what_stands_in_the_text(operator, expected):
    assert written(operator) == expected


def test_a_pseudonym_stands_in_the_text():
    assert reserved("PHONE_NUMBER", written("pseudonym"))


def test_masks_count_characters_not_bytes():
    assert written({"type": "mask", "chars_to_mask": 2}, "éß😀x") == "**😀x"


@pytest.mark.parametrize("operator", ["hash", "pseudonym"])
def test_no_key_no_output(operator):
    operators, _ = parse_operators({"PHONE_NUMBER": operator})
    with pytest.raises(JobError, match="want a key, and none was given"):
        operators.checked(None)
    with pytest.raises(JobError, match="fewer than 16"):
        operators.checked(b"short")
    with pytest.raises(ValueError, match="wants a key") as caught:
        written(operator, key=None)
    assert PHONE not in str(caught.value)


def test_a_key_is_checked_even_where_none_is_wanted():
    assert Operators().checked(None) is None
    with pytest.raises(JobError, match="fewer than 16"):
        Operators().checked(b"")


def test_default_is_for_all_others():
    operators, faults = parse_operators({"DEFAULT": "redact", "URL": "keep"})
    assert (operators.of("URL").type, operators.of("IBAN_CODE").type) == ("keep", "redact")
    assert faults == []
    assert parse_operators({})[0].of("URL").type == "replace"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (["replace"], "operators: operators are a mapping from entities"),
        ({"URL": 1}, "operators.URL: this names no operator"),
        ({"URL": {"masking_char": "*"}}, "operators.URL: this names no operator"),
        ({"URL": "mak"}, "unknown operator `mak`. Did you mean `mask`?"),
        ({"URL": "encrypt"}, "unknown operator `encrypt`. There is no way back"),
        ({"URL": {"type": "redact", "new_value": "x"}}, "`redact` has no such parameter. Leave it"),
        ({"URL": {"type": "mask", "char": "x"}}, "It has masking_char, chars_to_mask, from_end"),
        ({"URL": {"type": "pseudonym", "scope": "run"}}, "The scope is said once"),
        ({"URL": {"type": "hash", "hash_type": "md5"}}, "Hashes are HMAC-SHA256; leave it out"),
        ({"URL": {"type": "hash", "key": "c2VjcmV0"}}, "Keys never stand in a job file"),
        ({"URL": {"type": "hash", "length": 8}}, "operators.URL.length: a value it cannot have"),
        ({"URL": {"type": "hash", "length": True}}, "Write a number from 16 to 64"),
        ({"URL": {"type": "replace", "new_value": ""}}, "Write some text; for none, use redact"),
        ({"URL": {"type": "mask", "masking_char": "**"}}, "Write one character that is no digit"),
        ({"URL": {"type": "mask", "masking_char": "0"}}, "Write one character that is no digit"),
        ({"URL": {"type": "mask", "chars_to_mask": 0}}, "Write a number of characters"),
        ({"URL": {"type": "mask", "chars_to_mask": "6"}}, "Write a number of characters"),
        ({"URL": {"type": "mask", "from_end": "yes"}}, "Write true or false"),
        ({"EMAIL_ADRESS": "mask"}, "not among the entities looked for. Did you mean `EMAIL_AD"),
    ],
)
def test_faults(data, said):
    _, faults = parse_operators(data, ["EMAIL_ADDRESS", "URL"])
    assert len(faults) == 1
    assert said in str(faults[0])
    assert "c2VjcmV0" not in str(faults[0])


def test_all_faults_at_once():
    data = {"URL": "mak", "DEFAULT": {"type": "mask", "char": "x", "from_end": 1}}
    assert len(parse_operators(data)[1]) == 3


def test_description_reads_back():
    data = {
        "DEFAULT": {"type": "redact"},
        "EMAIL_ADDRESS": {"type": "hash", "length": 32},
        "URL": {"type": "replace", "new_value": "…"},
        "US_SSN": {"type": "mask", "masking_char": "#", "chars_to_mask": 5, "from_end": True},
    }
    operators, _ = parse_operators(data)
    assert operators.describe() == data
    assert Operators(by_entity={"URL": Operator()}).describe()["URL"] == {"type": "replace"}
