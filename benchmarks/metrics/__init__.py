"""The metrics, one a file, in the order of their columns. A new one is its file and its line here."""

import dataclasses
from collections.abc import Iterable
from fnmatch import fnmatchcase

import zoo
from benchmarks.metrics.metric import Metric
from benchmarks.records.record import Case, Record, RecordError
from benchmarks.records.shapes import ABSENT, fits
from zoo.counts import COUNTED, is_edited
from zoo.data import DATASETS
from zoo.names import Registry, modules
from zoo.runtimes import RUNTIMES
from zoo.training.recipes import recipe

__all__ = ["EDITED", "METRICS", "at_own_size", "check", "derived", "edited"]

EDITED = "this is not the network that was published under this name, so nothing that is printed for that stands here"

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
            "schemes",
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
    """A record as its raw samples say by the present rules: what is kept of a time is its samples, not its interval.

    A count of a network that is not the published one of its name says so.
    """
    metric = METRICS.get(record.case.metric)
    if metric is None:
        return record
    if metric.derive is not None:
        found = tuple(metric.derive(record.case, each) for each in record.measurements)
        record = dataclasses.replace(record, measurements=found)
    if EDITED not in record.notes and edited([record]):
        record = dataclasses.replace(record, notes=(*record.notes, EDITED))
    return record


def edited(records: Iterable[Record]) -> bool:
    """Whether counts of one network show that it is not the published one of its name."""
    return any(
        is_edited(
            record.case.model,
            params=record.value("param_count"),
            mult_adds=record.value("mult_adds") if at_own_size(record.case) else None,
        )
        for record in records
        if record.case.model in COUNTED
    )


def at_own_size(case: Case) -> bool:
    """Whether what was measured is of the images that the network was published with."""
    return case.img_size in (0, zoo.spec(case.model).input.size)
