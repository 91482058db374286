"""PyTorch as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.runtimes.halves import PRECISIONS, open_in_halves
from zoo.runtimes.session import Run

if TYPE_CHECKING:
    import torch

    from zoo.classifier import Classifier
    from zoo.runtimes.agreement import Agreement
    from zoo.runtimes.quantizing.calibration import Calibration

__all__ = ["ANY_SHAPE", "LIBRARIES", "PRECISIONS", "open", "open_as", "unavailable"]

ANY_SHAPE = True
LIBRARIES: tuple[str, ...] = ()


def unavailable() -> str | None:
    return None


def open(model: Classifier, images: torch.Tensor) -> Run:
    return model


def open_as(
    model: Classifier, images: torch.Tensor, precision: str, calibration: Calibration | None
) -> tuple[Run, Agreement | None]:
    """See `zoo.runtimes.session.Runtime`."""
    return open_in_halves(open, model, images, precision), None
