"""Figures by round, and the one rule of which rounds count where processors were at times far from one another.

Rounds with the processors apart are another machine's, so to speak, and it is chance how many there are. They are left
out where enough others remain. Where they are what most rounds are, a ratio keeps those in which both of its sides had
the same kind of machine; to keep the closest few instead makes it far less repeatable.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.stats.intervals import FEWEST_ROUNDS, Interval, median_interval

__all__ = ["Rounds", "common_ratios", "ratio_interval", "ratios_by_round", "round_medians", "rounds_that_count"]


@dataclass(frozen=True, slots=True)
class Rounds:
    """The figures of one model, time or rate, in all rounds it took part in.

    Args:
        figures: by round.
        apart: rounds in which the processors were far from one another meanwhile.
    """

    figures: Mapping[int, float]
    apart: Collection[int] = ()

    @property
    def close(self) -> dict[int, float]:
        """The figures of the rounds in which the processors were not far from one another."""
        return {number: figure for number, figure in self.figures.items() if number not in self.apart}

    @property
    def far(self) -> dict[int, float]:
        """Those of the others."""
        return {number: figure for number, figure in self.figures.items() if number in self.apart}

    @property
    def counting(self) -> dict[int, float]:
        """The figures that count for this model alone."""
        return {number: self.figures[number] for number in rounds_that_count(self.figures, self.apart)}


def rounds_that_count(rounds: Iterable[int], *apart: Collection[int]) -> list[int]:
    """Those of some rounds that a median is taken over, in their order.

    They are those in which the processors were close for every model or, where these are fewer than `FEWEST_ROUNDS`,
    those in which they were alike for all, close or apart or, where these are fewer still, all.

    Args:
        rounds: those that all models have.
        apart: of each model the rounds in which the processors were apart. Of one model alone all rounds are alike.
    """
    numbers = sorted(rounds)
    kinds = {number: {number in each for each in apart} for number in numbers}
    close = [number for number in numbers if True not in kinds[number]]
    alike = [number for number in numbers if len(kinds[number]) < 2]
    return next((found for found in (close, alike) if len(found) >= FEWEST_ROUNDS), numbers)


def round_medians(samples: Sequence[float], rounds: Sequence[int]) -> dict[int, float]:
    """The median of each round's samples, in the order of the rounds."""
    by_round: dict[int, list[float]] = defaultdict(list)
    for sample, number in zip(samples, rounds, strict=True):
        by_round[number].append(sample)
    return {number: statistics.median(by_round[number]) for number in sorted(by_round)}


def common_ratios(above: Rounds, below: Rounds) -> dict[int, float]:
    """The ratios of two models' figures in all rounds that both have."""
    common = (number for number in sorted(above.figures) if below.figures.get(number, 0) > 0)
    return {number: above.figures[number] / below.figures[number] for number in common}


def ratios_by_round(above: Rounds, below: Rounds) -> dict[int, float]:
    """Those of the rounds that count for the two together."""
    ratios = common_ratios(above, below)
    return {number: ratios[number] for number in rounds_that_count(ratios, above.apart, below.apart)}


def ratio_interval(above: Rounds, below: Rounds) -> Interval | None:
    """The median of `ratios_by_round`; None without a common round."""
    ratios = ratios_by_round(above, below)
    return median_interval(list(ratios.values())) if ratios else None
