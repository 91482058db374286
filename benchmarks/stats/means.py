"""Means over seeds with their 95 % interval."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Mean", "mean_of", "quantile"]


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of some seeds and its 95 % interval; without a second seed there is none."""

    value: float
    low: float | None
    high: float | None
    count: int


def mean_of(values: Sequence[float]) -> Mean:
    """The mean and its 95 % interval under Student's t."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Mean(mean, None, None, len(values))
    half = quantile(len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return Mean(mean, mean - half, mean + half, len(values))


def quantile(freedom: int) -> float:
    """Student's t for a two-sided 95 % interval."""
    from scipy.stats import t  # type: ignore[attr-defined]

    return float(t.ppf(0.975, freedom))
