"""From a name or a file to a network."""

from __future__ import annotations

import dataclasses
import os

from zoo.errors import InvalidOption, UnknownModel, UnknownOption, WeightsError, shown
from zoo.exporting.opened import is_exported
from zoo.factory import build, fresh
from zoo.lazy import classifier, torch
from zoo.registry import spec as find_spec
from zoo.spec import ModelSpec
from zoo.weights.loading import Written, header_of, recognise, say, write
from zoo.weights.matching import class_count, first_convolution
from zoo.weights.sources import Source, open_file, open_source

__all__ = ["create", "load", "trained"]

CLASSES = 1000  # of a network that nothing says otherwise of
MOST_CLASSES = 10**7
MOST_CHANNELS = 1024


def create(
    name: str,
    *,
    weights: Source | None = None,
    num_classes: int | None = None,
    in_channels: int = 3,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **options: object,
) -> classifier.Classifier:
    """A network of the zoo, in training mode as PyTorch's modules are.

    Args:
        name: registry name, options in shell form allowed: "mobilenet_v1:width=0.5,resolution=160".
        weights: None starts as the paper does; "imagenet", "imagenet:TAG", a path, tensors by name or an open file
            loads trained weights, see `zoo.load_weights`.
        num_classes: length of a logit vector; None is that of the weights, without any 1000. Another number than
            theirs keeps the trained features and starts a new classifier. 0 leaves the classifier out: the network
            then returns pooled features.
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
    classes = None if num_classes is None else _count("num_classes", num_classes, 0, MOST_CLASSES)
    channels = _count("in_channels", in_channels, 1, MOST_CHANNELS)
    target = _device(device)
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise InvalidOption(f"dtype takes a floating-point type such as torch.float32; got {shown(dtype)}")
    if weights is None:
        model = fresh(spec, num_classes=classes or CLASSES, in_channels=channels, device=target, dtype=dtype)
        if classes == 0:
            model.reset_classifier(0)
        return model
    if target.type == "meta":
        got = f"{str(weights)!r:.100}" if isinstance(weights, (str, os.PathLike)) else shown(weights)
        raise WeightsError(f"device 'meta' holds no weights; got weights={got}")
    model, written = trained(spec, weights, num_classes=classes, in_channels=channels, dtype=dtype)
    say(written.notes)
    return model.to(target)


def trained(
    spec: ModelSpec,
    weights: Source,
    *,
    num_classes: int | None = None,
    in_channels: int = 3,
    dtype: torch.dtype | None = None,
) -> tuple[classifier.Classifier, Written]:
    """A network with trained weights, and what was written into it; see `create`."""
    classes = num_classes
    model = build(spec, num_classes=classes or CLASSES, in_channels=in_channels, dtype=dtype)
    recognised = recognise(model, open_source(spec, weights))
    if classes is None:
        classes = recognised.header.num_classes if recognised.header else None
        classes = class_count(model, recognised.shapes) if classes is None else classes
    if classes == 0:
        model.reset_classifier(0)
    elif classes not in (None, model.num_classes):
        model = build(spec, num_classes=classes, in_channels=in_channels, dtype=dtype)
    return model, write(model, recognised)


def load(path: str | os.PathLike[str], *, device: torch.device | str | None = None) -> classifier.Classifier:
    """The network in a file that `zoo.save_weights` wrote, in training mode as PyTorch's modules are.

    The file says which model and variant it is, how many classes it tells apart and what they are called, and how
    images become its input. Its weights are mapped into memory: do not overwrite it in place while the network lives.

    Args:
        path: of the file.
        device: where the parameters live.

    Raises:
        WeightsError: it is absent, damaged, unsafe, of a newer version, or does not say what it is.
        InvalidOption: there is no such device.
    """
    target = _device(device)
    if is_exported(path):
        raise WeightsError(
            f"{os.fsdecode(path)!r:.120} was exported for other programs and holds no network to go on with; "
            "zoo.open_exported runs it"
        )
    opened = open_file(path)
    header, name = header_of(opened), opened.contents.name
    if header is None:
        raise WeightsError(f"{name} does not say which model it is; zoo.create(NAME, weights=PATH) loads it into one")
    try:
        spec = find_spec(header.model).with_options(dict(header.options))
    except (UnknownModel, UnknownOption) as error:
        raise WeightsError(f"{name} is of a model that is not known here: {error}") from error
    spec = dataclasses.replace(spec, input=dataclasses.replace(header.input, min_size=spec.input.min_size))
    model = build(spec, num_classes=header.num_classes or CLASSES, in_channels=header.in_channels or 3)
    recognised = recognise(model, opened)
    if header.num_classes is None:  # files of format 1 leave it to their tensors
        filters = recognised.shapes.get(f"{first_convolution(model)}.weight", ())
        channels = filters[1] if len(filters) == 4 else 3
        model = build(spec, num_classes=class_count(model, recognised.shapes) or CLASSES, in_channels=channels)
    elif header.num_classes == 0:
        model.reset_classifier(0)
    say(write(model, recognised).notes)
    return model.to(target)


def _count(argument: str, value: object, least: int, most: int) -> int:
    count: int = classifier.check_count(argument, value, at_least=least)
    if count > most:
        raise InvalidOption(f"{argument} must be at most {most:,}; got {shown(count)}")
    return count


def _device(device: torch.device | str | None) -> torch.device:
    """The device, on which a tensor can be made."""
    try:
        target: torch.device = torch.device(torch.get_default_device() if device is None else device)
        torch.empty(0, device=target)
    except Exception as error:  # PyTorch's errors of many kinds
        raise InvalidOption(f"device takes what torch.device does and this machine has; got {shown(device)}") from error
    return target
