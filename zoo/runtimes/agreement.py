"""Whether logits that were computed in another way are still those of the same network."""

from __future__ import annotations

from zoo.lazy import torch

__all__ = ["TOLERANCE", "relative_difference"]

TOLERANCE = 1e-3  # largest difference of a logit, relative to the largest logit, that counts as the same network


def relative_difference(logits: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference of a logit, divided by the largest expected logit; infinite where shapes or NaNs differ."""
    if logits.shape != expected.shape or not bool(torch.isfinite(logits).all()):
        return float("inf")
    return float((logits - expected).abs().max() / expected.abs().max().clamp_min(torch.finfo(expected.dtype).tiny))
