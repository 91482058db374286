"""The metrics, one a file, in the order of their columns. A new one is its file and its line here."""

from benchmarks.metrics import accuracy, activations, latency, layers, memory, mult_adds, params, rows, throughput
from zoo.names import Registry

__all__ = ["METRICS"]

METRICS = Registry(
    "metric",
    (
        (module.METRIC.name, module.METRIC)
        for module in (
            params,
            mult_adds,
            activations,
            rows,
            latency,
            throughput,
            memory,
            layers,
            accuracy,
        )
    ),
)
