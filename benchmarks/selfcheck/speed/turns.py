"""Short turns in rounds: in each, everything that is compared runs once, in an order drawn anew."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measure.handover import Handover, longest_of_close
from benchmarks.measure.noise import NoiseMeter, summary
from benchmarks.stats.intervals import Interval, median_interval

__all__ = ["Played", "caller", "play", "ratio"]

LONG = 0.5  # seconds of a call from which what came before it hardly matters
TURN = 0.06  # seconds of counted calls a turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Seconds by name and round, and what else the machine did meanwhile."""

    seconds: Mapping[str, Sequence[float]]
    noise: Mapping[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "seconds": {name: list(values) for name, values in self.seconds.items()},
            "noisy": self.noise["noisy"],
            "noise": self.noise["noise"],
        }


def play(
    players: Mapping[str, Callable[[], float]],
    *,
    rounds: tuple[int, int],
    seconds: float,
    pids: Iterable[int] = (),
    threaded: bool = True,
) -> Played:
    """Rounds in which each player takes a turn and says how long what it compares took.

    Args:
        players: by name; they return seconds.
        rounds: fewest and most; between them, the first that ends after `seconds` is the last.
        pids: processes besides this one whose work belongs to the measurement.
        threaded: whether they run on several threads, so that a turn should begin when the processors are close.
    """
    order = random.Random(0)
    meter = NoiseMeter(lambda: [os.getpid(), *pids])
    samples: dict[str, list[float]] = {name: [] for name in players}
    readings = []
    handover, handovers = Handover() if threaded else None, list[float]()
    until = time.perf_counter() + seconds
    for count in range(1, rounds[1] + 1):
        for name in order.sample(list(players), len(players)):
            if handover:
                handovers.append(handover.rest(longest_of_close(handovers)))
            samples[name].append(players[name]())
        readings.append(meter.read())
        if count >= rounds[0] and time.perf_counter() > until:
            break
    return Played(seconds=samples, noise=summary(readings))


def caller(call: Callable[[], object]) -> Callable[[], float]:
    """A player: a call that is not counted, then calls for `TURN` seconds, of which the median counts.

    A call that takes long counts itself.

    The first call behind another network finds the caches full of that one's weights and its threads still spinning.
    """

    def timed() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    def turn() -> float:
        first = timed()
        if first >= LONG:
            return first
        calls = [timed()]
        while sum(calls) < TURN:
            calls.append(timed())
        return statistics.median(calls)

    return turn


def ratio(above: Sequence[float], below: Sequence[float]) -> Interval:
    """Median over rounds of the ratio within a round, with its 95 % interval."""
    return median_interval([one / other for one, other in zip(above, below, strict=True)])
