"""One of the variants that a study compares, as data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Arm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One of the variants a study compares.

    Args:
        title: name on the page.
        model: label of the variant.
        trained: whether it is trained; False where counting answers the question.
        img_size: side of the training images in pixels; 0 takes the recipe's.
        recipe: how it is trained, where that is not the run's recipe ("sample:auxiliary=false").
        printed_top1: ImageNet accuracy somebody printed for it, a fraction, where the spec's references have none.
        printed_source: who printed it.
    """

    title: str
    model: str
    trained: bool = True
    img_size: int = 0
    recipe: str = ""
    printed_top1: float | None = None
    printed_source: str = ""
