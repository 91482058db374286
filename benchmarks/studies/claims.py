"""Judges of claims: each makes a function of the evidence that returns a verdict.

A claim about accuracy gets its verdict only when the mean difference over seeds clears its own 95 % interval (Student's
t on differences paired by seed); else it is too noisy, and the verdict says how many seeds more it would take. A claim
about time is judged by the 95 % interval of a ratio of two times.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import replace

from benchmarks.stats.means import mean_of, quantile
from benchmarks.stats.verdicts import verdict
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.finding import Finding, combined
from benchmarks.studies.study import Judge, Published, Verdict

__all__ = [
    "as_accurate", "figures_agree", "holds", "judge_differences", "less_accurate", "more_accurate", "no_slower",
    "seeds_needed", "slower", "time_follows_work",
]  # fmt: skip

MOST_SEEDS = 1000
WORST_FIRST = ("open", "contradicted", "too noisy", "supported")


def figures_agree(*figures: Published) -> Judge:
    """Every printed figure follows from the architecture, but for those owned up to as slips."""

    def judge(evidence: Evidence) -> Verdict:
        counted = [(figure, figure.counted(evidence)) for figure in figures]
        missing = [figure.what for figure, value in counted if value is None]
        if missing:
            return Verdict("open", f"not counted yet: {', '.join(missing)}")
        wrong = [figure for figure, value in counted if value is not None and figure.agreement(value) == "differs"]
        unowned = [figure.what for figure in wrong if not figure.slip]
        agree = f"{len(figures) - len(wrong)} of {len(figures)} agree"
        if unowned:
            return Verdict("contradicted", f"{agree}; not {', '.join(unowned)}")
        if wrong:
            slips = "the other is a slip in print" if len(wrong) == 1 else f"the other {len(wrong)} are slips in print"
            return Verdict("supported", f"{agree}; {slips}, named below")
        return Verdict("supported", f"all {len(figures)} agree")

    return Judge(judge)


def holds(test: Callable[..., bool], words: str, *counts: Finding[float]) -> Judge:
    """A statement about counted figures: true or not.

    Args:
        test: whether it is true of the figures.
        words: the figures in words, themselves in the braces.
        counts: the figures.
    """

    def judge(*figures: float) -> Verdict:
        return Verdict("supported" if test(*figures) else "contradicted", words.format(*figures))

    found = combined(judge, *counts)
    return Judge(found.of, found.models, found.titles)


def more_accurate(left: str, right: str, *, by: float = 0.0) -> Judge:
    """Top-1 of arm `left` exceeds that of arm `right` by more than `by`; a negative `by` allows it to fall short."""
    return _of_differences(left, right, lambda differences: judge_differences(differences, by=by))


def less_accurate(left: str, right: str) -> Judge:
    """Top-1 of arm `left` is below that of arm `right`."""
    return more_accurate(right, left)


def as_accurate(left: str, right: str, *, within: float) -> Judge:
    """Top-1 of the two arms differs by less than `within`, whichever is ahead."""

    def judge(differences: list[float]) -> Verdict:
        above = judge_differences(differences, by=-within)
        below = judge_differences([-difference for difference in differences], by=-within)
        return min(above, below, key=lambda verdict: WORST_FIRST.index(verdict.status))

    return _of_differences(left, right, judge)


def _of_differences(left: str, right: str, judge: Callable[[list[float]], Verdict]) -> Judge:
    def of(evidence: Evidence) -> Verdict:
        return judge(evidence.differences(evidence.by_title[left], evidence.by_title[right]))

    return Judge(of, titles=(left, right), pair=(left, right))


def judge_differences(differences: list[float], *, by: float = 0.0) -> Verdict:
    """The verdict on "the mean difference exceeds `by`", from one difference a seed."""
    if len(differences) < 2:
        return Verdict("open", f"trained under equal conditions with {_seeds(len(differences))}; at least 2 are needed")
    mean = mean_of(differences)
    low, high = mean.low or 0.0, mean.high or 0.0
    words = f"{_points(mean.value)} points of top-1 ({_points(low)} to {_points(high)}, {mean.count} seeds)"
    words += f", against {_points(by)}" if by else ""
    if low > by or high < by:
        return Verdict("supported" if low > by else "contradicted", words)
    needed = seeds_needed(mean.value - by, statistics.stdev(differences))
    if needed is None:
        return Verdict("too noisy", f"{words}; not even {MOST_SEEDS} seeds would settle so small a difference")
    more = max(needed - len(differences), 1)
    return Verdict("too noisy", f"{words}; about {_seeds(more)} more would settle it", more)


def seeds_needed(difference: float, deviation: float) -> int | None:
    """Seeds whose 95 % interval would clear a difference of this size, were it the true one; None beyond MOST_SEEDS."""
    for count in range(2, MOST_SEEDS + 1):
        if quantile(count - 1) * deviation / count**0.5 < abs(difference):
            return count
    return None


def no_slower(left: str, right: str) -> Judge:
    """Arm `left` takes no longer than arm `right`."""
    return Judge(lambda evidence: _judge_times(evidence, left, right, 0.0, 1.0), titles=(left, right))


def slower(left: str, right: str, *, times: float = 1.0) -> Judge:
    """Arm `left` takes more than `times` as long as arm `right`."""
    return Judge(lambda evidence: _judge_times(evidence, left, right, times, math.inf), titles=(left, right))


def time_follows_work(left: str, right: str, *, within: float) -> Judge:
    """Arm `left` takes as many times as long as arm `right` as it takes multiply-adds, but for a part of it."""

    def judge(evidence: Evidence) -> Verdict | None:
        one, other = (evidence.mult_adds(evidence.by_title[title].model) for title in (left, right))
        if one is None or other is None:
            return None
        work = one / other
        judged = _judge_times(evidence, left, right, work * (1 - within), work * (1 + within))
        return replace(judged, words=f"{work:.2f} times the multiply-adds, {judged.words}")

    return Judge(judge, titles=(left, right))


def _judge_times(evidence: Evidence, left: str, right: str, least: float, most: float) -> Verdict:
    """The verdict on "the ratio of two times lies in this range": whether it differs from either end."""
    ratio = evidence.time_ratio(evidence.by_title[left], evidence.by_title[right])
    if ratio is None:
        return Verdict("open", "not timed yet")
    if not ratio.known:
        return Verdict("too noisy", f"{ratio.value:.2f} times as long, over too few rounds for an interval")
    words = f"{ratio.value:.2f} times as long ({ratio.low:.2f} to {ratio.high:.2f})"
    to_least = verdict(ratio.scaled(1 / least)) if least > 0 else "slower"
    to_most = verdict(ratio.scaled(1 / most)) if math.isfinite(most) else "faster"
    if to_least == "faster" or to_most == "slower":
        return Verdict("contradicted", words)
    return Verdict("supported" if (to_least, to_most) == ("slower", "faster") else "too noisy", words)


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _points(fraction: float) -> str:
    return f"{100 * fraction:+.2f}"
