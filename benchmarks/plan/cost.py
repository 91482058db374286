"""How long a case takes, and in which order cases are worth waiting for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import zoo
from benchmarks.metrics import METRICS
from benchmarks.plan.cases import SIX
from benchmarks.records.record import Case, Record

__all__ = ["by_cost", "seconds_of"]


def by_cost(cases: Iterable[Case], records: Iterable[Record]) -> list[Case]:
    """The cases in the order worth waiting for: the six reference models, then from the cheapest to the most expensive.

    Args:
        records: counted parameters and multiply-adds are taken from here; without them the published figures decide.
    """
    counted = {
        (record.case.model, name): value
        for record in records
        for name in ("params", "mult_adds")
        if record.status == "ok" and (value := record.value(name)) is not None
    }
    return sorted(cases, key=lambda case: (case.model not in SIX, seconds_of(case, counted)))


def seconds_of(case: Case, counted: Mapping[tuple[str, str], float] | None = None) -> float:
    """About how long a case takes, for the progress bar; it scales the guess by what it sees.

    Args:
        counted: "params" and "mult_adds" by model and name, where they are known better than from publications.
    """
    metric, effort = METRICS[case.metric], dict(case.effort)
    if metric.prepare is not None:
        return 1.5 * float(effort.get("max_time", 1.0)) + 1.5
    if metric.slow:
        return _training_seconds(case, counted or {})
    return 0.1 if metric.shares_process else 1.5


def _training_seconds(case: Case, counted: Mapping[tuple[str, str], float]) -> float:
    """Work grows with the image; every step also updates every parameter, which costs VGG as much as its work."""
    spec = zoo.spec(case.model)

    def figure(name: str, usual: float) -> float:
        published = [value for entry in spec.references if (value := getattr(entry, name))]
        return counted.get((case.model, name)) or next(iter(published), usual)

    share = ((case.train_img_size or case.img_size) / spec.input.size) ** 2
    return 40.0 + 900.0 * share * figure("mult_adds", 4e9) / 1e9 + 1.6 * figure("params", 30e6) / 1e6
