"""The zoo's own files: safetensors with the zoo's key names, and what belongs to the weights beside them.

The header says which model and variant it is, which conventions its layers have and which preprocessing it wants, so
that a network loaded from Keras's weights and saved here comes back with the same logits to the last bit.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from zoo.errors import WeightsError
from zoo.lazy import classifier
from zoo.spec import Input, ModelSpec, Options
from zoo.weights.layout import PADDING_RULES, Conventions, Layout, conventions_of

__all__ = ["HEADER", "NATIVE", "Header", "misfits", "read_header", "write_header"]

HEADER = "comparative-cnn-zoo"  # key of safetensors' metadata

NATIVE = Layout(
    source="zoo",
    models=("*",),
    names=lambda model: {key: key for key in model.state_dict()},
    conventions=conventions_of,
    auxiliary=r"auxiliary\..*",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file of the zoo's own says of itself."""

    model: str
    options: Options
    conventions: Conventions
    input: Input


def write_header(model: classifier.Classifier) -> dict[str, str]:
    """The metadata of a network's file."""
    spec = model.spec
    header = Header(model=spec.name, options=spec.options, conventions=conventions_of(model), input=spec.input)
    return {"format": "pt", HEADER: json.dumps(dataclasses.asdict(header))}


def read_header(metadata: Mapping[str, str]) -> Header | None:
    """The header in a file's metadata, None where there is none; raises `WeightsError` for one that makes no sense."""
    if HEADER not in metadata:
        return None
    try:
        fields = json.loads(metadata[HEADER])
        conventions = {str(key): _convention(str(key), value) for key, value in fields["conventions"].items()}
        return Header(
            model=str(fields["model"]),
            options=tuple((str(name), value) for name, value in fields["options"]),
            conventions=conventions,
            input=_input(fields["input"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"the header {HEADER!r} of the file is damaged: {error!r}") from error


def misfits(header: Header, spec: ModelSpec) -> list[str]:
    """Why a file with this header cannot fill a network of `spec`; empty if it can."""
    if header.model != spec.name:
        return [f"the file holds the model {header.model!r}, not {spec.name!r}"]
    inside = dict(header.options)
    return [
        f"the file holds the variant {option.name}={inside.get(option.name, option.default)}, "
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
    raise ValueError(f"no convention is written {key!r}: {value!r}")


def _input(fields: Mapping[str, Any]) -> Input:
    images = Input(**(dict(fields) | {"mean": tuple(fields["mean"]), "std": tuple(fields["std"])}))
    sizes = (images.size, images.channels, images.resize, images.min_size)
    scales = (*images.mean, *images.std)
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"sizes must be positive whole numbers: {sizes}")
    if not all(isinstance(scale, (int, float)) and math.isfinite(scale) for scale in scales) or 0 in images.std:
        raise ValueError(f"means and deviations must be numbers, deviations not 0: {scales}")
    if images.interpolation not in ("bilinear", "bicubic"):
        raise ValueError(f"unknown interpolation {images.interpolation!r}")
    if images.rounding not in ("torchvision", "keras"):
        raise ValueError(f"unknown rounding {images.rounding!r}")
    return images
