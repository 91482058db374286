"""What a table of figures with intervals says of their order: which differ, which are worth their cost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from benchmarks.stats.intervals import Interval

__all__ = ["gap_and_margin", "linear_correlation", "pareto_front", "rank_correlation"]


def gap_and_margin(one: Interval, other: Interval) -> tuple[float, float]:
    """How far two figures are apart, and how far apart independent ones must be to differ with 95 % confidence.

    The margin is the interval of the difference (MOVER; for Wilson intervals this is Newcombe's method).
    """
    lower, upper = sorted((one, other), key=lambda figure: figure.value)
    return upper.value - lower.value, math.hypot(lower.high - lower.value, upper.value - upper.low)


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Positions of the points no other point beats in one without losing in the other, the cheapest first."""
    front: list[int] = []
    for place in sorted(range(len(costs)), key=lambda place: (costs[place], -gains[place])):
        if not front or gains[place] > gains[front[-1]]:
            front.append(place)
    return front


def linear_correlation(one: Sequence[float], other: Sequence[float]) -> Interval | None:
    """Pearson's r with Fisher's interval; None for fewer than five pairs or where one side is always the same."""
    count = len(one)
    if count < 5 or len(set(one)) == 1 or len(set(other)) == 1:
        return None
    found = min(max(statistics.correlation(one, other), -1.0), 1.0)
    if abs(found) == 1:
        return Interval(found, found, found)
    centre, reach = math.atanh(found), statistics.NormalDist().inv_cdf(0.975) / math.sqrt(count - 3)
    return Interval(found, math.tanh(centre - reach), math.tanh(centre + reach))


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> Interval | None:
    """Spearman's rho; its interval from Fisher's transformation with the variance of Bonett and Wright (2000).

    None for fewer than five pairs or where one side has no order.
    """
    from scipy import stats

    count = len(one)
    if count < 5 or len(set(one)) == 1 or len(set(other)) == 1:
        return None
    rho = min(max(float(stats.spearmanr(one, other).statistic), -1.0), 1.0)
    if abs(rho) == 1:
        return Interval(rho, rho, rho)
    reach = statistics.NormalDist().inv_cdf(0.975) * math.sqrt((1 + rho**2 / 2) / (count - 3))
    centre = math.atanh(rho)
    return Interval(rho, math.tanh(centre - reach), math.tanh(centre + reach))
