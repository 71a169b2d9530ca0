"""The values that expressions and frames share, so that comparisons hit."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

CUTOFF = datetime(2023, 3, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)

INSTANTS = [
    CUTOFF - _TICK,
    CUTOFF,
    CUTOFF + _TICK,
    CUTOFF - timedelta(days=30),
    CUTOFF + timedelta(days=30),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2018, 1, 1, tzinfo=UTC) - _TICK,
    datetime(2018, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(9999, 1, 1, tzinfo=UTC),
]
WORDS = [
    "",
    " ",
    "a",
    "A",
    "ft:x",
    "FT:x",
    "a:ft-b",
    "it's",
    "100%",
    "a_b",
    "a.b",
    "axb",
    "a\nb",
    "\\",
    "é",
    "e\u0301",
    "😀",
    "\U0001f1e9\U0001f1ea",
    "ß",
    '"',
    "$as_of",
    "--",
    "free",
    "team",
    "api",
    "public_web",
    "opt_in",
]

instants = st.sampled_from(INSTANTS)
words = st.sampled_from(WORDS) | st.text("aA%_.\\[](){}^$*+?|-#&~é😀\n'", max_size=4)
integers = st.sampled_from([0, 1, -1, 7, 2**31, -(2**31), 2**63 - 1, -(2**63) + 1])
offsets = st.sampled_from([0, 60, -300, 330, 345, -570, 840, -720]).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)


def nullable(values: st.SearchStrategy) -> st.SearchStrategy:
    """Give a value, or None, which is NULL."""
    return st.none() | values
