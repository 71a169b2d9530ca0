"""Pseudonyms: the same form, nobody's, one a person in a scope, nothing without the key."""

import pickle
import re

import pytest
from corpusgate.filters.errors import JobError
from corpusgate.filters.reduce.invented_names import NAMES, within_invented
from corpusgate.filters.reduce.numbers_for_examples import _CARDS, _IBANS, NUMBERS
from corpusgate.filters.reduce.phones_for_drama import PHONES
from corpusgate.filters.reduce.pseudonyms import VERSION, Key, normal_form, pseudonym, reserved
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.efforts import efforts

KEY = Key(b"a key for tests, no secret")
ARABIC = "212 736 5000".translate({ord(str(digit)): 0x660 + digit for digit in range(10)})
KINDS = sorted({**NUMBERS, **PHONES, **NAMES})


def made(entity, value, scope="run", key=KEY):
    return pseudonym(key, scope, entity, value)


@pytest.mark.parametrize(
    ("entity", "value", "form"),
    [
        ("PHONE_NUMBER", "(212) 736-5000", r"\(\d{3}\) 555-01\d\d"),
        ("PHONE_NUMBER", "+1 212.736.5000", r"\+1 \d{3}\.555\.01\d\d"),
        ("PHONE_NUMBER", "1-212-736-5000", r"1-\d{3}-555-01\d\d"),
        ("PHONE_NUMBER", "001 212 736 5000", r"001 \d{3} 555 01\d\d"),
        ("PHONE_NUMBER", "2127365000", r"\d{3}55501\d\d"),
        ("PHONE_NUMBER", "736-5000", r"555-01\d\d"),
        ("PHONE_NUMBER", "212-736-5000 ext. 12", r"\d{3}-555-01\d\d"),
        (
            "PHONE_NUMBER",
            ARABIC,
            r"\d{3} 555 01\d\d",
        ),
        ("PHONE_NUMBER", "07911 123456", r"07700 900\d{3}"),
        ("PHONE_NUMBER", "+44 (0)7911 123456", r"\+44 \(0\)7700 900\d{3}"),
        ("PHONE_NUMBER", "020 7123 4567", r"02[089] \d{4} \d{4}"),
        ("PHONE_NUMBER", "01234 567890", r"01\d{3} \d{6}"),
        ("PHONE_NUMBER", "0044 1234 567890", r"0044 1\d{3} \d{6}"),
        ("PHONE_NUMBER", "+61 2 9123 4567", r"\+61 [2378] (?:5550|7010) \d{4}"),
        ("PHONE_NUMBER", "(02) 9123 4567", r"\(0[2378]\) (?:5550|7010) \d{4}"),
        ("PHONE_NUMBER", "06 12 34 56 78", r"06 39 98 \d\d \d\d"),
        ("PHONE_NUMBER", "+33 1 23 45 67 89", r"\+33 \d \d\d \d\d \d\d \d\d"),
        ("PHONE_NUMBER", "+91 98765 43210", r"\+1 \d{3} 555 01\d\d"),
        ("PHONE_NUMBER", "030-1234567-8901", r"\d{3}-555-01\d\d"),
        (
            "EMAIL_ADDRESS",
            "Ada.King@math.uk",
            r"[a-z]+\.[a-z]+\d{4}@example\.(com|org|net)",
        ),
        ("EMAIL_ADDRESS", "ada@math.uk", r"[a-z]+\d{4}@example\.(com|org|net)"),
        ("CREDIT_CARD", "4024-0071-1234-5678", r"4\d{3}-\d{4}-\d{4}-\d{4}"),
        ("CREDIT_CARD", "3787 344936 71001", r"3\d{3} \d{6} \d{5}"),
        ("CREDIT_CARD", "4024 0071 1234 567", r"3\d{3} \d{4} \d{4} \d{3}"),  # 15 digits: Amex only
        ("CREDIT_CARD", "4024 0071 1234 5678 90", r"4\d{3} \d{4} \d{4} \d{4}"),
        ("US_SSN", "219-09-1234", r"9\d\d-[0-4]\d-\d{4}"),
        ("US_SSN", "219091234", r"9\d\d[0-4]\d{5}"),
        ("US_ITIN", "912 70 1234", r"9\d\d [0-4]\d \d{4}"),
        ("UK_NHS", "943 476 5919", r"999 \d{3} \d{4}"),
        ("UK_NINO", "ab 12 34 56 c", r"qq \d\d \d\d \d\d [a-d]"),
        ("IBAN_CODE", "DE44 5001 0517 5407 3249 31", r"DE89 3704 0044 0532 0130 00"),
        ("IBAN_CODE", "ZZ44 5001", r"<IBAN_CODE_[a-z]{12}>"),
        ("IP_ADDRESS", "8.8.8.8", r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}"),
        ("IP_ADDRESS", "10.1.0.0/16", r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}/16"),
        ("IP_ADDRESS", "fe80::1%eth0", r"2001:db8:[0-9a-f]+:[0-9a-f]+::[0-9a-f]+"),
        ("IP_ADDRESS", "FE80:0:0:0:1:2:3:4", r"2001:DB8:([0-9A-F]+:){5}[0-9A-F]+"),
        ("IP_ADDRESS", "999.1.1.1", r"<IP_ADDRESS_[a-z]{12}>"),
        ("MAC_ADDRESS", "ab-cd-ef-01-23-45", r"00-00-5e-00-53-[0-9a-f]{2}"),
        ("MAC_ADDRESS", "ABCD.EF01.2345", r"0000\.5E00\.53[0-9A-F]{2}"),
        ("PERSON", "Grace Hopper", r"[A-Z][a-z]+ [A-Z][a-z]+"),
        ("PERSON", "HOPPER", r"[A-Z]+"),
        ("LOCATION", "rome", r"[a-z ]+"),
        ("URL", "https://www.foo.bar/x?y=z", r"https://www\.[a-z]{8}\.example\.(com|org|net)"),
        ("US_PASSPORT", "A1234567", r"<US_PASSPORT_[a-z]{12}>"),
    ],
)
def test_form_is_kept(entity, value, form):
    forms = {made(entity, value, scope) for scope in ("record:1", "record:2", "record:3")}
    assert all(re.fullmatch(form, new) for new in forms), forms
    assert all(reserved(entity, new) for new in forms)
    assert not reserved(entity, value)


@pytest.mark.parametrize(
    ("entity", "values"),
    [
        ("EMAIL_ADDRESS", ["ada@math.uk", "Ada@Math.UK"]),
        (
            "PHONE_NUMBER",
            [
                "212-736-5000",
                "(212) 736.5000",
                "+1 212 736 5000",
                ARABIC,
            ],
        ),
        ("PHONE_NUMBER", ["020 7123 4567", "+44 20 7123 4567", "+44 (0)20 7123 4567"]),
        ("PHONE_NUMBER", ["06 12 34 56 78", "+33 6 12 34 56 78"]),
        ("CREDIT_CARD", ["4024007112345678", "4024 0071 1234 5678"]),
        ("US_SSN", ["219-09-1234", "219 09 1234", "219091234"]),
        ("IBAN_CODE", ["DE44500105175407324931", "de44 5001 0517 5407 3249 31"]),
        ("IP_ADDRESS", ["fe80::1", "FE80:0:0:0:0:0:0:1", "fe80::0001"]),
        ("MAC_ADDRESS", ["ab:cd:ef:01:23:45", "ABCD.EF01.2345"]),
        ("PERSON", ["Grace Hopper", "GRACE  HOPPER"]),
        ("CRYPTO", ["1abc", "1ABC"]),
    ],
)
def test_one_person_one_pseudonym(entity, values):
    assert len({normal_form(entity, made(entity, value)) for value in values}) == 1
    others = {made(entity, values[0], f"user:{user}") for user in range(50)}
    assert len(others) > 1 or entity == "IBAN_CODE"  # there is one a country


def test_scopes_entities_and_keys_are_apart():
    value = "ada@math.uk"
    other = Key(b"another key for the tests")
    drawn = [
        made("EMAIL_ADDRESS", value),
        made("EMAIL_ADDRESS", value, "user:1"),
        made("EMAIL_ADDRESS", value, "organisation:1"),
        made("EMAIL_ADDRESS", value, key=other),
        made("OTHER", value),
        # what one part ends with is not what the next begins with
        made("EMAIL_ADDRESS", "1" + value, "user:"),
    ]
    assert len(set(drawn)) == len(drawn)


def test_key_is_long_and_does_not_show():
    with pytest.raises(JobError, match="it has 15 bytes, fewer than 16"):
        Key(b"fifteen bytes!!")
    secret = b"sixteen bytes!!!"
    key = Key(secret)
    shown = f"{key} {key!r} {[key]} {vars(key).keys()}"
    assert "sixteen" not in shown
    assert "b'" not in shown
    again = pickle.loads(pickle.dumps(key))  # noqa: S301 - our own
    assert made("PERSON", "Grace Hopper", key=again) == made("PERSON", "Grace Hopper", key=key)


@pytest.mark.parametrize(
    ("entity", "value", "expected"),
    [
        ("PHONE_NUMBER", "(212) 736-5000", "(415) 555-0103"),
        ("PHONE_NUMBER", "+44 20 7123 4567", "+44 20 7946 0089"),
        ("EMAIL_ADDRESS", "ada.king@math.uk", "chloe.willowacre0414@example.net"),
        ("CREDIT_CARD", "4024 0071 1234 5678", "4242 4242 4242 4242"),
        ("US_SSN", "219-09-1234", "974-26-7931"),
        ("UK_NHS", "943 476 5919", "999 819 4326"),
        ("IP_ADDRESS", "8.8.8.8", "198.51.100.168"),
        ("IP_ADDRESS", "fe80::1", "2001:db8:6ccb:b1f2::1e82"),
        ("PERSON", "Grace Hopper", "Leo Osiercrest"),
        ("LOCATION", "Rome", "Dapplevale"),
        ("CRYPTO", "1abc", "<CRYPTO_smsvrmqtmpsj>"),
        ("URL", "https://foo.bar/x", "https://fqbdpkpg.example.net"),
    ],
)
def test_pseudonyms_stay_what_they_were(entity, value, expected):
    """A run that is resumed by a later release goes on alike, or VERSION says that it does not."""
    assert VERSION == 1
    assert made(entity, value) == expected


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("PHONE_NUMBER", "202-556-0143"),
        ("PHONE_NUMBER", "202-555-0200"),
        ("PHONE_NUMBER", "800-555-0143"),  # toll-free numbers are not kept free
        ("PHONE_NUMBER", "07700 910123"),
        ("PHONE_NUMBER", "7700900123"),
        ("PHONE_NUMBER", "555-0143 Bob"),
        ("EMAIL_ADDRESS", "ada@example.com.evil.com"),
        ("EMAIL_ADDRESS", "ada@example.co"),
        ("EMAIL_ADDRESS", "2127365000@example.com"),
        ("EMAIL_ADDRESS", "ada@myexample.com"),
        ("CREDIT_CARD", "4111 1111 1111 1112"),
        ("US_SSN", "219-09-9998"),
        ("US_SSN", "912-70-1234"),  # an ITIN
        ("US_SSN", "912-45-0000"),
        ("IP_ADDRESS", "192.0.3.1"),
        ("IP_ADDRESS", "2001:db9::1"),
        ("MAC_ADDRESS", "00-00-5E-00-54-01"),
        ("PERSON", "Anna"),
        ("PERSON", "Anna Larkmead Smith"),
        ("LOCATION", "London"),
        ("URL", "https://example.com/people/ada-king"),
        ("CRYPTO", "<PERSON_bcdfghjkmnpq>"),
    ],
)
def test_what_is_somebodys_is_not_reserved(entity, value):
    assert not reserved(entity, value)


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("PHONE_NUMBER", "(202) 555-0143"),
        ("PHONE_NUMBER", "01632 960123"),
        ("PHONE_NUMBER", "+44 20 7946 0999"),
        ("EMAIL_ADDRESS", "john.doe@example.com"),
        ("CREDIT_CARD", "4242 4242 4242 4242"),
        ("US_SSN", "987-65-4321"),
        ("IP_ADDRESS", "2001:DB8::1/64"),
        ("IP_ADDRESS", "203.0.113.0/24"),
        ("UK_NINO", "QQ 12 34 56 A"),
        ("IBAN_CODE", "GB29 NWBK 6016 1331 9268 19"),
        ("URL", "www.example.org/"),
    ],
)
def test_published_examples_are_reserved(entity, value):
    assert reserved(entity, value)


def test_published_numbers_pass_their_checks():
    for card in _CARDS:
        doubled = [sum(divmod(2 * int(digit), 10)) for digit in card[-2::-2]]
        assert (sum(map(int, card[::-2])) + sum(doubled)) % 10 == 0
    for iban in _IBANS.values():
        assert int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1
    for number in range(50):
        nhs = made("UK_NHS", "943 476 5919", f"record:{number}").replace(" ", "")
        assert sum(int(d) * w for d, w in zip(nhs, range(10, 0, -1), strict=True)) % 11 == 0


def test_invented_names_are_found_in_text():
    name = made("PERSON", "Grace Hopper")
    assert within_invented(f"said {name}.", 5, 5 + len(name))
    assert not within_invented(f"said {name}.", 4, 5 + len(name))
    assert not within_invented("Anna said so", 0, 4)


values = st.one_of(
    st.text(max_size=30),
    st.text("0123456789 -.()+/", max_size=24),
    st.text("0123456789abcdefABCDEF:.-%/", max_size=24),
    st.from_regex(r"\+?\(?\d{1,4}\)?[ .-]?\d{2,4}[ .-]?\d{3,4}([ .-]?\d{3,4})?", fullmatch=True),
    st.from_regex(r"[\w.]{1,12}@\w{1,8}\.\w{2,3}", fullmatch=True),
    st.from_regex(r"[A-Za-z]{2}\d\d[ \dA-Za-z]{4,26}", fullmatch=True),
    st.ip_addresses().map(str),
)


@efforts(fast=200, slow=5_000)
def test_every_pseudonym_is_reserved(effort):
    @settings(effort)
    @given(st.sampled_from([*KINDS, "US_PASSPORT", "odd name"]), values, st.text(max_size=8))
    def check(entity, value, scope):
        new = made(entity, value, scope)
        assert reserved(entity, new)
        assert made(entity, value, scope) == new

    check()
