"""Random lists of rows: our scanner finds in each what Presidio finds in it alone."""

from functools import cache

from corpusgate.filters.detect.scanner import Scanner
from hypothesis import given, settings
from hypothesis import strategies as st
from pii import adversarial
from pii.compare import ours
from pii.pairs import Pair, defaults
from properties.efforts import efforts

Rows = list[str | None]

WORDS = ("card", "phone", "ssn", "passport", "my", "bank account", "licence", "nhs", "the", "a")


@cache
def pair() -> Pair:
    return defaults()


@cache
def scanner() -> Scanner:
    return pair().scanner


def lists_of_rows(rows: int) -> st.SearchStrategy[Rows]:
    """Rows of values, pieces of values, context words, and whatever stands between them."""
    values = [value.text for value in adversarial.of_patterns("en")]
    value = st.sampled_from([*adversarial.EXAMPLES, *sorted(set(values))])
    piece = st.builds(lambda text, cut: text[cut:] or text[:cut], value, st.integers(-9, 9))
    number = st.text("0123456789-. ()+/", min_size=3, max_size=24)
    part = st.one_of(value, value, st.sampled_from(WORDS), number, piece, st.text(max_size=8))
    between = st.sampled_from(adversarial.EDGES) | st.just(" ")
    text = st.lists(st.tuples(part, between), max_size=8).map(
        lambda parts: "".join(x for pair in parts for x in pair)
    )
    return st.lists(st.none() | text | text | text, max_size=rows)


@efforts(fast=40, slow=600)
def test_rows_agree(effort: settings) -> None:
    @effort
    @given(lists_of_rows(8))
    def check(rows: Rows) -> None:
        assert pair().differences(rows) == []

    check()


@efforts(fast=30, slow=300)
def test_a_row_does_not_know_its_neighbours(effort: settings) -> None:
    """Order, batches and repetition change nothing."""

    @effort
    @given(lists_of_rows(6), st.integers(0, 6), st.randoms(use_true_random=False))
    def check(rows: Rows, cut: int, random: object) -> None:
        together = ours(scanner(), rows)
        assert ours(scanner(), rows[:cut]) + ours(scanner(), rows[cut:]) == together
        order = random.sample(range(len(rows)), len(rows))
        assert ours(scanner(), [rows[i] for i in order]) == [together[i] for i in order]
        assert ours(scanner(), [*rows, *rows]) == [*together, *together]

    check()
