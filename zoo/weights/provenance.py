"""Which preprocessing trained weights want: known, written beside them, or guessed, which is then said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo.spec import Input, ModelSpec, Weights
from zoo.weights.native import check_input
from zoo.weights.pickles import Inert
from zoo.weights.sources import Opened, fits

__all__ = ["input_of"]

LARGEST_CONFIG = 1 << 20  # bytes of timm's config.json


def input_of(spec: ModelSpec, opened: Opened, source: str) -> tuple[Input, int | None, list[str]]:
    """The preprocessing of another library's weights, the size they were trained at if that is known, and notes.

    Args:
        source: whose keys they have.
    """
    row = opened.row if opened.row and opened.row.source == source else None
    if row is not None:
        return row.input, row.input.size, []
    written = _of_timm_beside(opened.path) or _of_arguments(opened.contents.found)
    if written is not None:
        return written, written.size, []
    images = _usual(spec, source)
    mean = ", ".join(f"{value:g}" for value in images.mean)
    whose = f"of {source}'s published weights" if any(row.source == source for row in spec.weights) else "of the model"
    guess = (
        f"{opened.contents.name} does not say which preprocessing its weights want, that {whose} is taken (mean "
        f"{mean}); zoo.load_weights(model, PATH, input=zoo.Input(...)) states another"
    )
    return images, None, [guess]


def _usual(spec: ModelSpec, source: str) -> Input:
    """What a library does for this variant, else for this model."""
    rows: list[Weights] = [row for row in spec.weights if row.source == source]
    usual = next((row for row in rows if fits(spec, row)), rows[0] if rows else None)
    return usual.input if usual else spec.input


def _of_timm_beside(path: Path | None) -> Input | None:
    """What the config.json says that timm's files have beside them."""
    config = path.with_name("config.json") if path is not None else None
    if config is None or not config.is_file() or config.stat().st_size > LARGEST_CONFIG:
        return None
    try:
        return _of_timm(json.loads(config.read_text(encoding="utf-8"))["pretrained_cfg"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _of_arguments(found: dict[Any, Any]) -> Input | None:
    """What the arguments of a training script say that lie beside its weights: torchvision's or timm's."""
    given = found.get("args")
    arguments = given.held if isinstance(given, Inert) else vars(given) if hasattr(given, "__dict__") else given
    if not isinstance(arguments, dict):
        return None
    try:
        if "val_crop_size" in arguments:  # torchvision's train.py, which normalises as ImageNet is
            return _checked(
                size=arguments["val_crop_size"],
                resize=arguments["val_resize_size"],
                interpolation=arguments.get("interpolation", "bilinear"),
            )
        if (
            arguments.get("mean")
            and arguments.get("std")
            and (arguments.get("img_size") or arguments.get("input_size"))
        ):
            size = arguments.get("img_size") or arguments["input_size"][-1]
            return _of_timm(arguments | {"input_size": (3, size, size)})
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        return None
    return None


def _of_timm(config: dict[str, Any]) -> Input:
    size = config["input_size"][-1]
    return _checked(
        size=size,
        resize=int(size / (config.get("crop_pct") or 0.875)),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config.get("interpolation") or "bilinear",
    )


def _checked(**fields: Any) -> Input:
    images = Input(**fields)
    check_input(images)
    return images
