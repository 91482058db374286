"""How the report's pictures are drawn: each a function of plain data that returns a matplotlib figure."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from benchmarks.report.labels import Anchor, place_labels
from benchmarks.report.words import number, shorten

__all__ = ["FAMILIES", "INK", "SOFT", "TIMES", "WIDTH", "bars", "curves", "grid", "render", "scatter", "slopes"]

WIDTH = 8.4  # inches; about 800 pixels on a page
MOST_LABELS = 45  # with more points only the front and the reference are named
INK, SOFT, FAINT = "#1a1a1a", "#5f5f5f", "#dddddd"

# Okabe and Ito's colours, which colour-blind readers can tell apart, and a marker each for those who print in grey
FAMILIES = {
    "alexnet": ("#E69F00", "s", "AlexNet"),
    "nin": ("#999999", "p", "NIN"),
    "vgg": ("#D55E00", "^", "VGG"),
    "googlenet": ("#009E73", "D", "GoogLeNet"),
    "inception_v3": ("#F0E442", "v", "Inception v3"),
    "resnet": ("#0072B2", "o", "ResNet"),
    "xception": ("#56B4E9", "h", "Xception"),
    "mobilenet_v1": ("#CC79A7", "P", "MobileNetV1"),
}
TIMES, DASH = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"
OTHER = ("#777777", "X", "other")

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.labelsize": 10.5,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "report",  # the same data gives the same bytes
}


def render(draw: Any, data: Any, mark: str = "") -> tuple[bytes, bytes]:
    """A drawing as SVG and as PNG; equal data gives equal bytes. The SVG's metadata hold `mark` as its identifier."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]  # its keys are literals
        figure = draw(data)
        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Identifier": mark or None})
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return svg.getvalue(), png.getvalue()


def scatter(data: Mapping[str, Any]) -> Figure:
    """Points with names, their Pareto front, and bubbles or error bars."""
    points: Sequence[Mapping[str, Any]] = data["points"]
    figure, axes = _canvas(WIDTH, 5.6)
    radii = [_bubble_radius(point) if data["bubbles"] else 4.5 for point in points]
    _front_line(axes, points, data["front"])
    for point, radius in zip(points, radii, strict=True):
        color, marker, _ = FAMILIES.get(point["family"], OTHER)
        if not data["bubbles"]:
            axes.errorbar(
                point["x"],
                point["y"],
                xerr=[[point["x"] - point["x_lo"]], [point["x_hi"] - point["x"]]],
                yerr=[[point["y"] - point["y_lo"]], [point["y_hi"] - point["y"]]],
                fmt="none",
                ecolor=color,
                elinewidth=1.1,
                alpha=0.55,
                zorder=3,
            )
        axes.plot(
            point["x"],
            point["y"],
            marker="o" if data["bubbles"] and radius > 5 else marker,
            markersize=2 * radius,
            color=color,
            alpha=0.75 if data["bubbles"] else 1,
            markeredgecolor=INK,
            markeredgewidth=0.7,
            linestyle="none",
            zorder=4 + 1 / radius,
        )
        if data["bubbles"] and radius > 5:
            axes.plot(point["x"], point["y"], marker=marker, markersize=3.5, color=INK, linestyle="none", zorder=5.5)
    axes.set_xscale("log")
    _log_limits(axes, [end for point in points for end in (point["x_lo"], point["x_hi"])])
    _linear_limits(axes, [point[end] for point in points for end in (("y",) if data["bubbles"] else ("y_lo", "y_hi"))])
    axes.set_xlabel(data["x"])
    axes.set_ylabel(data["y"])
    _family_legend(figure, points, bubbles=data["bubbles"])
    figure.canvas.draw()
    named = [
        (point, radius)
        for point, radius in zip(points, radii, strict=True)
        if len(points) <= MOST_LABELS or point["model"] in data["front"] or point["model"] == "resnet50"
    ]
    anchors = [
        Anchor(point["x"], point["y"], radius, shorten(point["model"], 36), INK)
        for point, radius in named[:MOST_LABELS]
    ]
    place_labels(axes, anchors, size=9, lines=_obstacles(points, data))
    return figure


def bars(data: Mapping[str, Any]) -> Figure:
    """Horizontal bars with whiskers, the smallest on top, the figures at their ends."""
    points = data["points"]
    figure, axes = _canvas(WIDTH, 1.0 + 0.27 * len(points))
    places = range(len(points))
    axes.barh(
        places,
        [point["x"] for point in points],
        height=0.68,
        color=[FAMILIES.get(point["family"], OTHER)[0] for point in points],
        edgecolor=INK,
        linewidth=0.5,
        xerr=[
            [point["x"] - point["x_lo"] for point in points],
            [point["x_hi"] - point["x"] for point in points],
        ],
        error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2.5},
    )
    longest = max(point["x_hi"] for point in points)
    for place, point in enumerate(points):
        relative = f"   {number(point['relative'], 2)}{TIMES}" if point["relative"] is not None else ""
        axes.text(
            point["x_hi"] + 0.012 * longest, place, number(point["x"]) + relative, va="center", ha="left", fontsize=9
        )
    axes.set_yticks(places, [shorten(point["model"], 36) for point in points])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(len(points) - 0.4, -0.6)
    axes.set_xlim(0, longest * 1.16)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(data["x"])
    return figure


def slopes(data: Mapping[str, Any]) -> Figure:
    """Two rankings side by side, a line a model."""
    points = data["points"]
    figure, axes = _canvas(WIDTH, 1.1 + 0.27 * len(points))
    for point in points:
        color = FAMILIES.get(point["family"], OTHER)[0]
        moved = abs(point["left"] - point["right"])
        axes.plot(
            [0, 1],
            [point["left"], point["right"]],
            color=color,
            linewidth=1.2 + 0.35 * min(moved, 6),
            alpha=0.95 if moved > 1 else 0.55,
            marker="o",
            markersize=5,
            solid_capstyle="round",
        )
        change = point["left"] - point["right"]
        arrow = f"▲ {change}" if change > 0 else f"▼ {-change}" if change < 0 else ""
        name = shorten(point["model"], 26)
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
    axes.set_xlim(-0.85, 1.95)
    axes.set_ylim(len(points) + 0.6, -0.6)
    axes.text(-0.03, -0.15, "rank by multiply-adds, G", ha="right", va="center", fontsize=9.5, fontweight="bold")
    axes.text(1.03, -0.15, "rank by latency, ms", ha="left", va="center", fontsize=9.5, fontweight="bold")
    axes.set_axis_off()
    return figure


def grid(data: Mapping[str, Any]) -> Figure:
    """Heat maps over width and resolution: parameters, multiply-adds and, where printed, accuracy."""
    panels = [
        ("Parameters, M", "measured_params", "params", 1e-6),
        ("Multiply-adds, M", "measured_mult_adds", "mult_adds", 1e-6),
        ("Published ImageNet top-1, %", "", "top1", 100.0),
    ]
    panels = [panel for panel in panels if any(_first(cell, panel[1], panel[2]) for cell in data["cells"])]
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    FigureCanvasAgg(figure)
    widths, resolutions = data["widths"], data["resolutions"]
    cells = {(cell["width"], cell["resolution"]): cell for cell in data["cells"]}
    for place, (title, measured, printed, factor) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), place + 1)
        values = [[_first(cells[w, r], measured, printed) for r in resolutions] for w in widths]
        shades = [[math.log(value) if value else math.nan for value in row] for row in values]
        known = [shade for row in shades for shade in row if not math.isnan(shade)]
        span = max(max(known) - min(known), 1e-9)
        axes.imshow(shades, cmap="Blues", vmin=min(known) - 0.1 * span, vmax=max(known) + 0.8 * span, aspect="auto")
        for row, width in enumerate(widths):
            for column, resolution in enumerate(resolutions):
                cell = cells[width, resolution]
                here, paper = cell.get(measured), cell.get(printed)
                large = number(here * factor) if here is not None else _as_printed(paper, factor)
                axes.text(
                    column,
                    row - (0.14 if here is not None and paper else 0),
                    large,
                    ha="center",
                    va="center",
                    fontsize=10 if here is not None or not measured else 8,
                    color=INK,
                )
                if here is not None and paper:
                    axes.text(
                        column, row + 0.24, _as_printed(paper, factor), ha="center", va="center", fontsize=7, color=INK
                    )
        axes.set_xticks(range(len(resolutions)), [str(resolution) for resolution in resolutions])
        axes.set_yticks(range(len(widths)), [f"{width:g}" for width in widths] if place == 0 else [])
        axes.set_xlabel("resolution, pixels")
        if place == 0:
            axes.set_ylabel("width multiplier")
        axes.set_title(title, fontsize=10.5)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def curves(data: Mapping[str, Any]) -> Figure:
    """One small panel a model: its curve in colour, everybody else's in grey."""
    drawn = data["curves"]
    columns = min(6, len(drawn))
    rows = math.ceil(len(drawn) / columns)
    height = 0.6 + 1.2 * rows
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.085, right=0.99, bottom=0.55 / height, top=1 - 0.3 / height, wspace=0.1, hspace=0.38)
    last = max(point[0] for curve in drawn for point in curve["curve"])
    values = [point[1] for curve in drawn for point in curve["curve"]]
    for place, curve in enumerate(drawn):
        axes = figure.add_subplot(rows, columns, place + 1)
        axes.add_collection(
            LineCollection([other["curve"] for other in drawn], colors="#cfcfcf", linewidths=0.6, zorder=1)
        )
        color = FAMILIES.get(curve["family"], OTHER)[0]
        axes.plot(*zip(*curve["curve"], strict=True), color=color, linewidth=2.2, zorder=3)
        end = curve["curve"][-1]
        axes.plot(*end, marker="o", markersize=4, color=color, markeredgecolor=INK, markeredgewidth=0.5, zorder=4)
        axes.set_title(shorten(curve["model"], 18), fontsize=8.5, loc="left", pad=3, parse_math=False)
        axes.text(
            0.97, 0.06, f"{end[1]:.1f} %", transform=axes.transAxes, ha="right", va="bottom", fontsize=9, zorder=5
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


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _bubble_radius(point: Mapping[str, Any]) -> float:
    """Radius in points of a bubble whose area is its parameters."""
    return 1.15 * math.sqrt(max(point.get("params", 0) / 1e6, 3))


def _front_line(axes: Axes, points: Sequence[Mapping[str, Any]], front: Sequence[str]) -> None:
    corners = _corners(points, front)
    axes.plot(*zip(*corners, strict=True), color=SOFT, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1.5)


def _corners(points: Sequence[Mapping[str, Any]], front: Sequence[str]) -> list[tuple[float, float]]:
    """The steps of the front: at each cost, the most accuracy it buys."""
    members = sorted((point["x"], point["y"]) for point in points if point["model"] in front)
    corners = members[:1]
    for x, y in members[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    return corners


def _obstacles(points: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> list[list[tuple[float, float]]]:
    lines = [_corners(points, data["front"])]
    if not data["bubbles"]:
        lines += [[(point["x"], point["y_lo"]), (point["x"], point["y_hi"])] for point in points]
        lines += [[(point["x_lo"], point["y"]), (point["x_hi"], point["y"])] for point in points]
    return [line for line in lines if len(line) > 1 and line[0] != line[-1]]


def _family_legend(figure: Figure, points: Sequence[Mapping[str, Any]], *, bubbles: bool) -> None:
    present = {point["family"] for point in points}
    kinds = [FAMILIES[family] for family in FAMILIES if family in present]
    if present - FAMILIES.keys():
        kinds.append(OTHER)
    handles = [
        Line2D([], [], linestyle="none", marker=marker, markersize=7, color=color, markeredgecolor=INK,
               markeredgewidth=0.6, label=title)
        for color, marker, title in kinds
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1.6)
    if bubbles and any("params" in point for point in points):
        sizes = [
            Line2D([], [], linestyle="none", marker="o", markersize=2 * _bubble_radius({"params": size}), color="none",
                   markeredgecolor=SOFT, label=f"{size / 1e6:g} M parameters")
            for size in (5e6, 25e6, 140e6)
        ]  # fmt: skip
        figure.legend(
            handles=sizes, loc="outside lower center", ncols=3, handletextpad=1.4, columnspacing=3, handleheight=2.6
        )


def _log_limits(axes: Axes, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    room = max(math.log(high / low), 0.7) * 0.09
    axes.set_xlim(low * math.exp(-room), high * math.exp(room * 1.3))
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _linear_limits(axes: Axes, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    room = max(high - low, 1) * 0.1
    axes.set_ylim(low - room, high + room)
    axes.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))


def _first(cell: Mapping[str, Any], *names: str) -> float | None:
    return next((cell[name] for name in names if cell.get(name) is not None), None)


def _as_printed(value: float | None, factor: float) -> str:
    """A published figure with the digits it was published with."""
    return DASH if value is None else f"{value * factor:.6g}"
