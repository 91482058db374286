"""What the page chooses from: for every line, between which limits it fits, who is better and who is as good.

All of it is said by `benchmarks.report.choosing`; the page only compares a limit with two numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.choosing import LIMITS, Budget, Candidate, choose, tell_apart
from benchmarks.report.findings import front_of
from benchmarks.report.html.figures import Figure, Line
from benchmarks.stats.intervals import Interval

__all__ = ["SLIDERS", "choices", "fronts"]

SLIDERS = ("max_latency_ms", "max_size_mb", "min_top1")
MOST_POINTS = 150  # of a front: every pair of models is compared


def choices(candidates: Sequence[Candidate]) -> dict[str, Any]:
    """What a page needs to choose as `choose` does.

    Returns:
        order: places of the candidates, the best first, without those set aside.
        aside: places of those that are slower on several threads than on one.
        ends: by limit, for each candidate the better and the worse end of its figure; null where nothing is known,
            and null for an end that is not known.
        kind: of each candidate, which accuracy it has; candidates of one kind have the same.
        alike: by kind, the kinds that cannot be told apart from it.
        limits: by name: title, unit, whether it is a ceiling, from where to where a slider goes.
    """
    places = {id(candidate): place for place, candidate in enumerate(candidates)}
    found = choose(candidates, Budget())
    kinds: dict[Interval | None, int] = {}
    kind = [kinds.setdefault(each.top1, len(kinds)) for each in candidates]
    apart = [Candidate(model="", top1=top1) for top1 in kinds]
    limits, ends = {}, {}
    for name in SLIDERS:
        limit = LIMITS[name]
        figures = [getattr(each, limit.figure) for each in candidates]
        known = [each.value for each in figures if each is not None]
        if len(set(known)) > 1:
            ends[name] = [_ends(each, limit.at_most) for each in figures]
            limits[name] = {
                "title": limit.title, "unit": limit.unit, "most": limit.at_most, **_steps(min(known), max(known)),
            }  # fmt: skip
    return {
        "order": [places[id(each)] for each in found.answers],
        "aside": [places[id(each)] for each in found.set_aside],
        "ends": ends,
        "kind": kind,
        "alike": [[at for at, other in enumerate(apart) if not tell_apart(one, other)] for one in apart],
        "limits": limits,
    }


def _steps(low: float, high: float) -> dict[str, float]:
    """From where to where a slider goes, in round steps, a few hundred in all."""
    step = 10.0 ** math.floor(math.log10((high - low) / 100))
    return {"low": math.floor(low / step) * step, "high": math.ceil(high / step) * step, "step": step}


def _ends(figure: Interval | None, at_most: bool) -> list[float | None] | None:
    """The better end of a figure and the worse; None for one that is not finite."""
    if figure is None or math.isnan(figure.value):
        return None
    pair = (figure.low, figure.high) if at_most else (figure.high, figure.low)
    return [end if math.isfinite(end) else None for end in pair]


def fronts(figures: Sequence[Figure], lines: Sequence[Line], groups: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The Pareto fronts of every cost against every gain, in every way that models were run.

    Args:
        groups: the lines of each way, by the way's name.

    Returns:
        by "cost|gain" (a figure that depends on the way is named "figure@way"): the models on the front by their
        figures alone, those surely on it, and those that may be.
    """
    model_of = {line.place: line.row.model for line in lines}
    axes: dict[str, dict[str, Any]] = {}
    better: dict[str, str] = {}
    for figure in figures:
        chosen = {f"{figure.key}@{name}": set(places) for name, places in groups.items()} if figure.by_way else {
            figure.key: set(range(len(lines)))}  # fmt: skip
        for name, places in chosen.items():
            known: dict[str, Any] = {}
            for place, each in figure.estimates.items():
                if place in places:
                    known.setdefault(model_of[place], each)
            axes[name], better[name] = known, figure.better
    found = {}
    for cost in [name for name, end in better.items() if end == "low"]:
        for gain in [name for name, end in better.items() if end == "high"]:
            if "@" in cost and "@" in gain and cost.partition("@")[2] != gain.partition("@")[2]:
                continue
            both = [model for model in axes[cost] if model in axes[gain]]
            if 1 < len(both) <= MOST_POINTS:
                front = front_of([axes[cost][each] for each in both], [axes[gain][each] for each in both])
                found[f"{cost}|{gain}"] = [list(front.line), list(front.sure), list(front.possible)]
    return found
