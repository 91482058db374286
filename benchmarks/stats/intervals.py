"""The few statistics the harness needs, on plain sequences of numbers.

Calls of one round share their noise, so rounds are the unit: a round counts once, by the median of its calls, and
intervals come from drawing rounds again and again (bootstrap).
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Interval",
    "Outliers",
    "holm",
    "median_interval",
    "outliers",
    "percentile",
    "ratio_interval",
    "round_medians",
]

RESAMPLES = 2000
CONFIDENCE = 0.95
FEWEST = 5  # rounds that must be left for others to be left out
# Samples from which a percentile is known with 99 % confidence, one sample above it allowed (MLPerf loadgen's rule).
ENOUGH = {90: 64, 95: 130, 99: 662}


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval's width, relative to the value."""
        return (self.high - self.low) / 2 / self.value if self.value else float("inf")

    def scaled(self, factor: float) -> Interval:
        """The same in another unit."""
        return Interval(factor * self.value, factor * self.low, factor * self.high)


@dataclass(frozen=True, slots=True)
class Outliers:
    """Samples outside Tukey's fences of 1.5 and 3 interquartile ranges: counted, never dropped."""

    mild: int
    severe: int


def round_medians(samples: Sequence[float], rounds: Sequence[int], apart: Container[int] = ()) -> dict[int, float]:
    """The median of each round's samples, in the order of the rounds.

    Args:
        apart: rounds in which the processors were far from one another. They are left out where
            enough others remain: they are another machine's rounds, so to speak, and it is chance how many there are.
    """
    by_round: dict[int, list[float]] = defaultdict(list)
    for sample, number in zip(samples, rounds, strict=True):
        by_round[number].append(sample)
    medians = {number: statistics.median(by_round[number]) for number in sorted(by_round)}
    close = {number: median for number, median in medians.items() if number not in apart}
    return close if len(close) >= FEWEST else medians


def median_interval(values: Sequence[float], *, seed: int = 0) -> Interval:
    """The median with a bootstrap interval; under six values, which cannot carry one, the whole range.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values to take a median of")
    data = np.asarray(values, dtype=float)
    median = float(np.median(data))
    if len(data) < 6:
        return Interval(median, float(data.min()), float(data.max()))
    draws = np.random.default_rng(seed).integers(len(data), size=(RESAMPLES, len(data)))
    low, high = np.quantile(np.median(data[draws], axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(median, float(low), float(high))


def ratio_interval(above: Mapping[int, float], below: Mapping[int, float], *, seed: int = 0) -> Interval | None:
    """The median over common rounds of the ratio of two models' round medians; None without a common round."""
    common = sorted(above.keys() & below.keys())
    ratios = [above[number] / below[number] for number in common if below[number] > 0]
    return median_interval(ratios, seed=seed) if ratios else None


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


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for having asked that many questions (Holm)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - place)))
        adjusted[index] = largest
    return adjusted
