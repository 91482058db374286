"""What can be concluded of a figure that many models have, and what cannot."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.metrics.latency import times_of
from benchmarks.records.predictions import NotPaired, mcnemar
from benchmarks.records.record import Measurement, Record
from benchmarks.stats.intervals import Interval, time_interval
from benchmarks.stats.ranking import gap_and_margin
from benchmarks.stats.ratios import quotient, time_ratio
from benchmarks.stats.verdicts import DIFFERENT, verdict

__all__ = ["Estimate", "apart", "best", "estimate"]

ALPHA = 0.05
FAR = 3  # times the margin of independent figures: beyond it nothing need be paired


@dataclass(frozen=True, slots=True)
class Estimate(Interval):
    """A model's figure with its 95 % interval; an exact figure is its own interval.

    Args:
        record: where the figure was measured, if two models' records may be paired to compare it.
    """

    model: str
    record: Record | None = None


def estimate(model: str, measurement: Measurement, record: Record | None = None) -> Estimate:
    """A measurement as an estimate; without an interval it counts as exact."""
    value, low, high = measurement.value, measurement.low, measurement.high
    return Estimate(value, value if low is None else low, value if high is None else high, model, record)


def best(estimates: Sequence[Estimate], *, more: bool) -> tuple[Estimate, list[Estimate]]:
    """The best estimate, and the others that cannot be told apart from it, the closest first."""
    ranked = sorted(estimates, key=lambda estimate: (-estimate.value if more else estimate.value, estimate.model))
    return ranked[0], [other for other in ranked[1:] if not apart(ranked[0], other)]


def apart(one: Estimate, other: Estimate) -> bool:
    """Whether two figures differ with 95 % confidence.

    Times are judged by the one rule of `benchmarks.stats.verdicts`, accuracies on the same images image by image
    (McNemar). Otherwise the two count as independent.
    """
    if one.record and other.record:
        times = times_of(one.record), times_of(other.record)
        if times[0] and times[1]:
            independent = quotient(time_interval(times[0].seconds), time_interval(times[1].seconds))
            return verdict(time_ratio(times[0], times[1]) or independent) in DIFFERENT
    gap, margin = gap_and_margin(one, other)
    if gap <= FAR * margin and one.record and other.record:
        with contextlib.suppress(NotPaired):
            return mcnemar(one.record, other.record).p_value < ALPHA
    return gap > margin
