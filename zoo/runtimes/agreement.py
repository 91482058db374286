"""Whether logits that were computed in another way are still those of the same network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "EXACT",
    "INTEGERS",
    "ROUNDED",
    "TOLERANCE",
    "Agreement",
    "Bound",
    "Disagreement",
    "Proof",
    "random_images",
    "relative_difference",
    "tolerance",
]

TOLERANCE = 1e-3  # largest difference of a logit, relative to the largest logit, that counts as the same network
COARSE = {"float16": 1e-2, "bfloat16": 5e-2}  # the same for numbers of fewer digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """How closely a runtime at one precision must agree with the plain network.

    Args:
        relative: largest difference of a logit, relative to the largest logit; None where a small difference is no
            promise, as among integers.
        top1: least part of the images with the same first answer, on real images; None where logits are compared.
        noise: `relative` where nothing but noise was there to compare on.
        points: largest loss of right answers in points, where the images have labels and are many.
    """

    relative: float | None = None
    top1: float | None = None
    noise: float = 0.5
    points: float | None = None

    def words(self, *, real: bool) -> str:
        """For a message."""
        if self.relative is not None or not real:
            return f"{self.noise if self.relative is None else self.relative:g} of the largest logit"
        lost = "" if self.points is None else f" and {self.points:g} points lost"
        return f"at least {self.top1:.0%} the same first answer{lost}"


EXACT = Bound(relative=TOLERANCE)
# a float32 network in numbers of 16 bits: weights, images and every activation are rounded
ROUNDED = {"fp16": Bound(relative=2 * COARSE["float16"]), "bf16": Bound(relative=2 * COARSE["bfloat16"])}
INTEGERS = Bound(top1=0.75, points=5.0)
CHANCE = 1.64  # standard deviations that a part of few images may be below its bound
MANY = 100  # labelled images from which a loss in points is held against its bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far a session was found to agree with the plain network when it was opened.

    Args:
        precision: the session's.
        images: compared, with both given the same numbers.
        source: where they come from; "noise" for random pixels.
        relative: largest difference of a logit, relative to the largest logit.
        top1: part of the images with the same first answer.
        correct: how many the network, then the session, answers rightly, where labels are known.
        signal_to_noise_db: of the logits; None where it was not asked.
        bound: what was asked.
        real: whether the images are real.
        facts: of integers, how they were made: `way`, `instructions`, `calibration_images`, `calibration_source`,
            `calibration_fingerprint`, `apart` (the compared images are none of those), `kept_fp32` (layers),
            `file_bytes` that it takes in a file, `speed_up` over fp32 in the same runtime.
    """

    precision: str
    images: int
    source: str
    relative: float
    top1: float
    correct: tuple[int, int] | None = None
    signal_to_noise_db: float | None = None
    bound: Bound
    real: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def within(self) -> bool:
        """Whether it is as close as was asked."""
        if self.bound.relative is not None or not self.real:
            return self.relative <= (self.bound.noise if self.bound.relative is None else self.bound.relative)
        lost = 0.0 if self.correct is None else 100 * (self.correct[0] - self.correct[1]) / self.images
        limit = self.bound.points
        wanted = self.bound.top1 or 0.0
        chance = CHANCE * math.sqrt(wanted * (1 - wanted) / self.images)
        return self.top1 >= wanted - chance and (limit is None or self.images < MANY or lost <= limit)

    @property
    def words(self) -> str:
        """For a message."""
        text = f"{self.top1:.1%} of {self.images} images ({self.source}) have the same first answer, logits differ by "
        text += f"{self.relative:.2g} of the largest"
        if self.correct is not None:
            text += f", {self.correct[1]} right instead of {self.correct[0]}"
        return text


def tolerance(numbers: torch.Tensor) -> float:
    """`TOLERANCE` for weights and images of this type on this device.

    NVIDIA's GPUs convolve float32 in TF32 unless they are told not to: the digits of float16, here on both sides.
    """
    if numbers.is_cuda and numbers.dtype == torch.float32 and torch.backends.cudnn.allow_tf32:
        return 2 * COARSE["float16"]
    return COARSE.get(str(numbers.dtype).rpartition(".")[2], TOLERANCE)


def relative_difference(logits: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference of a logit, divided by the largest expected logit; infinite where shapes or NaNs differ."""
    if logits.shape != expected.shape or not bool(torch.isfinite(logits).all()):
        return float("inf")
    largest = expected.detach().abs().max().clamp_min(torch.finfo(expected.dtype).tiny)
    return float((logits - expected).detach().abs().max() / largest)


def random_images(like: torch.Tensor, seed: int) -> torch.Tensor:
    """Normal pixels, the same at every call, of the shape, type and device of `like`."""
    generator = torch.Generator("cpu").manual_seed(seed)
    pixels = torch.randn(like.shape, generator=generator, dtype=torch.float32, device="cpu")
    return pixels.to(like.device, like.dtype)


class Disagreement(RuntimeUnavailable):
    """A runtime that computes something else than the network."""


class Proof:
    """What the plain network makes of random images: whatever else runs it must come to the same.

    A runtime is opened with other random images, so that one that keeps what it saw then does not pass.

    Args:
        model: a network in eval mode.
        like: images whose shape, type and device the random ones have; their pixels do not matter.

    Raises:
        RuntimeUnavailable: the network itself cannot be run.
    """

    def __init__(self, model: nn.Module, like: torch.Tensor) -> None:
        self.example, self._images = (random_images(like, seed) for seed in (0, 1))
        try:
            with torch.inference_mode():
                self._expected = model(self._images)
                self.finite = bool(torch.isfinite(self._expected).all())
        except Exception as error:
            raise RuntimeUnavailable(f"the network itself cannot be run: {type(error).__name__}: {error}") from error

    def check(self, run: Callable[[torch.Tensor], torch.Tensor], bound: Bound | None = None) -> tuple[float, float]:
        """The relative difference from the plain network's logits, and the part of equal first answers.

        Args:
            bound: what is allowed; None is what rounding makes of numbers of the network's type.

        Raises:
            Disagreement: `run` gives other logits.
        """
        logits = run(self._images)
        difference = relative_difference(logits, self._expected)
        allowed = tolerance(self._expected) if bound is None or bound.relative is None else bound.relative
        if not difference <= allowed:
            raise Disagreement(
                f"its logits differ from the plain network's by {difference:.2g} of the largest; allowed is {allowed:g}"
                if self.finite
                else "the plain network's logits are not finite, so nothing can be compared with them"
            )
        return difference, float((logits.argmax(1) == self._expected.argmax(1)).float().mean())

    def agreement(self, run: Callable[[torch.Tensor], torch.Tensor], precision: str, bound: Bound) -> Agreement:
        """How far `run` agrees with the plain network on random images; raises `Disagreement`."""
        relative, top1 = self.check(run, None if precision == "fp32" else bound)
        allowed = Bound(relative=tolerance(self._expected)) if precision == "fp32" else bound
        return Agreement(
            precision=precision, images=len(self._images), source="random images", relative=relative, top1=top1,
            bound=allowed,
        )  # fmt: skip
