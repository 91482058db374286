"""The metrics, one a file. A new one is its file and its line here."""

from types import MappingProxyType

from benchmarks.metrics import accuracy, activations, latency, layers, memory, mult_adds, params, rows, throughput

__all__ = ["METRICS"]

METRICS = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            params.METRIC,
            mult_adds.METRIC,
            activations.METRIC,
            rows.METRIC,
            memory.METRIC,
            layers.METRIC,
            latency.METRIC,
            throughput.METRIC,
            accuracy.METRIC,
        )
    }
)
