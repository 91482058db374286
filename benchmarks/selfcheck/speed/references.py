"""The six reference models beside the library each is compared with, with the same weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import nn, torch

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["DENSE", "MODELS", "build", "library_of", "pair"]

# model: library, name there
MODELS = {
    "alexnet": ("torchvision", "alexnet"),
    "vgg16": ("torchvision", "vgg16"),
    "googlenet": ("torchvision", "googlenet"),
    "resnet50": ("torchvision", "resnet50"),
    "mobilenet_v1": ("timm", "mobilenetv1_100"),
    "xception": ("timm", "legacy_xception"),
}
DENSE = ("vgg16", "googlenet", "resnet50", "xception")  # whose time is spent in large matrix products


def library_of(name: str) -> str:
    """ "torchvision" or "timm"."""
    return MODELS[name][0]


def pair(name: str) -> tuple[Classifier, nn.Module]:
    """The zoo's network and the other library's with the same random weights, both in eval mode."""
    import zoo
    from zoo.weights import LAYOUTS, export_weights
    from zoo.weights.layout import apply_conventions

    library, _ = MODELS[name]
    torch.manual_seed(0)
    model = zoo.create(name)
    with torch.no_grad():  # batch norms that have seen images keep activations at an ordinary size
        side = model.spec.input.size
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 1.0
        model.train()(torch.randn(4, model.in_channels, side, side))
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 0.1
    apply_conventions(model, LAYOUTS[library].conventions(model))
    reference = build(name)
    reference.load_state_dict(export_weights(model, library), strict=False)
    return model.eval(), reference.eval()


def build(name: str) -> nn.Module:
    """The other library's own network with random weights."""
    library, theirs = MODELS[name]
    network: nn.Module
    if library == "timm":
        import timm

        network = timm.create_model(theirs)
    else:
        import torchvision

        # without the auxiliary heads, as zoo.create("googlenet"); its own initialisation takes half a minute
        extra = {"aux_logits": False, "init_weights": False} if theirs == "googlenet" else {}
        network = torchvision.models.get_model(theirs, weights=None, **extra)
    return network
