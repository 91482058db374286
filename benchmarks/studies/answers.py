"""What the answers of some networks say of ways to make integers: shares, differences, verdicts, with their intervals.

An interval is of 95 %, and wide enough both for networks trained anew (Student's t over the seeds, where there are
several) and for other images: seeds that happen to agree promise nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.schemes import BASE, LAYER_ASYMMETRIC, Answers, Scheme
from benchmarks.records.record import FULL
from benchmarks.stats.digits import number
from benchmarks.stats.intervals import NORMAL, Interval
from benchmarks.stats.means import mean_of
from benchmarks.studies.study import Verdict

__all__ = [
    "NEARLY_ALL", "alone", "brought_back", "difference", "down_to_guessing", "few", "in_points", "judged", "less",
    "over", "weighed",
]  # fmt: skip

Values = NDArray[np.float64]  # one an image
Group = Sequence[Answers]  # of the networks of one seed
NEARLY_ALL = 0.1  # at most, of what fp32 has above guessing, where nothing but guessing is left


def weighed(weights: Mapping[str, float]) -> Callable[[Group], Values]:
    """A weighed sum of right answers, image by image, in the mean of some networks."""

    def values(group: Group) -> Values:
        images = min(each.images for each in group)
        found = np.zeros(images)
        for each in group:
            for name, weight in weights.items():
                found += weight / len(group) * each.right[name][:images]
        return found

    return values


def less(one: str, other: str) -> Callable[[Group], Values]:
    """By how much more the first of two networks loses from `one` to `other` than the second, image by image."""
    lost = weighed({one: 1.0, other: -1.0})

    def values(group: Group) -> Values:
        first, second = (lost([each]) for each in group)
        images = min(len(first), len(second))
        return first[:images] - second[:images]

    return values


def over(seeds: Sequence[Group], values: Callable[[Group], Values]) -> Interval:
    """The mean of some values over images and seeds, with its interval.

    That of other images is a normal one, with half an image more on either side, which keeps it from vanishing where
    no image differs.
    """
    found = [values(group) for group in seeds]
    mean = mean_of([float(each.mean()) for each in found])
    images = min(map(len, found))
    by_image = np.mean([each[:images] for each in found], axis=0)
    reach = NORMAL * float(((by_image - by_image.mean()) ** 2).sum() + 1) ** 0.5 / images
    low, high = (mean.value if end is None else end for end in (mean.low, mean.high))
    return Interval(mean.value, min(low, mean.value - reach), max(high, mean.value + reach))


def alone(found: Sequence[Answers]) -> list[list[Answers]]:
    """One network a seed."""
    return [[each] for each in found]


def difference(found: Sequence[Answers], one: str, other: str) -> Interval | None:
    """The share that one scheme has right minus that of another, of a network; None where one of them was not tried.

    Args:
        found: one a seed.
    """
    tried = [each for each in found if {one, other} <= each.right.keys()]
    if len(tried) == 1:
        return tried[0].difference(one, other)
    return over(alone(tried), weighed({one: 1.0, other: -1.0})) if tried else None


def judged(seeds: Sequence[Group], values: Callable[[Group], Values], *, by: float = 0.0) -> Verdict:
    """The verdict on "the mean exceeds `by`", from two seeds on."""
    if len(seeds) < 2:
        return Verdict("open", few(len(seeds)))
    found = over(seeds, values)
    words = f"{in_points(found)} points of top-1, {len(seeds)} seeds" + (f", against {100 * by:g}" if by else "")
    return Verdict(_status(found, by), words)


def down_to_guessing(found: Sequence[Answers], layer: Scheme = LAYER_ASYMMETRIC) -> Verdict:
    """Whether one scale a layer leaves a network nothing but guessing; the paper's has asymmetric weights."""
    tried = [each for each in found if layer.name in each.right]
    if not tried:
        return Verdict("open", "not tried yet")
    guessing = statistics.fmean(1 / each.classes for each in tried)
    margin = over(alone(tried), weighed({FULL: NEARLY_ALL, layer.name: -1.0}))
    before, after = (number(100 * statistics.fmean(each.share(name) for each in tried)) for name in (FULL, layer.name))
    lost = in_points(difference(tried, FULL, layer.name))
    words = f"{before} % becomes {after} %, where guessing has {number(100 * guessing)} %: {lost} points lost"
    return Verdict(_status(margin, -(1 - NEARLY_ALL) * guessing), f"{words}, {_many(tried)}")


def brought_back(found: Sequence[Answers], layer: Scheme = LAYER_ASYMMETRIC) -> Verdict:
    """Whether one scale a channel brings back more than half of what one scale a layer loses."""
    tried = [each for each in found if {layer.name, BASE.name} <= each.right.keys()]
    lost, back = (difference(tried, name, layer.name) for name in (FULL, BASE.name))
    if lost is None:
        return Verdict("open", "not tried yet")
    words = f"{in_points(lost)} points lost, {in_points(back)} brought back, {_many(tried)}"
    if lost.low <= 0:
        return Verdict("too noisy", f"no loss is certain that could be brought back: {words}")
    half = over(alone(tried), weighed({BASE.name: 1.0, layer.name: -0.5, FULL: -0.5}))
    return Verdict(_status(half), words)


def few(seeds: int) -> str:
    """Why nothing is judged."""
    return f"trained under equal conditions with {seeds} seed{'' if seeds == 1 else 's'}; at least 2 are needed"


def in_points(found: Interval | None) -> str:
    """A share in points of a hundred, with its interval."""
    if found is None:
        return "-"
    value, low, high = (number(100 * bound, -2) for bound in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _status(found: Interval, by: float = 0.0) -> str:
    return "supported" if found.low > by else "contradicted" if found.high < by else "too noisy"


def _many(found: Sequence[Answers]) -> str:
    return f"{len(found)} seeds" if len(found) > 1 else f"{found[0].images:,} images"
