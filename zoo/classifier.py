"""The one interface of every network in the zoo."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from zoo.errors import InputSizeError, InvalidOption
from zoo.spec import ModelSpec

__all__ = ["Classifier"]


class Classifier(nn.Module):
    """Features, then a head: images in, logits out, in training and in evaluation alike.

    Args:
        features: the convolutional part; its children bear the names of the paper's rows.
        head: from the last feature map to logits; its last layer with weights is the classifier.
        auxiliary: GoogLeNet's auxiliary classifiers, by the name of the row they read; see `forward_train`.

    Shape:
        images: (N, spec.input.channels, height, width), both sides at least `spec.input.min_size`.
        logits: (N, num_classes).
    """

    spec: ModelSpec

    def __init__(
        self, features: nn.Sequential, head: nn.Sequential, auxiliary: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__()
        self.features = features
        self.head = head
        self.auxiliary = nn.ModuleDict(dict(auxiliary or {}))

    def bind(self, spec: ModelSpec, initialize: Callable[[nn.Module], None]) -> None:
        """Ties the network to its spec and to the way new layers of it are initialised; `zoo.create` calls it."""
        self.spec = spec
        self._initialize = initialize

    @property
    def num_classes(self) -> int:
        """Length of a logit vector."""
        return _classes_of(_last_weighted(self.head))

    @property
    def in_channels(self) -> int:
        """Channels the first convolution reads."""
        return next(layer.in_channels for layer in self.features.modules() if isinstance(layer, nn.Conv2d))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, channels, height, width)."""
        logits: Tensor = self.head(self.forward_features(images))
        return logits

    def forward_features(self, images: Tensor) -> Tensor:
        """The last feature map (N, channels, height, width)."""
        self.check(images)
        features: Tensor = self.features(images)
        return features

    def forward_train(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits, then those of each auxiliary classifier in the order of the rows they read.

        The training loss is that of the logits plus `spec.auxiliary_weight` times each of the others'.
        """
        self.check(images)
        taps = []
        for name, row in self.features.named_children():
            images = row(images)
            if name in self.auxiliary:
                taps.append(self.auxiliary[name](images))
        return (self.head(images), *taps)

    def reset_classifier(self, num_classes: int) -> None:
        """Replaces the last layer of the head, and of each auxiliary head, by a new one for `num_classes` classes.

        Raises:
            InvalidOption: `num_classes` is not a whole number of at least 1.
        """
        check_count("num_classes", num_classes)
        for branch in (self.head, *self.auxiliary.values()):
            old = _last_weighted(branch)
            new: nn.Module
            if isinstance(old, nn.Linear):
                new = nn.Linear(old.in_features, num_classes, device=old.weight.device, dtype=old.weight.dtype)
            else:
                new = nn.Conv2d(old.in_channels, num_classes, 1, device=old.weight.device, dtype=old.weight.dtype)
            self._initialize(new)
            name = next(name for name, layer in branch.named_modules() if layer is old)
            branch.set_submodule(name, new.train(old.training))

    def check(self, images: Tensor) -> None:
        """Raises `InputSizeError` unless the network can take these images."""
        if torch._C._get_tracing_state():  # sizes are tensors there; the tracer's caller has checked the example
            return
        name, smallest, channels = self.spec.label, self.spec.input.min_size, self.in_channels
        wanted = f"images of shape (N, {channels}, height, width) with both sides at least {smallest}"
        if images.dim() != 4:
            hint = "; add a batch dimension with images[None]" if images.dim() == 3 else ""
            raise InputSizeError(
                f"{name} takes {wanted}; got {images.dim()} dimensions, shape {tuple(images.shape)}{hint}"
            )
        if images.shape[1] != channels:
            raise InputSizeError(
                f"{name} takes {wanted}; got {images.shape[1]} channels, shape {tuple(images.shape)}; "
                f"zoo.create({name!r}, in_channels={images.shape[1]}) makes one for them"
            )
        if images.shape[2] < smallest or images.shape[3] < smallest:
            raise InputSizeError(
                f"{name} takes {wanted}; got {images.shape[2]}x{images.shape[3]}; "
                f"zoo.preprocessing({name!r}) resizes to {self.spec.input.size}"
            )


def check_count(argument: str, value: object) -> None:
    """Raises `InvalidOption` unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidOption(f"{argument} must be a whole number of at least 1; got {value!r}")


def _last_weighted(branch: nn.Module) -> nn.Linear | nn.Conv2d:
    layers = [layer for layer in branch.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    return layers[-1]


def _classes_of(layer: nn.Linear | nn.Conv2d) -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
