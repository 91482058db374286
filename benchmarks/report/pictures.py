"""The pictures of a report: which there are, what each shows, and its data taken from the records.

A picture's data is plain JSON and its drawing a function of that data alone (`figures`), so a picture whose data has
not changed need not be drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from benchmarks.records.record import Measurement
from benchmarks.report import figures
from benchmarks.report.findings import pareto_front, rank_correlation
from benchmarks.report.joining import model_spec
from benchmarks.report.overview import Overview
from benchmarks.report.words import condition_in_words, dataset_title, enumerate_words, number
from zoo.registry import MODELS

__all__ = ["PICTURES", "Picture", "learning_curve"]

Draw = Callable[[Any], Any]
WIDTHS = (1.0, 0.75, 0.5, 0.25)
RESOLUTIONS = (224, 192, 160, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture and the words around it.

    Args:
        name: file name without ending.
        heading: what it is about.
        alt: what it shows, for those who do not see it.
        caption: what it says and how to read it.
        data: what is drawn, as JSON values.
        draw: makes a matplotlib figure of `data`.
    """

    name: str
    heading: str
    alt: str
    caption: str
    data: Any
    draw: Draw


def accuracy_by_mult_adds(overview: Overview) -> Picture | None:
    """Accuracy against multiply-adds, bubbles as large as the network."""
    measured = "top1" in overview.table and overview.table["top1"].notna().any()
    accuracy = "top1" if measured else "published_top1"
    points = _points(overview, "gmacs", accuracy)
    if len(points) < 2:
        return None
    front = _front(points)
    what = f"Top-1 on {dataset_title(overview)}, %" if measured else "Published ImageNet top-1, %"
    return Picture(
        name="accuracy_mult_adds",
        heading="Accuracy against multiply-adds",
        alt=f"{what} over multiply-adds for {len(points)} models; on the Pareto front: {', '.join(front)}",
        caption=(
            f"On the dashed Pareto front, where no other model is both more accurate and cheaper: "
            f"{enumerate_words(front)}. A bubble's area is its parameters; the axis of multiply-adds is logarithmic. "
            + _two_sizes(overview, measured)
        ),
        data={"points": points, "front": front, "x": "Multiply-adds of one image, G", "y": what, "bubbles": True},
        draw=figures.scatter,
    )


def accuracy_by_latency(overview: Overview) -> Picture | None:
    """Accuracy against latency, both with their intervals."""
    points = _points(overview, "latency_ms_p50", "top1")
    if len(points) < 2 or overview.condition is None:
        return None
    front = _front(points)
    what = f"Top-1 on {dataset_title(overview)}, %"
    return Picture(
        name="accuracy_latency",
        heading="Accuracy against latency",
        alt=f"{what} over median latency in milliseconds for {len(points)} models; on the Pareto front: "
        + ", ".join(front),
        caption=(
            f"On the front: {enumerate_words(front)}. Bars are 95 % intervals. Latency: "
            f"{condition_in_words(overview.condition)}. " + _two_sizes(overview, True)
        ),
        data={"points": points, "front": front, "x": "Median latency, ms", "y": what, "bubbles": False},
        draw=figures.scatter,
    )


def latency_bars(overview: Overview) -> Picture | None:
    """Latencies, the fastest on top."""
    points = sorted(_points(overview, "latency_ms_p50"), key=lambda point: point["x"])
    if not points or overview.condition is None:
        return None
    for point in points:
        point["relative"] = overview.figure(point["model"], "rel_speed")
    span = number(points[-1]["x"] / points[0]["x"])
    return Picture(
        name="latency",
        heading="Latency",
        alt=f"Horizontal bars of median latency from {points[0]['model']} ({number(points[0]['x'])} ms) to "
        f"{points[-1]['model']} ({number(points[-1]['x'])} ms)",
        caption=(
            f"{condition_in_words(overview.condition).capitalize()}. Whiskers are 95 % intervals of the median; beside "
            f"the time stands the speed relative to resnet50. The slowest takes {span} times as long as the fastest."
        ),
        data={"points": points[:MOST_BARS], "x": "Median latency, ms"},
        draw=figures.bars,
    )


def rank_change(overview: Overview) -> Picture | None:
    """Rank by multiply-adds beside rank by latency."""
    points = _points(overview, "gmacs", "latency_ms_p50")
    correlation = rank_correlation([point["x"] for point in points], [point["y"] for point in points])
    if correlation is None or len(points) > MOST_BARS:
        return None
    by_cost = sorted(points, key=lambda point: (point["x"], point["model"]))
    by_time = sorted(points, key=lambda point: (point["y"], point["model"]))
    for point in points:
        point["left"], point["right"] = by_cost.index(point) + 1, by_time.index(point) + 1
    mover = max(points, key=lambda point: abs(point["left"] - point["right"]))
    moved = (
        f"{mover['model']} moves most, from place {mover['left']} to {mover['right']}"
        if mover["left"] != mover["right"]
        else "no model changes its place"
    )
    return Picture(
        name="rank",
        heading="Multiply-adds are not latency",
        alt=f"Slope chart: rank by multiply-adds on the left, rank by latency on the right; {moved}",
        caption=(
            f"Counting multiply-adds ranks {correlation.count} models almost but not quite as the clock does: "
            f"Spearman's rho is {correlation.rho:.2f} (95 % interval {correlation.low:.2f} to {correlation.high:.2f}); "
            f"{moved}."
            if correlation.low > 0.5
            else f"Counting multiply-adds is a poor guide to time here: Spearman's rho over {correlation.count} models "
            f"is {correlation.rho:.2f} (95 % interval {correlation.low:.2f} to {correlation.high:.2f}); {moved}."
        ),
        data={"points": points},
        draw=figures.slopes,
    )


def mobilenet_grid(overview: Overview) -> Picture | None:
    """MobileNetV1's two knobs: parameters and multiply-adds, measured and printed."""
    if "mobilenet_v1" not in MODELS:
        return None
    measured = _grid_measurements(overview)
    cells = []
    for width in WIDTHS:
        for resolution in RESOLUTIONS:
            entry = MODELS["mobilenet_v1"].vary(width=width, resolution=resolution)
            printed = [reference for reference in entry.references if reference.options == entry.options]
            printed += [
                checkpoint.published
                for checkpoint in entry.weights
                if checkpoint.options == entry.options and checkpoint.published
            ]
            first = {
                figure: next((value for item in printed if (value := getattr(item, figure)) is not None), None)
                for figure in ("params", "mult_adds", "top1")
            }
            cells.append({"width": width, "resolution": resolution} | first | measured.get(entry.label, {}))
    found = sum("measured_mult_adds" in cell for cell in cells)
    if not any(cell["mult_adds"] or "measured_mult_adds" in cell for cell in cells):
        return None
    state = f"{found} of the 16 combinations were counted here" if found else "none was counted here yet"
    return Picture(
        name="mobilenet_grid",
        heading="MobileNetV1: what width and resolution buy",
        alt="Heat maps over width multiplier and resolution of parameters, multiply-adds and published top-1",
        caption=(
            "Width thins every layer, so parameters and multiply-adds fall about as its square; resolution shrinks the "
            "image, so only multiply-adds fall. Large figures were counted here, small ones are printed in the paper "
            f"or by TF-Slim; {state}."
        ),
        data={"cells": cells, "widths": list(WIDTHS), "resolutions": list(RESOLUTIONS)},
        draw=figures.grid,
    )


def learning_curves(overview: Overview) -> Picture | None:
    """Accuracy on the test images after each epoch, one small panel a model."""
    curves = []
    for model, measurement in overview.measurements("accuracy", "top1").items():
        points = learning_curve(measurement)
        if len(points) > 1:
            curves.append({"model": model, "family": _family(model), "curve": points})
    if not curves:
        return None
    early = max(curves, key=lambda curve: curve["curve"][0][1])
    return Picture(
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


MOST_BARS = 60  # what fits on a page; results.csv has the rest
MOST_PANELS = 36
MOST_POINTS = 150

PICTURES: Mapping[str, Callable[[Overview], Picture | None]] = MappingProxyType(
    {
        "accuracy_mult_adds": accuracy_by_mult_adds,
        "accuracy_latency": accuracy_by_latency,
        "latency": latency_bars,
        "rank": rank_change,
        "mobilenet_grid": mobilenet_grid,
        "learning_curves": learning_curves,
    }
)


def learning_curve(top1: Measurement) -> list[tuple[int, float]]:
    """Epoch and percent right on the test images after it, where the training kept them."""
    curve = [point for point in top1.details.get("curve", ()) if isinstance(point, Mapping)]
    return [(int(point["epoch"]), 100 * float(point["top1"])) for point in curve if {"epoch", "top1"} <= point.keys()]


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
            point[axis] = overview.figure(model, column)
            for end in ("lo", "hi"):
                bound = f"{column.removesuffix('_p50')}_ci95_{end}"
                found = overview.figure(model, bound) if bound in table else None
                point[f"{axis}_{end}"] = point[axis] if found is None else found
        points.append(point)
    return points


def _front(points: Sequence[Mapping[str, Any]]) -> list[str]:
    places = pareto_front([point["x"] for point in points], [point["y"] for point in points])
    return [str(points[place]["model"]) for place in places]


def _family(model: str) -> str:
    entry = model_spec(model)
    return entry.family if entry else ""


def _two_sizes(overview: Overview, measured: bool) -> str:
    """Says so where accuracy and cost belong to images of different sizes."""
    cases = [record.case for record in overview.records("accuracy").values()]
    sizes = {case.train_img_size or case.img_size for case in cases}
    timed = {int(size) for size in overview.table["img_size"].dropna()}
    if not measured or not sizes or timed <= sizes:
        return ""
    return (
        f"Accuracy was taken at {enumerate_words([str(size) for size in sorted(sizes)])} pixels, costs at each model's "
        f"own size ({enumerate_words([str(size) for size in sorted(timed)])})."
    )


def _grid_measurements(overview: Overview) -> dict[str, dict[str, float]]:
    """Counts of MobileNetV1's variants by label, each at its own resolution."""
    found: dict[str, dict[str, float]] = {}
    for row in overview.rows:
        entry = model_spec(row.model)
        if entry is None or entry.name != "mobilenet_v1":
            continue
        params = row.value("params", "param_count")
        mult_adds = row.value("mult_adds", "mult_adds") if row.case.img_size == entry.input.size else None
        cell = found.setdefault(entry.label, {})
        if params is not None:
            cell["measured_params"] = params
        if mult_adds is not None:
            cell["measured_mult_adds"] = mult_adds
    return found
