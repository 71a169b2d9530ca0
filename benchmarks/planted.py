"""Personal information the way people write it, drawn at random; check digits are right."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import zlib
from typing import Final

from words import NAMES, NOUNS


def mention(rng: random.Random, kind: str) -> str:
    """Plant a value the way people write it."""
    shares = _IN_CODE if kind == "code" else _IN_LOGS if kind == "logs" else _IN_TEXT
    make = rng.choices([*shares], [*shares.values()])[0]
    value = make(rng)
    return f"\n# {value}" if kind == "code" else f" {value[0].upper()}{value[1:]}."


def email(rng: random.Random) -> str:
    """Draw one."""
    who = rng.choice(NAMES).lower()
    where = f"{rng.choice(NOUNS)}.{rng.choice(('com', 'org', 'net', 'co.uk', 'io', 'edu'))}"
    return f"write to {who}{rng.choice(('.', '_', ''))}{rng.choice(NOUNS)}@{where}"


def phone(rng: random.Random) -> str:
    """Draw one."""
    area, rest = rng.choice((212, 305, 415, 503, 617, 713)), f"{rng.randint(0, 9999):04d}"
    middle = rng.randint(200, 999)
    form = rng.choice(("({}) {}-{}", "{}-{}-{}", "+1 {} {} {}", "{}.{}.{}", "+1{}{}{}"))
    return f"call {form.format(area, middle, rest)}"


def card(rng: random.Random) -> str:
    """Draw one."""
    digits = [4, *(rng.randint(0, 9) for _ in range(14))]
    doubled = [(d * 2 - 9 if d > 4 else d * 2) if i % 2 == 0 else d for i, d in enumerate(digits)]
    text = "".join(map(str, [*digits, -sum(doubled) % 10]))
    return f"my card is {rng.choice((' ', '-', '')).join(text[i : i + 4] for i in (0, 4, 8, 12))}"


def iban(rng: random.Random) -> str:
    """Draw one."""
    rest = "".join(rng.choices(string.digits, k=18))
    check = 98 - int(rest + "131400") % 97
    return f"transfer it to DE{check:02d}{rest}"


def ssn(rng: random.Random) -> str:
    """Draw one."""
    serial = f"{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"
    return f"my social security number is {rng.choice((212, 318, 451, 530))}-{serial}"


def itin(rng: random.Random) -> str:
    """Draw one."""
    return f"my ITIN is 9{rng.randint(10, 99)}-{rng.randint(70, 88)}-{rng.randint(1000, 9999)}"


def passport(rng: random.Random) -> str:
    """Draw one."""
    return f"my US passport number is {rng.randint(10**8, 10**9 - 1)}"


def licence(rng: random.Random) -> str:
    """Draw one."""
    return f"my driver license is {rng.choice('ADHKS')}{rng.randint(10**7, 10**8 - 1)}"


def bank(rng: random.Random) -> str:
    """Draw one."""
    return f"the bank account number is {rng.randint(10**9, 10**12)}"


def nhs(rng: random.Random) -> str:
    """Draw one."""
    while True:
        digits = [rng.randint(0, 9) for _ in range(9)]
        check = -sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11
        if check < 10:
            text = "".join(map(str, [*digits, check]))
            return f"my NHS number is {text[:3]} {text[3:6]} {text[6:]}"


def ip(rng: random.Random) -> str:
    """Draw one."""
    return ".".join(str(rng.randint(1, 254)) for _ in range(4))


def ip6(rng: random.Random) -> str:
    """Draw one."""
    return ":".join(f"{rng.getrandbits(16):x}" for _ in range(8))


def mac(rng: random.Random) -> str:
    """Draw one of a single device: the first byte is even."""
    parts = [2 * rng.getrandbits(7), *(rng.getrandbits(8) for _ in range(5))]
    return "the card says " + ":".join(f"{part:02x}" for part in parts)


def password(rng: random.Random) -> str:
    """Draw one."""
    word = "".join(rng.choices(string.ascii_letters + string.digits, k=14))
    return f"use postgres://{rng.choice(NAMES).lower()}:{word}@db.{rng.choice(NOUNS)}.io:5432/main"


def key(rng: random.Random) -> str:
    """Draw one of two services'."""
    if rng.random() < 0.5:
        return "the key is AKIA" + "".join(rng.choices(string.ascii_uppercase + "234567", k=16))
    body = "".join(rng.choices(_BASE62, k=30))
    check, left = "", zlib.crc32(body.encode())
    for _ in range(6):
        left, digit = divmod(left, 62)
        check = _BASE62[digit] + check
    return f"the token is ghp_{body}{check}"


def crypto(rng: random.Random) -> str:
    """Draw one."""
    body = bytes([0, *(rng.getrandbits(8) for _ in range(20))])
    check = hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    number, text = int.from_bytes(body + check), ""
    while number:
        number, left = divmod(number, 58)
        text = _BASE58[left] + text
    return f"send the bitcoin to 1{text}"


def dea(rng: random.Random) -> str:
    """Draw one."""
    digits = [rng.randint(0, 9) for _ in range(6)]
    check = (sum(digits[0::2]) + 2 * sum(digits[1::2])) % 10
    number = "".join(map(str, [*digits, check]))
    return f"the doctor's DEA certificate is {rng.choice('ABFM')}{rng.choice('BCDKS')}{number}"


def token(rng: random.Random) -> str:
    """Draw one."""
    parts = (
        {"alg": "HS256", "typ": "JWT"},
        {"sub": str(rng.getrandbits(40)), "iat": 1_700_000_000 + rng.getrandbits(20)},
    )
    texts = [_base64(json.dumps(part).encode()) for part in parts]
    return f"the token is {'.'.join([*texts, _base64(rng.randbytes(32))])}"


def private_key(rng: random.Random) -> str:
    """Draw one."""
    body = base64.b64encode(b"0\x82\x04\xa4\x02\x01\x00" + rng.randbytes(600)).decode()
    lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    return f"the key is\n-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----\n"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
KINDS: Final = {
    "e-mail": email,
    "phone": phone,
    "card": card,
    "IBAN": iban,
    "SSN": ssn,
    "ITIN": itin,
    "passport": passport,
    "driver licence": licence,
    "bank account": bank,
    "NHS number": nhs,
    "medical licence": dea,
    "crypto wallet": crypto,
    "IPv4": ip,
    "IPv6": ip6,
    "MAC": mac,
    "password in a URL": password,
    "API key": key,
    "JSON web token": token,
    "private key": private_key,
}
_IN_TEXT: Final = {
    email: 40,
    phone: 30,
    ip: 6,
    card: 4,
    ssn: 4,
    iban: 3,
    itin: 1,
    passport: 2,
    licence: 2,
    bank: 2,
    nhs: 1,
    mac: 1,
    ip6: 1,
    password: 1,
    key: 2,
    dea: 1,
    crypto: 1,
    token: 1,
    private_key: 1,
}
_IN_CODE: Final = {email: 60, ip: 15, phone: 3, password: 8, key: 6, mac: 4, ip6: 4}
_IN_LOGS: Final = {ip: 60, email: 20, mac: 10, ip6: 5, phone: 5}
