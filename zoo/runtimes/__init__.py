"""The ways to run a network, one a file. A new one is its file and its line here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable, shown
from zoo.names import Registry, modules
from zoo.runtimes import auto
from zoo.runtimes.session import Runtime, Session, check_model, precisions

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
            "cuda_graphs",
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


def open_runtime(
    model: Classifier,
    images: torch.Tensor,
    runtime: str = "auto",
    *,
    precision: str = "fp32",
    calibration: object = None,
) -> Session:
    """Opens a network for running only: `open_runtime(model, images)(images)` are logits (N, num_classes).

    Safe to call from any thread, and so is what it returns. Whatever is opened has been compared with this very
    network, on random images or, in integers, on real ones; what was found is the session's `agreement`. Where
    more runs in the network than its layers' own code (hooks, pruning, a replaced method), no runtime but `eager` takes
    it; layers of the caller's own classes run as they are.

    Args:
        model: a network in eval mode; its weights are read now.
        images: an example of what will come; nothing but its shape, type and device counts.
        runtime: a name in `zoo.runtimes.RUNTIMES`. "auto" opens and times all that are installed, leaves out any whose
            logits are not the plain network's, and keeps the fastest; the choice is kept on disk for the next time,
            when it is tried against the second best.
        precision: "fp32" computes in the numbers that the network holds; "bf16", "fp16" and "int8" lose some digits,
            and nothing takes them unless they are asked for. The images and logits stay as they are.
        calibration: of int8: what `zoo.open_data` gives or takes, of which some training images are used and no others;
            or images as `zoo.preprocessing` makes them; "noise" for timing where there are none.

    Raises:
        RuntimeUnavailable: the runtime is unknown, not installed, cannot run this model, or loses more accuracy or
            speed at this precision than it may.
        InputSizeError: the model cannot take these images.
        ValueError: the model is in training mode.
        TypeError: `model` is no network of this zoo, or `images` is no tensor.
        DataError: int8 has nothing to calibrate on.
    """
    if not isinstance(runtime, str) or not (runtime in CHOOSERS or runtime in RUNTIMES):
        raise RuntimeUnavailable(f"{RUNTIMES.unknown(runtime)}; auto is the fastest of them")
    known = list(dict.fromkeys(each for one in RUNTIMES.values() for each in precisions(one)))
    if precision not in known:
        raise RuntimeUnavailable(f"no precision is named {shown(precision)}; allowed: {', '.join(known)}")
    if calibration is not None and precision != "int8":
        raise RuntimeUnavailable(f"calibration belongs to int8; got precision {shown(precision)}")
    check_model(model, images)
    from zoo.runtimes.folding import uncompiled

    model = uncompiled(model)
    if precision == "int8":
        from zoo.runtimes.quantizing.calibration import calibration_of

        found = calibration_of(model, calibration, images.shape[-1])
    else:
        found = None
    with _ONE_AT_A_TIME:
        if runtime not in CHOOSERS:
            return Session.open(model, images, runtime, RUNTIMES[runtime], precision=precision, calibration=found)
        if precision == "fp32":
            return CHOOSERS[runtime](model, images, RUNTIMES)
        return auto.open_fastest_at(precision, model, images, RUNTIMES, found)
