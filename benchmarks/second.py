"""`corpusgate verify OUT`, timed from inside, with its peak memory.

python benchmarks/second.py OUT [--workers N]
"""

from __future__ import annotations

import argparse
import json
import resource
import time

from corpusgate.jobs.lean import in_a_program_of_our_own
from corpusgate.jobs.verify.verify import verify

in_a_program_of_our_own()  # as the command does


def main() -> None:
    """Verify once; print seconds, processor seconds, records and peak memory as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    begun, used = time.perf_counter(), time.process_time()
    verdict = verify(options.output, workers=options.workers)
    facts = {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - used,
        "rows": verdict.tally.passed["rows"],
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if not verdict.sound:
        raise SystemExit("\n".join(map(str, verdict.faults)))
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
