"""Texts to measure detection on: prose, chat, source code, logs. Generated; no text occurs twice.

Personal information is planted about as densely as web text, chats, repositories and chat logs
hold it (`DENSITY`); `support chat` is chat in which every tenth message or so leaves an address or
a number. Numbers that are none stand around it: years, prices, versions, hashes, times.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final

import planted
from words import ADJECTIVES, LINKS, NAMES, NOUNS, PLACES, VERBS

DENSITY: Final = {
    "prose": 4_000,
    "chat": 20_000,
    "support chat": 2_000,
    "code": 16_000,
    "logs": 2_000,
}
"""Characters for each planted value, on average.

In chats of a public channel, words alone, the scanner finds 51 a million characters.
"""


def prose(rng: random.Random, size: int) -> Iterator[str]:
    """Documents of one to eight kilobytes in paragraphs; half of them with curly quotes."""
    return _documents(rng, size, "prose", lambda: rng.randint(8, 60), _paragraph)


def chat(rng: random.Random, size: int) -> Iterator[str]:
    """Single messages of one to a few sentences; some with emoji, some without capitals."""
    return _documents(rng, size, "chat", _sentences(rng), _message)


def support_chat(rng: random.Random, size: int) -> Iterator[str]:
    """Chat with ten times as much personal information."""
    return _documents(rng, size, "support chat", _sentences(rng), _message)


def code(rng: random.Random, size: int) -> Iterator[str]:
    """Files of Python-like source: names, numbers, versions, hashes, UUIDs, comments."""
    return _documents(rng, size, "code", lambda: rng.randint(20, 400), _source)


def logs(rng: random.Random, size: int) -> Iterator[str]:
    """Chat logs: every line a time and a nick, some an address, a count or a kernel's numbers."""
    return _documents(rng, size, "logs", lambda: rng.randint(300, 1_500), _log_line)


KINDS: Final[dict[str, Callable[[random.Random, int], Iterator[str]]]] = {
    "prose": prose,
    "chat": chat,
    "support chat": support_chat,
    "code": code,
    "logs": logs,
}


def generate(kind: str, size: int, seed: int = 3) -> list[str]:
    """Draw texts of a kind, about `size` characters in all.

    >>> generate("chat", 10_000) == generate("chat", 10_000)
    True
    """
    return list(KINDS[kind](random.Random(f"{kind} {seed}"), size))


def _documents(
    rng: random.Random,
    size: int,
    kind: str,
    parts: Callable[[], int],
    part: Callable[[random.Random], str],
) -> Iterator[str]:
    until = rng.expovariate(1 / DENSITY[kind])
    while size > 0:
        pieces = []
        for _ in range(parts()):
            pieces.append(part(rng))
            until -= len(pieces[-1])
            if until < 0:
                pieces[-1] += planted.mention(rng, kind)
                until = rng.expovariate(1 / DENSITY[kind])
        text = ("\n" if kind in {"code", "logs"} else " ").join(pieces)
        if kind == "prose" and rng.random() < 0.5:
            text = text.replace("'", "\u2019").replace(" - ", " \u2013 ")
        size -= len(text)
        yield text


def _paragraph(rng: random.Random) -> str:
    text = _sentence(rng)
    return text + "\n\n" if rng.random() < 0.2 else text


def _sentence(rng: random.Random) -> str:
    def clause() -> str:
        who = rng.choice(
            (rng.choice(NAMES), "the " + _noun(rng), "our " + _noun(rng), "she", "they")
        )
        return f"{who} {rng.choice(VERBS)} {_object(rng)}"

    text = clause()
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        text += f"{rng.choice((',', '', ' -'))} {rng.choice(LINKS)} {clause()}"
    if rng.random() < 0.08:
        text = f'"{text}", said {rng.choice(NAMES)}'
    return text[0].upper() + text[1:] + rng.choice("...!?;" if rng.random() < 0.2 else ".")


def _noun(rng: random.Random) -> str:
    noun = rng.choice(NOUNS)
    return f"{rng.choice(ADJECTIVES)} {noun}" if rng.random() < 0.4 else noun


def _object(rng: random.Random) -> str:
    match rng.randint(0, 15):
        case 0:
            return f"it in {rng.randint(1800, 2024)}"
        case 1:
            return f"{rng.randint(2, 400)} {rng.choice(NOUNS)}s"
        case 2:
            price = f"{rng.randint(1, 90)},{rng.randint(100, 999)}.{rng.randint(10, 99)}"
            return f"${price} for the {_noun(rng)}"
        case 3:
            return f"the {_noun(rng)} in {rng.choice(PLACES)}"
        case 4:
            time = f"{rng.randint(1, 12)}:{rng.randint(10, 59)} pm"
            return f"{rng.choice(NAMES)}'s {_noun(rng)} at {time}"
        case 5:
            return f"the {_noun(rng)} of the {_noun(rng)}"
    return f"{rng.choice(('the', 'a', 'every', 'his', 'her', 'no'))} {_noun(rng)}"


def _sentences(rng: random.Random) -> Callable[[], int]:
    return lambda: rng.choice((1, 1, 2, 2, 3, 5))


def _message(rng: random.Random) -> str:
    text = _sentence(rng)
    match rng.randint(0, 9):
        case 0:
            return text.lower().rstrip(".")
        case 1:
            return f"{text} {rng.choice(chr(0x1F600) + chr(0x1F44D) + chr(0x2764))}"
        case 2:
            return f"thanks! {text}"
        case 3:
            return text.replace("'", "\u2019")
        case 4:
            return f"{rng.randint(1, 9)}. {text}\n"
    return text


def _source(rng: random.Random) -> str:
    names = rng.sample(NOUNS, 3)
    verb = rng.choice(VERBS)
    indent = " " * 4 * rng.randint(0, 3)
    lines = (
        f"def {verb}_{names[0]}({names[1]}: int, {names[2]}: str = {names[1]!r}) -> None:",
        f"{indent}{names[0]}[{rng.randint(0, 99)}] = {names[1]}.{verb}({rng.randint(0, 65535)})",
        f"{indent}if {names[0]} >= 0x{rng.getrandbits(32):08x} and not {names[1]}:",
        f"{indent}# {_sentence(rng)}",
        f"{indent}return {rng.random():.6f} * {names[0]}_{names[1]}",
        f"from {names[0]}.{names[1]} import {names[2].title()}, {verb}",
        f'{indent}version = "{rng.randint(0, 9)}.{rng.randint(0, 40)}.{rng.randint(0, 9)}"',
        f'{indent}self.{names[0]} = {{"{names[1]}": {rng.randint(0, 10**6)}, "{names[2]}": None}}',
        f"{indent}@{names[0]}.{verb}",
        f'{indent}assert {verb}("{names[0]}") == b"\\x{rng.getrandbits(8):02x}"',
        f'    "sha256:{rng.getrandbits(256):064x}",' if rng.random() < 0.2 else "",
        f'ID = "{_uuid(rng)}"' if rng.random() < 0.2 else f"{indent}pass",
    )
    return rng.choice(lines)


def _log_line(rng: random.Random) -> str:
    hour, minute = rng.randint(0, 23), rng.randint(0, 59)
    nick = rng.choice(NOUNS) + rng.choice(("", "", "_", str(rng.randint(1, 99))))
    match rng.randint(0, 11):
        case 0:
            text = f"=== {nick} [n={nick}@{_host(rng)}] has joined #{rng.choice(NOUNS)}"
        case 1:
            version = f"{rng.randint(1, 9)}.{rng.randint(0, 40)}.{rng.randint(0, 99)}"
            text = f"<{nick}> {rng.choice(NOUNS)}-{version}"
        case 2:
            number = f"{rng.choice(NOUNS)}: 0x{rng.getrandbits(32):08x}"
            text = f"<{nick}> [{rng.random() * 9999:12.6f}] {number}"
        case _:
            text = f"<{nick}> {_sentence(rng).lower()}"
    return f"[{hour:02d}:{minute:02d}] {text}"


def _host(rng: random.Random) -> str:
    if rng.random() < 0.1:
        return planted.ip(rng)
    number = f"{rng.randint(1, 254)}-{rng.randint(1, 254)}"
    return f"{rng.choice(NOUNS)}-{number}.{rng.choice(NOUNS)}.example"


def _uuid(rng: random.Random) -> str:
    bits = f"{rng.getrandbits(128):032x}"
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"
