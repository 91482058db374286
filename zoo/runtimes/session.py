"""What a runtime is, and what opening a model on one gives."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from zoo.errors import InputSizeError, RuntimeUnavailable, shown
from zoo.lazy import classifier, torch
from zoo.runtimes.agreement import EXACT, Agreement, Bound, Proof

if TYPE_CHECKING:
    from zoo.classifier import Classifier
    from zoo.runtimes.quantizing.calibration import Calibration

__all__ = ["Run", "Runtime", "Session", "check_model", "missing", "precisions", "unavailable"]

Run = Callable[["torch.Tensor"], "torch.Tensor"]


class Runtime(Protocol):
    """One way to run a network; a module of this package with these names is one.

    One that has other precisions than fp32 declares them as `PRECISIONS`, a `Bound` of how closely to agree by name,
    and has `open_as(model, images, precision, calibration)`, which returns what `open` does and, where it compared the
    two itself, the `Agreement` it found.
    """

    ANY_SHAPE: bool
    """Whether what `open` returns takes images of other shapes than those it was opened with."""

    LIBRARIES: tuple[str, ...]
    """The packages beside PyTorch whose versions change its answers or its speed, as pip calls them."""

    def unavailable(self) -> str | None:
        """Why the runtime cannot be used here, or None."""
        ...

    def open(self, model: Classifier, images: torch.Tensor) -> Run:
        """A callable from images to logits that returns once they are computed, from any number of threads.

        Args:
            model: a network in eval mode, which stays as it is.
            images: of the shape, type and device of those that will come; the pixels are random.

        Raises:
            RuntimeUnavailable: the runtime cannot run this model or these images. Any other error counts as that too.
        """
        ...


class Session:
    """A model opened on a runtime: call it with images (N, channels, height, width) for logits (N, num_classes).

    It may be called from any number of threads at once. Its logits are those of the plain network, which was tried on
    random images when it was opened; of an image with a pixel that is not a finite number, all are NaN (on `eager`
    whatever PyTorch makes of it). The weights are those of the time of opening: after a change to the model open it
    again, for until then a session may answer with old weights, new ones or some of each.

    Args:
        runtime: name of the runtime.
        precision: of what it computes; "fp32" is the network's own numbers.
        agreement: how far it was found to agree with the plain network; None on the plain network itself.
        run: what the runtime's `open` returned.
        images: like those it was opened with.
        network: what was opened, whose spec, number and names of classes and channels the session has too.
        any_shape: whether images of other shapes may come.
        marks_nan: whether to see to it that a NaN in an image comes out as NaN, which fast kernels of max(x, 0) lose.
        own_threads: whether the runtime computes on other threads than PyTorch's.
    """

    def __init__(
        self,
        runtime: str,
        run: Run,
        images: torch.Tensor,
        *,
        network: Classifier,
        any_shape: bool,
        marks_nan: bool = True,
        own_threads: bool = False,
        precision: str = "fp32",
        agreement: Agreement | None = None,
    ) -> None:
        self.spec, self.num_classes = network.spec, network.num_classes
        self.class_names, self.in_channels = network.class_names, network.in_channels
        self.runtime = runtime
        self.precision = precision
        self.agreement = agreement
        self.shape = tuple(images.shape)
        self.dtype = images.dtype
        self.device = images.device
        self._run = run
        self._any_shape = any_shape
        self._marks_nan, self._own_threads = marks_nan, own_threads

    @classmethod
    def open(
        cls,
        model: Classifier,
        images: torch.Tensor,
        name: str,
        runtime: Runtime,
        proof: Proof | None = None,
        *,
        precision: str = "fp32",
        calibration: Calibration | None = None,
    ) -> Session:
        """Opens `model` on `runtime` and holds it against the plain network.

        Args:
            proof: the plain network's part of that, where it is there already.
            precision: one that the runtime declares.
            calibration: the images that int8 is made and judged with.

        Raises:
            RuntimeUnavailable: the runtime is not installed, has no such precision, fails, or computes something else.
        """
        reason = unavailable(runtime)
        if reason is not None:
            raise RuntimeUnavailable(f"runtime {name!r} cannot be used here: {reason}")
        bounds = precisions(runtime)
        if precision not in bounds:
            raise RuntimeUnavailable(f"runtime {name!r} has no {precision}; it has: {', '.join(bounds)}")
        proof = proof or Proof(model, images)
        try:
            found: Agreement | None = None
            if precision == "fp32":
                run = runtime.open(model, proof.example)
            else:
                run, found = runtime.open_as(model, proof.example, precision, calibration)  # type: ignore[attr-defined]
            network = getattr(model, "_orig_mod", model)  # as torch.compile wraps it
            session = cls(
                name, run, images, network=network, any_shape=runtime.ANY_SHAPE, marks_nan=run is not model,
                own_threads=bool(runtime.LIBRARIES), precision=precision, agreement=found,
            )  # fmt: skip
            if run is not model and found is None:
                session.agreement = proof.agreement(session, precision, bounds[precision])
        except Exception as error:  # whatever another library stumbles over costs this runtime, nothing else
            why = str(error) if isinstance(error, RuntimeUnavailable) else f"{type(error).__name__}: {error}"
            raise RuntimeUnavailable(f"{model.spec.label} cannot run on {name}: {_without_folders(why)}") from error
        return session

    @property
    def batch_size(self) -> int | None:
        """Images it takes at once; None for any number."""
        return None if self._any_shape else self.shape[0]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        if not isinstance(images, torch.Tensor) or (images.dtype, images.device) != (self.dtype, self.device):
            came = f"{images.dtype} on {images.device}" if isinstance(images, torch.Tensor) else shown(images)
            raise TypeError(
                f"{self} takes {self.dtype} on {self.device}; got {came}; convert tensors of images with .to()"
            )
        if not self._any_shape and tuple(images.shape) != self.shape:
            raise InputSizeError(
                f"{self} takes no other; got {tuple(images.shape)}; open the model again with such images"
            )
        images = images.detach()
        with torch.inference_mode():
            finite = not self._marks_nan or _all_finite(images, self._own_threads)
            logits = self._run(images)
        answer = logits.clone()  # a tensor like any other: outside inference mode, and not the runtime's own buffer
        if not finite:
            answer[~torch.isfinite(images).flatten(1).all(1)] = math.nan
        return answer

    def __repr__(self) -> str:
        return f"{self.spec.label} on {self.runtime}, opened for {self.shape},"


def missing(*packages: str) -> list[str]:
    """Those of the packages that are not installed, without importing them."""

    def there(package: str) -> bool:
        try:
            return find_spec(package) is not None
        except (ImportError, ValueError):  # what stands under this name in `sys.modules` is no module
            return False

    return [package for package in packages if not there(package)]


def precisions(runtime: Runtime) -> Mapping[str, Bound]:
    """The precisions a runtime declares, and how closely each must agree; without a declaration fp32 alone."""
    declared: Mapping[str, Bound] = getattr(runtime, "PRECISIONS", {"fp32": EXACT})
    return declared


def unavailable(runtime: Runtime) -> str | None:
    """Why a runtime cannot be used here, or None; an error in finding out is a reason."""
    try:
        return runtime.unavailable()
    except Exception as error:
        return _without_folders(f"{type(error).__name__}: {error}")


def check_model(model: Classifier, images: torch.Tensor) -> None:
    """Raises unless `model` is ready to be run on `images`; see `zoo.open_runtime`."""
    if not isinstance(getattr(model, "_orig_mod", model), classifier.Classifier):  # as torch.compile wraps it
        raise TypeError(f"model must be a network of this zoo, as zoo.create makes; got {shown(model)}")
    if not isinstance(images, torch.Tensor):
        raise TypeError(f"images must be a tensor (N, channels, height, width); got {shown(images)}")
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
    if len(images) == 0:
        raise InputSizeError(
            f"{label} is opened with an example of at least one image; got shape {tuple(images.shape)}"
        )


def _all_finite(images: torch.Tensor, own_threads: bool) -> bool:
    """Whether every pixel is a finite number; False also where they add up to more than their type holds.

    Args:
        own_threads: whether what runs next has threads of its own. It is looked at in this thread alone then: PyTorch's
            others would go on spinning and take the processors from it (a third of MobileNetV1's images a second on
            OpenVINO and two processors).
    """
    if images.device.type != "cpu" or images.dtype != torch.float32:
        return math.isfinite(images.sum())
    if own_threads:
        pixels = images.numpy()
        return math.isfinite(pixels.max(initial=0)) and math.isfinite(pixels.min(initial=0))
    flat = images.reshape(-1)
    return math.isfinite(torch.dot(flat, flat))  # the fastest of PyTorch's ways through all numbers


def _without_folders(text: str) -> str:
    """What a library says without where on this machine its files lie; reasons are kept and shown to others."""
    return re.sub(r"[^\s\"'(),;]*[\\/][^\s\"'(),;]*[\\/]", "", text.replace(os.path.expanduser("~"), "~"))
