"""From a photograph to the tensor a network was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError, shown
from zoo.images import bounded, picture
from zoo.registry import spec as find_spec
from zoo.spec import Input, ModelSpec

if TYPE_CHECKING:
    from torchvision.transforms import v2

    from zoo.classifier import Classifier

__all__ = ["FrontDoor", "for_channels", "normalization", "pipeline", "preprocessing"]


def preprocessing(model_or_spec: Classifier | ModelSpec | str, *, train: bool = False) -> v2.Compose:
    """The transform from an image, whatever holds it, to the network's float32 input; see `zoo.images.picture`.

    For evaluation: shorter side to `input.resize`, centre crop of `input.size`, scaled to [0, 1], `input.mean`
    subtracted, divided by `input.std`. A loaded network's spec has the input of its weights. Colours follow the
    network: grey images become RGB, and a network of one channel sees grey. A network of other channels takes uint8
    tensors (channels, height, width) of just these.

    The transform raises `DataError` for what is no image.

    Args:
        model_or_spec: a network of the zoo, a spec, or a model's name.
        train: a random crop of 8 to 100 % of the area, resized, and a random flip in place of resize and crop.
    """
    spec = find_spec(model_or_spec) if isinstance(model_or_spec, str) else _spec_of(model_or_spec)
    return pipeline(spec.input, getattr(model_or_spec, "in_channels", spec.input.channels), train=train)


def pipeline(input: Input, channels: int, *, train: bool = False) -> v2.Compose:
    """The transform of `preprocessing` for these images and a network of that many channels."""
    from torchvision.transforms import v2

    interpolation = v2.InterpolationMode(input.interpolation)
    steps: list[Any] = [FrontDoor(channels, middle=not train)]
    if train:
        steps.append(v2.RandomResizedCrop(input.size, interpolation=interpolation, antialias=True))
        steps.append(v2.RandomHorizontalFlip())
    elif input.rounding == "keras":
        from zoo.resizing import ResizedCenterCrop

        steps.append(ResizedCenterCrop(input.resize, input.size, interpolation))
    else:
        steps.append(v2.Resize(input.resize, interpolation=interpolation, antialias=True))
        steps.append(v2.CenterCrop(input.size))
    return v2.Compose([*steps, *normalization(input, channels)])


def normalization(input: Input, channels: int) -> tuple[v2.Transform, ...]:
    """The end of every transform: from an image of the right size, or many, to the network's float32 input."""
    import torch
    from torchvision.transforms import v2

    mean, std = (for_channels(values, channels) for values in (input.mean, input.std))
    return v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.ToPureTensor(), v2.Normalize(mean, std)


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The first step of every transform: from whatever holds an image to what torchvision's transforms take.

    Args:
        channels: of the network: 3 sees colour, 1 grey; any other number has no picture, only tensors.
        middle: leave out the ends of very long images, which a centre crop does not see.
    """

    channels: int
    middle: bool

    def __call__(self, source: Any) -> Any:
        import torch

        if self.channels in (1, 3):
            image = picture(source, grey=self.channels == 1)
            return bounded(image) if self.middle else image
        fits = isinstance(source, torch.Tensor) and source.dtype == torch.uint8 and source.dim() == 3
        if not fits or source.shape[0] != self.channels:
            came = f"{source.dtype}, shape {tuple(source.shape)}" if isinstance(source, torch.Tensor) else shown(source)
            wanted = f"uint8 tensors ({self.channels}, height, width)"
            raise DataError(f"a network of {self.channels} channels takes {wanted}; got {came}")
        return source


def _spec_of(model_or_spec: Classifier | ModelSpec) -> ModelSpec:
    spec = getattr(model_or_spec, "spec", model_or_spec)
    if not isinstance(spec, ModelSpec):
        raise TypeError(f"preprocessing belongs to a network of the zoo, a spec or a name; got {shown(spec)}")
    return spec


def for_channels(values: tuple[float, ...], channels: int) -> list[float]:
    """One value a channel; where the network reads other channels than RGB, their mean for each."""
    return list(values) if len(values) == channels else [sum(values) / len(values)] * channels
