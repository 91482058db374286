"""What can be concluded from a table of figures with intervals, and what cannot."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from benchmarks.metrics.latency import times_of
from benchmarks.records.predictions import NotPaired, mcnemar
from benchmarks.records.record import Record
from benchmarks.stats.ratios import shared_rounds, time_ratio

__all__ = ["Correlation", "Estimate", "apart", "best", "pareto_front", "rank_correlation"]

ALPHA = 0.05
FAR = 3  # times the margin of independent figures: beyond it nothing need be paired
PAIRED_ROUNDS = 6  # fewer rounds cannot carry a 95 % interval of their median


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A model's figure with its 95 % interval; an exact figure is its own interval.

    Args:
        record: where the figure was measured, if two models' records may be paired to compare it.
    """

    model: str
    value: float
    low: float
    high: float
    record: Record | None = None


def best(estimates: Sequence[Estimate], *, more: bool) -> tuple[Estimate, list[Estimate]]:
    """The best estimate, and the others that cannot be told apart from it, the closest first."""
    ranked = sorted(estimates, key=lambda estimate: (-estimate.value if more else estimate.value, estimate.model))
    return ranked[0], [other for other in ranked[1:] if not apart(ranked[0], other)]


def apart(one: Estimate, other: Estimate) -> bool:
    """Whether two figures differ with 95 % confidence.

    Times of one run are compared round by round and accuracies on the same images image by image (McNemar). Otherwise
    the interval of the difference comes from the two intervals (MOVER; for Wilson intervals this is Newcombe's
    method), which takes the two as independent.
    """
    lower, upper = sorted((one, other), key=lambda estimate: estimate.value)
    gap, margin = upper.value - lower.value, math.hypot(lower.high - lower.value, upper.value - upper.low)
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


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Positions of the points no other point beats in one without losing in the other, the cheapest first."""
    front: list[int] = []
    for place in sorted(range(len(costs)), key=lambda place: (costs[place], -gains[place])):
        if not front or gains[place] > gains[front[-1]]:
            front.append(place)
    return front


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Spearman's rank correlation with its 95 % interval."""

    rho: float
    low: float
    high: float
    count: int


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> Correlation | None:
    """Spearman's rho; its interval from Fisher's transformation with the variance of Bonett and Wright (2000).

    None for fewer than five models or where one side has no order.
    """
    count = len(one)
    if count < 5 or len(set(one)) == 1 or len(set(other)) == 1:
        return None
    rho = min(max(float(stats.spearmanr(one, other).statistic), -1.0), 1.0)
    if abs(rho) == 1:
        return Correlation(rho=rho, low=rho, high=rho, count=count)
    reach = statistics.NormalDist().inv_cdf(0.975) * math.sqrt((1 + rho**2 / 2) / (count - 3))
    centre = math.atanh(rho)
    return Correlation(rho=rho, low=math.tanh(centre - reach), high=math.tanh(centre + reach), count=count)
