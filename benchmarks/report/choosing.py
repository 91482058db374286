"""What fits a budget, what of it is best, and what cannot be told apart: the one rule, of figures alone.

A limit is kept for certain where the worse end of a figure's 95 % interval keeps it, and missed for certain where the
better end does not. What keeps every limit for certain fits; what misses none for certain, and one perhaps, may fit.
The most accurate is best; of equals the fastest, then the smallest.

Several threads that are slower than one thread of the same file are no way to run it: such times say what else the
processors did. They are set aside before anything is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.records.record import FULL, PLAIN
from benchmarks.stats.intervals import Interval
from benchmarks.stats.ranking import gap_and_margin

__all__ = [
    "LIMITS",
    "VERDICTS",
    "Apart",
    "Budget",
    "Candidate",
    "Choice",
    "Limit",
    "Miss",
    "choose",
    "judge",
    "misses",
    "sound",
    "tell_apart",
]

VERDICTS = ("met", "unsure", "missed", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One kind of limit.

    Args:
        figure: the field of `Candidate` that it is a limit of.
        title, unit: of the figure, in words.
        at_most: whether the figure may not be larger; else it may not be smaller.
        digits: of the figure, as `benchmarks.stats.digits.number` takes them.
    """

    figure: str
    title: str
    unit: str
    at_most: bool = True
    digits: int = 3


LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "max_latency_ms": Limit(figure="latency_ms", title="latency", unit="ms"),
        "max_size_mb": Limit(figure="size_mb", title="size", unit="MB"),
        "min_top1": Limit(figure="top1", title="top-1", unit="%", at_most=False, digits=-1),
        "max_memory_mb": Limit(figure="memory_mb", title="peak memory", unit="MB"),
        "max_gmacs": Limit(figure="gmacs", title="multiply-adds", unit="G"),
        "min_throughput": Limit(figure="throughput", title="throughput", unit="images/s", at_most=False),
    }
)
"""The kinds of limits, by the field of `Budget` that holds one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is allowed; None is no limit. Milliseconds, megabytes of 10^6 bytes, percent, 10^9, images a second."""

    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    min_top1: float | None = None
    max_memory_mb: float | None = None
    max_gmacs: float | None = None
    min_throughput: float | None = None

    @property
    def limits(self) -> dict[str, float]:
        """The limits there are, by their names in `LIMITS`."""
        found = {name: getattr(self, name) for name in LIMITS}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A network and a way to run it, with what is known of it; a figure that is exact is its own interval.

    Args:
        model: its label.
        runtime, precision, num_threads: the way.
        img_size: side of its images in pixels.
        latency_ms: of one image.
        size_mb: of its file.
        top1: percent.
        memory_mb: peak above an idle process.
        gmacs: multiply-adds of one image, 10^9.
        throughput: images a second in batches.
        batch_size: images a batch of that; 0 where it is not known.
        top1_source: "measured", "published" or "estimate"; empty where it is not known.
        size_source: "file" or "parameters"; empty likewise.
        basis: where the accuracy is from, in words.
        protocol: how a published accuracy was taken (crops, scale), in words; empty where none is told.
        weights: what the accuracy belongs to: "imagenet", "imagenet:TAG" or a file; empty where none is known.
    """

    model: str
    runtime: str = PLAIN
    precision: str = FULL
    num_threads: int = 1
    img_size: int = 0
    latency_ms: Interval | None = None
    size_mb: Interval | None = None
    top1: Interval | None = None
    memory_mb: Interval | None = None
    gmacs: Interval | None = None
    throughput: Interval | None = None
    batch_size: int = 0
    top1_source: str = ""
    size_source: str = ""
    basis: str = ""
    protocol: str = ""
    weights: str = ""

    @property
    def file(self) -> tuple[str, str, str, int]:
        """Equal for ways that differ in the number of threads alone."""
        return self.model, self.runtime, self.precision, self.img_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A limit that a candidate does not keep for certain.

    Args:
        limit: its name in `LIMITS`.
        allowed: where it lies.
        verdict: "unsure", "missed" or "unknown".
        by: share of the limit that the worse end is beyond it, the value where that end is not known; 0 for "unknown".
    """

    limit: str
    allowed: float
    verdict: str
    by: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What came of choosing.

    Args:
        answers: what fits for certain, the best first.
        ties: those of the answers whose accuracy cannot be told apart from the first one's, without it.
        possible: what may fit, the best first.
        nearest: where nothing fits, the candidate that misses by least, and what it misses; else None.
        set_aside: ways that are slower on several threads than on one.
        unknown: what may fit if a figure were known that nobody measured, the best first.
    """

    answers: tuple[Candidate, ...] = ()
    ties: tuple[Candidate, ...] = ()
    possible: tuple[Candidate, ...] = ()
    nearest: tuple[Candidate, tuple[Miss, ...]] | None = None
    set_aside: tuple[Candidate, ...] = ()
    unknown: tuple[Candidate, ...] = ()


Apart = Callable[[Candidate, Candidate], bool]


def tell_apart(one: Candidate, other: Candidate) -> bool:
    """Whether the accuracies of two candidates differ with 95 % confidence, as independent figures."""
    if one.top1 is None or other.top1 is None:
        return one.top1 is not other.top1
    gap, margin = gap_and_margin(one.top1, other.top1)
    return gap > margin


def choose(candidates: Iterable[Candidate], budget: Budget, *, apart: Apart = tell_apart) -> Choice:
    """What fits a budget, the best first.

    Args:
        candidates: each way once.
        apart: whether two accuracies differ, where more is known of them than their intervals.
    """
    kept, set_aside = sound(candidates)
    missed = {place: misses(candidate, budget) for place, candidate in enumerate(kept)}
    ranked = sorted(missed, key=lambda place: _rank(kept[place]))
    verdicts = {place: {each.verdict for each in missed[place]} for place in ranked}
    answers = [kept[place] for place in ranked if not missed[place]]
    possible = [kept[place] for place in ranked if verdicts[place] == {"unsure"}]
    unknown = [kept[place] for place in ranked if {"unknown"} <= verdicts[place] <= {"unknown", "unsure"}]
    nearest = min(ranked, key=lambda place: _distance(missed[place]), default=None) if not answers else None
    return Choice(
        answers=tuple(answers),
        ties=tuple(other for other in answers[1:] if not apart(answers[0], other)),
        possible=tuple(possible),
        nearest=None if nearest is None else (kept[nearest], missed[nearest]),
        set_aside=tuple(set_aside),
        unknown=tuple(unknown),
    )


def judge(figure: Interval | None, limit: Limit, allowed: float) -> str:
    """What a figure says of a limit: one of `VERDICTS`."""
    if figure is None or math.isnan(figure.value):
        return "unknown"
    worse, better = (figure.high, figure.low) if limit.at_most else (figure.low, figure.high)
    if _keeps(worse, limit, allowed):
        return "met"
    return "unsure" if _keeps(better, limit, allowed) else "missed"


def misses(candidate: Candidate, budget: Budget) -> tuple[Miss, ...]:
    """The limits that a candidate does not keep for certain."""
    found = []
    for name, allowed in budget.limits.items():
        limit = LIMITS[name]
        figure: Interval | None = getattr(candidate, limit.figure)
        verdict = judge(figure, limit, allowed)
        if verdict != "met":
            by = 0.0 if figure is None or verdict == "unknown" else _beyond(figure, limit, allowed)
            found.append(Miss(limit=name, allowed=allowed, verdict=verdict, by=by))
    return tuple(found)


def sound(candidates: Iterable[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """The candidates whose times count, and those that are slower on several threads than on one."""
    candidates = list(candidates)
    alone = {each.file: each.latency_ms.value for each in candidates if each.num_threads == 1 and each.latency_ms}

    def slower(each: Candidate) -> bool:
        several = each.num_threads > 1 and each.latency_ms is not None
        return several and each.latency_ms.value > alone.get(each.file, math.inf)  # type: ignore[union-attr]

    return [each for each in candidates if not slower(each)], [each for each in candidates if slower(each)]


def _keeps(value: float, limit: Limit, allowed: float) -> bool:
    return value <= allowed if limit.at_most else value >= allowed


def _beyond(figure: Interval, limit: Limit, allowed: float) -> float:
    """The share of a limit that a figure's worse end is beyond it, its value where that end is not known."""
    worse = figure.high if limit.at_most else figure.low
    worse = worse if math.isfinite(worse) else figure.value
    over = worse - allowed if limit.at_most else allowed - worse
    return max(over, 0.0) / allowed if allowed else max(over, 0.0)


def _rank(candidate: Candidate) -> tuple[object, ...]:
    """Less is better."""
    top1, latency, size = (
        math.inf if figure is None else sign * figure.value
        for sign, figure in ((-1, candidate.top1), (1, candidate.latency_ms), (1, candidate.size_mb))
    )
    return top1, latency, size, candidate.model, candidate.runtime, candidate.precision, candidate.num_threads


def _distance(missed: Sequence[Miss]) -> tuple[float, ...]:
    """How far from fitting: what is not known counts more than any figure that is, then the limit missed most."""
    unknown = sum(each.verdict == "unknown" for each in missed)
    certain = sum(each.verdict == "missed" for each in missed)
    return float(unknown), max((each.by for each in missed), default=0.0), float(certain)
