"""A copy of a network for running it only: batch norms folded, nothing that training needs."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["inference_copy"]


def inference_copy(model: Classifier, *, fold: bool = True) -> Classifier:
    """A snapshot of `model` in eval mode, without auxiliary classifiers and without gradients.

    Linear weights, nine tenths of AlexNet and VGG, are shared with `model` and not copied.

    Args:
        fold: multiply each batch norm into the convolution in front of it.
    """
    shared = {
        id(weight): nn.Parameter(weight.detach(), requires_grad=False)
        for layer in model.modules()
        if isinstance(layer, nn.Linear)
        for weight in layer.parameters()
    }
    shared[id(model.auxiliary)] = nn.ModuleDict()  # type: ignore[assignment]
    snapshot = copy.deepcopy(model, memo=dict(shared)).eval().requires_grad_(False)
    if fold:
        for sequence in snapshot.modules():
            if isinstance(sequence, nn.Sequential):
                _fold(sequence)
    return snapshot


def _fold(sequence: nn.Sequential) -> None:
    """Folds each batch norm whose predecessor in the sequence is a convolution."""
    children = list(sequence.named_children())
    for (conv_name, conv), (norm_name, norm) in itertools.pairwise(children):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            sequence.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm).requires_grad_(False))
            sequence.set_submodule(norm_name, nn.Identity())
