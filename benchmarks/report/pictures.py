"""The pictures of a report: which there are, what each says, and its data taken from the records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.metrics.columns import BASE
from benchmarks.records.record import Measurement
from benchmarks.report import figures
from benchmarks.report.drawing import Drawing
from benchmarks.report.findings import Estimate, best, front_of
from benchmarks.report.joining import model_spec
from benchmarks.report.overview import Overview
from benchmarks.report.own import pictures as own
from benchmarks.report.own.candidates import trials
from benchmarks.report.printed import first_printed
from benchmarks.report.shown import fastest_runtime, published
from benchmarks.report.words import condition_in_words, dataset_title, enumerate_words, number, training_in_words
from benchmarks.stats.intervals import Interval
from benchmarks.stats.ranking import rank_correlation
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
SMALL = 128  # pixels below which images are called small
MOST_POINTS = 150


def published_latency(overview: Overview) -> Drawing | None:
    """What most come for: published ImageNet accuracy against latency here, on the fastest runtime."""
    runtime, times = fastest_runtime(overview)
    gains = published(overview)
    costs = [each for each in times if each.model in gains and each.low > 0][:MOST_POINTS]
    if overview.condition is None or len(costs) < 2:
        return None
    condition = condition_in_words(overview.condition, runtime=False)
    axes = {"x": f"Median latency with {runtime}, ms", "factor": 1e3, "bubbles": False}
    words = f"Latency: {runtime}, the fastest runtime measured; {condition}. {_published(overview)}"
    heading = "ImageNet accuracy, as published, against latency here"
    return _front(overview, "published_latency", heading, costs, gains, axes, words, "Published ImageNet top-1, %")


def small_data(overview: Overview) -> Drawing | None:
    """What little training on little images shows, which is not what a network can reach."""
    records = overview.records("accuracy")
    found = [each for each in overview.estimates("accuracy", "top1") if records[each.model].case.epochs]
    if len(found) < 2 or trials(overview.rows):  # of somebody's own images there is a section
        return None
    found.sort(key=lambda each: (-each.value, each.model))
    shown = [each.scaled(100) for each in found[:MOST_BARS]]
    first, ties = best(found, more=True)
    points = [
        {"model": each.model, "family": overview.table.at[each.model, "family"], "x": share.value, "x_lo": share.low,
         "x_hi": share.high}
        for each, share in zip(found, shown, strict=False)
    ]  # fmt: skip
    names = enumerate_words([first.model, *(tie.model for tie in ties)], most=6)
    told = f"Highest, and not to be told apart: {names}" if ties else f"Highest: {names}"
    return Drawing(
        name="small_data",
        heading=f"What learning from {_images(overview)} shows",
        alt=f"Dots with intervals: share of test images right after a short training, for {len(points)} models",
        caption=(
            f"How readily each network learns, {_tested(overview)}; not how accurate it can become. "
            f"{told}. Whiskers are 95 % intervals; the axis does not start at 0."
        ),
        data={"points": points, "x": "Test images named rightly, %"},
        draw=figures.dots,
    )


def _images(overview: Overview) -> str:
    """ "6,000 small images in 3 epochs"."""
    cases = [record.case for record in overview.records("accuracy").values() if record.case.epochs]
    images = enumerate_words(sorted({case.train_images for case in cases}), write="{:,}".format)
    epochs = enumerate_words(sorted({case.epochs for case in cases}))
    small = "small " if max(overview.trained_sizes, default=0) < SMALL else ""
    return f"{images} {small}images in {epochs} epoch{'' if epochs == '1' else 's'}"


def accuracy_mult_adds(overview: Overview) -> Drawing | None:
    """Accuracy against multiply-adds of images of the same size, bubbles as large as the network."""
    costs = overview.at_accuracy("mult_adds", "mult_adds")
    where = "of one image as large as it was tested on" if len(costs) > 1 else "of one image"
    axes = {"x": f"Multiply-adds {where}, M", "factor": 1e-6, "bubbles": True}
    words = "A bubble's area is the network's parameters; multiply-adds are on a logarithmic axis."
    return _trade(overview, "accuracy_mult_adds", "multiply-adds", costs, "mult_adds", axes, words)


def accuracy_latency(overview: Overview) -> Drawing | None:
    """Accuracy against latency for images of the same size."""
    if overview.condition is None:
        return None
    axes = {"x": "Median latency, ms", "factor": 1e3, "bubbles": False}
    words = f"Latency: {condition_in_words(overview.condition)}."
    costs = overview.at_accuracy("latency", "latency_s")
    return _trade(overview, "accuracy_latency", "latency", costs, "latency", axes, words)


def _trade(
    overview: Overview,
    name: str,
    cost: str,
    costs: Sequence[Estimate],
    metric: str,
    axes: Mapping[str, Any],
    words: str,
) -> Drawing | None:
    """Accuracy against a cost: measured where the cost is known at the accuracy's own size, else as it is published.

    Args:
        costs: of the models at the size of the images their accuracy was counted on.
        axes: heading of the axis across and its factor, and whether points are bubbles.
    """
    names = {"mult_adds": "mult_adds", "latency": "latency_s"}
    if len(costs) > 1:
        gains = {each.model: each for each in overview.estimates("accuracy", "top1")}
        up = f"Top-1 on {dataset_title(overview)}, %"
        known = f", known with its cost of {len(costs)} of {len(gains)} models" if len(costs) < len(gains) else ""
        more = f"Accuracy: {_tested(overview)}{known}."
    else:
        costs = [each for each in overview.estimates(metric, names[metric]) if _own_size(each)]
        printed = {model: overview.figure(model, "published_top1") for model in overview.table.index}
        shares = {model: percent / 100 for model, percent in printed.items() if percent is not None}
        gains = {model: Estimate(share, share, share, model) for model, share in shares.items()}
        up, more = "Published ImageNet top-1, %", _published(overview)
    costs = [each for each in costs if each.model in gains and each.low > 0][:MOST_POINTS]
    if len(costs) < 2:
        return None
    heading = f"{'Published accuracy' if up.startswith('Published') else 'Accuracy'} against {cost}"
    return _front(overview, name, heading, costs, gains, axes, f"{words} {more}", up)


def _front(
    overview: Overview,
    name: str,
    heading: str,
    costs: Sequence[Estimate],
    gains: Mapping[str, Estimate],
    axes: Mapping[str, Any],
    words: str,
    up: str,
) -> Drawing:
    """Models by cost and gain with the front of those worth their cost.

    Args:
        axes: heading of the axis across and its factor, and whether points are bubbles.
        up: heading of the axis up.
    """
    front = front_of(costs, [gains[each.model] for each in costs])
    points = [_point(overview, each, axes["factor"], gains[each.model]) for each in costs]
    sure, possible = (enumerate_words(names, most=12) for names in (front.sure, front.possible))
    reading = [
        f"Surely on the Pareto front, every other model being less accurate or costlier: {sure or 'none'}.",
        f"Perhaps on it, as no other is known to be better: {possible}." if possible else "",
        "The dashed line joins those that are on it by their figures alone. Bars are 95 % intervals.",
    ]
    return Drawing(
        name=name,
        heading=heading,
        alt=f"{up} over {axes['x']} for {len(points)} models; surely on the Pareto front: {sure or 'none'}",
        caption=" ".join(filter(None, [*reading, words])),
        data={"points": points, "y": up, "front": front.line, "sure": front.sure, "possible": front.possible,
              "base": BASE, "x": axes["x"], "bubbles": axes["bubbles"]},
        draw=figures.scatter,
    )  # fmt: skip


def _own_size(found: Estimate) -> bool:
    """Whether a cost is that of the images the network was published with."""
    entry, record = model_spec(found.model), found.record
    return entry is not None and record is not None and record.case.img_size == entry.input.size


def _tested(overview: Overview) -> str:
    epochs = any(record.case.epochs for record in overview.records("accuracy").values())
    return f"after {training_in_words(overview)}" if epochs else "of weights that were given"


def _published(overview: Overview) -> str:
    """What to know of figures that others took."""
    ways = overview.table["published_protocol"].nunique()
    return f"Accuracies as printed, taken in {ways} ways: a point may be the way's." if ways > 1 else "As printed."


def _point(overview: Overview, cost: Estimate, factor: float, gain: Estimate) -> dict[str, Any]:
    """A model as the pictures draw it: both figures with their intervals."""
    across, up = cost.scaled(factor), gain.scaled(100)
    point = {"model": cost.model, "family": overview.table.at[cost.model, "family"], "x": across.value,
             "x_lo": across.low, "x_hi": across.high, "y": up.value, "y_lo": up.low, "y_hi": up.high}  # fmt: skip
    params = overview.figure(cost.model, "param_count")
    return point if params is None else point | {"params": params}


def latency(overview: Overview) -> Drawing | None:
    """Latencies, the fastest on top."""
    points = sorted(_points(overview, "latency_ms_p50"), key=lambda point: point["x"])
    if not points or overview.condition is None:
        return None
    for point in points:
        point["relative"] = overview.figure(point["model"], "rel_speed")
    first, last = points[0], points[-1]
    beside = any(point["relative"] is not None for point in points)
    times = number(last["x"] / first["x"])
    whole = all(point["x_lo"] < point["x_hi"] for point in points)
    return Drawing(
        name="latency",
        heading="Latency",
        alt=f"Horizontal bars of median latency from {first['model']} ({number(first['x'])} ms) to {last['model']} "
        f"({number(last['x'])} ms)",
        caption=(
            f"{condition_in_words(overview.condition).capitalize()}. Whiskers are 95 % intervals of the median"
            + ("" if whole else ", where there are rounds enough for one")
            + (f"; beside the time stands the speed relative to {BASE}" if beside else "")
            + (f". The slowest takes {times} times as long as the fastest." if len(points) > 1 else ".")
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
        heading="Multiply-adds beside latency",
        alt=f"Slope chart: rank by multiply-adds on the left, rank by latency on the right; {moved}",
        caption=(
            f"Counting multiply-adds ranks {len(points)} models much as the clock does: Spearman's rho {figure}"
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
    cells: list[dict[str, Any]] = []
    for width in WIDTHS:
        for resolution in RESOLUTIONS:
            entry = MODELS["mobilenet_v1"].vary(width=width, resolution=resolution)
            printed = {figure: first_printed(entry, figure) for figure in ("params", "mult_adds", "top1")}
            first = {figure: found and found[0] for figure, found in printed.items()}
            cells.append({"width": width, "resolution": resolution} | first | measured.get(entry.label, {}))
    counted = sum("measured_params" in cell or "measured_mult_adds" in cell for cell in cells)
    if counted < 2:
        return None  # no comparison, and what is printed alone is not this run's
    found = sum("measured_mult_adds" in cell for cell in cells)
    return Drawing(
        name="mobilenet_grid",
        heading="MobileNetV1: what width and resolution buy",
        alt="Heat maps over width multiplier and resolution of parameters, multiply-adds and published top-1",
        caption=(
            "Width thins every layer, so multiply-adds fall about as its square, and parameters less, since those of "
            "the classifier fall only in proportion; resolution shrinks the image, so only multiply-adds fall. Large "
            f"figures were counted here ({found} of the {len(cells)} multiply-adds), small ones are printed in the "
            "paper or for a checkpoint."
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
    """Accuracy on the test images after each epoch, one small panel a model; of somebody's own images, a network."""
    drawing = own.learning_curves(overview)
    if drawing is not None:
        return drawing
    curves: list[dict[str, Any]] = []
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
            "Top-1 on the test images after each epoch of one training; the other models in grey. "
            f"{early['model']} has learned most after epoch {early['curve'][0][0]} "
            f"({number(early['curve'][0][1], -1)} %)."
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
    for make in (
        published_latency,
        small_data,
        accuracy_mult_adds,
        accuracy_latency,
        latency,
        rank,
        mobilenet_grid,
        learning_curves,
        own.confusion,
        own.confusion_scratch,
    )
}
"""By the names of their files."""


def _points(overview: Overview, x: str, y: str | None = None) -> list[dict[str, Any]]:
    """The models that have both figures, with the intervals a column has."""
    columns = {"x": x} | ({"y": y} if y else {})
    table = overview.table.dropna(subset=list(columns.values())).head(MOST_POINTS)
    points = []
    for model in table.index:
        point: dict[str, Any] = {"model": model, "family": table.at[model, "family"]}
        for axis, column in columns.items():
            cell = overview.cell(model, column)
            value, low, high = (cell.value, cell.low, cell.high) if isinstance(cell, Interval) else (cell,) * 3
            point |= {axis: value, f"{axis}_lo": low, f"{axis}_hi": high}
        points.append(point)
    return points
