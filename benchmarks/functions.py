"""`pii_reduce` over a column of prose in DuckDB, and the same texts without DuckDB, in turns.

    python benchmarks/functions.py MEGABYTES REPEAT

Without DuckDB: reduced, scanned by `PiiScanner.scan`, and searched alone, with nothing made of what
is found.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import duckdb
import numpy as np
import pyarrow as pa
import texts
from corpusgate import PiiScanner, Registers, register
from corpusgate.filters.reduce.operators import Operators
from corpusgate.filters.reduce.record_rules import RecordRules
from corpusgate.filters.reduce.reducer import Reducer
from corpusgate.filters.texts.leaves import leaves
from corpusgate.filters.texts.paths import parse_path

REGISTERS = ("consent", "accounts", "deletions", "holds")


def main() -> None:
    """Time all in turns; print processor seconds of each turn, and the megabytes."""
    megabytes, repeat = int(sys.argv[1]), int(sys.argv[2])
    drawn = texts.generate("prose", megabytes * 1_000_000, 5)
    column = pa.array(drawn).cast(pa.large_string())
    scanner = PiiScanner()
    reducer = Reducer(scanner, Operators(), key=None, rules=RecordRules())
    path = parse_path("text", ["text"])
    con = duckdb.connect()
    con.execute("SET threads = 1")
    register(
        con,
        policy="openai-api-data",
        registers=Registers(empty=REGISTERS),
        purpose="pretraining",
        as_of="2023-08-01T00:00:00Z",
        pii=scanner,
    )
    con.register("staged", pa.table({"text": column}))
    con.execute("CREATE TABLE corpus AS FROM staged")

    def in_sql() -> int:
        query = "SELECT sum(strlen(pii_reduce(text))) FROM corpus"
        return int(con.execute(query).fetchall()[0][0])

    def reduced() -> int:
        found = leaves(column, path)
        done = found.replaced(*reducer.reduce([found], None).changed[0])
        return int(np.asarray(pa.compute.binary_length(done)).sum())

    def scanned() -> int:
        return scanner.scan(column).num_rows

    def searched() -> int:
        return len(scanner.find(column).text)

    asked: dict[str, Callable[[], int]] = {
        "pii_reduce": in_sql, "reduced": reduced, "scanned": scanned, "searched": searched,
    }  # fmt: skip
    facts: dict[str, list[float]] = {name: [] for name in asked}
    answers: dict[str, int] = {}
    for _ in range(repeat):
        for name, ask in asked.items():
            begun = time.process_time()
            answers[name] = ask()
            facts[name].append(time.process_time() - begun)
    if answers["pii_reduce"] != answers["reduced"]:
        raise SystemExit("they reduce differently")
    if answers["scanned"] != answers["searched"]:
        raise SystemExit("they find differently")
    size = pa.compute.sum(pa.compute.binary_length(column)).as_py() / 1e6
    print(json.dumps({"seconds": sum(facts["pii_reduce"]), "megabytes": size, **facts}))


if __name__ == "__main__":
    main()
