"""One detector over one file of texts: its own seconds, what it found, its peak memory.

    python benchmarks/detectors.py DETECTOR TEXTS.parquet CHARACTERS

Prints one JSON object. `seconds` is processor time; everything runs on one thread. Called by
`pii.py`, one process a detector, so that nobody finds another's caches warm.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

os.environ["POLARS_MAX_THREADS"] = "1"

import planted
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from corpusgate.jobs.lean import in_a_program_of_our_own

HERE = Path(__file__).parent
BATCH = 4 << 20
"""Bytes of text handed over at once, as a run does."""

WARM_UP: Final = 20
"""Values of each kind that everybody sees before the clock starts."""

PLANTED: Final = 40
"""Sentences of each kind of value."""


@dataclass(frozen=True)
class Detector:
    """How many kinds it says it knows; its work; findings in that work's results; what it sees.

    `sees` says of each text whether anything was found in it.
    """

    knows: int
    scan: Callable[[pa.LargeStringArray], Any]
    count: Callable[[Any, pa.LargeStringArray], int]
    sees: Callable[[Any, pa.LargeStringArray], list[bool]]


def main() -> None:
    """Measure the detector named on the command line."""
    name, path, characters = sys.argv[1:]
    in_a_program_of_our_own()  # as the command does; so everybody's memory is kept
    pa.set_cpu_count(1)
    texts = first(pq.read_table(path)["text"].combine_chunks(), int(characters))
    try:
        began = time.process_time()
        detector = DETECTORS[name]()
        detector.scan(pa.array(warm_up(), pa.large_string()))
    except ImportError as error:
        print(json.dumps({"seconds": 0.0, "missing": error.name}))
        return
    setup = time.process_time() - began
    # What was loaded before is not searched for garbage while the clock runs.
    gc.collect()
    gc.freeze()
    began = time.process_time()
    found = detector.scan(texts)
    facts = {
        "seconds": time.process_time() - began,
        "setup": setup,
        "megabytes": pc.sum(pc.binary_length(texts)).as_py() / 1e6,
        "findings": detector.count(found, texts),
        "knows": detector.knows,
        "recognised": len(recognised(detector)),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(facts))


def warm_up() -> list[str]:
    """Draw values of each kind, so that nobody loads tables while the clock runs."""
    rng = random.Random(5)
    values = [draw(rng) for draw in planted.KINDS.values() for _ in range(WARM_UP)]
    drawn = [f"Hello, {value} and thank you." for value in values]
    return [*drawn, "caf\u00e9", "Dial 030 1234567 or 01 23 45 67 89."]


def recognised(detector: Detector) -> list[str]:
    """Name the planted kinds of which it sees most values, each in a sentence of its own."""
    rng = random.Random(11)
    seen = []
    for kind, draw in planted.KINDS.items():
        sentences = [f"Hello, {draw(rng)} and thank you." for _ in range(PLANTED)]
        texts = pa.array(sentences, pa.large_string())
        if sum(detector.sees(detector.scan(texts), texts)) > PLANTED / 2:
            seen.append(kind)
    return seen


def first(texts: pa.LargeStringArray, characters: int) -> pa.LargeStringArray:
    """Take texts from the front until they hold that many characters."""
    taken, left = 0, characters
    while taken < len(texts) and left > 0:
        left -= len(texts[taken].as_py())
        taken += 1
    return pa.array(texts.slice(0, taken).to_pylist(), pa.large_string())


def batches(texts: pa.LargeStringArray) -> Iterator[pa.LargeStringArray]:
    """Cut texts into batches of about BATCH bytes."""
    each = max(1, int(len(texts) * BATCH / max(1, pc.sum(pc.binary_length(texts)).as_py())))
    for start in range(0, len(texts), each):
        yield texts.slice(start, each)


def corpusgate(profile: str, *selected: str) -> Detector:
    """Our scanner with its default entities, or with those selected."""
    from corpusgate.filters.detect.scanner import Scanner

    scanner = Scanner(selected or None, profile=profile)
    return Detector(
        len(scanner.entities),
        lambda texts: [scanner.find(batch) for batch in batches(texts)],
        lambda found, _: sum(len(each.text) for each in found),
        lambda found, texts: [row in set(found[0].text.tolist()) for row in range(len(texts))],
    )


def presidio() -> Detector:
    """Presidio's engine with those of our default entities that are its own, one text a time."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from corpusgate.filters.detect.entities import CATALOGUE
    from pii.reference import Reference

    offered = set(Reference(None).entities)
    wanted = sorted(e.name for e in CATALOGUE.values() if e.default and e.name in offered)
    reference = Reference(wanted)
    return Detector(
        len(wanted),
        lambda texts: reference.find(texts.to_pylist()),
        lambda rows, _: sum(len(row or ()) for row in rows),
        lambda rows, _: [bool(row) for row in rows],
    )


def datatrove() -> Detector:
    """Give datatrove's formatter: it replaces, and does not say what."""
    from datatrove.pipeline.formatters.pii import PIIFormatter

    formatter = PIIFormatter()

    def count(_: object, texts: pa.LargeStringArray) -> int:
        replacers = (formatter.emails_replacer, formatter.ip_replacer)
        return sum(
            replacer.validator is None or replacer.validator(match[0])
            for text in texts.to_pylist()
            for replacer in replacers
            for match in replacer.regex.finditer(text)
        )

    return Detector(
        2,
        lambda texts: [formatter.format(text) for text in texts.to_pylist()],
        count,
        lambda done, texts: [a != b for a, b in zip(done, texts.to_pylist(), strict=True)],
    )


def dolma(name: str) -> Detector:
    """One of Dolma's taggers."""
    from dolma.core.data_types import Document
    from dolma.taggers import pii

    tagger = getattr(pii, name)()

    def scan(texts: pa.LargeStringArray) -> list[int]:
        documents = (Document(source="", id="0", text=text) for text in texts.to_pylist())
        results = [tagger.predict(document) for document in documents]
        # Spans of a type `doc…` are scores of the whole.
        return [sum(not s.type.startswith("doc") for s in each.spans) for each in results]

    return Detector(3, scan, lambda counts, _: sum(counts), lambda counts, _: [*map(bool, counts)])


def maskops() -> Detector:
    """MaskOps' mask over a Polars column; counted is the first of each kind in each text."""
    import maskops as library
    import polars as pl

    def mask(texts: pa.LargeStringArray) -> pl.Series:
        return pl.DataFrame({"text": pl.from_arrow(texts)}).select(library.mask_pii("text"))["text"]

    def kinds(texts: pa.LargeStringArray) -> pl.DataFrame:
        frame = pl.DataFrame({"text": pl.from_arrow(texts)})
        return frame.select(library.extract_pii("text").alias("pii")).unnest("pii")

    return Detector(
        len(kinds(pa.array(["x"], pa.large_string())).columns),
        mask,
        lambda _, texts: sum(kinds(texts).count().row(0)),
        lambda done, texts: [a != b for a, b in zip(done, texts.to_pylist(), strict=True)],
    )


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
