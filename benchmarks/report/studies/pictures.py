"""How the pictures of study pages are drawn: each a function of plain data that returns a matplotlib figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from benchmarks.report import style
from benchmarks.report.style import INK, MARKERS, PALETTE, SOFT, canvas, heat_map, key, log_ticks, name_lines, panels
from benchmarks.report.words import number

__all__ = ["DRAW", "curves", "differences", "heatmaps", "rows", "scatter", "schemes", "stacked"]

MOST_HEATMAPS = 4  # beside one another
BLUE, VERMILION, GREEN, _, ORANGE, SKY, GREY = PALETTE
# kinds of layers as the stacked bars show them: name, colour, hatch
KINDS = {
    "conv": ("convolutions", BLUE, ""),
    "conv 1x1": ("1x1 convolutions", SKY, "//"),
    "depthwise": ("depthwise", GREEN, "xx"),
    "linear": ("linear layers", ORANGE, ".."),
    "norm": ("norms and biases", GREY, ""),
}


def stacked(data: Mapping[str, Any]) -> Figure:
    """Two panels, parameters and multiply-adds: a bar an arm, split by kind of layer, the totals at the ends."""
    arms: Sequence[Mapping[str, Any]] = data["arms"]
    figure, drawn = panels(2, 1.25 + 0.36 * len(arms))
    for axes, quantity, title in zip(drawn, ("params", "mult_adds"), ("parameters", "multiply-adds"), strict=True):
        for place, arm in enumerate(arms):
            total, left = sum(arm[quantity].values()), 0.0
            for kind, (_, color, hatch) in KINDS.items():
                share = 100 * arm[quantity].get(kind, 0) / total
                looks: dict[str, Any] = {"color": color, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
                axes.barh(place, share, left=left, height=0.66, **looks)
                left += share
            axes.barh(place, 100, height=0.66, fill=False, edgecolor=INK, linewidth=0.5)
            scale, prefix = (1e9, "G") if total >= 1e9 else (1e6, "M")
            axes.text(102, place, f"{number(total / scale)} {prefix}", va="center", fontsize=9)
        name_lines(axes, [arm["title"] for arm in arms] if axes is drawn[0] else [""] * len(arms))
        axes.set(xlim=(0, 118), xticks=range(0, 101, 25), xlabel=f"share of {title}, %")
    handles = [
        Patch(facecolor=color, hatch=hatch, edgecolor="white", label=label)
        for kind, (label, color, hatch) in KINDS.items()
        if any(arm[quantity].get(kind) for arm in arms for quantity in ("params", "mult_adds"))
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), columnspacing=1.4)
    return figure


def scatter(data: Mapping[str, Any]) -> Figure:
    """Accuracy against the logarithm of multiply-adds: as published on ImageNet, and as measured, side by side."""
    shown = [panel for panel in data["panels"] if panel["points"]]
    figure, drawn = panels(len(shown), 4.2)
    points = [point for panel in shown for point in panel["points"]]
    groups, marks = (list(dict.fromkeys(point[name] for point in points)) for name in ("group", "mark"))
    markers = {mark: MARKERS[place % len(MARKERS)] for place, mark in enumerate(marks)}
    looks = {group: _looks(place) for place, group in enumerate(groups)}
    for axes, panel in zip(drawn, shown, strict=True):
        for group, line in looks.items():
            own = sorted((point for point in panel["points"] if point["group"] == group), key=lambda point: point["x"])
            axes.plot([p["x"] for p in own], [p["y"] for p in own], linewidth=1.2, zorder=2, **line)
            for p in own:
                color = line["color"]
                if p["low"] is not None:
                    axes.plot([p["x"]] * 2, [p["low"], p["high"]], color=color, linewidth=1.4, alpha=0.7, zorder=3)
                axes.plot(p["x"], p["y"], marker=markers[p["mark"]], markersize=7, color=color, markeredgecolor=INK,
                          markeredgewidth=0.6, linestyle="none", zorder=4)  # fmt: skip
        axes.set(xscale="log", xlabel="multiply-adds, M", ylabel="top-1, %", title=panel["title"])
        log_ticks(axes.xaxis)
    handles = [key(group, linewidth=2, **line) for group, line in looks.items() if len(groups) > 1]
    handles += [key(mark, marker=marker, markersize=7, color="white") for mark, marker in markers.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1.6)
    return figure


def heatmaps(data: Mapping[str, Any]) -> Figure:
    """A panel a quantity, each a grid of arms; darker is more, and where there is no arm nothing."""
    grids = data["panels"]
    columns = len(grids) if len(grids) <= MOST_HEATMAPS else -(-len(grids) // 2)
    figure, drawn = panels(len(grids), 3.0 * -(-len(grids) // columns), columns=columns)
    for place, (axes, grid) in enumerate(zip(drawn, grids, strict=True)):
        shades = [
            [math.nan if value is None else math.log(value) if grid["log"] else value for value in line]
            for line in grid["values"]
        ]
        first = place % columns == 0
        heat_map(axes, shades, rows=data["rows"] if first else None, columns=data["columns"], title=grid["title"])
        for row, line in enumerate(grid["texts"]):
            for column, text in enumerate(line):
                axes.text(column, row, text, ha="center", va="center", fontsize=9.5, color=INK)
        axes.set(xlabel=data["x"], ylabel=data["y"] if first else "")
    return figure


def curves(data: Mapping[str, Any]) -> Figure:
    """Training (thin) and test error (bold) after each epoch: a panel a group, a colour and a dash an arm."""
    figure, drawn = panels(len(data["panels"]), 3.7)
    errors: list[float] = []
    for axes, panel in zip(drawn, data["panels"], strict=True):
        handles = []
        for number_of_arm, arm in enumerate(panel["arms"]):
            looks = _looks(number_of_arm) | {"marker": MARKERS[number_of_arm % len(MARKERS)]}
            for curve in arm["curves"]:
                epochs, *both = zip(*curve, strict=True)
                trained, tested = ([100 * error for error in column] for column in both)
                axes.plot(epochs, trained, linewidth=0.8, alpha=0.6, markersize=2.5, **looks)
                axes.plot(epochs, tested, linewidth=2, markersize=4, **looks)
                errors += trained + tested
            handles.append(key(arm["title"], linewidth=2, markeredgecolor=looks["color"], **looks))
        axes.legend(handles=handles, loc="upper right", fontsize=9)
        axes.set(title=panel["title"], xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for axes in drawn:
        axes.set_ylim(0.85 * min(errors), 1.05 * max(errors))
    drawn[0].set_ylabel("error, %")
    return figure


def differences(data: Mapping[str, Any]) -> Figure:
    """Mean difference in top-1 of each pair with its 95 % interval, a dot a seed; right of zero the first is better."""
    pairs: Sequence[Mapping[str, Any]] = data["pairs"]
    figure, axes = canvas(1.1 + 0.42 * len(pairs))
    axes.axvline(0, color=SOFT, linewidth=1)
    for place, pair in enumerate(pairs):
        for value in pair["differences"]:
            axes.plot(100 * value, place + 0.17, marker="o", markersize=3.5, color=SOFT, alpha=0.6, linestyle="none")
        clear = pair["low"] is not None and (pair["low"] > 0 or pair["high"] < 0)
        color = BLUE if clear else GREY
        if pair["low"] is not None:
            ends = [100 * pair["low"], 100 * pair["high"]]
            axes.plot(ends, [place] * 2, color=color, linewidth=2.4, solid_capstyle="butt")
        looks: dict[str, Any] = {"marker": "D", "color": color} if clear else {"marker": "o", "color": "white"}
        axes.plot(100 * pair["mean"], place, markersize=7, markeredgecolor=INK, markeredgewidth=0.8, **looks)
    name_lines(axes, [pair["title"] for pair in pairs], below=0.5)
    axes.set_xlabel("difference in top-1, percentage points")
    return figure


def rows(data: Mapping[str, Any]) -> Figure:
    """Each row of a network: a bar for its share of the time, a diamond for that of the multiply-adds, its rate."""
    figure, drawn = panels(len(data["panels"]), 1.2 + 0.2 * max(len(panel["rows"]) for panel in data["panels"]))
    longest = max(max(row["time"], row["work"]) for panel in data["panels"] for row in panel["rows"])
    for axes, panel in zip(drawn, data["panels"], strict=True):
        for place, row in enumerate(panel["rows"]):
            axes.barh(place, row["time"], height=0.7, color=SKY, edgecolor="white", linewidth=0)
            axes.plot(row["work"], place, marker="D", markersize=4.5, color=VERMILION, markeredgecolor=INK,
                      markeredgewidth=0.5, linestyle="none")  # fmt: skip
            rate = number(row["rate"], 2) if row["rate"] else ""
            axes.text(1.14 * longest, place, rate, va="center", ha="right", fontsize=8, color=SOFT)
        name_lines(axes, [row["name"] for row in panel["rows"]], fontsize=8)
        axes.set(xlim=(0, 1.15 * longest), title=panel["title"], xlabel="share, %")
        axes.set_title("GMAC/s", loc="right", fontsize=8, color=SOFT)
    handles = [Patch(facecolor=SKY, label="time"), key("multiply-adds", marker="D", color=VERMILION)]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def schemes(data: Mapping[str, Any]) -> Figure:
    """A line a way of making integers, a marker a network: points more than fp32, with their 95 % intervals."""
    names, arms = data["schemes"], data["arms"]
    figure, axes = canvas(1.6 + (0.16 + 0.14 * len(arms)) * len(names))
    axes.axvline(0, color=SOFT, linewidth=1)
    for number_of_arm, arm in enumerate(arms):
        color, marker = PALETTE[number_of_arm % len(PALETTE)], MARKERS[number_of_arm % len(MARKERS)]
        beside = 0.7 * ((number_of_arm + 0.5) / len(arms) - 0.5)
        for name, point in arm["points"].items():
            place = names.index(name) + beside
            axes.plot([point["low"], point["high"]], [place] * 2, color=color, linewidth=1.6, solid_capstyle="butt")
            axes.plot(point["mean"], place, marker=marker, color=color, markersize=6, markeredgecolor=INK,
                      markeredgewidth=0.6)  # fmt: skip
    name_lines(axes, names)
    axes.set_xscale("symlog", linthresh=1.0)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("points of top-1 more than fp32")
    handles = [
        key(arm["title"], marker=MARKERS[place % len(MARKERS)], color=PALETTE[place % len(PALETTE)])
        for place, arm in enumerate(arms)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _looks(place: int) -> dict[str, Any]:
    """Colour and dash of the first, second, ... line."""
    return {"color": PALETTE[place % len(PALETTE)], "linestyle": style.DASHES[place % len(style.DASHES)]}


DRAW = {draw.__name__: draw for draw in (stacked, scatter, heatmaps, curves, differences, rows, schemes)}
