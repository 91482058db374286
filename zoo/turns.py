"""Timing things against one another: short turns in rounds, so that whatever else the machine does hits all of them."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

__all__ = ["LONG", "elapsed", "settled", "take_turns"]

LONG = 0.5  # seconds of a call from which what came before it hardly matters

P = TypeVar("P")


def take_turns(
    players: Collection[P],
    turn: Callable[[P], object],
    *,
    rounds: tuple[float, float] = (0, float("inf")),
    seconds: float = float("inf"),
    seed: int = 0,
    clock: Callable[[], float] = lambda: time.perf_counter(),
) -> Iterator[int]:
    """Rounds in which every player takes one turn; yields the number of each, from 1, when it is over.

    Args:
        players: who takes part; whoever is removed, at any time, takes no further turn.
        turn: lets a player take its turn.
        rounds: fewest and most; between them, the first that ends after `seconds` is the last.
        seconds: by `clock`, from the start.
        seed: of the order, which is drawn again for every round.
        clock: seconds, from any start.
    """
    order = random.Random(seed)
    until = clock() + seconds
    number = 0
    while players and number < rounds[1] and (number < rounds[0] or clock() < until):
        number += 1
        for player in order.sample(list(players), len(players)):
            if player in players:
                turn(player)
        yield number


def elapsed(call: Callable[[], object], count: int = 1) -> float:
    """Seconds that `count` calls take, one after another."""
    start = time.perf_counter_ns()
    for _ in range(count):
        call()
    return (time.perf_counter_ns() - start) * 1e-9


def settled(call: Callable[[], object], seconds: float = 0.0) -> float:
    """Seconds of a call, the median of as many as fill `seconds`, after one that does not count.

    That first call finds the caches full of other things and the threads of others still spinning. A call that takes
    longer than `LONG` counts itself.
    """
    first = elapsed(call)
    if first >= LONG:
        return first
    calls = [elapsed(call)]
    while sum(calls) < seconds:
        calls.append(elapsed(call))
    return statistics.median(calls)
