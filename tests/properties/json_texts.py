"""JSON texts as different writers write them, and texts that are nearly JSON."""

import json
from typing import Any

from hypothesis import strategies as st

_words = st.text(st.sampled_from('ab"\\/\n\x7f\u00e9\u6f22\U0001f600\ud83d\ude00~'), max_size=6)
_scalars = st.sampled_from([0, -1, 1.5, 1e300, True, False, None, float("-inf")])


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """Draw an object, an array or a string, with keys twice, and halves of surrogate pairs."""
    depth = draw(st.integers(0, 3))
    return _space(draw) + _container(draw, depth) + _space(draw)


@st.composite
def nearly_json(draw: st.DrawFn) -> str:
    """Draw a JSON text and change a few characters of it."""
    text = list(draw(json_texts()))
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 2))] = draw(
            st.text('{}[],:"\\ \n0-1.eEtu\ufeff', max_size=1)
        )
    return "".join(text)


def _space(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(["", "", "", " ", "\n\t", "\r "]))


def _container(draw: st.DrawFn, depth: int) -> str:
    kind = draw(st.sampled_from('[{"'))
    if kind == '"':
        return _string(draw)
    items = []
    for _ in range(draw(st.integers(0, 3))):
        value = _container(draw, depth - 1) if depth else json.dumps(draw(_scalars))
        key = f"{_string(draw)}{_space(draw)}:" if kind == "{" else ""
        items.append(f"{_space(draw)}{key}{_space(draw)}{value}{_space(draw)}")
    return kind + (",".join(items) or _space(draw)) + ("}" if kind == "{" else "]")


def _string(draw: st.DrawFn) -> str:
    writers = [_as_python, _raw, _with_slashes, _in_numbers, _in_any_way]
    write = draw(st.sampled_from(writers))
    return '"' + "".join(write(draw, character) for character in draw(_words)) + '"'


def _as_python(_: Any, character: str) -> str:
    return json.dumps(character)[1:-1]


def _raw(_: Any, character: str) -> str:
    surrogate = "\ud800" <= character <= "\udfff"
    return json.dumps(character, ensure_ascii=surrogate)[1:-1]


def _with_slashes(_: Any, character: str) -> str:
    return r"\/" if character == "/" else _as_python(_, character)


def _in_numbers(_: Any, character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex().upper()}" for at in range(0, len(units), 2))


def _in_any_way(draw: st.DrawFn, character: str) -> str:
    return draw(st.sampled_from([_as_python, _raw, _with_slashes, _in_numbers]))(draw, character)
