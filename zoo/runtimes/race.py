"""Runners against one another, in turns, until the difference no longer matters."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping

from zoo.busy import Watch
from zoo.turns import take_turns

__all__ = ["CERTAIN", "SAME", "Race"]

SAME = 1.01  # two medians this close are a tie, which the earlier runner wins
CERTAIN = 5  # rounds from which a lower bound is one


class Race:
    """Runners timed in rounds, each once a round, until one is left or the difference no longer matters.

    Noise hits those that run side by side alike, so times are compared within a round. A runner drops out when it is
    slower than the leader beyond what chance explains.

    Args:
        runners: functions that run once and return the seconds it took, in order of preference.
        watch: is entered while they run.
    """

    def __init__(self, runners: Mapping[str, Callable[[], float]], watch: Watch | None = None) -> None:
        self.runners = dict(runners)
        self.seconds: dict[str, list[float]] = {name: [] for name in runners}
        self._watch = Watch() if watch is None else watch

    def run(self, *, rounds: tuple[int, int], seconds: float) -> None:
        """Runs between `rounds[0]` and `rounds[1]` rounds, none after the one in which `seconds` of calls are full."""
        running = list(self.runners)

        def turn(name: str) -> None:
            self.seconds[name].append(self.runners[name]())

        def spent() -> float:
            return sum(map(sum, self.seconds.values()))

        with self._watch:
            for _ in take_turns(running, turn, rounds=rounds, seconds=seconds, clock=spent):
                leader = self.winner
                running[:] = [
                    name
                    for name in running
                    if name == leader or len(self._ratios(name, leader)) < CERTAIN or self.at_least(name, leader) <= 1
                ]
                if len(running) == 1:
                    return

    @property
    def winner(self) -> str:
        """The fastest in the median of the ratios; of those within `SAME` of it, the first in order of preference."""
        longest = max(map(len, self.seconds.values()))
        alive = [name for name, times in self.seconds.items() if len(times) == longest]
        best = min(alive, key=lambda name: statistics.median(self.seconds[name]))
        return next(name for name in alive if self.ratio(name, best) <= SAME)

    def ratio(self, name: str, other: str) -> float:
        """Median over common rounds of the time of `name` divided by that of `other`."""
        return statistics.median(self._ratios(name, other))

    def _ratios(self, name: str, other: str) -> list[float]:
        return [mine / theirs for mine, theirs in zip(self.seconds[name], self.seconds[other], strict=False)]

    def at_least(self, name: str, other: str) -> float:
        """A lower bound of `ratio`, an order statistic: the least of up to 5 ratios, of more at the level of 5 %."""
        ratios = sorted(self._ratios(name, other))
        # 1.64 standard deviations of the number of heads below its mean: of 5 ratios the first, of 16 the fifth
        return ratios[max(int(len(ratios) / 2 - 0.82 * math.sqrt(len(ratios))), 0)]
