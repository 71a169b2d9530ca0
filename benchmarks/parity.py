"""Do our scanner in profile `presidio` and Presidio find the same? Row by row, over all the data.

    python benchmarks/parity.py [--data FOLDER] [--rows 20000] [--everything] [--only NAME …]

Every text and every `messages[].content` below --data, nothing cut; and generated rows, each full
of what breaks matchers that take short cuts (`tests/pii/adversarial.py`). Prints how many rows
differ, and for those their numbers, entities and offsets; never text. Exits with 1 if any does.
Presidio takes minutes for megabytes: `--only` picks corpora by a part of their names.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

if TYPE_CHECKING:
    from pii.adversarial import Value
    from pii.pairs import Pair

SHOWN = 20
"""Differing rows described for each corpus; the number counts all of them."""
ROWS = 2_000
"""Rows compared at once."""


def main() -> int:
    """Compare, print, and say by the exit code whether anything differs."""
    from programs import machine

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("CORPUSGATE_DATA"))
    parser.add_argument("--rows", type=int, default=20_000, help="generated rows")
    parser.add_argument("--everything", action="store_true", help="all entities, every language")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    print(f"{machine()}\n")
    print("| corpus | entities | rows | MB | findings | differing rows | seconds |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    different: list[str] = []
    for name, what, pair, rows in comparisons(options):
        if not options.only or any(part in name for part in options.only):
            different += compare(name, what, pair, rows)
    print(f"\nDiffering rows: {len(different)}.")
    return 1 if different else 0


def comparisons(
    options: argparse.Namespace,
) -> Iterator[tuple[str, str, Pair, Sequence[str | None]]]:
    """Give what is compared: name, entities, the pair, rows."""
    from pii import adversarial
    from pii.corpora import corpora
    from pii.pairs import countries, defaults, everything
    from pii.reference import languages

    usual, full = defaults(), everything("en")
    texts = corpora(Path(options.data)) if options.data else {}
    for name, rows in texts.items():
        yield name, "default", usual, rows
    english = values("en")
    yield "generated", "default", usual, adversarial.rows(1, options.rows, english)
    long = [adversarial.long_row(seed, 200_000, english) for seed in range(3)]
    yield "generated, long", "default", usual, long
    each = [*adversarial.plain(english), *adversarial.rows(2, options.rows // 8, english)]
    yield "generated", "all in en", full, each
    for country in countries("en"):
        yield "generated", f"country {country}", everything("en", country), each[::4]
    for language in languages():
        if language != "en":
            drawn = values(language)
            rows = [*adversarial.plain(drawn), *adversarial.rows(3, options.rows // 20, drawn)]
            yield f"generated, {language}", f"all in {language}", everything(language), rows
    if options.everything:
        for name, rows in texts.items():
            yield name, "all in en", full, rows


def values(language: str) -> list[Value]:
    """Draw what is planted: Faker in ten locales, every pattern, well-known examples."""
    from pii import adversarial

    return [
        *adversarial.of_faker(1, each=20),
        *adversarial.of_patterns(language, each=20),
        *adversarial.examples(language),
    ]


def compare(name: str, what: str, pair: Pair, rows: Sequence[str | None]) -> list[str]:
    """Print one line, and below it where rows differ."""
    began, found = time.process_time(), 0
    different: list[str] = []
    for first in range(0, len(rows), ROWS):
        some = rows[first : first + ROWS]
        expected = pair.expected(some)
        found += sum(len(row or ()) for row in expected)
        different += pair.differences(some, first, expected)
    size = sum(len(row.encode()) for row in rows if row is not None) / 1e6
    print(
        f"| {name} | {what} | {len(rows):,} | {size:.2f} | {found:,}"
        f" | {len(different)} | {time.process_time() - began:.0f} |",
        flush=True,
    )
    for line in different[:SHOWN]:
        print(f"    {line}", flush=True)
    return different


if __name__ == "__main__":
    sys.exit(main())
