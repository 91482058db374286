"""From a name to a network."""

from __future__ import annotations

import os

from zoo.errors import InvalidOption, WeightsError
from zoo.lazy import classifier, nn, torch
from zoo.registry import spec as find_spec
from zoo.spec import ModelSpec
from zoo.weights.loading import load_weights

__all__ = ["allocate", "build", "create", "fresh"]


def create(
    name: str,
    *,
    weights: str | os.PathLike[str] | None = None,
    num_classes: int = 1000,
    in_channels: int = 3,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **options: object,
) -> classifier.Classifier:
    """A network of the zoo, in training mode as PyTorch's modules are.

    Args:
        name: registry name, options in shell form allowed: "mobilenet_v1:width=0.5,resolution=160".
        weights: None starts as the paper does; "imagenet", "imagenet:TAG" or a path loads trained weights, see
            `zoo.load_weights`.
        num_classes: length of a logit vector.
        in_channels: channels of the images.
        device: where the parameters live; "meta" builds without allocating them.
        dtype: floating-point type of the parameters.
        options: the options `zoo.spec(name).declared` lists.

    Raises:
        UnknownModel, UnknownOption, InvalidOption, WeightsError: see `zoo.errors`.
    """
    spec = find_spec(name)
    given_twice = sorted(set(dict(spec.options)) & set(options)) if ":" in name else []
    if given_twice:
        raise InvalidOption(f"option {given_twice[0]!r} is given in the name {name!r} and as a keyword; give it once")
    spec = spec.with_options(options)
    classifier.check_count("num_classes", num_classes)
    classifier.check_count("in_channels", in_channels)
    if weights is None:
        return fresh(spec, num_classes=num_classes, in_channels=in_channels, device=device, dtype=dtype)
    target = _device(device)
    if target.type == "meta":
        raise WeightsError(f"device 'meta' holds no weights; got weights={os.fspath(weights)!r}")
    model = build(spec, num_classes=num_classes, in_channels=in_channels, dtype=dtype)
    load_weights(model, weights)
    return model.to(target)


def fresh(
    spec: ModelSpec,
    *,
    num_classes: int,
    in_channels: int,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> classifier.Classifier:
    """The network of a spec with weights that start as its paper says, in training mode.

    Args:
        device: where the parameters live, PyTorch's default if None; on "meta" nothing is allocated or initialised.
    """
    model = build(spec, num_classes=num_classes, in_channels=in_channels, dtype=dtype)
    target = _device(device)
    if target.type != "meta":
        allocate(model, target)
        with torch.no_grad():
            spec.initialize(model)
    return model


def build(
    spec: ModelSpec, *, num_classes: int, in_channels: int, dtype: torch.dtype | None = None
) -> classifier.Classifier:
    """The network of a spec on the meta device: every shape, no storage, in milliseconds."""
    settings = {option.name: spec.settings[option.name] for option in spec.declared if option.network}
    with torch.device("meta"):
        model: classifier.Classifier = spec.build(num_classes=num_classes, in_channels=in_channels, **settings)
        model.to(dtype=dtype)
    model.bind(spec, spec.initialize)
    return model


def allocate(model: nn.Module, device: torch.device) -> None:
    """Gives a meta model its storage, uninitialised but for the running statistics of its batch norms."""
    model.to_empty(device=device)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()


def _device(device: torch.device | str | None) -> torch.device:
    return torch.device(torch.get_default_device() if device is None else device)
