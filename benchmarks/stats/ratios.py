"""How many times as long one model takes as another: a ratio of times with its 95 % interval."""

from __future__ import annotations

import math

from benchmarks.records.record import Measurement, Record
from benchmarks.stats.intervals import Interval, ratio_interval, round_medians

__all__ = ["paired_ratio", "shared_rounds", "time_ratio"]


def time_ratio(above: Record, below: Record) -> Interval | None:
    """Latency of `above` over that of `below`: paired within rounds, else by way of the model both ran beside.

    The interval of the second combines those of two ratios as independent (MOVER, on logarithms). None if neither
    rounds nor a model link the two records.
    """
    one, other = above.find("latency_s"), below.find("latency_s")
    if one is None or other is None:
        return None
    paired = paired_ratio(one, other)
    if paired is not None:
        return paired
    upper, lower = above.find("latency_ratio"), below.find("latency_ratio")
    beside = one.details.get("reference")
    if upper is None or lower is None or beside is None or beside != other.details.get("reference"):
        return None
    up, down = _logarithms(upper), _logarithms(lower)
    value = up.value - down.value
    low = value - math.hypot(up.value - up.low, down.high - down.value)
    high = value + math.hypot(up.high - up.value, down.value - down.low)
    return Interval(math.exp(value), math.exp(low), math.exp(high))


def paired_ratio(above: Measurement, below: Measurement) -> Interval | None:
    """The median over common rounds of the ratio of two times with its interval; None unless one run made both."""
    if not shared_rounds(above, below):
        return None
    medians = (
        round_medians(each.samples, each.rounds, each.details.get("apart_rounds", ())) for each in (above, below)
    )
    return ratio_interval(*medians)


def shared_rounds(one: Measurement, other: Measurement) -> int:
    """Rounds of one run in which both were timed."""
    run = one.details.get("run")
    return len(set(one.rounds) & set(other.rounds)) if run is not None and run == other.details.get("run") else 0


def _logarithms(ratio: Measurement) -> Interval:
    """A ratio and its interval as logarithms; one without an interval counts as exact."""
    bounds = (ratio.value, ratio.low, ratio.high)
    return Interval(*(math.log(ratio.value if bound is None else bound) for bound in bounds))
