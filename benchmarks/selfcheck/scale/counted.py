"""A thousand counting cases, counted here: what carrying them to processes or over a cluster costs beside them."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure.executors import open_executor
from benchmarks.measure.executors.executor import Job
from benchmarks.plan.cases import canonical
from benchmarks.records.environment import effective_cpus, observe
from benchmarks.records.record import Case

__all__ = ["CASES", "EXECUTORS", "measure"]

CASES, COUNTED = 1_000, ("params", "mult_adds")
EXECUTORS = ("local", "ray")
TIMEOUT = 600.0  # seconds


def measure(executor: str) -> dict[str, Any]:
    """Counts parameters and multiply-adds of many widths of MobileNetV1, as JSON values.

    Raises:
        RuntimeError: not every case was counted.
    """
    models = [f"mobilenet_v1:width={0.1 + number / CASES:.4f}" for number in range(CASES // len(COUNTED))]
    cases = [canonical(Case(metric=metric, model=model)) for model in models for metric in COUNTED]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, open_executor(executor) as used:
        used.machines(cases, observe("scale"), Path(folder), lambda line: None)
        started = time.perf_counter()
        jobs = [Job(case=case) for case in cases]
        records = list(used.execute(jobs, timeout=TIMEOUT, tell=lambda *done: None, folder=folder))
        wall_s = time.perf_counter() - started
    failed = [record for record in records if record.status != "ok"]
    if failed or len({record.case for record in records}) != CASES:
        raise RuntimeError(
            f"{len(failed)} of {len(records)} failed: {failed[0].reason if failed else 'some are missing'}"
        )
    return {
        "ready_s": started - begun,
        "wall_s": wall_s,
        "own_s": sum(record.seconds for record in records),
        "processors": effective_cpus(),
    }
