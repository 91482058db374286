"""What is measured for the page of speeds."""

from __future__ import annotations

from functools import partial

from benchmarks.selfcheck.speed import eager, inference, starting, training
from benchmarks.selfcheck.speed.page import PAGE
from benchmarks.selfcheck.speed.references import MODELS
from benchmarks.selfcheck.tasks import Benchmark

__all__ = ["BENCHMARK"]

BENCHMARK = Benchmark(
    name="speed",
    description="The zoo's speed beside torchvision's, timm's and the machine's own limit.",
    tasks={
        "starting": starting.measure,
        **{f"eager {name} {size}": partial(eager.measure, name, size) for name in MODELS for size in eager.BATCH_SIZES},
        **{
            f"inference {name} {size}": partial(inference.measure, name, size)
            for name in MODELS
            for size in inference.BATCH_SIZES
        },
        **{f"training {name}": partial(training.measure, name) for name in MODELS},
    },
    page=PAGE,
)
