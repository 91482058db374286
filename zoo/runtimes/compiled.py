"""torch.compile with frozen weights: fused kernels, weights packed once for the shape at hand."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.halves import PRECISIONS, open_in_halves
from zoo.runtimes.session import Run

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.runtimes.agreement import Agreement
    from zoo.runtimes.quantizing.calibration import Calibration

__all__ = ["ANY_SHAPE", "LIBRARIES", "PRECISIONS", "open", "open_as", "unavailable"]

ANY_SHAPE = False
LIBRARIES: tuple[str, ...] = ()


def unavailable() -> str | None:
    compilers = ("g++", "clang++", "cl")
    if not any(map(shutil.which, compilers)):
        return f"torch.compile needs a C++ compiler on the PATH ({', '.join(compilers)})"
    return None


def open(model: Classifier, images: torch.Tensor) -> Run:
    from zoo.runtimes.folding import inference_copy

    network = inference_copy(model).to(memory_format=torch.channels_last)

    def forward(images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = network(images)
        return logits

    # Dynamo counts how often it compiled a code object, and refuses from the ninth on: each opening has one of its own
    forward.__code__ = forward.__code__.replace()
    compiled = torch.compile(forward, fullgraph=True, dynamic=False, options={"freezing": True})

    def run(images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = compiled(images.contiguous(memory_format=torch.channels_last))
        return logits

    try:
        with torch.inference_mode():
            run(images)  # compiles
    except Exception as error:  # whatever the compiler stumbled over, another runtime can run the model
        raise RuntimeUnavailable(f"torch.compile failed: {type(error).__name__}: {error}") from error
    return run


def open_as(
    model: Classifier, images: torch.Tensor, precision: str, calibration: Calibration | None
) -> tuple[Run, Agreement | None]:
    """See `zoo.runtimes.session.Runtime`."""
    return open_in_halves(open, model, images, precision), None
