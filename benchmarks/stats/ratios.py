"""How many times as long one thing takes as another: a ratio of times with its 95 % interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.stats.intervals import Interval, median_interval
from benchmarks.stats.rounds import Rounds, ratios_by_round

__all__ = ["Times", "log_quotient", "paired", "quotient", "time_ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What a session found of one call.

    Args:
        rounds: seconds of each.
        session: equal where rounds of equal number were the same; None where none is known.
        reference: what else was timed in every round; empty for nothing.
        to_reference: ratio of the seconds to the reference's.
    """

    rounds: Rounds
    session: str | None = None
    reference: str = ""
    to_reference: Interval | None = None

    @property
    def seconds(self) -> dict[int, float]:
        """Of the rounds that count for this call alone."""
        return self.rounds.counting


def time_ratio(above: Times, below: Times) -> Interval | None:
    """Seconds of `above` over those of `below`: paired within rounds, else by way of the reference of both.

    The interval of the second combines those of two ratios as independent (MOVER, on logarithms). None if neither
    rounds nor a reference link the two.
    """
    if ratios := paired(above, below):
        return median_interval(list(ratios.values()))
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


def paired(above: Times, below: Times) -> dict[int, float]:
    """Ratios of the seconds in the rounds of one session that count for the two; empty where none links them."""
    together = above.session is not None and above.session == below.session
    return ratios_by_round(above.rounds, below.rounds) if together else {}
