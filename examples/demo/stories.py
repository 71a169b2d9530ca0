"""What organisations and people went through: each story, and how many in a hundred it befell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from instants import instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import polars as pl


class Choice(NamedTuple):
    """A choice made at some time from `first` to `last`, recorded up to `late` days after."""

    choice: str
    first: str
    last: str
    late: int = 0
    surfaces: tuple[str, ...] | None = None
    purposes: tuple[str, ...] | None = None


class Account(NamedTuple):
    """What holds for an organisation from some time between `first` and `last` on.

    The plan `*` stands for any of TRAINABLE.
    """

    plan: str
    first: str = "2020-01-01"
    last: str = "2021-05-31"
    zero_retention: bool = False
    baa: bool = False


Event = TypeVar("Event", Choice, Account)

TRAINABLE: Final = ("payg", "pay_as_you_go", "developer", "standard", "individual", "free")
ST_VALENTINE: Final = ("2023-02-14", "2023-02-14")

ORG_CHOICES: Final[Sequence[tuple[int, Sequence[Choice]]]] = (
    (22, [Choice("opt_in", "2022-11-01", "2023-02-28", late=2)]),
    (8, [Choice("opt_in", "2023-03-01", "2023-06-30", late=2)]),
    # Signed on paper, entered months later: it counts from the entry.
    (2, [Choice("opt_in", "2023-02-01", "2023-03-01", late=90)]),
    # At the very instant of the cutoff: what came in at that instant was not covered yet.
    (1, [Choice("opt_in", "2023-03-01", "2023-03-01")]),
    (2, [Choice("opt_in", "2023-01-10", "2023-02-28", surfaces=("playground",))]),
    (1, [Choice("opt_in", "2023-01-10", "2023-02-28", purposes=("classifier", "search"))]),
    (
        3,
        [
            Choice("opt_in", "2023-01-10", "2023-02-20"),
            Choice("opt_out", "2023-06-01", "2023-07-31"),
        ],
    ),
    (3, [Choice("opt_out", "2022-06-01", "2022-12-31", late=5)]),
    (2, [Choice("opt_out", "2023-03-20", "2023-07-31", late=5)]),
    (
        2,
        [
            Choice("opt_out", "2022-09-01", "2022-11-30"),
            Choice("opt_in", "2023-03-10", "2023-04-10"),
        ],
    ),
    # Both at one instant: the opt-out wins.
    (1, [Choice("opt_in", *ST_VALENTINE), Choice("opt_out", *ST_VALENTINE)]),
)
USER_CHOICES: Final[Sequence[tuple[int, Sequence[Choice]]]] = (
    (7, [Choice("opt_out", "2022-12-05", "2023-04-25", late=3)]),
    (4, [Choice("opt_out", "2023-04-25", "2023-07-31", late=3)]),
    (
        1,
        [
            Choice("opt_out", "2022-12-05", "2023-02-28"),
            Choice("opt_in", "2023-03-01", "2023-05-31", surfaces=("consumer",)),
        ],
    ),
    (2, [Choice("opt_in", "2022-12-05", "2023-06-30")]),
)
ACCOUNTS: Final[Sequence[tuple[int, Sequence[Account]]]] = (
    (3, [Account("business")]),
    (1, [Account("edu")]),
    (1, [Account("government")]),
    (3, [Account("*"), Account("enterprise", "2023-03-01", "2023-07-31")]),
    (1, [Account("team", "2021-01-01", "2021-12-31"), Account("*", "2022-12-01", "2023-03-31")]),
    (2, [Account("partner_2021")]),
    (1, []),
    (3, [Account("*", zero_retention=True)]),
    (2, [Account("*"), Account("*", "2023-01-15", "2023-05-31", zero_retention=True)]),
    (1, [Account("*", zero_retention=True), Account("*", "2023-01-15", "2023-03-31")]),
    (1, [Account("*", baa=True)]),
    (1, [Account("*"), Account("*", "2023-03-01", "2023-07-15", baa=True)]),
    # Two entries of one instant: the stricter one wins.
    (
        1,
        [
            Account("*", "2021-01-01", "2021-01-01", zero_retention=strict)
            for strict in (False, True)
        ],
    ),
    (80, [Account("*")]),
)
ENTERPRISES: Final = ((100, [Account("enterprise", "2022-10-01", "2022-12-31")]),)


def told(
    rng: np.random.Generator, subjects: pl.Series, stories: Sequence[tuple[int, Sequence[Event]]]
) -> Iterator[tuple[str, Event, int]]:
    """Deal the stories out evenly in every hundred subjects: (subject, event, instant).

    Instants are microseconds since 1970, at a whole second. Who draws no story has no event.
    """
    dealt = [events for share, events in stories for _ in range(share)]
    dealt += [[]] * (100 - len(dealt))
    order: list[int] = []
    for number, subject in enumerate(subjects.to_list()):
        if number % 100 == 0:
            order = rng.permutation(100).tolist()
        for event in dealt[order[number % 100]]:
            at = rng.integers(instant(event.first), instant(event.last) + 1)
            yield subject, event, int(at) // 1_000_000 * 1_000_000
