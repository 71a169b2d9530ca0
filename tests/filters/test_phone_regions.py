"""Every region's phone numbers are found where python-phonenumbers finds them."""

import random

import phonenumbers
import pyarrow as pa
import pytest
from corpusgate.filters.detect.fold import folded
from corpusgate.filters.detect.phones import PhoneNumbers
from corpusgate.filters.detect.prefilter import Prefilter
from sampled import sampled

TEXTS = 20
BEFORE = ["", "call ", "x", "+"]
BETWEEN = [" ", ". ", " / ", ", ", " - ", "\n", " ext. ", "x"]
BEHIND = ["", " now", "a", "%"]
KINDS = phonenumbers.PhoneNumberType.values()
WRITTEN = phonenumbers.PhoneNumberFormat
FORMATS = (WRITTEN.E164, WRITTEN.INTERNATIONAL, WRITTEN.NATIONAL)


def numbers_of(region):
    """Give examples of all kinds, as they are written and dialled, and what is dialled nearby."""
    for kind in KINDS:
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None:
            yield from (phonenumbers.format_number(number, form) for form in FORMATS)
            yield from (str(number.national_number)[-size:] for size in (5, 6, 7, 20))


def altered(rng, number):
    """Give a number with some other digits, or other marks, or as it is."""
    if rng.random() < 0.4:
        drawn = [rng.choice("0123456789") if c.isdigit() else c for c in number]
        number = "".join(rng.choice(pair) for pair in zip(number, drawn, strict=True))
    return number.replace(" ", rng.choice("-./")) if rng.random() < 0.2 else number


@pytest.mark.parametrize(
    "region", sampled(sorted(phonenumbers.SUPPORTED_REGIONS), "AR", "BM", "BR", "ES", "JE", "US")
)
def test_numbers_of_one_region(region):
    rng = random.Random(region)  # noqa: S311
    phones = PhoneNumbers((region,), phonenumbers.Leniency.VALID, 0.4)
    prefilter = Prefilter([phones.expression])
    examples = list(numbers_of(region))
    found = 0
    for _ in range(TEXTS):
        some = [altered(rng, rng.choice(examples)) for _ in range(rng.randrange(1, 4))]
        text = rng.choice(BEFORE) + rng.choice(BETWEEN).join(some) + rng.choice(BEHIND)
        batch = folded(pa.array([text], pa.large_string()))
        ends = prefilter.scan(batch.data)[phones.expression] - 2
        wanted = [(m.start, m.end) for m in phonenumbers.PhoneNumberMatcher(text, region)]
        assert phones.find(text, batch.data[1:-1], ends.tolist()) == wanted, text
        found += len(wanted)
    assert found
