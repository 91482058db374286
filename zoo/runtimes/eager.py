"""PyTorch as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.runtimes.session import Run

if TYPE_CHECKING:
    import torch

    from zoo.classifier import Classifier

__all__ = ["ANY_SHAPE", "LIBRARIES", "open", "unavailable"]

ANY_SHAPE = True
LIBRARIES: tuple[str, ...] = ()


def unavailable() -> str | None:
    return None


def open(model: Classifier, images: torch.Tensor) -> Run:
    return model
