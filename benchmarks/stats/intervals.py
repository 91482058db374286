"""The few statistics the harness needs, on plain sequences of numbers.

Calls of one round share their noise, so rounds are the unit: a round counts once, by the median of its calls. Intervals
come from the order of the rounds' figures, whatever their distribution: the ranks between which a median lies.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "FEWEST_ROUNDS",
    "UNKNOWN",
    "Interval",
    "Outliers",
    "median_interval",
    "outliers",
    "percentile",
    "percentile_interval",
    "time_interval",
]

FEWEST_ROUNDS = 8  # that carry an interval of their median
NORMAL = statistics.NormalDist().inv_cdf(0.975)
# How much of an independent round one is worth: neighbours share the machine's moods, of which a ratio within rounds
# keeps little. (1 - r) / (1 + r) for autocorrelations r of 0.25 and 0.03, which the measurement self-check tries.
TIMES_WORTH, RATIOS_WORTH = 0.6, 0.95
# Samples from which a percentile is known with 99 % confidence, one sample above it allowed (MLPerf loadgen's rule).
ENOUGH = {90: 64, 95: 130, 99: 662}


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its 95 % interval, without bounds where too little is known for one."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def half_width(self) -> float:
        """Half of the interval's width, relative to the value."""
        return (self.high - self.low) / 2 / self.value if self.value else float("inf")

    def scaled(self, factor: float) -> Interval:
        """The same in another unit."""
        return Interval(factor * self.value, factor * self.low, factor * self.high)


UNKNOWN = Interval(math.nan, -math.inf, math.inf)  # of no rounds


@dataclass(frozen=True, slots=True)
class Outliers:
    """Samples outside Tukey's fences of 1.5 and 3 interquartile ranges: counted, never dropped."""

    mild: int
    severe: int


def median_interval(values: Sequence[float], *, worth: float = RATIOS_WORTH) -> Interval:
    """The median and the 95 % interval between two ranks, interpolated; under `FEWEST_ROUNDS` values without bounds.

    As many of n independent values lie below their median as heads fall in n throws: the ranks lie 0.98 sqrt(n) on
    either side of the middle one, farther where values are worth less, and no farther than the first and the last.

    Args:
        worth: how many independent values one of these counts for.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values to take a median of")
    ordered, median = sorted(map(float, values)), float(statistics.median(values))
    if len(ordered) < FEWEST_ROUNDS:
        return Interval(median, -math.inf, math.inf)
    middle = (len(ordered) - 1) / 2
    reach = min(NORMAL / 2 * math.sqrt(len(ordered) / worth), middle)
    return Interval(median, _at(ordered, middle - reach), _at(ordered, middle + reach))


def _at(ordered: Sequence[float], rank: float) -> float:
    """The value at a rank counted from 0, between two of them in proportion."""
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (rank - below) * (ordered[above] - ordered[below])


def time_interval(by_round: Mapping[int, float]) -> Interval:
    """The median of the times (or rates) of rounds with its interval, wider since rounds share the machine's moods."""
    return median_interval(list(by_round.values()), worth=TIMES_WORTH)


def outliers(values: Sequence[float]) -> Outliers:
    """How many values lie outside Tukey's fences."""
    data = np.asarray(values, dtype=float)
    low, high = np.quantile(data, [0.25, 0.75])
    beyond = np.maximum(low - data, data - high)
    severe = int((beyond > 3 * (high - low)).sum())
    return Outliers(mild=int((beyond > 1.5 * (high - low)).sum()) - severe, severe=severe)


def percentile(values: Sequence[float], rank: int) -> float | None:
    """The 90th, 95th or 99th percentile, or None from too few values to know it (`ENOUGH`)."""
    return float(np.quantile(np.asarray(values, dtype=float), rank / 100)) if len(values) >= ENOUGH[rank] else None


def percentile_interval(values: Sequence[float], rank: int) -> Interval:
    """A percentile and the 95 % interval between two ranks; without bounds from too few values to know it (`ENOUGH`).

    Calls of a round share its moods, so they count for as many as `TIMES_WORTH` says.
    """
    share, ordered = rank / 100, sorted(map(float, values))
    found = float(np.quantile(np.asarray(ordered), share))
    if len(ordered) < ENOUGH.get(rank, 2 * FEWEST_ROUNDS):
        return Interval(found, -math.inf, math.inf)
    middle, last = share * (len(ordered) - 1), len(ordered) - 1
    reach = NORMAL * math.sqrt(len(ordered) * share * (1 - share) / TIMES_WORTH)
    return Interval(found, _at(ordered, max(middle - reach, 0)), _at(ordered, min(middle + reach, last)))
