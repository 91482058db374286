"""The columns of `results.csv` and their types, known without pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from benchmarks.metrics import METRICS
from benchmarks.metrics.metric import Column

__all__ = ["BASE", "COLUMNS", "CONDITIONS", "MORE_IS_BETTER", "SHOWN", "TRAINING"]

BASE = "resnet50"  # what relative speed is relative to, where it was timed
TIMES = "\N{MULTIPLICATION SIGN}"

# a row's own conditions, those of the training after the metrics
CONDITIONS = {
    "model": "string", "family": "string", "weights": "string", "runtime": "string", "device": "string",
    "img_size": "Int64", "batch_size": "Int64", "precision": "string", "num_threads": "Int64",
}  # fmt: skip
TRAINING = {
    "dataset": "string", "data_dir": "string", "recipe": "string", "epochs": "Int64", "train_images": "Int64",
    "train_img_size": "Int64", "train_threads": "Int64", "train_processes": "Int64", "seed": "Int64",
}  # fmt: skip
ENDING = {
    "status": "string", "error": "string", "notes": "string", "published_source": "string",
    "published_protocol": "string",
}  # fmt: skip
# figures of several metrics together, by the metric they follow
DERIVED = {
    "latency": (
        Column(
            name="rel_speed", measurement="", better="high", title="Speed, \N{MULTIPLICATION SIGN} " + BASE, digits=2
        ),
        Column(name="gmacs_per_sec", measurement="", better="high", title="GMAC/s"),
    )
}
SHOWN: Sequence[Column] = tuple(
    column for metric in METRICS.values() for column in (*metric.columns, *DERIVED.get(metric.name, ()))
)
"""Every column of figures, in order; those without a title are in `results.csv` only."""

COLUMNS: Mapping[str, str] = MappingProxyType(
    CONDITIONS
    | {column.name: "Int64" if column.whole else "Float64" for column in SHOWN}
    | TRAINING
    | {column.published_column: "Int64" if column.whole else "Float64" for column in SHOWN if column.published_column}
    | ENDING
)
"""The columns of `results.csv` and their types."""

MORE_IS_BETTER = {
    name for column in SHOWN if column.better == "high" for name in (column.name, column.published_column) if name
}
