"""A network of the zoo's own blocks that opens in a fraction of a second on every runtime, and ways to change it."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

import zoo
from zoo.blocks import Residual, classifier_head, conv_norm_act, named
from zoo.classifier import Classifier

__all__ = ["AS_IT_IS", "LAYERS_OF_ONES_OWN", "Mirrored", "images", "small"]

SHAPE = (2, 3, 32, 32)


def images(seed: int) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def small(kind: type[Classifier] = Classifier) -> Classifier:
    """Eight layers in eval mode, whose batch norms have seen images."""
    torch.manual_seed(0)
    features = named(
        conv_1=conv_norm_act(3, 16, 3, stride=2),
        conv_2=Residual(conv_norm_act(16, 16, 3, activation=None), None, nn.ReLU()),
        conv_3=conv_norm_act(16, 24, 1),
    )
    model = kind(features, classifier_head("global_pool", 24, 10))
    model.bind(zoo.spec("resnet18"), lambda layer: None)
    for norm in (layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.5)
    with torch.no_grad():
        model.train()(images(9))
    return model.eval()


def first(model: Classifier) -> nn.Conv2d:
    return model.get_submodule("features.conv_1.conv")  # type: ignore[return-value]


class HalfConv(nn.Conv2d):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images) / 2


class HalfLinear(nn.Linear):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images) / 2


class ShiftedNorm(nn.BatchNorm2d):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images + 1)


class LeakyReLU(nn.ReLU):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(images, 0.3)


class Backwards(nn.Sequential):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        for layer in reversed(list(self.children())):
            images = layer(images)
        return images


class Pyramid(nn.Module):
    """One convolution on images of two sizes."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.conv(images) + F.interpolate(self.conv(F.avg_pool2d(images, 2)), scale_factor=2)


class Functional(nn.Module):
    """Takes its layer's weights, not its answer."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.conv2d(images, self.conv.weight * 2, None, stride=2, padding=1)


class Doubled(Classifier):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images) * 2


class Mirrored(nn.Module):
    """A branch that depends on the pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images if images.mean() > 0 else -images


# --- more than the layers' own code runs: no runtime but the plain one takes it ---------------------------------------

Change = Callable[[Classifier], object]


def _replace_forward(layer: nn.Module) -> None:
    original = layer.forward
    layer.forward = lambda images: original(images) * 3  # type: ignore[method-assign, assignment]


def _replace_features(model: Classifier) -> None:
    original = model.forward_features
    model.forward_features = lambda images: original(images) * 3  # type: ignore[method-assign]


AS_IT_IS: dict[str, Change] = {
    "forward hook on the network": lambda model: model.register_forward_hook(lambda module, args, out: out / 2),
    "forward hook on a layer": lambda model: first(model).register_forward_hook(lambda module, args, out: out / 2),
    "forward hook on a norm": lambda model: model.get_submodule("features.conv_1.norm").register_forward_hook(
        lambda module, args, out: out / 2
    ),
    "forward pre-hook": lambda model: first(model).register_forward_pre_hook(lambda module, args: (args[0] + 1,)),
    "full backward hook": lambda model: first(model).register_full_backward_hook(lambda *_: None),
    "full backward pre-hook": lambda model: first(model).register_full_backward_pre_hook(lambda *_: None),
    "pruned": lambda model: prune.l1_unstructured(first(model), "weight", amount=0.5),
    "older weight norm": lambda model: torch.nn.utils.weight_norm(first(model)),
    "older spectral norm": lambda model: torch.nn.utils.spectral_norm(first(model)).eval(),
    "forward replaced on the network": _replace_forward,
    "forward replaced on a layer": lambda model: _replace_forward(first(model)),
    "another method replaced": _replace_features,
    "a part compiled": lambda model: model.features.set_submodule(
        "conv_3", torch.compile(model.features.conv_3, backend="eager")
    ),
}

# --- layers of other classes, in which nothing may be replaced --------------------------------------------------------


def _put(name: str, layer: nn.Module) -> Change:
    return lambda model: model.set_submodule(name, layer.eval())


def _like(kind: type[nn.Conv2d]) -> Change:
    return lambda model: setattr(first(model), "__class__", kind)


def _shared_relu(model: Classifier) -> None:
    """ReLU, convolution, ReLU, norm: the second ReLU is the first, and the norm is not the convolution's."""
    relu = nn.ReLU()
    norm = model.get_submodule("features.conv_1.norm")
    model.features.set_submodule("conv_1", nn.Sequential(relu, first(model), relu, norm, relu))


def _shared_conv(model: Classifier) -> None:
    """One convolution before two different norms."""
    conv = model.get_submodule("features.conv_2.body.conv")
    norms = [nn.BatchNorm2d(16).eval(), model.get_submodule("features.conv_2.body.norm")]
    model.features.set_submodule("conv_2", nn.Sequential(conv, norms[0], nn.ReLU(), conv, norms[1], nn.ReLU()))


def _backwards(model: Classifier) -> None:
    row = model.features.conv_2.body
    model.features.set_submodule("conv_2", Backwards(row.conv, row.norm))


def _weight_norm(model: Classifier) -> None:
    parametrizations.weight_norm(first(model))
    with torch.no_grad():
        first(model).parametrizations.weight.original0.mul_(2)  # type: ignore[union-attr, operator]


def _without_statistics(model: Classifier) -> None:
    model.features.conv_1.set_submodule("norm", nn.BatchNorm2d(16, track_running_stats=False).eval())


LAYERS_OF_ONES_OWN: dict[str, Change] = {
    "spectral norm": lambda model: parametrizations.spectral_norm(first(model)).eval(),
    "weight norm": _weight_norm,
    "derived convolution": _like(HalfConv),
    "derived norm": lambda model: setattr(model.features.conv_1.norm, "__class__", ShiftedNorm),
    "derived linear": lambda model: setattr(model.head.fc, "__class__", HalfLinear),
    "derived ReLU": _put("features.conv_1.act", LeakyReLU()),
    "derived sequence": _backwards,
    "norm without statistics": _without_statistics,
    "norm without weights": _put("features.conv_1.norm", nn.BatchNorm2d(16, affine=False)),
    "another head": lambda model: model.head.set_submodule(
        "fc", nn.Sequential(nn.Linear(24, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 5)).eval()
    ),
    "another convolution": _put("features.conv_1.conv", nn.Conv2d(3, 16, 5, 2, 2, padding_mode="reflect")),
    "one convolution before two norms": _shared_conv,
    "one convolution on two sizes": lambda model: model.features.set_submodule(
        "conv_3", Pyramid(nn.Conv2d(16, 24, 3, padding=1))
    ),
    "one ReLU in three places": _shared_relu,
    "weights taken without their layer": lambda model: model.features.set_submodule("conv_1", Functional(first(model))),
    "derived network": lambda model: setattr(model, "__class__", Doubled),
}
