"""How many times as long one thing takes as another: a ratio of times with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.stats.intervals import Interval, ratio_interval

__all__ = ["Times", "log_quotient", "quotient", "shared_rounds", "time_ratio"]


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
    return quotient(above.to_reference, below.to_reference)


def quotient(above: Interval, below: Interval) -> Interval:
    """A quotient of two independent figures, both above 0, with its interval (MOVER, on logarithms)."""
    found = log_quotient(above, below)
    return Interval(*map(math.exp, (found.value, found.low, found.high)))


def log_quotient(above: Interval, below: Interval) -> Interval:
    """The logarithm of `quotient`."""
    up, down = (
        Interval(*(math.log(bound) if bound > 0 else -math.inf for bound in (each.value, each.low, each.high)))
        for each in (above, below)
    )
    value = up.value - down.value
    return Interval(
        value,
        value - math.hypot(up.value - up.low, down.high - down.value),
        value + math.hypot(up.high - up.value, down.value - down.low),
    )


def shared_rounds(one: Times, other: Times) -> int:
    """Rounds of one session in which both were timed."""
    return 0 if one.session is None or one.session != other.session else len(one.seconds.keys() & other.seconds.keys())
