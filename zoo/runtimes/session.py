"""What a runtime is, and what opening a model on one gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from zoo.errors import InputSizeError, RuntimeUnavailable
from zoo.lazy import torch

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["Run", "Runtime", "Session", "check_model"]

Run = Callable[["torch.Tensor"], "torch.Tensor"]


class Runtime(Protocol):
    """One way to run a network; a module of this package with these names is one."""

    ANY_SHAPE: bool
    """Whether what `open` returns takes images of other shapes than those it was opened with."""

    LIBRARIES: tuple[str, ...]
    """The packages beside PyTorch whose versions change its answers or its speed, as pip calls them."""

    def unavailable(self) -> str | None:
        """Why the runtime cannot be used here, or None."""
        ...

    def open(self, model: Classifier, images: torch.Tensor) -> Run:
        """A callable from images to logits that returns once they are computed.

        Raises:
            RuntimeUnavailable: the runtime cannot run this model or these images.
        """
        ...


class Session:
    """A model opened on a runtime: call it with images (N, channels, height, width) for logits (N, num_classes).

    After a change to the model, open it again. One call at a time: the next uses the same buffers again.

    Args:
        label: the model, for messages.
        runtime: name of the runtime.
        run: what the runtime's `open` returned.
        images: those it was opened with.
        any_shape: whether images of other shapes may come.
    """

    def __init__(self, label: str, runtime: str, run: Run, images: torch.Tensor, *, any_shape: bool) -> None:
        self.label = label
        self.runtime = runtime
        self.shape = tuple(images.shape)
        self.dtype = images.dtype
        self._run = run
        self._any_shape = any_shape

    @classmethod
    def open(cls, model: Classifier, images: torch.Tensor, name: str, runtime: Runtime) -> Session:
        """Opens `model` on `runtime`; raises `RuntimeUnavailable`."""
        reason = runtime.unavailable()
        if reason is not None:
            raise RuntimeUnavailable(f"runtime {name!r} cannot be used here: {reason}")
        run = runtime.open(model, images)
        return cls(model.spec.label, name, run, images, any_shape=runtime.ANY_SHAPE)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        if images.dtype != self.dtype:
            raise TypeError(f"{self} takes {self.dtype}; got {images.dtype}; convert with images.to({self.dtype})")
        if not self._any_shape and tuple(images.shape) != self.shape:
            raise InputSizeError(
                f"{self} takes no other; got {tuple(images.shape)}; open the model again with such images"
            )
        with torch.inference_mode():
            logits = self._run(images)
        return logits.clone()  # a tensor like any other: outside inference mode, and not the runtime's own buffer

    def __repr__(self) -> str:
        return f"{self.label} on {self.runtime}, opened for {self.shape},"


def check_model(model: Classifier, images: torch.Tensor) -> None:
    """Raises unless `model` is ready to be run on `images`; see `zoo.open_runtime`."""
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
