"""The paper's table of a network: parameters, filter weights and multiply-adds by row and by kind of layer.

Nothing is timed and nothing is allocated; for time by row see `benchmarks.metrics.layers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmarks.metrics.metric import Metric
from benchmarks.records.record import Measurement
from benchmarks.records.shapes import Shape
from zoo.table import layers, rows

if TYPE_CHECKING:
    from benchmarks.metrics.subject import Subject

__all__ = ["METRIC"]


def measure(subject: Subject) -> tuple[Measurement, ...]:
    """The number of rows; the rows themselves, and the sums over kinds of layers, are its details."""
    table = rows(subject.spec, img_size=subject.img_size)
    kinds: dict[str, dict[str, int]] = {}
    for layer in layers(subject.spec, img_size=subject.img_size):
        sums = kinds.setdefault(layer.kind, {"weights": 0, "biases": 0, "mult_adds": 0})
        for count in sums:
            sums[count] += getattr(layer, count)
    counts = ("params", "weights", "mult_adds")
    found = [
        {"name": row.name, "output": list(row.output), **{count: getattr(row, count) for count in counts}}
        for row in table
    ]
    details = {"rows": found, "kinds": kinds}
    return (
        Measurement(name="rows", value=len(found), unit="count", method="shapes on the meta device", details=details),
    )


TABLE: Mapping[str, Shape] = {
    "rows": [{"name": str, "output": [int], "params": int, "weights": int, "mult_adds": int}],
    "kinds": {str: {"weights": int, "biases": int, "mult_adds": int}},
}

METRIC = Metric(
    name="rows",
    title="parameters and multiply-adds by row of the paper's table",
    also=("table",),
    depends_on=("img_size",),
    measure=measure,
    details={"rows": TABLE},
    shares_process=True,
    default=False,
)
