"""The pictures of a report: which there are, what each says, and its data taken from the records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.metrics.columns import BASE
from benchmarks.records.record import Measurement
from benchmarks.report import figures
from benchmarks.report.drawing import Drawing
from benchmarks.report.frame import printed_for
from benchmarks.report.joining import model_spec
from benchmarks.report.overview import Overview
from benchmarks.report.words import condition_in_words, dataset_title, enumerate_words, number
from benchmarks.stats.intervals import Interval
from benchmarks.stats.ranking import pareto_front, rank_correlation
from zoo.registry import MODELS

__all__ = ["PICTURES"]

WIDTHS = (1.0, 0.75, 0.5, 0.25)
RESOLUTIONS = (224, 192, 160, 128)
GRID = (  # panels of the grid of MobileNets; accuracy is only printed
    {"title": "Parameters, M", "measured": "measured_params", "printed": "params", "factor": 1e-6},
    {"title": "Multiply-adds, M", "measured": "measured_mult_adds", "printed": "mult_adds", "factor": 1e-6},
    {"title": "Published ImageNet top-1, %", "measured": "", "printed": "top1", "factor": 100.0},
)
MOST_BARS = 60  # what fits on a page; results.csv has the rest
MOST_PANELS = 36
MOST_POINTS = 150


def accuracy_mult_adds(overview: Overview) -> Drawing | None:
    """Accuracy against multiply-adds, bubbles as large as the network."""
    measured = overview.table["top1"].notna().any()
    points = _points(overview, "gmacs", "top1" if measured else "published_top1")
    what = f"Top-1 on {dataset_title(overview)}, %" if measured else "Published ImageNet top-1, %"
    words = (
        "On the dashed Pareto front, where no other model is both more accurate and cheaper: {}. A bubble's area is "
        f"its parameters; the axis of multiply-adds is logarithmic. {_two_sizes(overview) if measured else ''}"
    )
    data = {"points": points, "x": "Multiply-adds of one image, G", "y": what, "bubbles": True}
    return _trade("accuracy_mult_adds", "multiply-adds", "multiply-adds", words, data)


def accuracy_latency(overview: Overview) -> Drawing | None:
    """Accuracy against latency, both with their intervals."""
    if overview.condition is None:
        return None
    condition = condition_in_words(overview.condition)
    words = f"On the front: {{}}. Bars are 95 % intervals. Latency: {condition}. {_two_sizes(overview)}"
    what = f"Top-1 on {dataset_title(overview)}, %"
    points = _points(overview, "latency_ms_p50", "top1")
    data = {"points": points, "x": "Median latency, ms", "y": what, "bubbles": False}
    return _trade("accuracy_latency", "latency", "median latency in milliseconds", words, data)


def _trade(name: str, cost: str, across: str, words: str, data: dict[str, Any]) -> Drawing | None:
    """Accuracy against a cost; `words` say what is on the front."""
    points = data["points"]
    if len(points) < 2:
        return None
    places = pareto_front([point["x"] for point in points], [point["y"] for point in points])
    front = [str(points[place]["model"]) for place in places]
    return Drawing(
        name=name,
        heading=f"Accuracy against {cost}",
        alt=f"{data['y']} over {across} for {len(points)} models; on the Pareto front: {', '.join(front)}",
        caption=words.format(enumerate_words(front)),
        data=data | {"front": front, "base": BASE},
        draw=figures.scatter,
    )


def latency(overview: Overview) -> Drawing | None:
    """Latencies, the fastest on top."""
    points = sorted(_points(overview, "latency_ms_p50"), key=lambda point: point["x"])
    if not points or overview.condition is None:
        return None
    for point in points:
        point["relative"] = overview.figure(point["model"], "rel_speed")
    first, last = points[0], points[-1]
    beside = any(point["relative"] is not None for point in points)
    return Drawing(
        name="latency",
        heading="Latency",
        alt=f"Horizontal bars of median latency from {first['model']} ({number(first['x'])} ms) to {last['model']} "
        f"({number(last['x'])} ms)",
        caption=(
            f"{condition_in_words(overview.condition).capitalize()}. Whiskers are 95 % intervals of the median"
            + (f"; beside the time stands the speed relative to {BASE}" if beside else "")
            + f". The slowest takes {number(last['x'] / first['x'])} times as long as the fastest."
        ),
        data={"points": points[:MOST_BARS], "x": "Median latency, ms"},
        draw=figures.bars,
    )


def rank(overview: Overview) -> Drawing | None:
    """Rank by multiply-adds beside rank by latency."""
    points = _points(overview, "gmacs", "latency_ms_p50")
    rho = rank_correlation([point["x"] for point in points], [point["y"] for point in points])
    if rho is None or len(points) > MOST_BARS:
        return None
    for axis, side in (("x", "left"), ("y", "right")):
        for place, point in enumerate(sorted(points, key=lambda point: (point[axis], point["model"]))):
            point[side] = place + 1
    mover = max(points, key=lambda point: abs(point["left"] - point["right"]))
    moved = (
        f"{mover['model']} moves most, from place {mover['left']} to {mover['right']}"
        if mover["left"] != mover["right"]
        else "no model changes its place"
    )
    figure = f"is {rho.value:.2f} (95 % interval {rho.low:.2f} to {rho.high:.2f}); {moved}."
    return Drawing(
        name="rank",
        heading="Multiply-adds are not latency",
        alt=f"Slope chart: rank by multiply-adds on the left, rank by latency on the right; {moved}",
        caption=(
            f"Counting multiply-adds ranks {len(points)} models almost but not quite as the clock does: Spearman's rho "
            f"{figure}"
            if rho.low > 0.5
            else f"Counting multiply-adds is a poor guide to time here: Spearman's rho over {len(points)} models "
            f"{figure}"
        ),
        data={"points": points},
        draw=figures.slopes,
    )


def mobilenet_grid(overview: Overview) -> Drawing | None:
    """MobileNetV1's two knobs: parameters and multiply-adds, measured and printed."""
    if "mobilenet_v1" not in MODELS:
        return None
    measured = _grid_measurements(overview)
    cells = []
    for width in WIDTHS:
        for resolution in RESOLUTIONS:
            entry = MODELS["mobilenet_v1"].vary(width=width, resolution=resolution)
            printed = printed_for(entry)
            first = {
                figure: next((value for item in printed if (value := getattr(item, figure)) is not None), None)
                for figure in ("params", "mult_adds", "top1")
            }
            cells.append({"width": width, "resolution": resolution} | first | measured.get(entry.label, {}))
    found = sum("measured_mult_adds" in cell for cell in cells)
    if not any(cell["mult_adds"] or "measured_mult_adds" in cell for cell in cells):
        return None
    state = f"{found} of the 16 combinations were counted here" if found else "none was counted here yet"
    return Drawing(
        name="mobilenet_grid",
        heading="MobileNetV1: what width and resolution buy",
        alt="Heat maps over width multiplier and resolution of parameters, multiply-adds and published top-1",
        caption=(
            "Width thins every layer, so parameters and multiply-adds fall about as its square; resolution shrinks the "
            "image, so only multiply-adds fall. Large figures were counted here, small ones are printed in the paper "
            f"or by TF-Slim; {state}."
        ),
        data={"cells": cells, "widths": list(WIDTHS), "resolutions": list(RESOLUTIONS), "panels": list(GRID)},
        draw=figures.grid,
    )


def _grid_measurements(overview: Overview) -> dict[str, dict[str, float]]:
    """Counts of MobileNetV1's variants by label, each at its own resolution."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in overview.rows:
        entry = model_spec(row.model)
        if entry is None or entry.name != "mobilenet_v1":
            continue
        mult_adds = row.value("mult_adds", "mult_adds") if row.case.img_size == entry.input.size else None
        counts = {"measured_params": row.value("params", "param_count"), "measured_mult_adds": mult_adds}
        found[entry.label] |= {name: count for name, count in counts.items() if count is not None}
    return found


def learning_curves(overview: Overview) -> Drawing | None:
    """Accuracy on the test images after each epoch, one small panel a model."""
    curves = []
    for model, measurement in overview.measurements("accuracy", "top1").items():
        points, entry = _learning_curve(measurement), model_spec(model)
        if len(points) > 1:
            curves.append({"model": model, "family": entry.family if entry else "", "curve": points})
    if not curves:
        return None
    early = max(curves, key=lambda curve: curve["curve"][0][1])
    return Drawing(
        name="learning_curves",
        heading="How they learn",
        alt=f"Small panels, one a model: accuracy after each epoch for {len(curves)} models",
        caption=(
            f"Top-1 on the test images after each epoch; the other models in grey. {early['model']} has learned most "
            f"after the first epoch ({early['curve'][0][1]:.1f} %)."
        ),
        data={"curves": curves[:MOST_PANELS]},
        draw=figures.curves,
    )


def _learning_curve(top1: Measurement) -> list[tuple[int, float]]:
    """Epoch and percent right on the test images after it, where the training kept them."""
    curve = [point for point in top1.details.get("curve", ()) if isinstance(point, Mapping)]
    return [(int(point["epoch"]), 100 * float(point["top1"])) for point in curve if {"epoch", "top1"} <= point.keys()]


PICTURES: Mapping[str, Callable[[Overview], Drawing | None]] = {
    make.__name__: make
    for make in (accuracy_mult_adds, accuracy_latency, latency, rank, mobilenet_grid, learning_curves)
}
"""By the names of their files."""


def _points(overview: Overview, x: str, y: str | None = None) -> list[dict[str, Any]]:
    """The models that have both figures, with the intervals a column has."""
    columns = {"x": x} | ({"y": y} if y else {})
    table = overview.table.dropna(subset=list(columns.values())).head(MOST_POINTS)
    points = []
    for model in table.index:
        point: dict[str, Any] = {"model": model, "family": table.at[model, "family"]}
        if (params := overview.figure(model, "param_count")) is not None:
            point["params"] = params
        for axis, column in columns.items():
            cell = overview.cell(model, column)
            value, low, high = (cell.value, cell.low, cell.high) if isinstance(cell, Interval) else (cell,) * 3
            point |= {axis: value, f"{axis}_lo": low, f"{axis}_hi": high}
        points.append(point)
    return points


def _two_sizes(overview: Overview) -> str:
    """Says so where accuracy and cost belong to images of different sizes."""
    sizes = overview.trained_sizes
    timed = {int(size) for size in overview.table["img_size"].dropna()}
    if not sizes or timed <= set(sizes):
        return ""
    own = enumerate_words(sorted(timed))
    return f"Accuracy was taken at {enumerate_words(sizes)} pixels, costs at each model's own size ({own})."
