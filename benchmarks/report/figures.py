"""How the report's pictures are drawn: each a function of plain data that returns a matplotlib figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from benchmarks.report import style
from benchmarks.report.labels import Anchor, place_labels
from benchmarks.report.style import INK, SOFT, TIMES, canvas, family_style, key, log_ticks, name_lines, panels
from benchmarks.report.words import number, told_apart

__all__ = ["bars", "curves", "dots", "grid", "scatter", "slopes"]

LARGEST, SMALLEST = 13.6, 2.0  # radii of bubbles in points
MOST_LABELS = 45  # with more points only the front and the base are named
DASH = "\N{EN DASH}"
Points = Sequence[Mapping[str, Any]]


def scatter(data: Mapping[str, Any]) -> Figure:
    """Points or bubbles with names, 95 % intervals and their Pareto front; those surely on it are in a ring."""
    points: Points = data["points"]
    bubbles = data["bubbles"]
    figure, axes = canvas(5.8)
    largest = max((point.get("params", 0) for point in points), default=0)
    radii = [_bubble_radius(point.get("params", 0), largest) if bubbles else 4.5 for point in points]
    corners = _corners(points, data["front"])
    axes.plot(*zip(*corners, strict=True), color=SOFT, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1.5)
    for point, radius in zip(points, radii, strict=True):
        _draw_point(axes, point, radius, bubbles=bubbles)
        if point["model"] in (*data["sure"], *data["possible"]):
            dash = "solid" if point["model"] in data["sure"] else (0, (1, 1.5))
            axes.scatter(point["x"], point["y"], s=(2 * radius + 7) ** 2, facecolors="none", edgecolors=INK,
                         linewidths=1.2, linestyles=[dash], zorder=5)  # fmt: skip
    axes.set_xscale("log")
    _limit(axes, [point[end] for point in points for end in ("x_lo", "x_hi")],
           [point[end] for point in points for end in ("y_lo", "y_hi")])  # fmt: skip
    axes.set(xlabel=data["x"], ylabel=data["y"])
    _add_keys(figure, points, data, largest if bubbles else 0)
    figure.canvas.draw()
    names = told_apart([point["model"] for point in points], 36)
    ringed = (*data["front"], *data["sure"], data["base"])
    anchors = [
        Anchor(point["x"], point["y"], radius + 3 * (point["model"] in (*data["sure"], *data["possible"])), name, INK)
        for point, radius, name in zip(points, radii, names, strict=True)
        if len(points) <= MOST_LABELS or point["model"] in ringed
    ]
    whiskers = [line for point in points for line in _whiskers(point)]
    lines = [line for line in (corners, *whiskers) if len(line) > 1 and line[0] != line[-1]]
    place_labels(axes, anchors[:MOST_LABELS], size=9, lines=lines)
    return figure


def _draw_point(axes: Axes, point: Mapping[str, Any], radius: float, *, bubbles: bool) -> None:
    """A bubble with its family's marker inside, or the marker, with whiskers."""
    color, marker, _ = family_style(point["family"])
    for line in _whiskers(point):
        axes.plot(*zip(*line, strict=True), color=INK if bubbles else color, linewidth=1.1, alpha=0.55,
                  solid_capstyle="butt", zorder=5 if bubbles else 3)  # fmt: skip
    large = bubbles and radius > 5
    axes.plot(
        point["x"], point["y"], marker="o" if large else marker, markersize=2 * radius, color=color,
        alpha=0.75 if bubbles else 1, markeredgecolor=INK, markeredgewidth=0.7, linestyle="none",
        zorder=4 + 1 / radius,
    )  # fmt: skip
    if large:
        axes.plot(point["x"], point["y"], marker=marker, markersize=3.5, color=INK, linestyle="none", zorder=5.5)


def _whiskers(point: Mapping[str, Any]) -> list[list[tuple[float, float]]]:
    return [
        [(point["x"], point["y_lo"]), (point["x"], point["y_hi"])],
        [(point["x_lo"], point["y"]), (point["x_hi"], point["y"])],
    ]


def _bubble_radius(params: float, largest: float) -> float:
    """Radius in points of a bubble whose area is its parameters, the largest network's as large as fits."""
    return max(LARGEST * math.sqrt(params / largest), SMALLEST) if largest else SMALLEST


def _corners(points: Points, front: Sequence[str]) -> list[tuple[float, float]]:
    """The steps of the front: at each cost, the most accuracy it buys."""
    members = sorted((point["x"], point["y"]) for point in points if point["model"] in front)
    corners = members[:1]
    for x, y in members[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    return corners


def _add_keys(figure: Figure, points: Points, data: Mapping[str, Any], largest: float) -> None:
    """The families above, and what rings and sizes are below; `largest` is 0 where points have no size."""
    present = {point["family"] for point in points}
    kinds = [look for family, look in style.FAMILIES.items() if family in present]
    kinds += [style.OTHER] if present - style.FAMILIES.keys() else []
    handles = [key(title, marker=marker, markersize=7, color=color) for color, marker, title in kinds]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1.6)
    ring: dict[str, Any] = {"marker": "o", "markersize": 11, "color": "none", "markeredgewidth": 1.2}
    handles = [key("surely on the front", **ring)] if data["sure"] else []
    if data["possible"]:
        handles.append(Line2D([], [], label="perhaps on it", linestyle=(0, (1, 1.5)), color=INK, linewidth=1.2))
    for share in (0.04, 0.2, 1) if largest else ():
        millions = float(f"{share * largest / 1e6:.1g}")
        handles.append(
            key(f"{number(millions, 1)} M parameters", marker="o", color="none", markeredgecolor=SOFT,
                markersize=2 * _bubble_radius(millions * 1e6, largest), markeredgewidth=1)
        )  # fmt: skip
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), handletextpad=1.0,
                      columnspacing=1.8, handleheight=2.6)  # fmt: skip


def _limit(axes: Axes, across: Sequence[float], up: Sequence[float]) -> None:
    """Room for labels around the points, on a logarithmic axis across and a linear one up."""
    room = max(math.log(max(across) / min(across)), 0.7) * 0.09
    axes.set_xlim(min(across) * math.exp(-room), max(across) * math.exp(room * 1.3))
    log_ticks(axes.xaxis)
    room = max(max(up) - min(up), 1) * 0.1
    axes.set_ylim(min(up) - room, max(up) + room)
    axes.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))


def bars(data: Mapping[str, Any]) -> Figure:
    """Horizontal bars with whiskers, the smallest on top, the figures at their ends."""
    points: Points = data["points"]
    figure, axes = canvas(1.0 + 0.27 * len(points))
    places = range(len(points))
    reach = np.array([[point["x"] - point["x_lo"], point["x_hi"] - point["x"]] for point in points]).T
    reach[:, ~reach.any(axis=0)] = np.nan  # and so not drawn: caps on the very end of a bar call its figure exact
    axes.barh(
        places, [point["x"] for point in points], height=0.68, edgecolor=INK, linewidth=0.5, xerr=reach,
        color=[family_style(point["family"])[0] for point in points],
        error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2.5},
    )  # fmt: skip
    longest = max(point["x_hi"] for point in points)
    for place, point in enumerate(points):
        relative = f"   {number(point['relative'], 2)}{TIMES}" if point["relative"] is not None else ""
        axes.text(point["x_hi"] + 0.012 * longest, place, number(point["x"]) + relative, va="center", fontsize=9)
    name_lines(axes, told_apart([point["model"] for point in points], 36))
    axes.set(xlim=(0, longest * 1.16), xlabel=data["x"])
    return figure


def dots(data: Mapping[str, Any]) -> Figure:
    """A dot with its interval a model, the first on top; without the length that a bar would lend it."""
    points: Points = data["points"]
    figure, axes = canvas(1.0 + 0.25 * len(points))
    for place, point in enumerate(points):
        color, marker, _ = family_style(point["family"])
        axes.plot([point["x_lo"], point["x_hi"]], [place, place], color=INK, linewidth=1.1, zorder=2)
        axes.plot(point["x"], place, marker=marker, markersize=7, color=color, markeredgecolor=INK,
                  markeredgewidth=0.6, linestyle="none", zorder=3)  # fmt: skip
    ends = [point[end] for point in points for end in ("x_lo", "x_hi")]
    room = max(max(ends) - min(ends), 1) * 0.05
    name_lines(axes, told_apart([point["model"] for point in points], 36))
    axes.set(xlim=(min(ends) - room, max(ends) + 2.4 * room), xlabel=data["x"])
    for place, point in enumerate(points):
        axes.text(point["x_hi"] + 0.3 * room, place, number(point["x"], -1), va="center", fontsize=9)
    return figure


def slopes(data: Mapping[str, Any]) -> Figure:
    """Two rankings side by side, a line a model."""
    points: Points = data["points"]
    figure, axes = canvas(1.1 + 0.27 * len(points))
    names = told_apart([point["model"] for point in points], 26)
    for point, name in zip(points, names, strict=True):
        change = point["left"] - point["right"]
        axes.plot(
            [0, 1], [point["left"], point["right"]], color=family_style(point["family"])[0], marker="o", markersize=5,
            linewidth=1.2 + 0.35 * min(abs(change), 6), alpha=0.95 if abs(change) > 1 else 0.55,
            solid_capstyle="round",
        )  # fmt: skip
        arrow = f"▲ {change}" if change > 0 else f"▼ {-change}" if change < 0 else ""
        for x, side, words, align in (
            (-0.04, "left", str(point["left"]), "right"),
            (-0.13, "left", number(point["x"]), "right"),
            (-0.30, "left", name, "right"),
            (1.04, "right", str(point["right"]), "left"),
            (1.27, "right", number(point["y"]), "right"),
            (1.31, "right", name, "left"),
            (1.82, "right", arrow, "left"),
        ):
            axes.text(x, point[side], words, ha=align, va="center", fontsize=9, parse_math=False)
    axes.set(xlim=(-0.85, 1.95), ylim=(len(points) + 0.6, -0.6))
    axes.text(-0.03, -0.15, "rank by multiply-adds, G", ha="right", va="center", fontsize=9.5, fontweight="bold")
    axes.text(1.03, -0.15, "rank by latency, ms", ha="left", va="center", fontsize=9.5, fontweight="bold")
    axes.set_axis_off()
    return figure


def grid(data: Mapping[str, Any]) -> Figure:
    """Heat maps over width and resolution: parameters, multiply-adds and, where printed, accuracy."""
    widths, resolutions = data["widths"], data["resolutions"]
    cells = {(cell["width"], cell["resolution"]): cell for cell in data["cells"]}
    shown = [panel for panel in data["panels"] if any(_first(cell, panel) for cell in data["cells"])]
    figure, drawn = panels(len(shown), 3.3)
    for axes, panel in zip(drawn, shown, strict=True):
        values = [[_first(cells[width, resolution], panel) for resolution in resolutions] for width in widths]
        first = axes is drawn[0]
        style.heat_map(
            axes,
            [[math.log(value) if value else math.nan for value in row] for row in values],
            rows=[f"{width:g}" for width in widths] if first else None,
            columns=[str(resolution) for resolution in resolutions],
            title=panel["title"],
        )
        axes.set(xlabel="resolution, pixels", ylabel="width multiplier" if first else "")
        for (width, resolution), cell in cells.items():
            across, down = resolutions.index(resolution), widths.index(width)
            here, paper = cell.get(panel["measured"]), cell.get(panel["printed"])
            printed = DASH if paper is None else f"{paper * panel['factor']:.6g}"  # the digits it was printed with
            large = printed if here is None else number(here * panel["factor"])
            both = here is not None and paper
            size = 10 if here is not None or not panel["measured"] else 8
            axes.text(across, down - 0.14 if both else down, large, ha="center", va="center", fontsize=size)
            if both:
                axes.text(across, down + 0.24, printed, ha="center", va="center", fontsize=7)
    return figure


def _first(cell: Mapping[str, Any], panel: Mapping[str, Any]) -> float | None:
    """The figure counted here, else the printed one."""
    here = cell.get(panel["measured"])
    return cell.get(panel["printed"]) if here is None else here


def curves(data: Mapping[str, Any]) -> Figure:
    """One small panel a model: its curve in colour, everybody else's in grey."""
    drawn = data["curves"]
    columns = min(6, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    height = 0.6 + 1.2 * rows
    figure, drawn_axes = panels(len(drawn), height, columns=columns, layout=None)
    figure.subplots_adjust(left=0.085, right=0.99, bottom=0.55 / height, top=1 - 0.3 / height, wspace=0.1, hspace=0.38)
    last = max(point[0] for curve in drawn for point in curve["curve"])
    values = [point[1] for curve in drawn for point in curve["curve"]]
    others = [curve["curve"] for curve in drawn]
    names = told_apart([curve["model"] for curve in drawn], 22)
    for place, (axes, curve, name) in enumerate(zip(drawn_axes, drawn, names, strict=True)):
        axes.add_collection(LineCollection(others, colors="#cfcfcf", linewidths=0.6, zorder=1))
        color = family_style(curve["family"])[0]
        axes.plot(*zip(*curve["curve"], strict=True), color=color, linewidth=2.2, zorder=3)
        end = curve["curve"][-1]
        axes.plot(*end, marker="o", markersize=4, color=color, markeredgecolor=INK, markeredgewidth=0.5, zorder=4)
        axes.set_title(name, fontsize=8.5 if len(name) <= 18 else 7, loc="left", pad=3, parse_math=False)
        axes.text(
            0.97,
            0.06,
            f"{number(end[1], -1)} %",
            transform=axes.transAxes,
            ha="right",
            va="bottom",
            fontsize=9,
            zorder=5,
        )
        axes.set_xlim(min(0.8, last), last + 0.04 * max(last - 1, 1))
        axes.set_ylim(min(values) - 3, min(max(values) + 4, 103))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        axes.tick_params(labelsize=8, length=2, labelleft=place % columns == 0)
        axes.tick_params(labelbottom=place + columns >= len(drawn))
    figure.supxlabel("epoch", fontsize=10, y=0.05 / height)
    figure.supylabel("top-1 on test images, %", fontsize=10)
    return figure
