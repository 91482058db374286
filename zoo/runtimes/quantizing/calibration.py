"""The images whose activations say how wide the integers have to reach: training images, and no noise."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Data, Split
from zoo.data.opening import open_data
from zoo.errors import DataError, shown
from zoo.lazy import torch
from zoo.runtimes.agreement import random_images
from zoo.spec import resized

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.classifier import Classifier

__all__ = ["CALIBRATE", "COMPARE", "FEWEST", "NOISE", "Calibration", "calibration_of"]

CALIBRATE = 200  # images that scales are found from; as many again, at most, are compared
COMPARE = 200
FEWEST = 10  # images below which nothing is calibrated
NOISE = "noise"
SLACK = 0.02  # of the range of pixels, that tensors may reach beyond it
DRAWN = 0  # seed of which training images are taken
TOGETHER = 25  # images in memory at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Images to calibrate on, and others of the same kind to compare the network and its integers on.

    Args:
        name: where they come from.
        images: how many are calibrated on.
        compared: how many are compared on.
        apart: whether these are none of those that were calibrated on.
        fingerprint: of all of them, in order.
        real: whether they are images and not noise.
        batches: yields images (N, channels, side, side) and labels, or None where there are none; given which of the
            two is wanted.
    """

    name: str
    images: int
    compared: int
    apart: bool
    fingerprint: str
    real: bool
    batches: Callable[[bool], Iterator[tuple[Tensor, Tensor | None]]]

    def to_calibrate(self) -> Iterator[Tensor]:
        """One image (1, channels, side, side) after another."""
        for images, _ in self.batches(False):
            yield from images.split(1)

    def to_compare(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Images and their labels, some at a time."""
        return self.batches(True)


def calibration_of(
    model: Classifier, source: Any, side: int, *, count: int = CALIBRATE, compared: int = COMPARE
) -> Calibration:
    """The images that `calibration=` names, as the network sees them.

    Args:
        source: data of `zoo.open_data` or what it takes, of which the training images are used and no others; images
            (N, channels, side, side) as `zoo.preprocessing` makes them; or "noise".
        side: of the images in pixels.
        count: how many to calibrate on, where there are so many.
        compared: how many others to compare on; with too few, those that were calibrated on are compared.

    Raises:
        DataError: there are no training images, too few, or what came is not what the network's preprocessing makes.
    """
    if source is None:
        raise DataError(
            "int8 needs calibration=: a data set of zoo.open_data, its name, a folder with one folder of images a "
            'class, or images as zoo.preprocessing makes them; "noise" calibrates on noise, for timing only'
        )
    if isinstance(source, Calibration):
        return source
    if isinstance(source, str) and source == NOISE:
        return _noise(model, side)
    if isinstance(source, torch.Tensor):
        return _tensors(model, source, side, count, compared)
    if isinstance(source, (str, os.PathLike)):
        source = open_data(source)
    if not isinstance(source, Data):
        raise DataError(f"calibration is a data set, its name, a folder, images or 'noise'; got {shown(source)}")
    if source.train is None:
        raise DataError(f"{source.name} has no training images, and no others are calibrated on")
    return _data(model, source, source.train, side, count, compared)


def _data(model: Classifier, data: Data, train: Split, side: int, count: int, compared: int) -> Calibration:
    whole = len(train.labels)
    order = torch.randperm(whole, generator=torch.Generator().manual_seed(DRAWN)).tolist()
    first, second, apart = _shares(data.name, whole, count, compared)
    chosen = {False: order[:first], True: order[first : first + second] if apart else order[:second]}
    names = model.class_names
    labelled = data.class_names == names or (names is None and len(data.class_names) == model.num_classes)
    images_input = resized(model.spec.input, side)

    def batches(comparing: bool) -> Iterator[tuple[Tensor, Tensor | None]]:
        for positions in torch.tensor(chosen[comparing]).split(TOGETHER):
            batch = train.batch(positions, images_input, model.in_channels)
            if batch.unreadable:
                raise DataError(f"{next(iter(batch.unreadable.values()))}; nothing was calibrated")
            yield batch.images, batch.labels if labelled else None

    drawn = f"{data.fingerprint} {first} {second} {DRAWN} {side}"
    return Calibration(
        name=data.name, images=first, compared=second, apart=apart, real=True, batches=batches,
        fingerprint=hashlib.sha256(drawn.encode()).hexdigest()[:16],
    )  # fmt: skip


def _tensors(model: Classifier, images: Tensor, side: int, count: int, compared: int) -> Calibration:
    wanted = (model.in_channels, side, side)
    if images.dim() != 4 or tuple(images.shape[1:]) != wanted or not images.is_floating_point():
        raise DataError(
            f"calibration images are floats (N, {', '.join(map(str, wanted))}) as zoo.preprocessing makes them; got "
            f"{images.dtype}, shape {tuple(images.shape)}"
        )
    given = images.detach().float().cpu()
    _check_range(model, given)
    first, second, apart = _shares("calibration", len(given), count, compared)
    chosen = {False: given[:first], True: given[first : first + second] if apart else given[:second]}
    return Calibration(
        name="tensors", images=first, compared=second, apart=apart, real=True,
        fingerprint=hashlib.sha256(given.contiguous().numpy().tobytes()).hexdigest()[:16],
        batches=lambda comparing: ((some, None) for some in chosen[comparing].split(TOGETHER)),
    )  # fmt: skip


def _noise(model: Classifier, side: int) -> Calibration:
    shape = torch.empty(FEWEST, model.in_channels, side, side, dtype=torch.float32, device="cpu")
    return Calibration(
        name=NOISE, images=FEWEST, compared=FEWEST, apart=True, fingerprint=NOISE, real=False,
        batches=lambda comparing: iter([(random_images(shape, seed=int(comparing) + 2), None)]),
    )  # fmt: skip


def _shares(name: str, whole: int, count: int, compared: int) -> tuple[int, int, bool]:
    """How many to calibrate on, how many to compare on, and whether these are others."""
    if whole < FEWEST:
        raise DataError(f"{name} holds {whole} training images; at least {FEWEST} are wanted to calibrate on")
    first = min(count, whole)
    left = min(compared, whole - first)
    return (first, left, True) if left >= FEWEST else (first, min(compared, first), False)


def _check_range(model: Classifier, images: Tensor) -> None:
    """Raises `DataError` for pixels that the network's preprocessing never makes."""
    mean, std = model.spec.input.mean, model.spec.input.std
    low = min(-one / other for one, other in zip(mean, std, strict=True))
    high = max((1 - one) / other for one, other in zip(mean, std, strict=True))
    found = float(images.min()), float(images.max())
    slack = SLACK * (high - low)
    if not (low - slack <= found[0] and found[1] <= high + slack):
        raise DataError(
            f"zoo.preprocessing of {model.spec.label} makes pixels from {low:.2f} to {high:.2f}; the "
            f'calibration images have {found[0]:.2f} to {found[1]:.2f}; pass what that makes, or "noise" for noise'
        )
    if high - low > 1.5 and found[0] >= 0 and found[1] <= 1:
        raise DataError(
            f"the calibration images have pixels from 0 to 1, before mean and deviation; zoo.preprocessing of "
            f"{model.spec.label} makes {low:.2f} to {high:.2f}"
        )
