"""Figures of the trials, by the rules of `benchmarks.stats`, from cases as JSON keeps them. Imports no torch.

A figure without a round that it could be taken over is NaN.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.report.bars import Cases
from benchmarks.selfcheck.measurement import trials
from benchmarks.stats.intervals import UNKNOWN, Interval
from benchmarks.stats.rounds import Rounds, ratio_interval, ratios_by_round
from benchmarks.stats.verdicts import p_value, verdict

__all__ = ["HARNESS", "PLAIN", "all_pairs", "busy", "by_round", "in_section", "off", "other_rounds", "repeats", "usual"]

HARNESS, PLAIN = "harness", "plain loop"


def in_section(cases: Cases, name: str) -> dict[str, Mapping[str, Any]]:
    """The cases of one section."""
    return {key: case for key, case in cases.items() if key.partition(" ")[0] == name}


def by_round(run: Mapping[str, Any], model: str) -> Rounds:
    """Seconds of a call in each round of a repeat."""
    whole, close = run["all_rounds"][model], run["rounds"][model]
    return _numbered(whole, whole.keys() - close.keys())


def _numbered(seconds: Mapping[Any, float], apart: Iterable[Any]) -> Rounds:
    """Rounds whose numbers JSON has made text of."""
    return Rounds({int(number): each for number, each in seconds.items()}, frozenset(map(int, apart)))


def usual(run: Mapping[str, Any], model: str) -> float:
    """Median of a call in the rounds that count."""
    return float(statistics.median(by_round(run, model).counting.values() or [math.nan]))


def repeats(cases: Cases) -> dict[str, dict[str, list[float]]]:
    """Ratios to `trials.BASE`, one a repeat: by model, then the harness or the plain loop."""
    found = in_section(cases, "repeat").values()
    return {
        model: {
            HARNESS: [_ratio(by_round(case, model), by_round(case, trials.BASE)).value for case in found],
            PLAIN: [case["plain"][model] / case["plain"][trials.BASE] for case in found],
        }
        for model in trials.MODELS
        if model != trials.BASE and found
    }


def other_rounds(cases: Cases) -> int:
    """Of how many of those ratios some rounds are not such that the processors were close for both."""
    runs, models = in_section(cases, "repeat").values(), (model for model in trials.MODELS if model != trials.BASE)
    pairs = [(by_round(run, model), by_round(run, trials.BASE)) for model in models for run in runs]
    return sum(not ratios_by_round(one, base).keys().isdisjoint({*one.apart, *base.apart}) for one, base in pairs)


def off(values: Sequence[float]) -> float:
    """How far the farthest value lies from the median, relative to it; NaN where a value is."""
    middle = statistics.median(values)
    return math.nan if any(map(math.isnan, values)) else max(abs(value / middle - 1) for value in values)


def all_pairs(cases: Cases, section: str) -> list[Mapping[str, Any]]:
    """Model, rounds, ratio with its interval, p and verdict of every pair of some cases."""
    return [
        {"model": key.split()[1], **_judged(pair)}
        for key, case in in_section(cases, section).items()
        for pair in case["pairs"]
    ]


def _judged(pair: Mapping[str, Any]) -> Mapping[str, Any]:
    """A pair by the present rule; of one whose rounds were not kept its interval as it was written."""
    if "after" in pair:
        after, before = (_numbered(pair[side], pair.get("apart", {}).get(side, ())) for side in ("after", "before"))
        ratio, rounds = _ratio(after, before), len(ratios_by_round(after, before))
    else:
        ratio, rounds = Interval(**pair["ratio"]), pair["rounds"]
    return {"rounds": rounds, "ratio": ratio, "p_value": p_value(ratio), "verdict": verdict(ratio)}


def _ratio(above: Rounds, below: Rounds) -> Interval:
    return ratio_interval(above, below) or UNKNOWN


def busy(case: Mapping[str, Any]) -> float:
    """The part of a stage that was spent in timed calls or warm-up."""
    return float((case["spent"]["timed"] + case["spent"]["warmup"]) / case["stage_s"])
