"""Which parameters a phase of training changes, and how fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zoo.lazy import blocks, classifier, nn, torch
from zoo.training.recipes import Recipe

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["classifier_layers", "depth", "optimizer", "train_only_classifier", "train_the_rest"]


def optimizer(model: Classifier, recipe: Recipe, *, head: bool = False) -> torch.optim.Optimizer:
    """The optimizer of a phase; each group's `peak` is the rate that the schedule scales.

    Args:
        head: of a phase in which only the classifier is trained.
    """
    if recipe.opt == "layerwise":
        return _layerwise(model, recipe)
    layers = {id(parameter) for layer in classifier_layers(model) for parameter in layer.parameters()}
    chosen = [parameter for parameter in model.parameters() if not head or id(parameter) in layers]
    groups = []
    for below in (True, False):
        for decays in (True, False):
            own = [each for each in chosen if (id(each) not in layers) == below and (each.dim() > 1) == decays]
            rate = recipe.lr * (recipe.features_lr if below and not head else 1.0)
            decay = recipe.weight_decay if decays else 0.0
            if own:
                groups.append({"params": own, "peak": rate, "weight_decay": decay})
    if recipe.opt == "adamw":
        return torch.optim.AdamW(groups, lr=0.0, betas=(recipe.beta1, recipe.beta2), fused=True)
    if recipe.opt == "sgd":
        return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum)
    return torch.optim.RMSprop(groups, lr=0.0, alpha=0.9, momentum=recipe.momentum)


def classifier_layers(model: Classifier) -> list[nn.Module]:
    """The last layer of the head, and of each auxiliary head: what `Classifier.reset_classifier` replaces."""
    return [classifier.classifier_of(branch)[1] for branch in (model.head, *model.auxiliary.values())]


def train_only_classifier(model: Classifier) -> None:
    """Only the last layer changes from here on; nothing else does, batch statistics included. Dropout works."""
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for layer in classifier_layers(model):
        layer.train()
        for parameter in layer.parameters():
            parameter.requires_grad_(True)
    for layer in model.head.modules():
        if isinstance(layer, nn.Dropout):
            layer.train()


def train_the_rest(model: Classifier, *, freeze_bn: bool) -> None:
    """Everything changes from here on, but for batch statistics where they are to stay."""
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    model.train()
    if freeze_bn:
        for layer in _norms(model):
            layer.eval()


def _layerwise(model: Classifier, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam with a rate for each tensor, see `Recipe`."""
    normalized = any(_norms(model))
    step = recipe.normalized_step if normalized else recipe.plain_step / depth(model)
    groups: list[dict[str, Any]] = []
    for parameter in model.parameters():
        is_weight = parameter.dim() > 1
        rms = parameter.detach().square().mean().sqrt().item() if is_weight else 0.0
        groups.append({"params": [parameter], "peak": step * rms if is_weight else recipe.bias_rate})
    return torch.optim.Adam(groups, lr=0.0, betas=(recipe.beta1, recipe.beta2), fused=True)


def depth(module: nn.Module) -> int:
    """Convolutions and linear layers an image passes one after the other; of parallel branches the longest counts."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        return 1
    if isinstance(module, classifier.Classifier):
        return depth(module.features) + depth(module.head)
    parts = [depth(part) for part in module.children()]
    return max(parts) if isinstance(module, blocks.Concat) else sum(parts)


def _norms(model: nn.Module) -> Iterator[nn.Module]:
    return (layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm))
