"""Judges of claims: each makes a function of the evidence that returns a verdict.

A claim about accuracy gets its verdict only when the mean difference over seeds clears its own 95 % interval (Student's
t on differences paired by seed); else it is too noisy. A claim about time is judged by the 95 % interval of a ratio of
two times.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from benchmarks.stats.digits import factor_in_words, number, ratio_in_words
from benchmarks.stats.intervals import Interval
from benchmarks.stats.means import mean_of
from benchmarks.stats.verdicts import verdict
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.finding import Finding, combined
from benchmarks.studies.study import Judge, Verdict

__all__ = [
    "as_accurate", "at_least", "holds", "judge_differences", "less_accurate", "more_accurate", "no_slower", "slower",
    "time_follows_work",
]  # fmt: skip

WORST_FIRST = ("open", "contradicted", "too noisy", "supported")


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


def at_least(threshold: float, words: str, found: Finding[Interval]) -> Judge:
    """A figure with its 95 % interval is no less than a threshold.

    Args:
        words: the value and the ends of the interval in its braces.
    """

    def judge(figure: Interval) -> Verdict:
        status = "too noisy"
        if figure.low >= threshold or figure.high < threshold:
            status = "supported" if figure.low >= threshold else "contradicted"
        return Verdict(status, words.format(figure.value, figure.low, figure.high))

    judged = combined(judge, found)
    return Judge(judged.of, judged.models, judged.titles)


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

    return Judge(of, titles=(left, right), pair=(left, right), seeds=True)


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
    return Verdict("too noisy", words)


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
        times = "as many multiply-adds" if one == other else f"{factor_in_words(work)} times the multiply-adds"
        return replace(judged, words=f"{times}, {judged.words}")

    return Judge(judge, titles=(left, right))


def _judge_times(evidence: Evidence, left: str, right: str, least: float, most: float) -> Verdict:
    """The verdict on "the ratio of two times lies in this range": whether it differs from either end."""
    ratio = evidence.time_ratio(evidence.by_title[left], evidence.by_title[right])
    if ratio is None:
        return Verdict("open", "not timed yet")
    words = ratio_in_words(ratio, " times as long")
    if not ratio.known:
        return Verdict("too noisy", words)
    to_least = verdict(ratio.scaled(1 / least)) if least > 0 else "slower"
    to_most = verdict(ratio.scaled(1 / most)) if math.isfinite(most) else "faster"
    if to_least == "faster" or to_most == "slower":
        return Verdict("contradicted", words)
    return Verdict("supported" if (to_least, to_most) == ("slower", "faster") else "too noisy", words)


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _points(fraction: float) -> str:
    return f"{'+' if fraction > 0 else ''}{number(100 * fraction, -2)}"
