"""How the roofline is drawn: what each network reaches under the machine's two ceilings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from benchmarks.report.labels import Anchor, place_labels
from benchmarks.report.style import INK, SOFT, canvas, family_style, log_ticks

__all__ = ["roofline"]


def roofline(data: Mapping[str, Any]) -> Figure:
    """Multiply-adds a second over multiply-adds a byte; hollow the other library, filled `auto`."""
    figure, axes = canvas(5.0)
    models, roof, slope = data["models"], data["gemm"], data["read"]
    left = min(*(model["x"] for model in models), roof / slope) / 2
    right = max(*(model["x"] for model in models), roof / slope) * 2.5
    rates = [model[key] for model in models for key in ("library", "auto")]
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(min(rates) / 2, max(roof, *rates) * 1.8))
    ceiling = [(left, min(roof, slope * left)), (roof / slope, roof), (right, roof)]
    axes.plot(*zip(*ceiling, strict=True), color=INK, linewidth=1.6)
    for text, place, away, side in (
        (f"matrix product {roof:.0f} GMAC/s", (roof / slope, roof), (6, 4), "left"),
        # on the side of the slope where no network can be
        (f"reading memory {slope:.0f} GB/s", (0.7 * roof / slope, 0.7 * roof), (-6, 2), "right"),
    ):
        axes.annotate(text, place, away, textcoords="offset points", size=9, ha=side)
    for model in models:
        color, marker, _ = family_style(model["family"])
        axes.plot([model["x"]] * 2, [model["library"], model["auto"]], color=color, linewidth=1.4)
        for rate, fill in ((model["library"], "white"), (model["auto"], color)):
            axes.plot(model["x"], rate, marker=marker, markersize=8, linestyle="none", markeredgecolor=color,
                      markerfacecolor=fill)  # fmt: skip
    axes.set_xlabel("multiply-adds a byte moved (weights once, inputs and outputs of convolutions and pools)")
    axes.set_ylabel("multiply-adds a second as counted, in billions\n(Winograd does fewer)")
    log_ticks(axes.xaxis, axes.yaxis)
    axes.text(0.99, 0.02, "hollow: torchvision or timm, eager; filled: auto", transform=axes.transAxes, ha="right",
              color=SOFT, size=9)  # fmt: skip
    figure.canvas.draw()
    anchors = [Anchor(model["x"], model["auto"], 4.5, model["model"], INK) for model in models]
    place_labels(axes, anchors, size=9, lines=[ceiling, *_stems(models)])
    return figure


def _stems(models: Sequence[Mapping[str, Any]]) -> list[list[tuple[float, float]]]:
    """The lines between hollow and filled markers, in enough steps for labels to stay off them."""
    return [
        [(model["x"], model["library"] * (model["auto"] / model["library"]) ** (step / 8)) for step in range(9)]
        for model in models
    ]
