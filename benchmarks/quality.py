"""How good are the findings? Presidio's own recognisers beside profile `strict`, on gold data.

    python benchmarks/quality.py --data FOLDER [--only NAME …]

FOLDER/gold/*.parquet are gold sets (doc_id, text, spans): each is scored on the entities that its
labels stand for and the scanner looks for; one without any is left out, and so is one that nobody
marked by hand, told by `silver` or `unit_tests` in its name. FOLDER/code*.parquet is source code. A
finding counts when it overlaps a gold span of its entity. Of the source code only counts are
printed, by entity; whether they are absurd a person must say. Prints tables, never text.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
from corpusgate.filters.detect.evaluate import LABELS, evaluate
from corpusgate.filters.detect.scanner import Scanner

PROFILES = ("presidio", "strict")
GOLD = {"doc_id", "text", "spans"}
NOT_BY_HAND = ("silver", "unit_tests")


def main() -> None:
    """Print one table for the gold sets and one for source code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("CORPUSGATE_DATA"), type=Path)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data, or CORPUSGATE_DATA, names the folder of the data")
    print("\n".join(table(options.data, options.only)))


def table(data: Path, only: list[str]) -> Iterator[str]:
    """Give the tables line by line."""
    scanners = {profile: Scanner(profile=profile) for profile in PROFILES}
    yield "| gold set | entity | spans | profile | recall | precision | F1 | F2 | exact recall |"
    yield "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |"
    for path in sorted(data.glob("gold/*.parquet")):
        if not _wanted(path.stem, only):
            continue
        gold = pl.read_parquet(path)
        entities = scored(path.stem, gold, scanners.values())
        for profile, scanner in scanners.items() if entities else ():
            scores = evaluate(gold, findings(scanner, gold), entities=entities)
            for row in scores.iter_rows(named=True):
                yield _line(path.stem, profile, row)
    for path in sorted(data.glob("code*.parquet")):
        if _wanted(path.stem, only):
            yield from _code(path, scanners)


def scored(name: str, gold: pl.DataFrame, scanners: Iterable[Scanner]) -> list[str]:
    """Name the entities a gold set is scored on: those of its labels that every scanner seeks."""
    if any(part in name for part in NOT_BY_HAND) or not GOLD.issubset(gold.columns):
        return []
    labels = gold["spans"].explode().drop_nulls().struct.field("label").unique()
    marked = {LABELS[label] for label in labels if label in LABELS}
    return sorted(marked.intersection(*(scanner.entities for scanner in scanners)))


def findings(scanner: Scanner, texts: pl.DataFrame) -> pl.DataFrame:
    """Give doc_id, entity, start, end of every finding."""
    found = scanner.find(texts["text"].to_arrow())
    if found.unreadable.size:
        print(f"{found.unreadable.size} texts were unreadable in profile {scanner.profile}.")
    return pl.DataFrame(
        {
            "doc_id": texts["doc_id"][found.text.tolist()],
            "entity": [found.entities[i] for i in found.entity],
            "start": found.start,
            "end": found.end,
        },
        schema_overrides={"entity": pl.String},
    )


def _code(path: Path, scanners: dict[str, Scanner]) -> Iterator[str]:
    texts = pl.read_parquet(path, columns=["text"]).with_row_index("doc_id")
    size = texts["text"].str.len_bytes().sum() / 1e6
    counts, seconds = {}, {}
    for profile, scanner in scanners.items():
        begun = time.process_time()
        counts[profile] = Counter(findings(scanner, texts)["entity"])
        seconds[profile] = time.process_time() - begun
    yield ""
    yield f"Findings in {size:.1f} MB of source code."
    yield ""
    yield f"| entity | {' | '.join(PROFILES)} |"
    yield "| --- | ---: | ---: |"
    for entity in sorted({name for count in counts.values() for name in count}):
        yield f"| {entity} | {' | '.join(str(counts[p][entity]) for p in PROFILES)} |"
    yield f"| all | {' | '.join(str(counts[p].total()) for p in PROFILES)} |"
    yield f"| CPU seconds | {' | '.join(f'{seconds[p]:.1f}' for p in PROFILES)} |"


def _line(name: str, profile: str, row: dict[str, float | None]) -> str:
    ratios = [row[key] for key in ("recall", "precision", "f1", "f2", "exact_recall")]
    shown = " | ".join("" if ratio is None else f"{ratio:.3f}" for ratio in ratios)
    return f"| {name} | {row['entity']} | {row['gold']} | {profile} | {shown} |"


def _wanted(name: str, only: list[str]) -> bool:
    return not only or any(part in name for part in only)


if __name__ == "__main__":
    main()
