"""From a photograph to the tensor a network was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.registry import spec as find_spec
from zoo.spec import ModelSpec

if TYPE_CHECKING:
    from torchvision.transforms import v2

    from zoo.classifier import Classifier

__all__ = ["preprocessing"]


def preprocessing(model_or_spec: Classifier | ModelSpec | str, *, train: bool = False) -> v2.Compose:
    """The transform from a PIL image or a uint8 tensor (channels, height, width) to the network's float32 input.

    For evaluation: shorter side to `input.resize`, centre crop of `input.size`, scaled to [0, 1], `input.mean`
    subtracted, divided by `input.std`. A loaded network's spec has the input of its weights. Colours follow the
    network: grey images become RGB, and a network of one channel sees grey.

    Args:
        model_or_spec: a network of the zoo, a spec, or a model's name.
        train: a random crop of 8 to 100 % of the area, resized, and a random flip in place of resize and crop.
    """
    import torch
    from torchvision.transforms import v2

    spec = find_spec(model_or_spec) if isinstance(model_or_spec, str) else _spec_of(model_or_spec)
    channels = getattr(model_or_spec, "in_channels", spec.input.channels)
    interpolation = v2.InterpolationMode(spec.input.interpolation)
    steps: list[Any] = []
    if channels in (1, 3):
        steps.append(v2.RGB() if channels == 3 else v2.Grayscale(1))
    if train:
        steps.append(v2.RandomResizedCrop(spec.input.size, interpolation=interpolation, antialias=True))
        steps.append(v2.RandomHorizontalFlip())
    elif spec.input.rounding == "keras":
        from zoo.resizing import ResizedCenterCrop

        steps.append(ResizedCenterCrop(spec.input.resize, spec.input.size, interpolation))
    else:
        steps.append(v2.Resize(spec.input.resize, interpolation=interpolation, antialias=True))
        steps.append(v2.CenterCrop(spec.input.size))
    steps += [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.ToPureTensor()]
    mean, std = (_for_channels(values, channels) for values in (spec.input.mean, spec.input.std))
    steps.append(v2.Normalize(mean, std))
    return v2.Compose(steps)


def _spec_of(model_or_spec: Classifier | ModelSpec) -> ModelSpec:
    spec = getattr(model_or_spec, "spec", model_or_spec)
    if not isinstance(spec, ModelSpec):
        raise TypeError(f"preprocessing belongs to a network of the zoo, a spec or a name; got {model_or_spec!r}")
    return spec


def _for_channels(values: tuple[float, ...], channels: int) -> list[float]:
    """One value a channel; where the network reads other channels than RGB, their mean for each."""
    return list(values) if len(values) == channels else [sum(values) / len(values)] * channels
