"""The checks of the lesson's exercises: each tries an answer against networks that are built and counted."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from unittest.mock import patch

import zoo
from benchmarks.metrics.mult_adds import by_flop_counter
from zoo.factory import build
from zoo.lazy import nn, torch
from zoo.models import mobilenet_v1
from zoo.table import rows

__all__ = ["check_1", "check_2", "check_3", "counts_with"]

OPEN = "No answer yet."
TRIALS = 8
LEAST_PARAMS, MOST_MULT_ADDS = 0.20, 0.05  # of MobileNet's, that a change is to save
TOLERANCE = 0.05  # of an estimate


def check_1(share: Callable[[int, int], float | None]) -> str:
    """Whether `share(out_channels, kernel)` is the share of multiply-adds that a separable convolution keeps."""
    draw = random.Random()
    for _ in range(TRIALS):
        inside, outside, kernel, side = draw.randint(1, 40), draw.randint(1, 40), draw.choice((1, 3, 5, 7)), 9
        images = torch.empty(1, inside, side, side, device="meta")
        with torch.device("meta"):
            whole = nn.Conv2d(inside, outside, kernel, padding=kernel // 2)
            halves = nn.Sequential(
                nn.Conv2d(inside, inside, kernel, padding=kernel // 2, groups=inside), nn.Conv2d(inside, outside, 1)
            )
        counted = by_flop_counter(halves, images) / by_flop_counter(whole, images)
        answer = share(outside, kernel)
        if answer is None:
            return OPEN
        if not math.isclose(answer, counted, rel_tol=1e-6):
            return (
                f"Not yet: {kernel}x{kernel} filters to {outside} channels keep {counted:.4f}; your formula says "
                f"{answer:.4f}."
            )
    return f"Right: {TRIALS} random pairs of layers, each as counted."


def check_2(answer: tuple[int, int] | None) -> str:
    """Whether a row of MobileNet's table with so many channels saves enough parameters and few multiply-adds."""
    if answer is None:
        return OPEN
    row, channels = answer
    last = len(mobilenet_v1.TABLE_1) + 1
    if not (2 <= row <= last and channels >= 1):
        return f"Not yet: rows go from 2 to {last}, and channels from 1 on."
    before = [sum(counts) for counts in zip(*((r.params, r.mult_adds) for r in rows("mobilenet_v1")), strict=True)]
    saved = [1 - after / whole for after, whole in zip(counts_with(row, channels), before, strict=True)]
    said = f"row {row} with {channels} channels saves {saved[0]:.1%} of the parameters and {saved[1]:.1%} of the work"
    if saved[0] < LEAST_PARAMS:
        return f"Not yet: {said}; {LEAST_PARAMS:.0%} of the parameters are wanted."
    if saved[1] > MOST_MULT_ADDS:
        return f"Not yet: {said}; that is more than {MOST_MULT_ADDS:.0%}."
    return f"Right: {said}."


def counts_with(row: int, channels: int) -> tuple[int, int]:
    """Parameters and multiply-adds of MobileNet with another number of channels in one row (2 to 14) of its table."""
    table = list(mobilenet_v1.TABLE_1)
    table[row - 2] = (channels, table[row - 2][1])
    spec = zoo.spec("mobilenet_v1")
    with patch.object(mobilenet_v1, "TABLE_1", tuple(table)):
        model = build(spec, num_classes=1000, in_channels=spec.input.channels).eval()
    images = torch.empty(1, spec.input.channels, spec.input.size, spec.input.size, device="meta")
    return sum(weight.numel() for weight in model.parameters()), by_flop_counter(model, images)


def check_3(estimate: Callable[[float, int], float | None]) -> str:
    """Whether `estimate(width, resolution)` comes near MobileNet's multiply-adds at random widths and resolutions."""
    draw = random.Random()
    furthest = 0.0
    for trial in range(TRIALS):
        widest = 40 if trial % 2 else 14  # near width 1 a wrong estimate may be close by chance
        width, resolution = draw.randint(8, widest) / 32, 32 * draw.randint(3, 8)
        answer = estimate(width, resolution)
        if answer is None:
            return OPEN
        counted = sum(row.mult_adds for row in rows(f"mobilenet_v1:width={width},resolution={resolution}"))
        off = abs(answer / counted - 1)
        if not off <= TOLERANCE:
            return (
                f"Not yet: at width {width} and resolution {resolution} it is {counted:,}; your estimate is {off:.1%} "
                "off."
            )
        furthest = max(furthest, off)
    return f"Right: {TRIALS} networks at random, the furthest {furthest:.1%} off."
