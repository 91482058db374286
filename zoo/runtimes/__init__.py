"""The ways to run a network. A new one is its file and its line in `RUNTIMES`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.runtimes import auto, channels_last, compiled, eager, folded, onnxruntime, openvino, packed
from zoo.runtimes.session import Runtime, Session

if TYPE_CHECKING:
    import torch

    from zoo.classifier import Classifier

__all__ = ["RUNTIMES", "Runtime", "Session", "check_model", "open_runtime"]

# cheapest to open first: of two that are equally fast, `auto` takes the earlier one
RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {
        "eager": eager,
        "channels_last": channels_last,
        "folded": folded,
        "packed": packed,
        "openvino": openvino,
        "onnxruntime": onnxruntime,
        "compiled": compiled,
    }
)


def open_runtime(model: Classifier, images: torch.Tensor, runtime: str = "auto") -> Session:
    """Opens a network for running only: `open_runtime(model, images)(images)` are logits (N, num_classes).

    Args:
        model: a network in eval mode; its weights are read now.
        images: an example of what will come; its shape counts, and for "auto" nothing else does.
        runtime: a name in `zoo.runtimes.RUNTIMES`. "auto" opens and times all that are installed, leaves out any whose
            logits are not the plain network's, and keeps the fastest; the choice is kept on disk for the next time.

    Raises:
        RuntimeUnavailable: the runtime is unknown, not installed, or cannot run this model.
        InputSizeError: the model cannot take these images.
        ValueError: the model is in training mode.
    """
    if runtime != "auto" and runtime not in RUNTIMES:
        near = difflib.get_close_matches(str(runtime).lower(), ["auto", *RUNTIMES], n=3, cutoff=0.6)
        meant = f"did you mean {', '.join(near)}? " if near else ""
        raise RuntimeUnavailable(f"no runtime is named {runtime!r}; {meant}there are auto, {', '.join(RUNTIMES)}")
    check_model(model, images)
    if runtime == "auto":
        return auto.open_fastest(model, images, RUNTIMES)
    return Session.open(model, images, runtime, RUNTIMES[runtime])


def check_model(model: Classifier, images: torch.Tensor) -> None:
    """Raises unless `model` is ready to be run on `images`; see `open_runtime`."""
    label = model.spec.label
    if any(layer.training for layer in model.modules()):
        raise ValueError(
            f"{label} is in training mode, where dropout and batch norm act on single batches; call .eval()"
        )
    weight = next(model.parameters())
    if weight.is_meta:
        raise RuntimeUnavailable(f"{label} is on the meta device and has no weights to run; create it on a real one")
    if (images.dtype, images.device) != (weight.dtype, weight.device):
        raise RuntimeUnavailable(
            f"{label} holds {weight.dtype} on {weight.device} and the images are {images.dtype} on {images.device}; "
            "convert one of them with .to()"
        )
    model.check(images)
