"""The six reference models beside the library each is compared with, with the same weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import nn, torch

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["DENSE", "MODELS", "build", "library_of", "pair", "settle_norms"]

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
    side = model.spec.input.size
    settle_norms(model, torch.randn(4, model.in_channels, side, side))  # keeps activations at an ordinary size
    apply_conventions(model, LAYOUTS[library].conventions(model))
    reference = build(name)
    reference.load_state_dict(export_weights(model, library), strict=False)
    return model.eval(), reference.eval()


def settle_norms(network: nn.Module, images: torch.Tensor) -> list[nn.BatchNorm2d]:
    """The network's batch norms, whose statistics are those of these images afterwards."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = 1.0
    with torch.no_grad():
        network.train()(images)
    for layer in norms:
        layer.momentum = 0.1
    return norms


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
