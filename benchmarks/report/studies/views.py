"""From evidence to the plain data a picture is drawn from; None where the records do not suffice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zoo
from benchmarks.stats.means import mean_of
from benchmarks.studies.arm import Arm
from benchmarks.studies.evidence import Evidence
from benchmarks.studies.study import Picture

__all__ = ["data_of", "published_top1"]


def data_of(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    """What the drawing function of `picture.kind` needs."""
    views = {
        "stacked": _stacked,
        "scatter": _scatter,
        "heatmaps": _heatmaps,
        "curves": _curves,
        "differences": _differences,
        "rows": _rows,
    }
    return views[picture.kind](picture, evidence)


def published_top1(arm: Arm) -> tuple[float, str] | None:
    """ImageNet accuracy printed for exactly this variant, and by whom; a paper comes before a library."""
    if arm.printed_top1 is not None:
        return arm.printed_top1, arm.printed_source
    if arm.recipe:
        return None  # nobody printed a figure for training it that way
    spec = zoo.spec(arm.model)
    printed = [entry for entry in spec.references if entry.options == spec.options and entry.top1 is not None]
    printed.sort(key=lambda entry: not entry.source.startswith(("arXiv", "NIPS")))
    return next(((entry.top1, entry.source) for entry in printed if entry.top1 is not None), None)


def _stacked(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    arms = []
    titles: dict[str, str] = {}
    for arm in evidence.arms:
        titles.setdefault(arm.model, arm.title)  # the same network trained in two ways is one bar
    for model, title in titles.items():
        kinds = evidence.kinds(model)
        if kinds is None:
            return None
        params: dict[str, int] = {}
        mult_adds: dict[str, int] = {}
        for kind, sums in kinds.items():
            name = _kind(kind)
            params[name] = params.get(name, 0) + sums["weights"]
            params["norm"] = params.get("norm", 0) + sums["biases"]
            mult_adds[name] = mult_adds.get(name, 0) + sums["mult_adds"]
        arms.append({"title": title, "params": params, "mult_adds": mult_adds})
    return {"arms": arms}


def _kind(kind: str) -> str:
    """The segment a kind of layer belongs to."""
    if kind in ("conv 1x1", "linear", "norm"):
        return kind
    return kind.partition(" ")[0]


def _scatter(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    printed, measured = [], []
    sources = []
    for arm in evidence.arms:
        cost = evidence.mult_adds(arm.model)
        if cost is None:
            return None
        settings = zoo.spec(arm.model).settings
        both = len({zoo.spec(each.model).settings["resolution"] for each in evidence.arms}) > 1
        mark = f"{settings['resolution']} pixels" if both else f"width {settings['width']:g}"
        point = {"x": cost / 1e6, "group": f"width {settings['width']:g}" if both else "", "mark": mark}
        found = published_top1(arm)
        if found is not None:
            printed.append({**point, "y": 100 * found[0], "low": None, "high": None})
            sources.append(found[1])
        mean = evidence.accuracy(arm)
        if mean is not None:
            low, high = (None, None) if mean.low is None or mean.high is None else (100 * mean.low, 100 * mean.high)
            measured.append({**point, "y": 100 * mean.value, "low": low, "high": high})
    names = " and ".join(dict.fromkeys(source.partition(",")[0] for source in sources))
    panels = [
        {"title": f"ImageNet, as printed ({names})", "points": printed},
        {"title": "measured here", "points": measured},
    ]
    return {"panels": panels} if printed or measured else None


def _heatmaps(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    arms = {}
    for arm in evidence.arms:
        settings = zoo.spec(arm.model).settings
        arms[settings["width"], settings["resolution"]] = arm
    rows = list(dict.fromkeys(width for width, _ in arms))
    columns = list(dict.fromkeys(resolution for _, resolution in arms))
    times = {key: evidence.latency(arm.model) for key, arm in arms.items()}
    grids: list[tuple[str, bool, str, dict[Any, float | None]]] = [
        ("parameters, M", True, ".2f", {key: _scaled(evidence.params(arm.model), 1e-6) for key, arm in arms.items()}),
        (
            "multiply-adds, M",
            True,
            ".0f",
            {key: _scaled(evidence.mult_adds(arm.model), 1e-6) for key, arm in arms.items()},
        ),
        (
            "latency measured here, ms",
            True,
            ".1f",
            {key: _scaled(found.value if found else None, 1e3) for key, found in times.items()},
        ),
        (
            "ImageNet top-1, % (TF-Slim)",
            False,
            ".1f",
            {key: _scaled(arm.printed_top1, 100) for key, arm in arms.items()},
        ),
    ]
    means = {key: evidence.accuracy(arm) for key, arm in arms.items()}
    measured = {key: None if mean is None else 100 * mean.value for key, mean in means.items()}
    grids.append(("top-1 measured here, %", False, ".1f", measured))
    panels = [
        {
            "title": title,
            "log": log,
            "values": [[values[row, column] for column in columns] for row in rows],
            "texts": [[format(values[row, column], form) for column in columns] for row in rows],
        }
        for title, log, form, values in grids
        if None not in values.values()
    ]
    if not panels:
        return None
    return {
        "panels": panels,
        "rows": [f"{row:g}" for row in rows],
        "columns": [str(column) for column in columns],
        "x": "resolution, pixels",
        "y": "width",
    }


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _curves(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    panels = []
    for title, names in picture.panels:
        arms = [{"title": name, "curves": evidence.curves(evidence.by_title[name])} for name in names]
        panels.append({"title": title, "arms": [arm for arm in arms if arm["curves"]]})
    return {"panels": panels} if all(panel["arms"] for panel in panels) else None


def _rows(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    panels = []
    for title, (name,) in picture.panels:
        times = evidence.row_times(evidence.by_title[name].model)
        if times is None:
            return None
        work = {row: float(found.details["mult_adds"]) for row, found in times.items()}
        whole, all_work = sum(found.value for found in times.values()), sum(work.values())
        rows = [
            {
                "name": row,
                "time": 100 * found.value / whole,
                "work": 100 * work[row] / all_work,
                "rate": work[row] / found.value / 1e9,
            }
            for row, found in times.items()
        ]
        panels.append({"title": title, "rows": rows})
    return {"panels": panels}


def _differences(picture: Picture, evidence: Evidence) -> Mapping[str, Any] | None:
    pairs = []
    for left, right in picture.pairs:
        arms = evidence.by_title
        found = evidence.differences(arms[left], arms[right])
        if found:
            mean = mean_of(found)
            pairs.append(
                {
                    "title": f"{left} \N{MINUS SIGN} {right}",
                    "differences": found,
                    "mean": mean.value,
                    "low": mean.low,
                    "high": mean.high,
                }
            )
    return {"pairs": pairs} if pairs else None
