"""What can be concluded of a figure that many models have, and what cannot."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.metrics.latency import times_of
from benchmarks.records.predictions import NotPaired, mcnemar
from benchmarks.records.record import Measurement, Record
from benchmarks.stats.intervals import Interval, time_interval
from benchmarks.stats.ranking import gap_and_margin, pareto_front
from benchmarks.stats.ratios import quotient, time_ratio
from benchmarks.stats.verdicts import DIFFERENT, never_meet, verdict

__all__ = ["Estimate", "Front", "apart", "best", "estimate", "front_of"]

ALPHA = 0.05
FAR = 3  # times the margin of independent figures: beyond it nothing need be paired


@dataclass(frozen=True, slots=True)
class Estimate(Interval):
    """A model's figure with its 95 % interval; an exact figure is its own interval.

    Args:
        record: where the figure was measured, if two models' records may be paired to compare it.
        bounded: False where no interval is known, as of a time of too few rounds.
    """

    model: str
    record: Record | None = None
    bounded: bool = True


@dataclass(frozen=True, slots=True)
class Front:
    """The models that no other beats in one figure without losing in another.

    Args:
        line: those that are on it by their figures alone, the cheapest first.
        sure: those that are on it whatever the noise: every other is worse in one of the two with 95 % confidence.
        possible: those that may be on it: no other is known to be as good in both and better in one.
    """

    line: tuple[str, ...]
    sure: tuple[str, ...]
    possible: tuple[str, ...]


def estimate(model: str, measurement: Measurement, record: Record | None = None) -> Estimate:
    """A measurement as an estimate; without an interval it counts as exact."""
    value, low, high = measurement.value, measurement.low, measurement.high
    bounds = (value if low is None else low, value if high is None else high)
    return Estimate(value, *bounds, model, record, bounded=low is not None and high is not None)


def best(estimates: Sequence[Estimate], *, more: bool) -> tuple[Estimate, list[Estimate]]:
    """The best estimate, and the others that cannot be told apart from it, the closest first."""
    ranked = sorted(estimates, key=lambda estimate: (-estimate.value if more else estimate.value, estimate.model))
    return ranked[0], [other for other in ranked[1:] if not apart(ranked[0], other)]


def front_of(costs: Sequence[Estimate], gains: Sequence[Estimate]) -> Front:
    """The front of models with little cost and much gain; cost and gain of a model have the same place."""
    kinds = (costs, gains)

    @functools.cache
    def differ(kind: int, one: int, other: int) -> bool:
        return apart(kinds[kind][one], kinds[kind][other])

    def less(kind: int, one: int, other: int) -> bool:
        figures = kinds[kind]
        return figures[one].value < figures[other].value and differ(kind, min(one, other), max(one, other))

    def equal(kind: int, one: int, other: int) -> bool:
        ends = {end for each in (kinds[kind][one], kinds[kind][other]) for end in (each.value, each.low, each.high)}
        return len(ends) == 1

    def beats(one: int, other: int) -> bool:
        cheaper, better = less(0, one, other), less(1, other, one)
        return (cheaper and (better or equal(1, one, other))) or (better and equal(0, one, other))

    def spares(one: int, other: int) -> bool:
        """Whether the first surely does not beat the second."""
        return less(1, one, other) or less(0, other, one) or (equal(0, one, other) and equal(1, one, other))

    places = sorted(range(len(costs)), key=lambda at: (costs[at].value, costs[at].model))
    sure = [at for at in places if all(spares(other, at) for other in places if other != at)]
    possible = [at for at in places if at not in sure and not any(beats(other, at) for other in places)]
    line = pareto_front([cost.value for cost in costs], [gain.value for gain in gains])
    return Front(*(tuple(costs[at].model for at in found) for found in (line, sure, possible)))


def apart(one: Estimate, other: Estimate) -> bool:
    """Whether two figures differ with 95 % confidence.

    Times are judged by the one rule of `benchmarks.stats.verdicts`: by their ratio within rounds, where these are too
    few as independent ones, and where they are still too few by whether they ever meet. Accuracies on the same images
    are judged image by image (McNemar). Otherwise the two count as independent.
    """
    if one.record and other.record:
        times = times_of(one.record), times_of(other.record)
        if times[0] and times[1]:
            seconds = times[0].seconds, times[1].seconds
            ratios = time_ratio(times[0], times[1]), quotient(*map(time_interval, seconds))
            known = next((ratio for ratio in ratios if ratio and ratio.known), None)
            return verdict(known) in DIFFERENT if known else never_meet(*(each.values() for each in seconds))
    gap, margin = gap_and_margin(one, other)
    if gap <= FAR * margin and one.record and other.record:
        with contextlib.suppress(NotPaired):
            return mcnemar(one.record, other.record).p_value < ALPHA
    return gap > margin
