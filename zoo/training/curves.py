"""The learning curve of one training, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.partial import replacing

if TYPE_CHECKING:
    from zoo.training.course import Epoch

__all__ = ["draw"]

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"


def draw(curve: Sequence[Epoch], best: Mapping[str, Any], path: Path, title: str) -> None:
    """Loss and accuracy by epoch, the epoch that was kept marked; a .png of 160 by 60 mm."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    losses, accuracies = figure.subplots(1, 2)
    epochs = range(1, len(curve) + 1)
    losses.plot(epochs, [each.loss for each in curve], "o-", ms=3, color=ORANGE, label="training")
    losses.plot(epochs, [each.val_loss for each in curve], "o-", ms=3, color=BLUE, label="held out")
    losses.set_ylabel("loss")
    losses.set_ylim(0, 1.08 * max(max(each.loss, each.val_loss) for each in curve))
    if all(each.train_accuracy is not None for each in curve):
        shares = [100 * (each.train_accuracy or 0.0) for each in curve]
        accuracies.plot(epochs, shares, "o-", ms=3, color=ORANGE, label="training")
    accuracies.plot(epochs, [100 * each.val_accuracy for each in curve], "o-", ms=3, color=BLUE, label="held out")
    if all(each.ema_accuracy is not None for each in curve):
        means = [100 * (each.ema_accuracy or 0.0) for each in curve]
        accuracies.plot(epochs, means, "--", color=BLUE, label="held out, mean of weights")
    kept = 100 * best["correct"] / best["images"]
    accuracies.plot([best["epoch"]], [kept], "o", ms=9, mfc="none", color=GREY, label=f"kept: {kept:.1f} %")
    accuracies.set_ylabel("top-1, %")
    for axes in (losses, accuracies):
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, len(curve) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=8, loc="best")
    figure.suptitle(title, fontsize=10)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=130, metadata={"Software": None})
