"""The metrics, one a file, in the order of their columns. A new one is its file and its line here."""

from benchmarks.metrics.metric import Metric
from zoo.names import Registry, modules

__all__ = ["METRICS"]

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
