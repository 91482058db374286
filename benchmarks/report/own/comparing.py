"""Whether one network is better than another for some images: by all that is known of both.

Where both answered the same images, the images are paired: two single networks by McNemar's exact test, means over
seeds by the normal interval of the mean difference. Of several seeds the difference must clear Student's interval over
the seeds, too: another training or other images would then hardly turn it round. Otherwise both count as independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.report.own.candidates import Answers, Candidate
from benchmarks.stats.intervals import NORMAL
from benchmarks.stats.means import mean_of
from benchmarks.stats.ranking import gap_and_margin
from benchmarks.stats.verdicts import SIGNIFICANT

__all__ = ["Ranking", "apart", "rank"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Candidates from the best to the worst.

    Args:
        ordered: all of them that have the figure.
        ties: those that cannot be told apart from the first.
    """

    ordered: tuple[Candidate, ...]
    ties: tuple[Candidate, ...]


def rank(candidates: Sequence[Candidate], metric: str) -> Ranking:
    """By "top1" or "balanced", the best first."""
    values = {id(each): found.value for each in candidates if (found := each.interval(metric)) is not None}
    ordered = sorted(
        (each for each in candidates if id(each) in values), key=lambda each: (-values[id(each)], each.name)
    )
    ties = [each for each in ordered[1:] if not apart(ordered[0], each, metric)]
    return Ranking(ordered=tuple(ordered), ties=tuple(ties))


def apart(one: Candidate, other: Candidate, metric: str) -> bool:
    """Whether two candidates differ in "top1" or "balanced" with 95 % confidence."""
    intervals = one.interval(metric), other.interval(metric)
    if intervals[0] is None or intervals[1] is None:
        return False
    gap, margin = gap_and_margin(intervals[0], intervals[1])
    mine, theirs = one.answers(), other.answers()
    if not mine or not theirs or len({(found.images, len(found.labels)) for found in (*mine, *theirs)}) > 1:
        return gap > margin
    if not _differ_on_images(mine, theirs, metric):
        return False
    if len(one.records) == 1 == len(other.records):
        return True
    common = sorted(one.seeds.keys() & other.seeds.keys())
    differences = [(one.seeds[seed].value(metric) or 0.0) - (other.seeds[seed].value(metric) or 0.0) for seed in common]
    if len(differences) < 2:
        return gap > margin
    mean = mean_of(differences)
    return mean.low is not None and mean.high is not None and not mean.low <= 0 <= mean.high


def _differ_on_images(mine: Sequence[Answers], theirs: Sequence[Answers], metric: str) -> bool:
    """Whether other images of the same kind would hardly turn the difference round."""
    asked = np.logical_and.reduce([found.read for found in (*mine, *theirs)])
    right = [np.mean([found.right[asked] for found in side], axis=0) for side in (mine, theirs)]
    difference: Floats = right[0] - right[1]
    if metric == "top1" and len(mine) == 1 == len(theirs):
        from scipy.stats import binomtest

        better, worse = int((difference > 0).sum()), int((difference < 0).sum())
        return bool(better + worse) and float(binomtest(better, better + worse, 0.5).pvalue) < SIGNIFICANT
    classes = np.zeros(int(asked.sum()), int) if metric == "top1" else mine[0].labels[asked]
    mean, error = _stratified(difference, classes)
    return abs(mean) > NORMAL * error


def _stratified(values: Floats, strata: NDArray[np.integer]) -> tuple[float, float]:
    """The mean of the means of some strata, and its standard error.

    Strata of one value, which tell nothing of their variance, are given that of all.
    """
    whole = float(values.var(ddof=1)) if len(values) > 1 else math.inf
    means, variances = [], []
    for stratum in np.unique(strata):
        inside = values[strata == stratum]
        means.append(float(inside.mean()))
        variances.append((float(inside.var(ddof=1)) if len(inside) > 1 else whole) / len(inside))
    count = len(means)
    return (sum(means) / count, math.sqrt(sum(variances)) / count) if count else (0.0, math.inf)
