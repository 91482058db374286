"""Numbers of 16 bits inside a runtime of PyTorch: the images come and the logits go as they do without."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.agreement import EXACT, ROUNDED

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.runtimes.session import Run

__all__ = ["PRECISIONS", "open_in_halves"]

PRECISIONS = {"fp32": EXACT, **ROUNDED}


def open_in_halves(
    open: Callable[[Classifier, torch.Tensor], Run], model: Classifier, images: torch.Tensor, precision: str
) -> Run:
    """What `open` makes of a copy of the network in bf16 or fp16.

    Raises:
        RuntimeUnavailable: the network holds other numbers than float32, or more than its layers' own code runs in it.
    """
    from zoo.runtimes.folding import interference

    if images.dtype != torch.float32:
        raise RuntimeUnavailable(f"makes {precision} of float32 networks; this one holds {images.dtype}")
    reason = interference(model)
    if reason is not None:
        raise RuntimeUnavailable(f"takes networks of which nothing but the layers' own code runs; {reason}")
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    run = open(copy.deepcopy(model).to(dtype), images.to(dtype))
    return lambda images: run(images.to(dtype)).to(images.dtype)
