"""Whether the numbers that a network is trained on are what its normalization is meant to give, and another one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING

from zoo.errors import InvalidOption, shown
from zoo.lazy import torch
from zoo.preprocessing import for_channels
from zoo.spec import Input

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["looked_at", "normalized_by", "remark"]

LOOKED_AT = 16  # images
FAR = 1.0  # from 0, where the mean of a channel belongs, in deviations of the images a network is made for
SIDE = 5.0  # of these images' own deviations: with a mean further out, all pixels lie on one side


def normalized_by(
    images: Input, channels: int, mean: Sequence[float] | None, std: Sequence[float] | None
) -> tuple[Input, str]:
    """The input with another normalization, and a line that says whose place it takes; empty if it is the same.

    Args:
        channels: of the network.
        mean, std: of pixels scaled to [0, 1], a value a channel or one for all; None for the input's own.

    Raises:
        InvalidOption: they are no such values.
    """
    if mean is None and std is None:
        return images, ""
    new = dataclasses.replace(
        images,
        mean=tuple(for_channels(images.mean, channels)) if mean is None else _values("mean", mean, channels),
        std=tuple(for_channels(images.std, channels)) if std is None else _values("std", std, channels),
    )
    if new == images:
        return images, ""
    was, now = (f"mean {_text(each.mean)} and deviation {_text(each.std)}" for each in (images, new))
    return new, f"images are normalized by {now}; the network's own are {was}, and weights trained with these want them"


def looked_at(count: int) -> Tensor:
    """Positions of a few of so many images, at equal distances: a folder has them class after class."""
    few = min(count, LOOKED_AT)
    return torch.arange(few) * count // max(few, 1)


def remark(images: Tensor) -> str:
    """One line where images, (N, channels, height, width) as the network sees them, are far from what it expects.

    That is a mean of 0 and a deviation of 1 in every channel, as the images it was made for have. Others come near
    enough, unless they are almost black, as pictures of 12 bits in files of 16 are, or normalized by numbers of another
    scale.
    """
    if not images.numel():
        return ""
    mean, std = images.double().mean((0, 2, 3)), images.double().std((0, 2, 3), correction=0)
    if not ((mean.abs() > FAR) & (mean.abs() > SIDE * std)).any():
        return ""
    return (
        f"the training images come to the network with mean {_text(mean.tolist())} and deviation {_text(std.tolist())} "
        "a channel, where it expects about 0 and 1: nearly black or white images, or a --mean and --std of others"
    )


def _values(name: str, values: object, channels: int) -> tuple[float, ...]:
    given = tuple(values) if isinstance(values, Sequence) and not isinstance(values, str) else (values,)
    if len(given) not in (1, channels) or not all(_is_part(value, positive=name == "std") for value in given):
        from_ = "above 0" if name == "std" else "from 0"
        raise InvalidOption(
            f"{name} takes {channels} number{'s' * (channels > 1)} or one, {from_} and at most 1, of pixels from 0 to "
            f"1 (divide those of pixels to 255 by 255); got {shown(values)}"
        )
    return tuple(float(value) for value in given) * (channels if len(given) == 1 else 1)


def _is_part(value: object, *, positive: bool) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        return False
    return 0 <= float(value) <= 1 and not (positive and value == 0)


def _text(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:.3g}" for value in values) + ")"
