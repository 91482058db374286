"""Names beside the points of a picture."""

from __future__ import annotations

import random

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.report.labels import Anchor, place_labels


@pytest.mark.parametrize("seed", range(8))
def test_a_name_covers_no_mark_its_own_included(seed: int) -> None:
    """Whatever it is called and wherever its mark lies; marks are squares, as the largest of the shapes are."""
    draw = random.Random(seed)
    figure = Figure(figsize=(8, 5), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlim=(0, 10), ylim=(0, 10))
    anchors = [
        Anchor(
            draw.uniform(1, 9), draw.uniform(1, 9), 5.0, draw.choice(("nin", "alexnet", "mobilenet_v1:width=0.5")), "k"
        )
        for _ in range(4)
    ]
    towards_right = [((anchor.x, anchor.y), (anchor.x + 1, anchor.y)) for anchor in anchors]  # the way of an interval
    place_labels(axes, anchors, size=9, lines=towards_right)
    half = 5.0 * figure.dpi / 72
    marks = [axes.transData.transform((anchor.x, anchor.y)) for anchor in anchors]
    for text in axes.texts:
        box = text.get_window_extent()
        for x, y in marks:
            beside = box.x0 >= x + half or box.x1 <= x - half
            assert beside or box.y0 >= y + half or box.y1 <= y - half
