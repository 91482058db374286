"""What can be concluded of a figure that many models have, and what cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.metrics.latency import times_of
from benchmarks.records.predictions import NotPaired, mcnemar
from benchmarks.records.record import Measurement, Record
from benchmarks.stats.intervals import Interval
from benchmarks.stats.ranking import gap_and_margin
from benchmarks.stats.ratios import shared_rounds, time_ratio

__all__ = ["Estimate", "apart", "best", "estimate"]

ALPHA = 0.05
FAR = 3  # times the margin of independent figures: beyond it nothing need be paired
PAIRED_ROUNDS = 6  # fewer rounds cannot carry a 95 % interval of their median


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

    Times of one run are compared round by round and accuracies on the same images image by image (McNemar). Otherwise
    the two count as independent.
    """
    gap, margin = gap_and_margin(one, other)
    if gap <= FAR * margin and one.record and other.record:
        paired = _paired(one.record, other.record)
        if paired is not None:
            return paired
    return gap > margin


def _paired(one: Record, other: Record) -> bool | None:
    """Whether two records differ where they share rounds or images; None where they do not."""
    times = times_of(one), times_of(other)
    if times[0] and times[1] and shared_rounds(times[0], times[1]) >= PAIRED_ROUNDS:
        ratio = time_ratio(times[0], times[1])
        return None if ratio is None else not ratio.low <= 1 <= ratio.high
    try:
        return mcnemar(one, other).p_value < ALPHA
    except NotPaired:
        return None
