"""Turns in rounds, with what else the machine did meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.measure.handover import Handover, longest_of_close
from benchmarks.measure.noise import NoiseMeter, summary
from benchmarks.stats.intervals import Interval, median_interval
from zoo.turns import take_turns

__all__ = ["TURN", "play", "ratio"]

TURN = 0.06  # seconds of counted calls a turn


def play(
    players: Mapping[str, Callable[[], float]], *, rounds: tuple[int, int], seconds: float, threaded: bool = True
) -> dict[str, Any]:
    """Seconds by name and round, and how noisy the machine was, as JSON values.

    Args:
        players: by name; each takes a turn in every round and returns the seconds of what it compares.
        rounds: fewest and most; between them, the first that ends after `seconds` is the last.
        threaded: whether they run on several threads, so that a turn should begin when the processors are close.
    """
    found: dict[str, list[float]] = {name: [] for name in players}
    handover, handovers = Handover() if threaded else None, list[float]()

    def turn(name: str) -> None:
        if handover:
            handovers.append(handover.rest(longest_of_close(handovers)))
        found[name].append(players[name]())

    meter = NoiseMeter()
    readings = [meter.read() for _ in take_turns(players, turn, rounds=rounds, seconds=seconds)]
    noise = summary(readings)
    return {"seconds": found, "noisy": noise["noisy"], "noise": noise["noise"]}


def ratio(above: Sequence[float], below: Sequence[float]) -> Interval:
    """Median over rounds of the ratio within a round, with its 95 % interval."""
    return median_interval([one / other for one, other in zip(above, below, strict=True)])
