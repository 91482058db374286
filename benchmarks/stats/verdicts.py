"""Whether two times differ: the one rule of every table, page, study, comparison and self-check.

They differ where the 95 % interval of their ratio lies beyond the noise floor on one side of 1 and, where many pairs
are compared at once, the interval of a level that so many questions ask for still excludes 1 (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from statistics import NormalDist

from benchmarks.stats.intervals import NORMAL, Interval

__all__ = ["DIFFERENT", "NOISE_FLOOR", "VERDICTS", "detectable", "never_meet", "p_value", "verdict"]

NOISE_FLOOR = 0.01  # a change smaller than this is none: as far apart one model's ratios to itself lie (standard error)
SIGNIFICANT = 0.05  # of all comparisons together
TOO_NOISY = 0.10  # relative half-width of a ratio's interval that leaves no verdict
DIFFERENT = ("faster", "slower")
VERDICTS = (*DIFFERENT, "same", "too noisy", "too few rounds")


def verdict(ratio: Interval, *, comparisons: int = 1, noise_floor: float = NOISE_FLOOR) -> str:
    """What a ratio of two times says of the upper one: one of `VERDICTS`.

    Args:
        ratio: with its 95 % interval; without bounds, or of no number, there were too few rounds.
        comparisons: pairs that are compared at once.
        noise_floor: relative change below which nothing is called a change.

    Raises:
        ValueError: the noise floor is no share.
    """
    if not 0 <= noise_floor < 1:
        raise ValueError(f"a noise floor is a share of at least 0 and below 1 (0.01 is 1 %); got {noise_floor!r}")
    if not (ratio.known and math.isfinite(ratio.value) and ratio.value > 0):
        return "too few rounds"
    if comparisons * p_value(ratio) < SIGNIFICANT:
        if ratio.low > 1 + noise_floor:
            return "slower"
        if ratio.high < 1 / (1 + noise_floor):
            return "faster"
    return "too noisy" if ratio.half_width > TOO_NOISY else "same"


def p_value(ratio: Interval) -> float:
    """How likely a ratio at least as far from 1 is if nothing differs, told by its 95 % interval on logarithms."""
    if not ratio.known or not ratio.value > 0:
        return 1.0
    away = math.log(ratio.value)
    nearest = ratio.low if away > 0 else ratio.high
    reach = abs(away - math.log(nearest)) if nearest > 0 else math.inf
    if reach == 0:
        return 0.0 if away else 1.0
    return 2 * (1 - NormalDist().cdf(NORMAL * abs(away) / reach))


def detectable(ratio: Interval, *, noise_floor: float = NOISE_FLOOR) -> float:
    """The relative slowdown that is found where it comes out as large, with an interval that reaches as far down."""
    return (ratio.value / ratio.low if ratio.low > 0 else math.inf) * (1 + noise_floor) - 1


def never_meet(one: Collection[float], other: Collection[float]) -> bool:
    """Whether every time of one is beyond all of the other's, and chance hardly ever does that (rank sums, exact).

    The last word on times of so few rounds that no interval is known.
    """
    if 2 / math.comb(len(one) + len(other), len(one)) >= SIGNIFICANT:
        return False
    return max(one) < min(other) or max(other) < min(one)
