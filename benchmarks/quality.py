"""How good are the findings? Presidio's own recognisers beside profile `strict`, on gold data.

    python benchmarks/quality.py --data FOLDER [--only NAME …]

FOLDER/gold holds the gold sets (doc_id, text, spans), FOLDER itself the code. A finding counts when
it overlaps a gold span of its entity. Of the source code only counts are printed, by entity;
whether they are absurd a person must say. Prints tables, never text.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from corpusgate.filters.detect.evaluate import evaluate
from corpusgate.filters.detect.scanner import Scanner

PROFILES = ("presidio", "strict")
# Gold set, and what is scored on it. Names and places want a model; they are not in question here.
GOLD = {
    "ewt_contact": ("EMAIL_ADDRESS",),
    "presidio_synth_v2": (
        "CREDIT_CARD",
        "EMAIL_ADDRESS",
        "IBAN_CODE",
        "IP_ADDRESS",
        "PHONE_NUMBER",
        "US_DRIVER_LICENSE",
        "US_SSN",
    ),
    "vectors_phone": ("PHONE_NUMBER",),
    "vectors_email": ("EMAIL_ADDRESS",),
}
CODE = "code_permissive.parquet"


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
    for name, entities in GOLD.items():
        path = data / "gold" / f"{name}.parquet"
        if path.exists() and _wanted(name, only):
            gold = pl.read_parquet(path)
            for profile, scanner in scanners.items():
                scores = evaluate(gold, findings(scanner, gold), entities=entities)
                for row in scores.iter_rows(named=True):
                    yield _line(name, profile, row)
    path = data / CODE
    if path.exists() and _wanted(CODE, only):
        yield from _code(path, scanners)


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
