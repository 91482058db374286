"""Networks as ONNX files, checked by running them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import InputSizeError, RuntimeUnavailable, shown
from zoo.lazy import classifier, torch
from zoo.partial import replacing
from zoo.runtimes.agreement import TOLERANCE, random_images, relative_difference
from zoo.runtimes.onnxruntime import unavailable, write_onnx
from zoo.runtimes.session import check_model

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["check_onnx", "example_images", "export_onnx"]


def export_onnx(
    model: Classifier, path: str | os.PathLike[str], *, dynamic_batch: bool = True, size: int | None = None
) -> float:
    """Writes `model` to an ONNX file and runs the file against PyTorch.

    Input `images` (batch, channels, size, size), output `logits` (batch, num_classes), float32. Batch norms are
    folded into the convolutions. Weights of more than 2 GB in all do not occur in the zoo: one file holds everything,
    and nothing of the machine that wrote it. It takes its name once it has passed: until then, and after an error, what
    was there stays.

    Args:
        path: file to write.
        dynamic_batch: let any number of images a call pass; else exactly one.
        size: side of the images in pixels; None is the model's own.

    Returns:
        The largest difference of a logit from PyTorch's, relative to the largest logit.

    Raises:
        RuntimeUnavailable: `onnx`, `onnxscript` or `onnxruntime` is not installed, or the network cannot be exported.
        ArithmeticError: the written file computes something else than the model.
        InputSizeError: `size` is no whole number or too small for the model.
        TypeError: `model` is no network of this zoo.
        ValueError: the model is in training mode.
        OSError: the file cannot be written.
    """
    reason = unavailable()
    if reason is not None:
        raise RuntimeUnavailable(f"cannot export to ONNX: {reason}")
    from zoo.runtimes.folding import uncompiled

    images = example_images(model, 2 if dynamic_batch else 1, size)
    model = uncompiled(model)
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise FileNotFoundError(f"an ONNX file is wanted in a folder that exists; got {shown(str(path))}")
    with replacing(path) as part:
        write_onnx(model, part, images, dynamic_batch=dynamic_batch)
        others = random_images(images, seed=1)  # what is constant in the file but not in the model does not pass
        difference = max(check_onnx(model, part, others[:count]) for count in ((1, 2) if dynamic_batch else (1,)))
        if not difference <= TOLERANCE:
            raise ArithmeticError(
                f"the ONNX file does not compute what {model.spec.label} does: logits differ by {difference:.2g} of "
                f"the largest, allowed is {TOLERANCE:g}; it was not kept"
            )
    return difference


def check_onnx(model: Classifier, path: str | os.PathLike[str], images: torch.Tensor) -> float:
    """Relative difference between the logits of an ONNX file in ONNX Runtime and those of `model` in PyTorch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    with torch.inference_mode():
        return relative_difference(torch.from_numpy(logits), model(images))


def example_images(model: Classifier, count: int, size: int | None) -> torch.Tensor:
    """Random images like those that a file of the network will see, if it is one that files are written of.

    Args:
        size: side in pixels; None is the model's own.

    Raises:
        TypeError, RuntimeUnavailable, InputSizeError, ValueError: as `export_onnx` does.
    """
    if not isinstance(getattr(model, "_orig_mod", model), classifier.Classifier):
        raise TypeError(f"model must be a network of this zoo, as zoo.create makes; got {shown(model)}")
    side = model.spec.input.size if size is None else size
    for word, value in (("size is the side of the images in pixels", side), ("batch_size is images a call", count)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputSizeError(f"{word}, a whole number; got {shown(value)}")
    weight = next(model.parameters())
    if weight.dtype != torch.float32 or weight.device.type != "cpu":
        raise RuntimeUnavailable(
            f"files are written of float32 networks on the CPU; {model.spec.label} holds {weight.dtype} on "
            f"{weight.device}: model.float().cpu() makes it one"
        )
    images = random_images(torch.empty(count, model.in_channels, side, side, dtype=torch.float32, device="cpu"), seed=0)
    check_model(model, images)
    return images
