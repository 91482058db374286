"""The zoo's own files: the zoo's key names, and beside them everything else that `zoo.load` needs.

The header says which model and variant it is, how many classes it tells apart and what they are called, which
conventions its layers have and which preprocessing it wants, so that a network loaded from Keras's weights and saved
here comes back with the same logits to the last bit.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from zoo.errors import WeightsError, shown
from zoo.lazy import classifier, torch
from zoo.spec import Input, ModelSpec, Options
from zoo.weights.layout import PADDING_RULES, Conventions, Layout, conventions_of

__all__ = ["FORMAT", "HEADER", "NATIVE", "Header", "check_input", "misfits", "read_header", "write_header"]

HEADER = "comparative-cnn-zoo"  # key of the header in safetensors' metadata and in a .pth's dictionary
FORMAT = 2  # of the header; 1, without a number, had neither classes nor channels nor versions
LARGEST_SIDE = 4096  # pixels of an image before or after its crop
MOST_CLASSES = 10**7

NATIVE = Layout(
    source="zoo",
    models=("*",),
    names=lambda model: {key: key for key in model.state_dict()},
    conventions=conventions_of,
    auxiliary=r"auxiliary\..*",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file of the zoo's own says of itself.

    Args:
        model: registry name.
        options: of the variant.
        conventions: of its layers.
        input: the preprocessing its weights want.
        num_classes: length of a logit vector, 0 for pooled features; None in files of format 1.
        class_names: what the logits stand for, where it is known.
        in_channels: channels of its images; None in files of format 1.
        versions: of the zoo and of PyTorch that wrote it.
        training: of a network that `zoo.train` trained: data, split, recipe and what it answered rightly.
    """

    model: str
    options: Options
    conventions: Conventions
    input: Input
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None
    in_channels: int | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    training: dict[str, Any] = dataclasses.field(default_factory=dict)


def write_header(model: classifier.Classifier, spec: ModelSpec, training: Mapping[str, Any] | None = None) -> str:
    """The header of a network's file; raises `WeightsError` where the network is one that no file can hold."""
    try:
        own = version("comparative-cnn-zoo")
    except PackageNotFoundError:  # run from its source without being installed
        own = "unknown"
    header = Header(
        model=spec.name,
        options=spec.options,
        conventions=conventions_of(model),
        input=spec.input,
        num_classes=model.num_classes,
        class_names=model.class_names,
        in_channels=model.in_channels,
        versions={"comparative-cnn-zoo": own, "torch": str(torch.__version__)},
        training=dict(training or {}),
    )
    text = json.dumps({"format": FORMAT, **dataclasses.asdict(header)})
    read_header({HEADER: text})  # what is written can be read
    return text


def read_header(metadata: Mapping[str, Any]) -> Header | None:
    """The header in a file's metadata, None where there is none; raises `WeightsError` for one that makes no sense."""
    if HEADER not in metadata:
        return None
    try:
        fields = json.loads(metadata[HEADER])
        written = fields.get("format", 1)
        if isinstance(written, int) and written > FORMAT:
            raise WeightsError(
                f"the file is of format {shown(written)}, this version reads up to {FORMAT}; "
                "update it: pip install --upgrade comparative-cnn-zoo"
            )
        conventions = {str(key): _convention(str(key), value) for key, value in fields["conventions"].items()}
        header = Header(
            model=str(fields["model"]),
            options=tuple((str(name), value) for name, value in fields["options"]),
            conventions=conventions,
            input=_input(fields["input"]),
            num_classes=_whole(fields, "num_classes", written, least=0, most=MOST_CLASSES),
            class_names=_names(fields.get("class_names")),
            in_channels=_whole(fields, "in_channels", written, least=1, most=1024),
            versions={str(name): str(value) for name, value in dict(fields.get("versions", {})).items()},
            training={str(name): value for name, value in dict(fields.get("training", {})).items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WeightsError(f"the header {HEADER!r} of the file is damaged: {error!r:.120}") from error
    if header.class_names is not None and len(header.class_names) != header.num_classes:
        raise WeightsError(
            f"the header {HEADER!r} of the file is damaged: it names {len(header.class_names)} of "
            f"{header.num_classes} classes"
        )
    return header


def misfits(header: Header, spec: ModelSpec) -> list[str]:
    """Why a file with this header cannot fill a network of `spec`; empty if it can."""
    if header.model != spec.name:
        return [f"the file holds the model {shown(header.model)}, not {spec.name!r}"]
    inside = dict(header.options)
    return [
        f"the file holds the variant {option.name}={str(inside.get(option.name, option.default))[:40]}, "
        f"the model has {option.name}={spec.settings[option.name]}"
        for option in spec.declared
        # an input size changes no weight, and auxiliary classifiers are checked key by key
        if option.network and option.name != "auxiliary"
        if inside.get(option.name, option.default) != spec.settings[option.name]
    ]


def _convention(key: str, value: Any) -> float | str:
    if key.endswith(".eps") and isinstance(value, (int, float)) and 0 < value < 1:
        return float(value)
    if key.endswith(".padding_rule") and value in PADDING_RULES:
        return str(value)
    raise ValueError(f"no convention is written {shown(key)}: {shown(value)}")


def _whole(fields: Mapping[str, Any], key: str, written: object, *, least: int, most: int) -> int | None:
    value = fields.get(key) if written == 1 else fields[key]
    if value is None and written == 1:
        return None
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{key} must be a whole number from {least} to {most}: {shown(value)}")
    return value


def _names(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError("class names must be strings")
    return tuple(value)


def _input(fields: Mapping[str, Any]) -> Input:
    images = Input(**(dict(fields) | {"mean": tuple(fields["mean"]), "std": tuple(fields["std"])}))
    check_input(images)
    return images


def check_input(images: Input) -> None:
    """Raises `ValueError` for preprocessing that cannot be done, or only with more memory than there is."""
    sizes = (images.size, images.channels, images.resize, images.min_size)
    scales = (*images.mean, *images.std)
    if not all(type(size) is int and 0 < size <= LARGEST_SIDE for size in sizes):
        raise ValueError(f"sizes must be whole numbers from 1 to {LARGEST_SIDE}: {', '.join(map(shown, sizes))}")
    if len(images.mean) != len(images.std) or not images.mean:
        raise ValueError(f"as many means as deviations are wanted: {len(images.mean)} and {len(images.std)}")
    if not all(type(scale) in (int, float) and math.isfinite(scale) for scale in scales) or 0 in images.std:
        raise ValueError(f"means and deviations must be numbers, deviations not 0: {', '.join(map(shown, scales))}")
    if images.interpolation not in ("bilinear", "bicubic"):
        raise ValueError(f"unknown interpolation {shown(images.interpolation)}")
    if images.rounding not in ("torchvision", "keras"):
        raise ValueError(f"unknown rounding {shown(images.rounding)}")
