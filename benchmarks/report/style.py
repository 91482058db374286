"""How every picture looks: one style, one palette, and the few shapes that several of them share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

__all__ = [
    "DASHES", "FAMILIES", "GREY", "INK", "MARKERS", "OTHER", "PALETTE", "SOFT", "STYLE", "TIMES", "WIDTH", "canvas",
    "family_style", "heat_map", "key", "log_ticks", "name_lines", "panels",
]  # fmt: skip

WIDTH = 8.4  # inches; about 800 pixels on a page
INK, SOFT, FAINT = "#1a1a1a", "#5f5f5f", "#dddddd"
TIMES = "\N{MULTIPLICATION SIGN}"

# Okabe and Ito's colours, which colour-blind readers can tell apart; lines, bars and points also differ in dash, hatch
# or marker for those who print in grey
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, YELLOW = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442",
)  # fmt: skip
GREY = "#999999"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("solid", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))

# colour, marker and name of each family
FAMILIES = {
    "alexnet": (ORANGE, "s", "AlexNet"),
    "nin": (GREY, "p", "NIN"),
    "vgg": (VERMILION, "^", "VGG"),
    "googlenet": (GREEN, "D", "GoogLeNet"),
    "inception_v3": (YELLOW, "v", "Inception v3"),
    "resnet": (BLUE, "o", "ResNet"),
    "xception": (SKY, "h", "Xception"),
    "mobilenet_v1": (PURPLE, "P", "MobileNetV1"),
}
OTHER = ("#777777", "X", "other")

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 10, "axes.labelsize": 10.5, "axes.titlesize": 10.5,
    "axes.edgecolor": SOFT, "axes.labelcolor": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.axisbelow": True, "axes.grid": True, "grid.color": FAINT, "grid.linewidth": 0.7, "xtick.color": SOFT,
    "ytick.color": SOFT, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "text.color": INK, "legend.frameon": False,
    "legend.fontsize": 9, "figure.facecolor": "white", "savefig.facecolor": "white",
    "svg.hashsalt": "report",  # the same data gives the same bytes
}  # fmt: skip


def canvas(height: float) -> tuple[Figure, Axes]:
    """A figure of one panel, as high as this many inches."""
    figure, (axes,) = panels(1, height)
    return figure, axes


def panels(
    count: int, height: float, *, columns: int = 0, layout: Literal["constrained"] | None = "constrained"
) -> tuple[Figure, list[Axes]]:
    """A figure of several panels, side by side or so many a row."""
    figure = Figure(figsize=(WIDTH, height), layout=layout)
    FigureCanvasAgg(figure)
    columns = columns or count
    return figure, [figure.add_subplot(-(-count // columns), columns, place + 1) for place in range(count)]


def family_style(family: str) -> tuple[str, str, str]:
    """Colour, marker and name of a family; those of "other" for one that has none."""
    return FAMILIES.get(family, OTHER)


def key(label: str, **looks: Any) -> Line2D:
    """An entry of a legend: a marker with a rim, but for what `looks` says otherwise, as of a `Line2D`."""
    usual: dict[str, Any] = {"linestyle": "none", "markeredgecolor": INK, "markeredgewidth": 0.6}
    return Line2D([], [], label=label, **(usual | looks))


def log_ticks(*axes: Axis) -> None:
    """Ticks of a logarithmic axis at 1, 2, 5, 10, ..., written as plain numbers."""
    for axis in axes:
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.9f}".rstrip("0").rstrip(".")))
        axis.set_minor_formatter(NullFormatter())


def name_lines(axes: Axes, names: Sequence[str], *, below: float = 0.4, **looks: Any) -> None:
    """The first name at the top, one a line."""
    axes.set_yticks(range(len(names)), names, parse_math=False, **looks)
    axes.set_ylim(len(names) - below, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)


def heat_map(
    axes: Axes, shades: Sequence[Sequence[float]], *, rows: Sequence[str] | None, columns: Sequence[str], title: str
) -> None:
    """Cells that are the darker the larger their shade; NaN stays white. Without names rows have no ticks."""
    known = [shade for line in shades for shade in line if not math.isnan(shade)]
    span = max(max(known) - min(known), 1e-9)
    axes.imshow(shades, cmap="Blues", vmin=min(known) - 0.1 * span, vmax=max(known) + 0.8 * span, aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows or ())), rows or ())
    axes.set_title(title)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
