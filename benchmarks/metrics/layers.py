"""Time beside multiply-adds for each row of the paper's table, and the gap between their sum and the whole."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import zoo
from benchmarks.metrics.latency import TIMED_ON
from benchmarks.metrics.metric import Metric
from benchmarks.metrics.mult_adds import by_layer, calls_of
from benchmarks.records.record import PLAIN, Case, Measurement
from zoo.lazy import nn, torch
from zoo.training.devices import keep_freed_memory
from zoo.turns import elapsed, take_turns

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

__all__ = ["METRIC"]

SECONDS, AT_LEAST, AT_MOST = 1.0, 3, 50  # of alternating forward passes, whole and by rows


def complete(case: Case) -> Case:
    """Rows can be told apart in PyTorch only."""
    return replace(case, runtime=PLAIN, img_size=case.img_size or zoo.spec(case.model).input.size)


def measure(subject: Subject) -> tuple[Measurement, ...]:
    """One measurement a row ("row:conv1"), in the order the rows run, then their sum, the whole and the gap."""
    keep_freed_memory()  # as in a timed case
    model = subject.random_network
    rows = {**dict(model.features.named_children()), "head": model.head}
    subject.call()  # the first call allocates and selects kernels
    subject.call()
    whole: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in rows}
    passes = (lambda: whole.append(elapsed(subject.call)), partial(_time_rows, subject, rows, times))
    for _ in take_turns(passes, lambda forward: forward(), rounds=(AT_LEAST, AT_MOST), seconds=SECONDS):
        pass
    images = subject.example("meta")
    layers = by_layer(subject.structure, images)
    shapes = {name: output.shape[1:] for name, _, _, output in calls_of(subject.structure, images, nn.Module)}
    measurements = []
    for place, (name, samples) in enumerate(times.items()):
        path = "head" if name == "head" else f"features.{name}"
        mult_adds = sum(count for layer, count in layers.items() if f"{layer}.".startswith(f"{path}."))
        measurements.append(
            Measurement(
                name=f"row:{name}",
                value=statistics.median(samples),
                unit="s",
                samples=tuple(samples),
                details={
                    "place": place,
                    "mult_adds": mult_adds // subject.case.batch_size,
                    "params": sum(tensor.numel() for tensor in rows[name].parameters()),
                    "output": list(shapes[path]),
                },
            )
        )
    total, sum_of_rows = statistics.median(whole), sum(measurement.value for measurement in measurements)
    gap = (total - sum_of_rows) / total
    return (
        *measurements,
        Measurement(name="rows_sum_s", value=sum_of_rows, unit="s", method="sum of the rows' medians"),
        Measurement(name="whole_s", value=total, unit="s", samples=tuple(whole), method="without timers inside"),
        Measurement(name="rows_gap", value=gap, unit="fraction", method="(whole - sum) / whole"),
    )


def _time_rows(subject: Subject, rows: dict[str, nn.Module], times: dict[str, list[float]]) -> None:
    """One forward pass, row by row."""
    images = subject.images
    with torch.inference_mode():
        for name, row in rows.items():
            start = time.perf_counter()
            images = row(images)
            subject.synchronize()
            times[name].append(time.perf_counter() - start)


METRIC = Metric(
    name="layers",
    title="time by row of the paper's table",
    also=("profile", "time_by_layer"),
    depends_on=TIMED_ON,
    measure=measure,
    details={"row:*": {"place": int, "mult_adds": int, "params": int, "output": [int]}},
    complete=complete,
)
