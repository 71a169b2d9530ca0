"""One detector over one file of texts: its own seconds, what it found, its peak memory.

    python benchmarks/detectors.py DETECTOR TEXTS.parquet CHARACTERS

Prints one JSON object. `seconds` is processor time; everything runs on one thread. Called by
`pii.py`, one process a detector, so that nobody finds another's caches warm.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["POLARS_MAX_THREADS"] = "1"

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
BATCH = 4 << 20
"""Bytes of text handed over at once, as a run does."""

Scan = Callable[[pa.LargeStringArray], Any]
Count = Callable[[Any, pa.LargeStringArray], Counter[str]]
Detector = tuple[int, Scan, Count]
"""How many kinds it looks for; the work that is timed; counting what that found by kind."""


def main() -> None:
    """Measure the detector named on the command line."""
    name, path, characters = sys.argv[1:]
    pa.set_cpu_count(1)
    texts = first(pq.read_table(path)["text"].combine_chunks(), int(characters))
    try:
        began = time.process_time()
        kinds, scan, count = DETECTORS[name]()
        scan(pa.array(["jane@example.com", "plain"], pa.large_string()))
    except ImportError as error:
        print(json.dumps({"seconds": 0.0, "missing": error.name}))
        return
    setup = time.process_time() - began
    began = time.process_time()
    found = scan(texts)
    seconds = time.process_time() - began
    counted = count(found, texts)
    facts = {
        "seconds": seconds,
        "setup": setup,
        "megabytes": texts.nbytes / 1e6,
        "texts": len(texts),
        "looked_for": kinds,
        "kinds": len(counted),
        "findings": counted.total(),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(facts))


def first(texts: pa.LargeStringArray, characters: int) -> pa.LargeStringArray:
    """Take texts from the front until they hold that many characters."""
    taken, left = 0, characters
    while taken < len(texts) and left > 0:
        left -= len(texts[taken].as_py())
        taken += 1
    return pa.array(texts.slice(0, taken).to_pylist(), pa.large_string())


def batches(texts: pa.LargeStringArray) -> Iterator[pa.LargeStringArray]:
    """Cut texts into batches of about BATCH bytes."""
    each = max(1, int(len(texts) * BATCH / max(1, texts.nbytes)))
    for start in range(0, len(texts), each):
        yield texts.slice(start, each)


def corpusgate(profile: str, *selected: str) -> Detector:
    """Our scanner with its default entities, or with those selected."""
    from corpusgate.filters.scanner import Scanner

    scanner = Scanner(selected or None, profile=profile)

    def scan(texts: pa.LargeStringArray) -> list[Any]:
        return [scanner.find(batch) for batch in batches(texts)]

    def count(found: list[Any], _: pa.LargeStringArray) -> Counter[str]:
        return Counter(each.entities[kind] for each in found for kind in each.entity.tolist())

    return len(scanner.find(pa.array([""], pa.large_string())).entities), scan, count


def presidio() -> Detector:
    """Presidio's engine with those of our default entities that are its own, one text a time."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from corpusgate.filters.entities import CATALOGUE
    from pii.reference import Reference

    offered = set(Reference(None).entities)
    wanted = sorted(e.name for e in CATALOGUE.values() if e.default and e.name in offered)
    reference = Reference(wanted)

    def count(found: list[Any], _: pa.LargeStringArray) -> Counter[str]:
        return Counter(finding.entity for row in found for finding in row or ())

    return len(wanted), lambda texts: reference.find(texts.to_pylist()), count


def datatrove() -> Detector:
    """Give datatrove's formatter: it replaces and does not say what."""
    from datatrove.pipeline.formatters.pii import PIIFormatter

    formatter = PIIFormatter()

    def count(_: object, texts: pa.LargeStringArray) -> Counter[str]:
        counted: Counter[str] = Counter()
        replacers = {"email": formatter.emails_replacer, "ip": formatter.ip_replacer}
        for text in texts.to_pylist():
            for kind, replacer in replacers.items():
                for match in replacer.regex.finditer(text):
                    if replacer.validator is None or replacer.validator(match[0]):
                        counted[kind] += 1
        return counted

    return 2, lambda texts: [formatter.format(text) for text in texts.to_pylist()], count


def dolma(name: str) -> Detector:
    """One of Dolma's taggers."""
    from dolma.core.data_types import Document
    from dolma.taggers import pii

    tagger = getattr(pii, name)()

    def scan(texts: pa.LargeStringArray) -> list[Any]:
        return [
            tagger.predict(Document(source="", id="0", text=text)) for text in texts.to_pylist()
        ]

    def count(found: list[Any], _: pa.LargeStringArray) -> Counter[str]:
        types = (span.type for each in found for span in each.spans)
        return Counter(type_ for type_ in types if not type_.startswith("doc"))

    return 3, scan, count


def maskops() -> Detector:
    """MaskOps' mask over a Polars column; counted is the first of each kind in each text."""
    import maskops as library
    import polars as pl

    def scan(texts: pa.LargeStringArray) -> pl.DataFrame:
        return pl.DataFrame({"text": pl.from_arrow(texts)}).select(library.mask_pii("text"))

    def count(_: object, texts: pa.LargeStringArray) -> Counter[str]:
        frame = pl.DataFrame({"text": pl.from_arrow(texts)})
        first_ones = frame.select(library.extract_pii("text").alias("pii")).unnest("pii")
        counts = first_ones.count().row(0, named=True)
        return Counter({kind: number for kind, number in counts.items() if number})

    one = pl.DataFrame({"text": [""]}).select(library.extract_pii("text").alias("pii"))
    return len(one.unnest("pii").columns), scan, count


DETECTORS: dict[str, Callable[[], Detector]] = {
    "corpusgate strict": lambda: corpusgate("strict"),
    "corpusgate presidio": lambda: corpusgate("presidio"),
    "corpusgate presidio, all English": lambda: corpusgate("presidio", "default", "language:en"),
    "Presidio": presidio,
    "datatrove PIIFormatter": datatrove,
    "Dolma pii_regex_v2": lambda: dolma("PiiRegexV2"),
    "Dolma fast_v2": lambda: dolma("FastPiiRegex"),
    "MaskOps mask_pii": maskops,
}

if __name__ == "__main__":
    main()
