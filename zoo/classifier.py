"""The one interface of every network in the zoo."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zoo.errors import InputSizeError, InvalidOption, shown
from zoo.spec import ModelSpec

__all__ = ["Classifier", "check_count", "classifier_of"]


class Classifier(nn.Module):
    """Features, then a head: images in, logits out, in training and in evaluation alike.

    Args:
        features: the convolutional part; its children bear the names of the paper's rows, and so does what
            torchvision's `create_feature_extractor(model, ["features.conv3_x"])` returns.
        head: from the last feature map to logits; its last layer with weights is the classifier.
        auxiliary: GoogLeNet's auxiliary classifiers, by the name of the row they read; see `forward_train`.

    Shape:
        images: (N, spec.input.channels, height, width), both sides at least `spec.input.min_size`.
        logits: (N, num_classes); of a network without classifier its pooled features, (N, channels).
    """

    if TYPE_CHECKING:  # TorchScript would read the annotation and knows no such type
        spec: ModelSpec
    __jit_unused_properties__ = ("num_classes", "in_channels", "class_names")

    def __init__(
        self, features: nn.Sequential, head: nn.Sequential, auxiliary: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__()
        self.features = features
        self.head = head
        self.auxiliary = nn.ModuleDict(dict(auxiliary or {}))
        self._class_names: tuple[str, ...] | None = None

    def bind(self, spec: ModelSpec, initialize: Callable[[nn.Module], None]) -> None:
        """Ties the network to its spec and to the way new layers of it are initialised; `zoo.create` calls it."""
        self.spec = spec
        self._initialize = initialize

    @property
    def num_classes(self) -> int:
        """Length of a logit vector; 0 for a network without classifier."""
        layer = vars(classifier_of(self.head)[1])
        return int(layer.get("out_features", layer.get("out_channels", 0)))

    @property
    def in_channels(self) -> int:
        """Channels the first convolution reads."""
        for layer in self.features.modules():
            if "in_channels" in layer.__dict__:  # quantized and fused layers have it too, under other types
                channels: int = layer.__dict__["in_channels"]
                return channels
        return self.spec.input.channels

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """What the logits stand for, in their order, or None; may be set. A new classifier has no names yet."""
        return self._class_names

    @class_names.setter
    def class_names(self, names: Iterable[str] | None) -> None:
        given = None if names is None else tuple([names] if isinstance(names, str) else names)
        if given is not None and (len(given) != self.num_classes or not all(isinstance(name, str) for name in given)):
            raise InvalidOption(
                f"class_names takes {self.num_classes} strings, one a class, or None; got {len(given)} "
                f"{type(given[0]).__name__ if given else 'name'}(s)"
            )
        self._class_names = given

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, channels, height, width)."""
        logits: Tensor = self.head(self.forward_features(images))
        return logits

    def forward_features(self, images: Tensor) -> Tensor:
        """The last feature map (N, channels, height, width)."""
        if not torch.jit.is_scripting():  # type: ignore[attr-defined]
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

        Args:
            num_classes: 0 leaves the layer out: the network then returns what its classifier would read, for one
                with pooled features (N, channels). Another number later puts a new classifier there.

        Raises:
            InvalidOption: `num_classes` is not a whole number of at least 0.
        """
        count = check_count("num_classes", num_classes, at_least=0)
        like = next(self.parameters())
        for branch in (self.head, *self.auxiliary.values()):
            name, old = classifier_of(branch)
            if not name:
                raise InvalidOption(
                    f"{self.spec.label} has no classifier to replace: its head has no layer with weights"
                )
            new: nn.Module
            if count == 0:
                new = NoClassifier(old)
            else:
                new = _like(old, count, device=like.device, dtype=like.dtype)
                self._initialize(new)
            branch.set_submodule(name, new.train(old.training))
        self._class_names = None

    def check(self, images: Tensor) -> None:
        """Raises `InputSizeError` unless the network can take these images."""
        if isinstance(images, torch.fx.Proxy) or torch._C._get_tracing_state():
            return  # there sizes are not numbers; the tracer's caller has checked the example
        smallest, channels = self.spec.input.min_size, self.in_channels
        shape = images.shape
        if len(shape) == 4 and shape[1] == channels and shape[2] >= smallest and shape[3] >= smallest:
            return
        name = self.spec.label
        wanted = f"images of shape (N, {channels}, height, width) with both sides at least {smallest}"
        if len(shape) != 4:
            hint = "; add a batch dimension with images[None]" if len(shape) == 3 else ""
            raise InputSizeError(f"{name} takes {wanted}; got {len(shape)} dimensions, shape {tuple(shape)}{hint}")
        if shape[1] != channels:
            raise InputSizeError(
                f"{name} takes {wanted}; got {shape[1]} channels, shape {tuple(shape)}; "
                f"zoo.create({name!r}, in_channels={shape[1]}) makes one for them"
            )
        raise InputSizeError(
            f"{name} takes {wanted}; got {shape[2]}x{shape[3]}; "
            f"zoo.preprocessing({name!r}) resizes to {self.spec.input.size}"
        )


class NoClassifier(nn.Identity):
    """Stands where a classifier was, and remembers what another would need."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.in_features = _features_read(classifier)
        self.convolution = _is_convolution(classifier)


def check_count(argument: str, value: object, *, at_least: int = 1) -> int:
    """`value` as an int, NumPy's and PyTorch's whole numbers too; raises `InvalidOption` if it is none or too small."""
    try:
        count = -1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        count = -1
    if count < at_least:
        raise InvalidOption(f"{argument} must be a whole number of at least {at_least}; got {shown(value)}")
    return count


def classifier_of(branch: nn.Module) -> tuple[str, nn.Module]:
    """Name and layer of the last of a branch's layers that is, or was, a classifier; the branch if none is left."""
    layers = [
        (name, layer)
        for name, layer in branch.named_modules()
        if isinstance(layer, NoClassifier) or "out_features" in vars(layer) or "out_channels" in vars(layer)
    ]
    return layers[-1] if layers else ("", branch)


def _like(old: nn.Module, count: int, *, device: torch.device, dtype: torch.dtype) -> nn.Linear | nn.Conv2d:
    """A classifier of the old one's kind, or of what a `NoClassifier` stands for."""
    if _is_convolution(old):
        return nn.Conv2d(_features_read(old), count, 1, device=device, dtype=dtype)
    return nn.Linear(_features_read(old), count, device=device, dtype=dtype)


def _is_convolution(layer: nn.Module) -> bool:
    return layer.convolution if isinstance(layer, NoClassifier) else isinstance(layer, nn.Conv2d)


def _features_read(layer: nn.Module) -> int:
    known = vars(layer)
    return int(known["in_features"] if "in_features" in known else known["in_channels"])
