"""What is measured: the network, the images and the runtime of one case, each made when first asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

import zoo
from benchmarks.records.record import FULL, INTEGERS, PLAIN, Case
from zoo.classifier import Classifier
from zoo.factory import allocate, build
from zoo.runtimes import RUNTIMES, Session
from zoo.runtimes.agreement import tolerance
from zoo.spec import ModelSpec
from zoo.training.devices import synchronize

__all__ = ["PRECISIONS", "RuntimeDisagrees", "Subject", "facts_of", "opened"]

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
NOISE = "noise"  # what a network of random weights is calibrated on: its times depend on neither
SEED = 0  # of weights and images: no figure depends on which numbers they are
_PATTERN = 1 << 20  # numbers in the random block that weights are filled with


class RuntimeDisagrees(RuntimeError):
    """A runtime that computes something else than the network; the message says how far off it is."""


class Subject:
    """The network, images and runtime of a case. Nothing is built before it is used.

    Args:
        case: the conditions.
        on_progress: may be told how many of how many images are done.
        folder: of the run, in which trained networks are kept; empty for none.
        mark: what tells the case, and the code that measures it, from others, as part of a file's name.

    Attributes:
        notes: what a reader of the figures must know, added to by whoever finds it out.
    """

    def __init__(
        self, case: Case, on_progress: Callable[[int, int], None] | None = None, *, folder: str = "", mark: str = ""
    ) -> None:
        self.case = case
        self.on_progress = on_progress
        self.folder, self.mark = folder, mark
        self.notes: list[str] = []
        self.session: Session | None = None  # what `call` calls, once it was asked for

    def tell(self, done: int, whole: int) -> None:
        """How many of how many images are done, for whoever wants to know."""
        if self.on_progress is not None:
            self.on_progress(done, whole)

    @cached_property
    def spec(self) -> ModelSpec:
        """The spec of the model."""
        return zoo.spec(self.case.model)

    @cached_property
    def settings(self) -> dict[str, str | int | float | bool]:
        """`Case.settings` by name."""
        return dict(self.case.settings)

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of weights and images; of fp32 where the runtime makes other numbers of them itself."""
        return torch.float32 if self.converted else PRECISIONS[self.case.precision]

    @property
    def converted(self) -> bool:
        """Whether the runtime takes a network in fp32 and computes in the case's precision."""
        return _converts(self.case)

    @property
    def img_size(self) -> int:
        """Side of the square images in pixels."""
        return self.case.img_size or self.spec.input.size

    @cached_property
    def structure(self) -> Classifier:
        """The network in evaluation mode on the meta device: every shape, no storage."""
        return build(self.spec, num_classes=1000, in_channels=self.spec.input.channels, dtype=self.dtype).eval()

    @cached_property
    def random_network(self) -> Classifier:
        """The network in evaluation mode, with ordinary random numbers for weights.

        Speed and memory do not depend on what the numbers are as long as activations stay ordinary, so no time is
        spent on an initialization nobody trains from.
        """
        model = build(self.spec, num_classes=1000, in_channels=self.spec.input.channels, dtype=self.dtype)
        allocate(model, torch.device(self.case.device))
        fill(model)
        return model.eval()

    def example(self, device: str) -> Tensor:
        """A batch of the case's shape on another device, uninitialized."""
        shape = (self.case.batch_size, self.spec.input.channels, self.img_size, self.img_size)
        return torch.empty(shape, device=device, dtype=self.dtype)

    @cached_property
    def images(self) -> Tensor:
        """A fixed batch of standard normal pixels."""
        generator = torch.Generator().manual_seed(SEED)
        shape = (self.case.batch_size, self.spec.input.channels, self.img_size, self.img_size)
        return torch.randn(shape, generator=generator).to(self.case.device, self.dtype)

    @cached_property
    def call(self) -> Callable[[], object]:
        """One inference on the case's runtime that is over when it returns.

        Raises:
            RuntimeDisagrees: the runtime's logits are not those of the plain network.
        """
        images = self.images
        run = self.session = opened(self.random_network, images, self.case, NOISE)
        if self.case.runtime != PLAIN and not self.converted:
            self._check_agreement(run(images))

        def call() -> object:
            logits = run(images)
            self.synchronize()
            return logits

        slowdown = float(self.settings.get("slowdown", 0.0))
        return _slowed(call, slowdown) if slowdown else call

    def _check_agreement(self, logits: Tensor) -> None:
        with torch.inference_mode():
            expected = self.random_network(self.images).float()
        difference = float((logits.float() - expected).abs().max() / expected.abs().max())
        allowed = tolerance(self.images)
        if not difference <= allowed:
            raise RuntimeDisagrees(
                f"logits of {self.case.runtime} differ from the plain network's by {difference:.2g} of the largest; "
                f"allowed is {allowed:g}: a wrong answer is not timed"
            )

    def synchronize(self) -> None:
        """Waits until the device has done what it was told."""
        synchronize(self.case.device)


def opened(network: Classifier, images: Tensor, case: Case, calibration: object) -> Session:
    """A network on the runtime and in the precision of a case.

    Args:
        calibration: of integers, as `zoo.open_runtime` takes it.
    """
    asked: dict[str, Any] = {"precision": case.precision} if _converts(case) else {}
    if case.precision == INTEGERS:
        asked["calibration"] = calibration
    return zoo.open_runtime(network, images, case.runtime, **asked)


def facts_of(session: object) -> dict[str, Any]:
    """What a session says of itself, as JSON values: how far it agrees with the network, and how integers were made.

    Of integers that is which images they were calibrated on, how many, and with which instructions the processor adds.
    """
    agreement = getattr(session, "agreement", None)
    if agreement is None:
        return {}
    told = {name: getattr(agreement, name) for name in ("precision", "images", "source", "relative", "top1", "real")}
    return {**told, **{str(name): _plain(value) for name, value in dict(agreement.facts).items()}}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _converts(case: Case) -> bool:
    declared = getattr(RUNTIMES.get(case.runtime), "PRECISIONS", ())
    return case.precision == INTEGERS or (case.precision != FULL and case.precision in declared)


def fill(model: nn.Module) -> None:
    """Fills the parameters with a repeated block of random numbers, scaled so that activations keep their size."""
    generator = torch.Generator().manual_seed(SEED)
    pattern = torch.randn(_PATTERN, generator=generator)
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
            scale = (2 / fan_in) ** 0.5 if parameter.dim() > 1 else 0.0
            block = (pattern * scale if parameter.dim() > 1 else torch.ones(1)).to(parameter.device, parameter.dtype)
            flat = parameter.view(-1)
            whole = flat.numel() // len(block) * len(block)
            flat[:whole].view(-1, len(block)).copy_(block)
            flat[whole:].copy_(block[: flat.numel() - whole])


def _slowed(call: Callable[[], object], share: float) -> Callable[[], object]:
    """`call` followed by a busy wait that takes `share` of its time: a slowdown of known size for the self-test."""

    def slowed() -> object:
        start = time.perf_counter()
        result = call()
        end = time.perf_counter()
        until = end + share * (end - start)
        while time.perf_counter() < until:
            pass
        return result

    return slowed
