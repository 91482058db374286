"""Networks as ONNX files, checked by running them."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["TOLERANCE", "check_onnx", "export_onnx", "relative_difference", "write_onnx"]

TOLERANCE = 1e-3  # largest difference of a logit, relative to the largest logit, that counts as the same network


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
    from zoo.runtimes import check_model, onnxruntime

    reason = onnxruntime.unavailable()
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


def write_onnx(model: Classifier, path: Path, images: torch.Tensor, *, dynamic_batch: bool) -> None:
    """The file alone, for images of this shape; nothing is run."""
    from zoo.runtimes.folding import inference_copy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            inference_copy(model),
            (images,),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}} if dynamic_batch else None,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    program.save(path, external_data=False)


def check_onnx(model: Classifier, path: str | os.PathLike[str], images: torch.Tensor) -> float:
    """Relative difference between the logits of an ONNX file in ONNX Runtime and those of `model` in PyTorch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    with torch.inference_mode():
        return relative_difference(torch.from_numpy(logits), model(images))


def relative_difference(logits: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference of a logit, divided by the largest expected logit; infinite where shapes or NaNs differ."""
    if logits.shape != expected.shape or not bool(torch.isfinite(logits).all()):
        return float("inf")
    return float((logits - expected).abs().max() / expected.abs().max().clamp_min(torch.finfo(expected.dtype).tiny))
