"""Networks as ONNX files, checked by running them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch
from zoo.runtimes.agreement import TOLERANCE, relative_difference
from zoo.runtimes.onnxruntime import unavailable, write_onnx
from zoo.runtimes.session import check_model

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["check_onnx", "export_onnx"]


def export_onnx(
    model: Classifier, path: str | os.PathLike[str], *, dynamic_batch: bool = True, size: int | None = None
) -> float:
    """Writes `model` to an ONNX file and runs the file against PyTorch.

    Input `images` (batch, channels, size, size), output `logits` (batch, num_classes), float32. Batch norms are
    folded into the convolutions. Weights of more than 2 GB in all do not occur in the zoo: one file holds everything.

    Args:
        path: file to write.
        dynamic_batch: let any number of images a call pass; else exactly one.
        size: side of the images in pixels; None is the model's own.

    Returns:
        The largest difference of a logit from PyTorch's, relative to the largest logit.

    Raises:
        RuntimeUnavailable: `onnx`, `onnxscript` or `onnxruntime` is not installed.
        ArithmeticError: the written file computes something else than the model.
    """
    reason = unavailable()
    if reason is not None:
        raise RuntimeUnavailable(f"cannot export to ONNX: {reason}")
    side = model.spec.input.size if size is None else size
    images = torch.randn(2 if dynamic_batch else 1, model.in_channels, side, side, generator=torch.Generator())
    check_model(model, images)
    write_onnx(model, Path(path), images, dynamic_batch=dynamic_batch)
    difference = max(check_onnx(model, path, images[:count]) for count in ((1, 2) if dynamic_batch else (1,)))
    if not difference <= TOLERANCE:
        raise ArithmeticError(
            f"{path} does not compute what {model.spec.label} does: logits differ by {difference:.2g} of the largest; "
            f"at most {TOLERANCE:g} is allowed"
        )
    return difference


def check_onnx(model: Classifier, path: str | os.PathLike[str], images: torch.Tensor) -> float:
    """Relative difference between the logits of an ONNX file in ONNX Runtime and those of `model` in PyTorch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    with torch.inference_mode():
        return relative_difference(torch.from_numpy(logits), model(images))
