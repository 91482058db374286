"""From a spec to a network."""

from __future__ import annotations

from zoo.lazy import classifier, nn, torch
from zoo.spec import ModelSpec

__all__ = ["allocate", "build", "fresh"]


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
    target = torch.device(torch.get_default_device() if device is None else device)
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
