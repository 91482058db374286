"""A copy of a network for running it only: batch norms folded, nothing that training needs."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.modules.module import _has_any_global_hook
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zoo.blocks import OneSidedConv2d
from zoo.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["inference_copy", "interference", "uncompiled"]

HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def inference_copy(model: Classifier, *, fold: bool = True) -> Classifier:
    """A snapshot of `model` in eval mode, without auxiliary classifiers and without gradients.

    Linear weights, nine tenths of AlexNet and VGG, are shared with `model` and not copied.

    Args:
        fold: multiply each batch norm into the convolution in front of it.

    Raises:
        RuntimeUnavailable: more than the layers' own code runs in the network, which a copy could lose.
    """
    reason = interference(model)
    if reason is not None:
        raise RuntimeUnavailable(f"takes networks of which nothing but the layers' own code runs; {reason}")
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
            if type(sequence) is nn.Sequential:
                _fold(sequence)
    return snapshot


def interference(model: nn.Module) -> str | None:
    """What runs in a network beside its layers' own code, if anything does: hooks, methods replaced on an instance."""
    if _has_any_global_hook():
        return "hooks are registered for all modules"
    for name, layer in model.named_modules():
        place = name or "the network"
        if _hooked(layer):
            return f"{place} has a hook (pruning and the older weight and spectral norms are hooks too)"
        replaced = [each for each in vars(layer) if callable(getattr(type(layer), each, None))]
        if replaced:
            return f"{place} has a {replaced[0]} of its own"
    return None


def uncompiled(model: Classifier) -> Classifier:
    """The network inside what `torch.compile(model)` returned, unless a hook makes that another function."""
    inner: Classifier = getattr(model, "_orig_mod", model)
    return model if _hooked(model) else inner


def _hooked(layer: nn.Module) -> bool:
    return any(getattr(layer, hooks, None) for hooks in HOOKS)


def _fold(sequence: nn.Sequential) -> None:
    """Folds each batch norm whose predecessor in the sequence is a convolution."""
    # not named_children, which leaves out the second place of a layer that stands in two
    for (conv_name, conv), (norm_name, norm) in itertools.pairwise(list(sequence._modules.items())):
        if type(conv) in (nn.Conv2d, OneSidedConv2d) and type(norm) is nn.BatchNorm2d and norm.running_mean is not None:
            sequence.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm).requires_grad_(False))  # type: ignore[type-var]
            sequence.set_submodule(norm_name, nn.Identity())
