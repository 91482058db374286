"""What training minimises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import nn, torch
from zoo.training.batches import seed_of
from zoo.training.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["balanced_weights", "cross_entropy", "mixed"]


def cross_entropy(
    logits: Tensor, targets: Tensor, smoothing: float, class_weights: Tensor | None = None
) -> tuple[Tensor, Tensor | int]:
    """The mean loss of a batch, and how much the batch weighs against others.

    An image weighs as much as its classes do in its target before smoothing, in the sum and in what the sum is divided
    by. PyTorch's own weights act on every class of a smoothed target instead, so that a rare class is pushed up by
    images of all others, and divide mixtures by their number.

    Args:
        logits: (N, classes).
        targets: (N), class numbers, or (N, classes), the parts of a mixture.
        smoothing: part of the target that is spread over all classes.
        class_weights: (classes).
    """
    if class_weights is None:
        return nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing), len(logits)
    losses = nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    weights = class_weights[targets] if targets.dim() == 1 else targets @ class_weights
    return (losses * weights).sum() / weights.sum(), weights.sum().detach()


def balanced_weights(labels: Tensor, num_classes: int) -> Tensor:
    """(classes), inversely proportional to how often each occurs, 1 in the mean over images; 0 for absent ones."""
    counts = torch.bincount(labels, minlength=num_classes).float()
    present = counts > 0
    return torch.where(present, len(labels) / (present.sum() * counts.clamp(min=1)), 0.0)


def mixed(
    images: Tensor, labels: Tensor, recipe: Recipe, num_classes: int, seed: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Images of a batch mixed with one another as the recipe says, and their targets; as they are if it says nothing.

    Args:
        seed: what the mixture depends on.
    """
    if not (recipe.mixup or recipe.cutmix) or len(images) < 2:
        return images, labels
    from torchvision.transforms import v2

    kinds: list[v2.Transform] = [v2.MixUp(alpha=recipe.mixup, num_classes=num_classes)] if recipe.mixup else []
    kinds += [v2.CutMix(alpha=recipe.cutmix, num_classes=num_classes)] if recipe.cutmix else []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(*seed))
        mixture: tuple[Tensor, Tensor] = v2.RandomChoice(kinds)(images, labels)
    return mixture
