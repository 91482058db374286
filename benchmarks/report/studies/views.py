"""From evidence to the plain data a picture is drawn from; None where the records do not suffice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import zoo
from benchmarks.metrics.schemes import SCHEMES
from benchmarks.records.record import FULL
from benchmarks.report.printed import first_printed
from benchmarks.stats.means import mean_of
from benchmarks.studies.answers import difference
from benchmarks.studies.arm import Arm
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Picture, words_of
from zoo.counts import is_edited

__all__ = ["data_of", "published_top1"]


def data_of(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    """What the drawing function of `picture.kind` needs."""
    return VIEWS[picture.kind](picture, evidence)


def published_top1(arm: Arm, evidence: Evidence) -> tuple[float, str] | None:
    """ImageNet accuracy printed for exactly this variant, and by whom and how it was taken, as the source says it.

    Nothing is printed for a network that was counted and is not the published one.
    """
    label = zoo.spec(arm.model).label
    if is_edited(label, params=evidence.params(label), mult_adds=evidence.mult_adds(label)):
        return None
    if arm.printed or arm.recipe:
        return arm.printed  # nobody prints a figure for training it in the recipe's way
    found = first_printed(zoo.spec(arm.model), "top1")
    if found is None:
        return None
    top1, reference = found
    return top1, f"{reference.source} ({reference.protocol})" if reference.protocol else reference.source


def _printers(found: Iterable[tuple[float, str] | None]) -> str:
    """Who printed some accuracies."""
    return " and ".join(dict.fromkeys(each[1].partition(",")[0] for each in found if each))


def stacked(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    arms = []
    titles: dict[str, str] = {}
    for arm in evidence.arms:
        titles.setdefault(arm.model, arm.title)  # the same network trained in two ways is one bar
    for model, title in titles.items():
        kinds = evidence.kinds(model)
        if kinds is None:
            return None
        params: Counter[str] = Counter()
        mult_adds: Counter[str] = Counter()
        for kind, sums in kinds.items():
            segment = kind if kind in ("conv 1x1", "linear", "norm") else kind.partition(" ")[0]
            params[segment] += sums["weights"]
            params["norm"] += sums["biases"]
            mult_adds[segment] += sums["mult_adds"]
        arms.append({"title": title, "params": params, "mult_adds": mult_adds})
    return {"arms": arms}


def scatter(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    printed, measured = [], []
    for arm in evidence.arms:
        cost = evidence.mult_adds(arm.model)
        if cost is None:
            return None
        point = {"x": cost / 1e6, "group": words_of(arm, picture.color), "mark": words_of(arm, picture.marker)}
        found, mean = published_top1(arm, evidence), evidence.accuracy(arm)
        if found is not None:
            printed.append({**point, "y": 100 * found[0], "low": None, "high": None})
        trained_cost = evidence.trained_cost(arm)
        if mean is not None and trained_cost is not None:
            low, high = (None if bound is None else 100 * bound for bound in (mean.low, mean.high))
            measured.append({**point, "x": trained_cost / 1e6, "y": 100 * mean.value, "low": low, "high": high})
    printers = _printers(published_top1(arm, evidence) for arm in evidence.arms)
    panels = [
        {"title": f"ImageNet, as printed ({printers})", "points": printed},
        {"title": "measured here, at the size trained at", "points": measured},
    ]
    return {"panels": panels} if printed or measured else None


def heatmaps(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    (y, row), (x, column) = picture.rows, picture.columns
    cells = {(words_of(arm, row), words_of(arm, column)): arm for arm in evidence.arms}
    rows, columns = ([*dict.fromkeys(places)] for places in zip(*cells, strict=True))
    printed = {arm: published_top1(arm, evidence) for arm in evidence.arms}
    printed_title = f"ImageNet top-1, % ({_printers(printed.values())})"
    # title, whether shades are logarithms, digits, and the figure of an arm with its factor
    grids: tuple[tuple[str, bool, str, Callable[[Arm], float | None], float], ...] = (
        ("parameters, M", True, ".2f", lambda arm: evidence.params(arm.model), 1e-6),
        ("multiply-adds, M", True, ".0f", lambda arm: evidence.mult_adds(arm.model), 1e-6),
        ("latency measured here, ms", True, ".1f", lambda arm: _value(evidence.latency(arm.model)), 1e3),
        (printed_title, False, ".1f", lambda arm: (printed[arm] or (None,))[0], 100),
        ("top-1 measured here, %", False, ".1f", lambda arm: _value(evidence.accuracy(arm)), 100),
    )  # fmt: skip
    panels = []
    for title, log, form, figure, factor in grids:
        values = {place: value * factor for place, arm in cells.items() if (value := figure(arm)) is not None}
        if len(values) == len(cells):
            grid = [[values.get((row, column)) for column in columns] for row in rows]
            texts = [["" if value is None else format(value, form) for value in line] for line in grid]
            panels.append({"title": title, "log": log, "values": grid, "texts": texts})
    return {"panels": panels, "rows": rows, "columns": columns, "x": x, "y": y} if panels else None


def _value(found: Any) -> float | None:
    return None if found is None else found.value


def curves(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    panels = []
    for title, names in picture.panels:
        arms = [{"title": name, "curves": evidence.curves(evidence.by_title[name])} for name in names]
        panels.append({"title": title, "arms": [arm for arm in arms if arm["curves"]]})
    return {"panels": panels} if all(panel["arms"] for panel in panels) else None


def rows(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    panels = []
    for title, name in ((title, name) for title, names in picture.panels for name in names):
        times = evidence.row_times(evidence.by_title[name].model)
        if times is None:
            return None
        work = {row: float(found.details["mult_adds"]) for row, found in times.items()}
        seconds = {row: found.value for row, found in times.items()}
        shares = [{row: 100 * part / sum(of.values()) for row, part in of.items()} for of in (seconds, work)]
        lines = [
            {"name": row, "time": shares[0][row], "work": shares[1][row], "rate": work[row] / seconds[row] / 1e9}
            for row in times
        ]
        panels.append({"title": title, "rows": lines})
    return {"panels": panels}


def differences(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    pairs = []
    for left, right in picture.pairs:
        found = evidence.differences(evidence.by_title[left], evidence.by_title[right])
        if found:
            mean = mean_of(found)
            title = f"{left} \N{MINUS SIGN} {right}"
            pairs.append({"title": title, "differences": found, "mean": mean.value, "low": mean.low, "high": mean.high})
    return {"pairs": pairs} if pairs else None


def schemes(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    """Of each network what every way of making integers has right more than fp32, in points."""
    arms = []
    for arm in evidence.arms:
        found = list(evidence.answers(arm).values())
        points = {scheme.name: difference(found, scheme.name, FULL) for scheme in SCHEMES}
        known = {name: each.scaled(100) for name, each in points.items() if each is not None}
        if known:
            points_of = {name: {"mean": each.value, "low": each.low, "high": each.high} for name, each in known.items()}
            arms.append({"title": arm.title, "points": points_of})
    named = [scheme.name for scheme in SCHEMES if any(scheme.name in arm["points"] for arm in arms)]
    return {"schemes": named, "arms": arms} if arms else None


VIEWS: Mapping[str, Callable[[Picture, Evidence], Mapping[str, Any] | None]] = {
    view.__name__: view for view in (stacked, scatter, heatmaps, curves, rows, differences, schemes)
}
