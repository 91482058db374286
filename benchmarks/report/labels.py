"""Labels beside points that cover neither one another nor the points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase

__all__ = ["Anchor", "place_labels"]

ANGLES = (0, 45, 315, 90, 270, 180, 135, 225, 20, 340, 70, 290, 160, 200)
DIRECTIONS = [(math.cos(math.radians(angle)), math.sin(math.radians(angle))) for angle in ANGLES]
DISTANCES = (3, 10, 18, 28, 40, 54, 70)  # points between a marker's rim and its label
SWEEPS = 4  # rounds of moving each label to its best place with the others where they are


@dataclass(frozen=True, slots=True)
class Anchor:
    """A point that wants a label: data coordinates, radius of its marker in points, text and colour."""

    x: float
    y: float
    radius: float
    text: str
    color: str


def place_labels(
    axes: Axes, anchors: Sequence[Anchor], *, size: float, lines: Sequence[Sequence[tuple[float, float]]] = ()
) -> None:
    """Writes each anchor's text where it covers least, with a thin line back to a point that is not next to it.

    Candidate places ring each point; each label in turn takes the cheapest one given the others, until none moves.
    Limits and scales of the axes must be final.

    Args:
        size: of the text, in points.
        lines: polylines in data coordinates that labels should stay off.
    """
    figure = axes.figure
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # Agg's canvas has one
    pixel = figure.dpi / 72
    centres = axes.transData.transform([(anchor.x, anchor.y) for anchor in anchors]) if anchors else np.empty((0, 2))
    radii = np.array([anchor.radius * pixel for anchor in anchors])
    markers = np.column_stack([centres - radii[:, None], centres + radii[:, None]])
    crossings = np.vstack([np.empty((0, 2)), *[_dots(axes.transData.transform(line)) for line in lines]])
    frame = np.array(axes.get_window_extent(renderer).extents)
    widths = [_extent(axes, renderer, anchor.text, size) for anchor in anchors]
    places = [_candidates(*row, pixel) for row in zip(centres, radii, widths, strict=True)]
    fixed = [
        _standing_cost(boxes, distances, markers, crossings, frame, own)
        for own, (boxes, distances) in enumerate(places)
    ]
    chosen = [int(np.argmin(cost)) for cost in fixed]
    for _ in range(SWEEPS):
        before = list(chosen)
        for own, (boxes, _) in enumerate(places):
            others = np.array([places[at][0][chosen[at]] for at in range(len(places)) if at != own]).reshape(-1, 4)
            chosen[own] = int(np.argmin(fixed[own] + 40 * _overlap(boxes, others).sum(axis=1)))
        if chosen == before:
            break
    for anchor, centre, radius, (boxes, distances), at in zip(anchors, centres, radii, places, chosen, strict=True):
        _write(axes, anchor, centre, radius, boxes[at], size, leader=distances[at] > DISTANCES[1] * pixel)


def _extent(axes: Axes, renderer: RendererBase, text: str, size: float) -> tuple[float, float]:
    """Width and height of a text in pixels."""
    probe = axes.text(0, 0, text, fontsize=size, parse_math=False)
    box = probe.get_window_extent(renderer)
    probe.remove()
    return box.width, box.height


def _candidates(centre: Any, radius: float, extent: tuple[float, float], pixel: float) -> tuple[Any, Any]:
    """Boxes (x0, y0, x1, y1) around a marker, nearest and most readable first, and their distances from its rim."""
    width, height = extent
    distances = pixel * np.repeat(DISTANCES, len(DIRECTIONS))
    towards = np.tile(DIRECTIONS, (len(DISTANCES), 1))
    right, up = towards.T
    beside, above = np.rint(towards).T  # the corner, or the middle of the side, that faces the ring touches it
    left = centre[0] + (radius + distances) * right - width * (1 - beside) / 2
    bottom = centre[1] + (radius + distances) * up - height * (1 - above) / 2
    return np.column_stack([left, bottom, left + width, bottom + height]), distances


def _standing_cost(boxes: Any, distances: Any, markers: Any, crossings: Any, frame: Any, own: int) -> Any:
    """What a place costs whatever the other labels do: distance, covered markers and lines, leaving the axes."""
    preference = np.tile(np.arange(len(DIRECTIONS)), len(DISTANCES))
    covered = _overlap(boxes, markers)
    covered[:, own] *= 0.2  # a label may lean on its own bubble
    inside = ((boxes[:, None, :2] < crossings) & (crossings < boxes[:, None, 2:])).all(axis=2).sum(axis=1)
    outside = np.maximum(frame[:2] - boxes[:, :2], 0).sum(axis=1) + np.maximum(boxes[:, 2:] - frame[2:], 0).sum(axis=1)
    return 12 * distances + 6 * preference + 6 * covered.sum(axis=1) + 60 * inside + 1000 * outside


def _overlap(boxes: Any, others: Any) -> Any:
    """Area in square pixels that each of `boxes` shares with each of `others`."""
    sides = np.minimum(boxes[:, None, 2:], others[:, 2:]) - np.maximum(boxes[:, None, :2], others[:, :2])
    return np.maximum(sides, 0).prod(axis=2)


def _dots(corners: Any) -> Any:
    """Points every few pixels along a polyline."""
    pieces = [
        np.linspace(start, end, max(2, int(np.hypot(*(end - start)) / 4))) for start, end in itertools.pairwise(corners)
    ]
    return np.vstack(pieces) if pieces else np.asarray(corners).reshape(-1, 2)


def _write(axes: Axes, anchor: Anchor, centre: Any, radius: float, box: Any, size: float, *, leader: bool) -> None:
    to_data = axes.transData.inverted().transform
    x, y = to_data((box[0], box[1]))
    halo = {"boxstyle": "square,pad=0.04", "facecolor": "white", "edgecolor": "none", "alpha": 0.7}
    axes.text(x, y, anchor.text, fontsize=size, color=anchor.color, va="bottom", zorder=6, parse_math=False, bbox=halo)
    if leader:
        nearest = np.clip(centre, box[:2], box[2:])
        step = nearest - centre
        rim = centre + step * min(radius / max(float(np.hypot(*step)), 1e-9), 1)
        ends = to_data(np.array([rim, nearest]))
        axes.plot(ends[:, 0], ends[:, 1], color="#777777", linewidth=0.7, zorder=2)
