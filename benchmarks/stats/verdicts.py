"""What became of a time from one measurement to another: the ratio, the test and the verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu, wilcoxon

from benchmarks.stats.intervals import Interval, holm, ratio_interval

__all__ = ["NOISE_FLOOR", "Comparison", "compare_times"]

NOISE_FLOOR = 0.01  # a change smaller than this is none, whatever the statistics say
SIGNIFICANT = 0.05  # after Holm's adjustment
TOO_NOISY = 0.10  # relative half-width of a ratio's interval that leaves no verdict
RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What became of one case from A to B.

    Args:
        name: the case.
        ratio: time in B over time in A.
        p_value: of the rank test over rounds, adjusted for all cases.
        noise_floor: relative change below which nothing is called a change.
        verdict: "faster", "slower", "same" or "too noisy".
    """

    name: str
    ratio: Interval
    p_value: float
    noise_floor: float
    verdict: str


def compare_times(
    pairs: Mapping[str, tuple[Mapping[int, float], Mapping[int, float], bool]], *, noise_floor: float = NOISE_FLOOR
) -> list[Comparison]:
    """Verdicts on pairs of round medians: (seconds by round in A, in B, whether equal rounds were one session's)."""
    ratios = [
        (ratio_interval(after, before) if paired else None) or _unpaired_ratio(before, after)
        for before, after, paired in pairs.values()
    ]
    p_values = holm([_rank_test(before, after, paired) for before, after, paired in pairs.values()])
    return [
        Comparison(
            name=name, ratio=ratio, p_value=p_value, noise_floor=noise_floor,
            verdict=_verdict(ratio, p_value, noise_floor),
        )
        for name, ratio, p_value in zip(pairs, ratios, p_values, strict=True)
    ]  # fmt: skip


def _verdict(ratio: Interval, p_value: float, noise_floor: float) -> str:
    outside = ratio.low > 1 + noise_floor or ratio.high < 1 - noise_floor
    if outside and p_value < SIGNIFICANT:
        return "slower" if ratio.value > 1 else "faster"
    return "too noisy" if ratio.half_width > TOO_NOISY else "same"


def _rank_test(before: Mapping[int, float], after: Mapping[int, float], paired: bool) -> float:
    common = sorted(before.keys() & after.keys()) if paired else []
    if len(common) >= 2:
        changes = [math.log(after[number] / before[number]) for number in common]
        return float(wilcoxon(changes).pvalue) if any(changes) else 1.0
    if len(before) < 2 or len(after) < 2:
        return 1.0
    return float(mannwhitneyu(list(before.values()), list(after.values()), alternative="two-sided").pvalue)


def _unpaired_ratio(before: Mapping[int, float], after: Mapping[int, float]) -> Interval:
    """The ratio of the medians over rounds, each run's rounds drawn again on their own."""
    random = np.random.default_rng(0)
    above, below = np.asarray(list(after.values())), np.asarray(list(before.values()))
    value = statistics.median(after.values()) / statistics.median(before.values())
    draws = [np.median(random.choice(data, (RESAMPLES, len(data))), axis=1) for data in (above, below)]
    low, high = np.quantile(draws[0] / draws[1], [0.025, 0.975])
    return Interval(value, float(low), float(high))
