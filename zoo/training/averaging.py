"""A running mean of the weights, and batch statistics that a file has folded away."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zoo.lazy import nn, torch
from zoo.training.devices import exact

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.classifier import Classifier
    from zoo.data.dataset import Batch

__all__ = ["Average", "folded_norms", "restore_statistics"]

IMAGES = 512  # that statistics are taken of


class Average:
    """The exponential running mean of a network's weights and statistics.

    The decay follows the number of steps, min(decay, (1 + n) / (10 + n)), as TensorFlow's does: a mean over thousands
    of steps would still be the start after some hundreds.

    Args:
        model: whose weights are averaged; `model` of the mean is a copy.
        decay: over many steps.
    """

    def __init__(self, model: Classifier, decay: float) -> None:
        self.model = copy.deepcopy(model).eval()
        self.model.requires_grad_(False)
        self.decay = decay
        self.steps = 0
        pairs = list(zip(self.model.state_dict().values(), model.state_dict().values(), strict=True))
        self._means = [mean for mean, _ in pairs if mean.is_floating_point()]
        self._new = [new for _, new in pairs if new.is_floating_point()]
        self._counts = [(mean, new) for mean, new in pairs if not new.is_floating_point()]  # of batches seen by norms

    def update(self) -> None:
        """Takes in the weights after a step."""
        self.steps += 1
        with torch.no_grad():
            torch._foreach_lerp_(self._means, self._new, 1 - min(self.decay, (1 + self.steps) / (10 + self.steps)))
            for mean, new in self._counts:
                mean.copy_(new)


def folded_norms(model: Classifier) -> bool:
    """Whether every batch normalization has mean 0 and variance 1: its statistics are folded into its neighbours.

    Such a network answers as it should; but trained on, its norms would take batch statistics for the first time,
    which makes another network of it.
    """
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    return bool(norms) and all(
        layer.running_mean is not None
        and layer.running_var is not None
        and bool((layer.running_mean == 0).all())
        and bool((layer.running_var - 1).abs().max() < 1e-6)
        for layer in norms
    )


def restore_statistics(model: Classifier, batches: Iterable[Batch]) -> None:
    """Gives every batch normalization the statistics of its input, and scales and shifts that undo the change.

    The network answers in evaluation as it did; in training, its norms now find what they expect.

    Args:
        batches: of training images; some hundreds of them will do.
    """
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {}

    def take(layer: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        values = exact(inputs[0])
        new = [values.sum((0, 2, 3)), values.square().sum((0, 2, 3)), torch.tensor(values.numel() / values.shape[1])]
        sums[layer] = [old + each for old, each in zip(sums[layer], new, strict=True)] if layer in sums else new

    handles = [layer.register_forward_pre_hook(take) for layer in norms]
    was_training, seen = model.training, 0
    model.eval()
    try:
        with torch.no_grad():
            device = next(model.parameters()).device
            for batch in batches:
                if len(batch.images):
                    model.forward_train(batch.images.to(device))
                    seen += len(batch.images)
                if seen >= IMAGES:
                    break
            for layer, (total, squares, count) in sums.items():
                mean = total / count
                _adopt(layer, mean, (squares / count - mean.square()).clamp(min=0))
    finally:
        for handle in handles:
            handle.remove()
        model.train(was_training)


def _adopt(layer: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    """Statistics into a norm whose answer stays the same."""
    old_mean, old_var = layer.get_buffer("running_mean"), layer.get_buffer("running_var")
    old_scale = exact(layer.weight) / (exact(old_var) + layer.eps).sqrt()
    layer.bias.add_(((mean - exact(old_mean)) * old_scale).to(layer.bias))
    layer.weight.copy_(old_scale * (var + layer.eps).sqrt())
    old_mean.copy_(mean)
    old_var.copy_(var)
