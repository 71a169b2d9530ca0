"""`corpusgate run JOB --fresh`, timed from inside, with its peak memory.

python benchmarks/gate.py JOB [--workers N] [--engine ray] [--resume]
"""

from __future__ import annotations

import argparse
import json
import resource
import time

from corpusgate import run
from corpusgate.jobs import local, shard
from corpusgate.jobs.lean import in_a_program_of_our_own

_ = (local, shard)  # loaded before the clock starts, as the baselines' libraries are
in_a_program_of_our_own()  # as the command does


def main() -> None:
    """Run the job once; print seconds, released rows and peak memory as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--engine")
    parser.add_argument("--resume", action="store_true", help="go on instead of starting anew")
    options = parser.parse_args()
    begun = time.perf_counter()
    summary = run(
        options.job, fresh=not options.resume, workers=options.workers, engine=options.engine
    )
    seconds = time.perf_counter() - begun
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)  # of workers, the largest
    peak = max(resource.getrusage(who).ru_maxrss for who in whose) / 1024
    cpu = sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime for who in whose)
    facts = {"seconds": seconds, "rows": summary.eligible, "peak_megabytes": peak}
    print(json.dumps({**facts, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main()
