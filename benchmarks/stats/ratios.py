"""How many times as long one thing takes as another: a ratio of times with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.stats.intervals import Interval, ratio_interval

__all__ = ["Times", "shared_rounds", "time_ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What a session found of one call.

    Args:
        seconds: by round.
        session: equal where rounds of equal number were the same; None where none is known.
        reference: what else was timed in every round; empty for nothing.
        to_reference: ratio of the seconds to the reference's.
    """

    seconds: Mapping[int, float]
    session: str | None = None
    reference: str = ""
    to_reference: Interval | None = None


def time_ratio(above: Times, below: Times) -> Interval | None:
    """Seconds of `above` over those of `below`: paired within rounds, else by way of the reference of both.

    The interval of the second combines those of two ratios as independent (MOVER, on logarithms). None if neither
    rounds nor a reference link the two.
    """
    if shared_rounds(above, below):
        return ratio_interval(above.seconds, below.seconds)
    if not above.reference or above.reference != below.reference or not (above.to_reference and below.to_reference):
        return None
    up, down = _logarithms(above.to_reference), _logarithms(below.to_reference)
    value = up.value - down.value
    low = value - math.hypot(up.value - up.low, down.high - down.value)
    high = value + math.hypot(up.high - up.value, down.value - down.low)
    return Interval(math.exp(value), math.exp(low), math.exp(high))


def shared_rounds(one: Times, other: Times) -> int:
    """Rounds of one session in which both were timed."""
    return 0 if one.session is None or one.session != other.session else len(one.seconds.keys() & other.seconds.keys())


def _logarithms(ratio: Interval) -> Interval:
    return Interval(math.log(ratio.value), math.log(ratio.low), math.log(ratio.high))
