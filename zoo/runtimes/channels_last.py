"""PyTorch with the channels of a pixel side by side in memory, the order its fast CPU kernels work in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import torch
from zoo.runtimes.halves import PRECISIONS, open_in_halves
from zoo.runtimes.session import Run

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.runtimes.agreement import Agreement
    from zoo.runtimes.quantizing.calibration import Calibration

__all__ = ["ANY_SHAPE", "LIBRARIES", "PRECISIONS", "open", "open_as", "unavailable"]

ANY_SHAPE = True
LIBRARIES: tuple[str, ...] = ()


def unavailable() -> str | None:
    return None


def open(model: Classifier, images: torch.Tensor) -> Run:
    from zoo.runtimes.folding import inference_copy

    network = inference_copy(model, fold=False).to(memory_format=torch.channels_last)
    return lambda images: network(images.contiguous(memory_format=torch.channels_last))


def open_as(
    model: Classifier, images: torch.Tensor, precision: str, calibration: Calibration | None
) -> tuple[Run, Agreement | None]:
    """See `zoo.runtimes.session.Runtime`."""
    return open_in_halves(open, model, images, precision), None
