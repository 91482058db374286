"""PyTorch with the channels of a pixel side by side in memory, the order its fast CPU kernels work in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import torch
from zoo.runtimes.session import Run

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["ANY_SHAPE", "LIBRARIES", "open", "unavailable"]

ANY_SHAPE = True
LIBRARIES: tuple[str, ...] = ()


def unavailable() -> str | None:
    return None


def open(model: Classifier, images: torch.Tensor) -> Run:
    from zoo.runtimes.folding import inference_copy

    network = inference_copy(model, fold=False).to(memory_format=torch.channels_last)
    return lambda images: network(images.contiguous(memory_format=torch.channels_last))
