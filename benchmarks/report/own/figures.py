"""How the pictures of somebody's own images are drawn, from plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from benchmarks.report import figures, style

__all__ = ["confusion", "curves"]

MOST_WRITTEN = 20  # classes up to which the cells hold their counts
LARGEST = 8.0  # inches of height


def confusion(data: Mapping[str, Any]) -> Figure:
    """A matrix of classes by answers: the darker, the larger the part of the class that is taken for it."""
    names, counts = data["classes"], data["counts"]
    count = len(names)
    figure, axes = style.canvas(min(2.2 + 0.34 * count, LARGEST))
    shares = [[cell / sum(row) if sum(row) else math.nan for cell in row] for row in counts]
    style.heat_map(axes, shares, rows=names, columns=names, title="")
    small = 9 if count <= 12 else 7 if count <= 30 else 4.5
    axes.set_xticks(range(count), names, rotation=90 if count > 6 else 0, fontsize=small, parse_math=False)
    axes.set_yticks(range(count), names, fontsize=small, parse_math=False)
    axes.set(xlabel="the network's answer", ylabel="what it is")
    for down, row in enumerate(counts if count <= MOST_WRITTEN else ()):
        for across, cell in enumerate(row):
            if cell:
                axes.text(across, down, f"{cell:g}", ha="center", va="center", fontsize=small)
    return figure


def curves(data: Mapping[str, Any]) -> Figure:
    """Learning curves as `benchmarks.report.figures` has them, over the images that `up` names."""
    figure = figures.curves(data)
    figure.supylabel(data["up"], fontsize=10)
    return figure
