"""Rows of text that are hard to read: personal information in every kind of company.

Everything is drawn from a seed. Values come from Faker in ten locales, from the recognisers' own
patterns and from a list of well-known examples; around them stand what breaks matchers that take
short cuts: row edges, other scripts' digits, letters that fold into ASCII, CRLF, combining marks.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from faker import Faker
from presidio_analyzer import EntityRecognizer, PatternRecognizer

from .patterns import matching
from .reference import predefined

LOCALES: Final = (
    "en_US",
    "en_GB",
    "de_DE",
    "es_ES",
    "fr_FR",
    "it_IT",
    "pl_PL",
    "ar_AA",
    "hi_IN",
    "ko_KR",
)

EXAMPLES: Final = (
    "4111 1111 1111 1111",
    "378282246310005",
    "5555-5555-5555-4444",
    "DE89370400440532013000",
    "GB29 NWBK 6016 1331 9268 19",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "jane.doe+news@mail.example.co.uk",
    "o'neil@example.com",
    "a@b.com.",
    "user@xn--bcher-kva.example",
    "j\u00fcrgen@b\u00fccher.de",
    "212-555-0123",
    "(212) 555 0123 ext. 7",
    "+44 20 7946 0958",
    "+49 (0)30 901820",
    "020 7946 0958",
    "tel:+1-201-555-0123",
    "078-05-1120",
    "219-09-9999",
    "943 476 5919",
    "192.0.2.17",
    "192.0.2.17/24",
    "2001:db8::8a2e:370:7334",
    "::1",
    "fe80::1%eth0",
    "00:1B:44:11:3A:B7",
    "00-1b-44-11-3a-b7",
    "001B.4411.3AB7",
    "a1b2c3d4-0000-4000-8000-00805f9b34fb",
    "https://user:pass@example.com/path?q=1#x",
    "www.example.org",
    "2021-03-04T05:06:07Z",
    "12/31/1999",
    "BB1388568",
    "131052-308T",
    "8001015009087",
    "1.2.3",
    "d41d8cd98f00b204e9800998ecf8427e",
    "0" * 40,
    "1" * 16,
)

EDGES: Final = (
    "",
    *" \n\r\t\v\f\x00\x1c\x1f,:=()<>\"'/#_-.@+*xZ7",
    *"\x85\u00a0\u180e\u200b\u200c\u200d\u200f\u2028\u2029\u202e\u2060\u3000\ufe0f\ufeff",
    *"\u0301\u05b0\u0e48\u20e3",  # combining marks
    *"\u2013\u2014\u2018\u2019\u201c\u2026\uff0c\U0001f600\u203f\uff20",
    *"\u00e9\u00df\u0416\u05d0\u0639\u4e2d\uac00\U000323b0\u24b6",  # word characters
    *"\u00b2\u00bd\u2460\u0663\u096a\uff15\U0001d7d8\u19da\U00010d43",  # digits, and none
    *"\u212a\u017f\u0130\u0131",  # letters that fold into ASCII
    "  ",
    "\r\n",
    ", ",
    ": ",
    "e\u0301",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
)
"""What may stand beside a value: white space, marks, quotes, letters and digits of all kinds."""

DIGITS: Final = ("\u0660", "\u06f0", "\u0966", "\uff10", "\U0001d7ce", "\u0e50", "\U00010d40")
"""The zeros of other scripts, the last of them newer than Python 3.11 knows."""

FOLDING: Final = str.maketrans(
    {"k": "\u212a", "K": "\u212a", "s": "\u017f", "S": "\u017f", "i": "\u0130", "I": "\u0131"}
)
WAYS: Final = (
    *({ord("0") + i: ord(zero) + i for i in range(10)} for zero in DIGITS[3:]),
    *(str.maketrans(dict.fromkeys(" \t\n", space)) for space in ("\u00a0", "\u2029", "\n", "\t")),
    *(str.maketrans(dict.fromkeys("-", dash)) for dash in "\u2011\u2013_ "),
    FOLDING,
    *(
        str.maketrans(dict.fromkeys(letters, to))
        for letters, to in (("iI", "\u0131"), ("aA", "\u00e4"))
    ),
)
"""Ways to write a value otherwise, character by character."""

WORDS: Final = (
    "please",
    "note",
    "that",
    "we",
    "met",
    "them",
    "on",
    "the",
    "way",
    "to",
    "it",
    "asked",
)
UNCOUNTED: Final = ("the", "of", "it", "is", "THE", ",", "-", "...", "!", "\u2026")
"""Stop words and punctuation: Presidio skips them when it counts the words before a value."""


@dataclass(frozen=True)
class Value:
    """Something that may be personal information, and words that make it likelier."""

    text: str
    context: tuple[str, ...] = ()


def dice(seed: int | str) -> random.Random:
    """Give a source of numbers that are the same every time."""
    return random.Random(seed)  # noqa: S311 - generated text wants a seed, not secrecy


def rows(seed: int, count: int, values: Sequence[Value]) -> list[str | None]:
    """Draw rows: mostly short, some empty or null, some with a value cut by the row's edge."""
    rng = dice(seed)
    drawn: list[str | None] = []
    while len(drawn) < count:
        drawn += _some(rng, values)
    return drawn[:count]


def rewritten(values: Sequence[Value]) -> list[str]:
    """Give each value as `plain` does, in every way of `WAYS` that changes it."""
    return [
        f"the {' '.join(value.context[:2])} {text} here"
        for value in values
        for text in dict.fromkeys(value.text.translate(way) for way in WAYS)
        if text != value.text
    ]


def plain(values: Sequence[Value]) -> list[str]:
    """Give each value a row of its own, alone in good company."""
    return [f"the {' '.join(value.context[:2])} {value.text} here" for value in values]


def long_row(seed: int, characters: int, values: Sequence[Value]) -> str:
    """Draw one row of at least that many characters with values throughout and at both ends."""
    rng = dice(seed)
    parts, size = [rng.choice(values).text], 0
    while size < characters:
        filler = " ".join(rng.choices(WORDS, k=rng.randint(20, 200)))
        parts += [filler, sentence(rng, values)]
        size += len(filler) + len(parts[-1])
    return " ".join([*parts, rng.choice(values).text])


def sentence(rng: random.Random, values: Sequence[Value]) -> str:
    """Draw words, perhaps a context word, a value, and something odd on its either side."""
    value = rng.choice(values)
    words = rng.choices(WORDS, k=rng.randint(0, 6))
    before = rng.choice(EDGES) if rng.random() < 0.6 else " "
    after = rng.choice(EDGES) if rng.random() < 0.6 else " "
    if value.context and rng.random() < 0.7:
        word = rng.choice(value.context)
        match rng.randint(0, 7):
            case 0:  # words that do not count lie between: the context is far away
                words = [word, *rng.choices(UNCOUNTED, k=rng.randint(5, 60))]
            case 1:  # a word of the context is part of the value's own token
                words.append(word.upper())
                before = rng.choice(("", "", "-", "_", ":"))
            case 2:  # or a part of another word
                words.append(f"dis{word}ed")
            case _:
                words.insert(rng.randint(max(0, len(words) - 6), len(words)), word)
    if rng.random() < 0.1:  # a token split at its colon makes uncounted words count
        words.insert(rng.randint(0, len(words)), rng.choice(("_:the", "it:5", "card:7", "::")))
    tail = " ".join(rng.choices(WORDS, k=rng.randint(0, 3)))
    return " ".join(words) + before + twisted(rng, value.text) + after + tail


def twisted(rng: random.Random, text: str) -> str:
    """Write a value otherwise now and then: case, digits, folding letters, marks, quotes."""
    match rng.randint(0, 19):
        case 0:
            return text.upper()
        case 1:
            return text.lower()
        case 2:
            zero = ord(rng.choice(DIGITS))
            return text.translate({ord("0") + i: zero + i for i in range(10)})
        case 3:
            return text.translate(FOLDING)
        case 4 if text:
            at = rng.randint(0, len(text))
            return text[:at] + rng.choice(EDGES) + text[at:]
        case 5:
            return text.replace(" ", rng.choice(("\u00a0", "\n", "\r\n", "  ", "\t", "")))
        case 6:
            return text.replace("-", rng.choice(("\u2013", "\u2011", " ", ".", "")))
        case 7 if text:
            at = rng.randrange(len(text))
            return text[:at] + text[at + 1 :]
    return text


def of_faker(seed: int, each: int = 3) -> list[Value]:
    """Draw names, addresses, telephone numbers, e-mail, IBANs, cards and identity numbers."""
    drawn = []
    for locale in LOCALES:
        fake = Faker(locale)
        fake.seed_instance(seed)
        kinds = (
            fake.name,
            fake.phone_number,
            fake.email,
            fake.ascii_safe_email,
            fake.iban,
            fake.credit_card_number,
            fake.ssn,
            fake.ipv4,
            fake.ipv6,
            fake.address,
            fake.uri,
        )
        drawn += [Value(kind().replace("\n", ", ")) for kind in kinds for _ in range(each)]
    return drawn


@cache
def of_patterns(language: str, each: int = 6) -> tuple[Value, ...]:
    """Draw values from every recogniser of a language; half of them with a right checksum."""
    rng = dice(f"values of {language}")
    return tuple(
        value
        for recognizer in predefined(language)
        if isinstance(recognizer, PatternRecognizer)
        for value in of_recognizer(recognizer, rng, each)
    )


def of_recognizer(
    recognizer: PatternRecognizer, rng: random.Random, each: int = 6
) -> Iterator[Value]:
    """Draw values from a recogniser's patterns."""
    context = tuple(recognizer.context or ())
    for pattern in recognizer.patterns:
        drawn = [matching(pattern.regex, rng) for _ in range(40 * each)]
        right = [text for text in drawn if _passes(recognizer, text)]
        for text in (*drawn[: each // 2], *right[: each - each // 2]):
            yield Value(text, context)


def examples(language: str) -> list[Value]:
    """Give the well-known examples, each with some context words of the language."""
    words = sorted(
        {word for recognizer in predefined(language) for word in recognizer.context or ()}
    )
    rng = dice(language)
    return [Value(text, tuple(rng.sample(words, min(8, len(words))))) for text in EXAMPLES]


def _passes(recognizer: EntityRecognizer, text: str) -> bool:
    try:
        right = recognizer.validate_result(text) is not False
        return right and not recognizer.invalidate_result(text)
    except Exception:  # noqa: BLE001 - drawn without its surroundings, it may be what none expects
        return False


def _some(rng: random.Random, values: Sequence[Value]) -> list[str | None]:
    value = twisted(rng, rng.choice(values).text)
    match rng.randint(0, 15):
        case 0:
            return [rng.choice((None, "", " ", "\n", "\r\n"))]
        case 1 | 2:  # over the edge of two rows: in neither of them
            at = rng.randint(0, len(value))
            return [f"{' '.join(rng.choices(WORDS, k=2))} {value[:at]}", f"{value[at:]} more"]
        case 3:
            return [value]
        case 4:
            return [f"{value} {rng.choice(WORDS)}"]
        case 5:
            return [f"{rng.choice(WORDS)} {value}"]
        case 6:  # as the end of a row and as the beginning of the next
            return [f"{rng.choice(EDGES)}{value}", f"{value}{rng.choice(EDGES)}"]
        case 7:
            edge = rng.choice(EDGES)
            return [edge.join(twisted(rng, rng.choice(values).text) for _ in range(4))]
        case 8:  # dense digits: a line of a log
            return [" ".join(str(rng.randint(0, 10 ** rng.randint(1, 12))) for _ in range(12))]
        case 9:
            return [rng.choice(("\r\n", "\n", "\r")).join(sentence(rng, values) for _ in "123")]
    return [sentence(rng, values)]
