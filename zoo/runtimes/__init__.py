"""The ways to run a network, one a file. A new one is its file and its line here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.names import Registry, modules
from zoo.runtimes import auto
from zoo.runtimes.session import Runtime, Session, check_model

if TYPE_CHECKING:
    import torch

    from zoo.classifier import Classifier

__all__ = ["RUNTIMES", "Runtime", "Session", "check_model", "open_runtime"]

# cheapest to open first: of two that are equally fast, `auto` takes the earlier one
RUNTIMES: Registry[Runtime] = Registry(
    "runtime",
    (
        (file.__name__.rpartition(".")[2], file)
        for file in modules(
            __name__,
            "eager",
            "channels_last",
            "folded",
            "packed",
            "openvino",
            "onnxruntime",
            "compiled",
        )
    ),
)
# a list of its own, so that what is computed on one runtime does not depend on how the fastest is found
CHOOSERS: Registry[Callable[[Classifier, torch.Tensor, Mapping[str, Runtime]], Session]] = Registry(
    "way to choose a runtime", (("auto", auto.open_fastest),)
)
_ONE_AT_A_TIME = threading.Lock()  # exporters and compilers change the state of their whole process


def open_runtime(model: Classifier, images: torch.Tensor, runtime: str = "auto") -> Session:
    """Opens a network for running only: `open_runtime(model, images)(images)` are logits (N, num_classes).

    Safe to call from any thread, and so is what it returns. Whatever is opened has been compared with this very network
    on random images. Where more runs in the network than its layers' own code (hooks, pruning, a replaced method), no
    runtime but `eager` takes it; layers of the caller's own classes run as they are.

    Args:
        model: a network in eval mode; its weights are read now.
        images: an example of what will come; nothing but its shape, type and device counts.
        runtime: a name in `zoo.runtimes.RUNTIMES`. "auto" opens and times all that are installed, leaves out any whose
            logits are not the plain network's, and keeps the fastest; the choice is kept on disk for the next time,
            when it is tried against the second best.

    Raises:
        RuntimeUnavailable: the runtime is unknown, not installed, or cannot run this model.
        InputSizeError: the model cannot take these images.
        ValueError: the model is in training mode.
        TypeError: `model` is no network of this zoo, or `images` is no tensor.
    """
    if not isinstance(runtime, str) or not (runtime in CHOOSERS or runtime in RUNTIMES):
        raise RuntimeUnavailable(f"{RUNTIMES.unknown(runtime)}; auto is the fastest of them")
    check_model(model, images)
    from zoo.runtimes.folding import uncompiled

    model = uncompiled(model)
    with _ONE_AT_A_TIME:
        if runtime in CHOOSERS:
            return CHOOSERS[runtime](model, images, RUNTIMES)
        return Session.open(model, images, runtime, RUNTIMES[runtime])
