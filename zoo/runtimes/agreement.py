"""Whether logits that were computed in another way are still those of the same network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zoo.errors import RuntimeUnavailable
from zoo.lazy import torch

if TYPE_CHECKING:
    from torch import nn

__all__ = ["TOLERANCE", "Disagreement", "Proof", "random_images", "relative_difference", "tolerance"]

TOLERANCE = 1e-3  # largest difference of a logit, relative to the largest logit, that counts as the same network
COARSE = {"float16": 1e-2, "bfloat16": 5e-2}  # the same for numbers of fewer digits


def tolerance(dtype: torch.dtype) -> float:
    """`TOLERANCE` for weights and images of this type."""
    return COARSE.get(str(dtype).rpartition(".")[2], TOLERANCE)


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

    def check(self, run: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Raises `Disagreement` unless `run` gives the plain network's logits, as far as rounding allows."""
        difference = relative_difference(run(self._images), self._expected)
        allowed = tolerance(self._expected.dtype)
        if not difference <= allowed:
            raise Disagreement(
                f"its logits differ from the plain network's by {difference:.2g} of the largest; allowed is {allowed:g}"
                if self.finite
                else "the plain network's logits are not finite, so nothing can be compared with them"
            )
