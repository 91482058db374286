"""The metrics, one a file, in the order of their columns. A new one is its file and its line here."""

import dataclasses
from fnmatch import fnmatchcase

import zoo
from benchmarks.metrics.metric import Metric
from benchmarks.records.record import Record, RecordError
from benchmarks.records.shapes import ABSENT, fits
from zoo.data import DATASETS
from zoo.names import Registry, modules
from zoo.runtimes import RUNTIMES
from zoo.training.recipes import recipe

__all__ = ["METRICS", "check", "derived"]

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
            "preparation",
            "memory",
            "layers",
            "accuracy",
        )
    ),
    also=lambda metric: (*metric.also, *(column.name for column in metric.columns)),
)


def check(record: Record) -> None:
    """Raises `RecordError` for a record of what this version does not know, or with details its metric never writes."""
    case = record.case
    try:
        metric, _ = METRICS[case.metric], zoo.spec(case.model)
        _ = (case.runtime == "auto" or RUNTIMES[case.runtime], DATASETS[case.dataset] if case.dataset else None)
        _ = recipe(case.recipe, zoo.spec(case.model)) if case.recipe else None
    except (LookupError, TypeError, ValueError) as error:
        raise RecordError(f"nothing this version knows: {error}") from None
    for found in record.measurements:
        for name, shape in metric.details.items():
            if fnmatchcase(found.name, name) and not fits(found.details, shape):
                wrong = next(
                    (each for each, kind in shape.items() if not fits(found.details.get(each, ABSENT), kind)), ""
                )
                raise RecordError(f"{wrong!r} of {found.name} of {case.model} is not what {case.metric} writes there")


def derived(record: Record) -> Record:
    """A record as its raw samples say by the present rules: what is kept of a time is its samples, not its interval."""
    metric = METRICS.get(record.case.metric)
    if metric is None or metric.derive is None:
        return record
    found = tuple(metric.derive(record.case, each) for each in record.measurements)
    return dataclasses.replace(record, measurements=found)
