"""One of the variants that a study compares, as data."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

__all__ = ["Arm"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the variants a study compares.

    Args:
        title: name on the page.
        model: label of the variant; a study keeps it in the form of `zoo.ModelSpec.label`.
        trained: whether it is trained; False where counting answers the question.
        img_size: side of the training images in pixels; 0 takes the recipe's.
        recipe: how it is trained, where that is not the run's recipe ("sample:auxiliary=false").
        printed: ImageNet accuracy somebody printed for it, a fraction, and who, where the spec's references have none.
    """

    title: str
    model: str
    _: KW_ONLY
    trained: bool = True
    img_size: int = 0
    recipe: str = ""
    printed: tuple[float, str] | None = None
