"""What is measured for the page that says how far measurements can be trusted."""

from __future__ import annotations

from functools import partial

from benchmarks.selfcheck.measurement import trials
from benchmarks.selfcheck.measurement.page import PAGE
from benchmarks.selfcheck.tasks import Benchmark

__all__ = ["BENCHMARK"]

BENCHMARK = Benchmark(
    name="measurement",
    description="How far the harness's own numbers can be trusted on this machine.",
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
    page=PAGE,
)
