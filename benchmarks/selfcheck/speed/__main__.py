"""Measures and writes: `python -m benchmarks.selfcheck.speed --output-dir reports`."""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.selfcheck.speed import eager, inference, starting, training
from benchmarks.selfcheck.speed.page import write_page
from benchmarks.selfcheck.speed.references import MODELS
from benchmarks.selfcheck.tasks import Benchmark

__all__ = ["BENCHMARK"]

BENCHMARK = Benchmark(
    name="speed",
    description="The zoo's speed beside torchvision's, timm's and the machine's own limit.",
    sections=("starting", "eager", "inference", "training"),
    tasks={
        "starting": starting.measure,
        **{
            f"eager {name} {batch}": partial(eager.measure, name, batch)
            for name in MODELS
            for batch in eager.BATCH_SIZES
        },
        **{
            f"inference {name} {batch}": partial(inference.measure, name, batch)
            for name in MODELS
            for batch in inference.BATCH_SIZES
        },
        **{f"training {name}": partial(training.measure, name) for name in MODELS},
    },
    write_page=write_page,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
