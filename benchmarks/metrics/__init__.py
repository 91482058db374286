"""The metrics, one a file, in the order of their columns. A new one is its file and its line here."""

import dataclasses

from benchmarks.metrics.metric import Metric
from benchmarks.records.record import Record
from zoo.names import Registry, modules

__all__ = ["METRICS", "derived"]

METRICS: Registry[Metric] = Registry(
    "metric",
    (
        (file.METRIC.name, file.METRIC)
        for file in modules(
            __name__,
            "params",
            "mult_adds",
            "activations",
            "rows",
            "latency",
            "throughput",
            "memory",
            "layers",
            "accuracy",
        )
    ),
    also=lambda metric: (*metric.also, *(column.name for column in metric.columns)),
)


def derived(record: Record) -> Record:
    """A record as its raw samples say by the present rules: what is kept of a time is its samples, not its interval."""
    metric = METRICS.get(record.case.metric)
    if metric is None or metric.derive is None:
        return record
    found = tuple(metric.derive(record.case, each) for each in record.measurements)
    return dataclasses.replace(record, measurements=found)
