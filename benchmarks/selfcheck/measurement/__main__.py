"""Measures and writes: `python -m benchmarks.selfcheck.measurement --output-dir reports`."""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.selfcheck.measurement import trials
from benchmarks.selfcheck.measurement.page import write_page
from benchmarks.selfcheck.tasks import Benchmark

__all__ = ["BENCHMARK"]

BENCHMARK = Benchmark(
    name="measurement",
    description="How far the harness's own numbers can be trusted on this machine.",
    sections=("repeat", "same", "slowdown", "overhead"),
    tasks={
        **{f"repeat {number}": trials.repeat for number in range(1, trials.REPEATS + 1)},
        **{
            f"same {model} {number}": partial(trials.same, model)
            for model in trials.SAME
            for number in range(1, trials.SESSIONS + 1)
        },
        **{f"slowdown {model}": partial(trials.slowdown, model) for model in trials.SLOWED},
        "overhead": trials.overhead,
    },
    write_page=write_page,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
