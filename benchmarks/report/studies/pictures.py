"""How the pictures of study pages are drawn: each a function of plain data that returns a matplotlib figure.

Style and colours are the report's (Okabe and Ito's palette); lines and bars also differ in hatch, marker or dash, so
that nothing hangs on colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from benchmarks.report.words import number as in_digits

__all__ = ["DRAW", "KINDS", "curves", "differences", "heatmaps", "rows", "scatter", "stacked"]

WIDTH = 8.4  # inches, as the report's
MOST_HEATMAPS = 4  # beside one another
INK, SOFT = "#1a1a1a", "#5f5f5f"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("solid", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
# kinds of layers as the stacked bars show them: name, colour, hatch
KINDS = {
    "conv": ("convolutions", "#0072B2", ""),
    "conv 1x1": ("1x1 convolutions", "#56B4E9", "//"),
    "depthwise": ("depthwise", "#009E73", "xx"),
    "linear": ("linear layers", "#E69F00", ".."),
    "norm": ("norms and biases", "#999999", ""),
}


def stacked(data: Mapping[str, Any]) -> Figure:
    """Two panels, parameters and multiply-adds: a bar an arm, split by kind of layer, the totals at the ends."""
    arms: Sequence[Mapping[str, Any]] = data["arms"]
    figure, panels = _panels(2, 1.25 + 0.36 * len(arms))
    for axes, quantity, title in zip(panels, ("params", "mult_adds"), ("parameters", "multiply-adds"), strict=True):
        for place, arm in enumerate(arms):
            total = sum(arm[quantity].values())
            left = 0.0
            for kind, (_, color, hatch) in KINDS.items():
                share = 100 * arm[quantity].get(kind, 0) / total
                axes.barh(
                    place, share, left=left, height=0.66, color=color, hatch=hatch, edgecolor="white", linewidth=0
                )
                left += share
            axes.barh(place, 100, height=0.66, fill=False, edgecolor=INK, linewidth=0.5)
            axes.text(102, place, _with_prefix(total), va="center", fontsize=9)
        axes.set_xlim(0, 118)
        axes.set_xticks(range(0, 101, 25))
        axes.set_ylim(len(arms) - 0.4, -0.6)
        axes.set_yticks(range(len(arms)), [arm["title"] for arm in arms] if axes is panels[0] else [])
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"share of {title}, %")
    present = [kind for kind in KINDS if any(arm[q].get(kind) for arm in arms for q in ("params", "mult_adds"))]
    handles = [
        Patch(facecolor=KINDS[kind][1], hatch=KINDS[kind][2], edgecolor="white", label=KINDS[kind][0])
        for kind in present
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), columnspacing=1.4)
    return figure


def _with_prefix(count: float) -> str:
    return f"{in_digits(count / 1e9)} G" if count >= 1e9 else f"{in_digits(count / 1e6)} M"


def scatter(data: Mapping[str, Any]) -> Figure:
    """Accuracy against the logarithm of multiply-adds: as published on ImageNet, and as measured, side by side."""
    panels = [panel for panel in data["panels"] if panel["points"]]
    figure, drawn = _panels(len(panels), 4.2)
    groups = list(dict.fromkeys(point["group"] for panel in panels for point in panel["points"]))
    marks = list(dict.fromkeys(point["mark"] for panel in panels for point in panel["points"]))
    for axes, panel in zip(drawn, panels, strict=True):
        for number, group in enumerate(groups):
            points = sorted((p for p in panel["points"] if p["group"] == group), key=lambda p: p["x"])
            axes.plot(
                [p["x"] for p in points], [p["y"] for p in points], color=PALETTE[number], linewidth=1.2,
                linestyle=DASHES[number % len(DASHES)], zorder=2,
            )  # fmt: skip
            for p in points:
                if p["low"] is not None:
                    axes.plot(
                        [p["x"]] * 2, [p["low"], p["high"]], color=PALETTE[number], linewidth=1.4, alpha=0.7, zorder=3
                    )
                axes.plot(
                    p["x"], p["y"], marker=MARKERS[marks.index(p["mark"])], markersize=7, color=PALETTE[number],
                    markeredgecolor=INK, markeredgewidth=0.6, linestyle="none", zorder=4,
                )  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("multiply-adds, M")
        axes.set_ylabel("top-1, %")
        axes.set_title(panel["title"], fontsize=10.5)
    handles = []
    if len(groups) > 1:
        handles += [
            Line2D([], [], color=PALETTE[number], linestyle=DASHES[number % len(DASHES)], linewidth=2, label=group)
            for number, group in enumerate(groups)
        ]
    handles += [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=MARKERS[number],
            markersize=7,
            color="white",
            markeredgecolor=INK,
            label=mark,
        )
        for number, mark in enumerate(marks)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1.6)
    return figure


def heatmaps(data: Mapping[str, Any]) -> Figure:
    """A panel a quantity: rows are widths, columns resolutions; darker is more."""
    panels = data["panels"]
    columns = len(panels) if len(panels) <= MOST_HEATMAPS else -(-len(panels) // 2)
    figure, drawn = _panels(len(panels), 3.0 * -(-len(panels) // columns), columns=columns)
    for place, (axes, panel) in enumerate(zip(drawn, panels, strict=True)):
        values = panel["values"]
        shades = [[math.log(value) if panel["log"] else value for value in row] for row in values]
        flat = [shade for row in shades for shade in row]
        span = max(max(flat) - min(flat), 1e-9)
        axes.imshow(shades, cmap="Blues", vmin=min(flat) - 0.1 * span, vmax=max(flat) + 0.8 * span, aspect="auto")
        for row, line in enumerate(panel["texts"]):
            for column, text in enumerate(line):
                axes.text(column, row, text, ha="center", va="center", fontsize=9.5, color=INK)
        axes.set_xticks(range(len(data["columns"])), data["columns"])
        axes.set_yticks(range(len(data["rows"])), data["rows"] if place % columns == 0 else [])
        axes.set_xlabel(data["x"])
        if place % columns == 0:
            axes.set_ylabel(data["y"])
        axes.set_title(panel["title"], fontsize=10)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def curves(data: Mapping[str, Any]) -> Figure:
    """Training (thin) and test error (bold) after each epoch: a panel a group, a colour and a dash an arm."""
    panels = data["panels"]
    figure, drawn = _panels(len(panels), 3.7)
    points = [point for panel in panels for arm in panel["arms"] for curve in arm["curves"] for point in curve]
    errors = [100 * error for _, *both in points for error in both]
    for axes, panel in zip(drawn, panels, strict=True):
        for number, arm in enumerate(panel["arms"]):
            for curve in arm["curves"]:
                epochs = [point[0] for point in curve]
                style = {"color": PALETTE[number], "linestyle": DASHES[number % len(DASHES)], "marker": MARKERS[number]}
                axes.plot(
                    epochs, [100 * point[1] for point in curve], linewidth=0.8, alpha=0.6, markersize=2.5, **style
                )
                axes.plot(epochs, [100 * point[2] for point in curve], linewidth=2, markersize=4, **style)
        handles = [
            Line2D([], [], color=PALETTE[number], linestyle=DASHES[number % len(DASHES)], marker=MARKERS[number],
                   linewidth=2, label=arm["title"])
            for number, arm in enumerate(panel["arms"])
        ]  # fmt: skip
        axes.legend(handles=handles, loc="upper right", fontsize=9)
        axes.set_title(panel["title"], fontsize=10.5)
        axes.set_xlabel("epoch")
        axes.set_ylim(0.85 * min(errors), 1.05 * max(errors))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    drawn[0].set_ylabel("error, %")
    return figure


def differences(data: Mapping[str, Any]) -> Figure:
    """Mean difference in top-1 of each pair with its 95 % interval, a dot a seed; right of zero the first is better."""
    pairs: Sequence[Mapping[str, Any]] = data["pairs"]
    figure, (axes,) = _panels(1, 1.1 + 0.42 * len(pairs))
    axes.axvline(0, color=SOFT, linewidth=1)
    for place, pair in enumerate(pairs):
        points = [100 * value for value in pair["differences"]]
        axes.plot(
            points, [place + 0.17] * len(points), marker="o", markersize=3.5, color=SOFT, alpha=0.6, linestyle="none"
        )
        clear = pair["low"] is not None and (pair["low"] > 0 or pair["high"] < 0)
        color = PALETTE[0] if clear else "#999999"
        if pair["low"] is not None:
            axes.plot(
                [100 * pair["low"], 100 * pair["high"]], [place] * 2, color=color, linewidth=2.4, solid_capstyle="butt"
            )
        marker, fill = ("D", color) if clear else ("o", "white")
        axes.plot(
            100 * pair["mean"], place, marker=marker, markersize=7, color=fill, markeredgecolor=INK, markeredgewidth=0.8
        )
    axes.set_yticks(range(len(pairs)), [pair["title"] for pair in pairs])
    axes.set_ylim(len(pairs) - 0.5, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("difference in top-1, percentage points")
    return figure


def rows(data: Mapping[str, Any]) -> Figure:
    """Each row of a network: a bar for its share of the time, a diamond for that of the multiply-adds, its rate."""
    panels = data["panels"]
    figure, drawn = _panels(len(panels), 1.2 + 0.2 * max(len(panel["rows"]) for panel in panels))
    longest = max(max(row["time"], row["work"]) for panel in panels for row in panel["rows"])
    for axes, panel in zip(drawn, panels, strict=True):
        for place, row in enumerate(panel["rows"]):
            axes.barh(place, row["time"], height=0.7, color=PALETTE[5], edgecolor="white", linewidth=0)
            axes.plot(row["work"], place, marker="D", markersize=4.5, color=PALETTE[1], markeredgecolor=INK,
                      markeredgewidth=0.5, linestyle="none")  # fmt: skip
            rate = f"{in_digits(row['rate'], 2)}" if row["rate"] else ""
            axes.text(1.14 * longest, place, rate, va="center", ha="right", fontsize=8, color=SOFT)
        axes.set_xlim(0, 1.15 * longest)
        axes.set_ylim(len(panel["rows"]) - 0.4, -0.6)
        axes.set_yticks(range(len(panel["rows"])), [row["name"] for row in panel["rows"]], fontsize=8)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        axes.set_title(panel["title"], fontsize=10.5)
        axes.set_title("GMAC/s", loc="right", fontsize=8, color=SOFT)
        axes.set_xlabel("share, %")
    handles = [
        Patch(facecolor=PALETTE[5], label="time"),
        Line2D([], [], linestyle="none", marker="D", color=PALETTE[1], markeredgecolor=INK, label="multiply-adds"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _panels(count: int, height: float, *, columns: int = 0) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    columns = columns or count
    return figure, [figure.add_subplot(-(-count // columns), columns, place + 1) for place in range(count)]


DRAW = {
    "stacked": stacked,
    "scatter": scatter,
    "heatmaps": heatmaps,
    "curves": curves,
    "differences": differences,
    "rows": rows,
}
