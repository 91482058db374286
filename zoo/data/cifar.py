"""CIFAR-10 and CIFAR-100: 32x32 colour images of ten and of a hundred kinds of things.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. A folder that is named may hold what
torchvision downloads, or the images of CIFAR-10 as files, one folder a class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from zoo.data import folder
from zoo.data.dataset import Data, Dataset, Facts, ungrouped
from zoo.data.pixels import Pixels
from zoo.data.places import absent, downloaded, place

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CIFAR10", "CIFAR100", "SETS"]

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN_IMAGES, TEST_IMAGES = 50_000, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Official:
    """One of the two sets as torchvision has it.

    Args:
        name, label: of its row.
        of: torchvision's class.
        below: the folder that the download makes.
        archive: MD5 of the archive, which names the files that torchvision checks.
        classes: their number.
        as_files: names of the classes whose folders stand for the official files.
    """

    name: str
    label: str
    of: str
    below: str
    archive: str
    classes: int
    as_files: tuple[str, ...] = ()

    def is_folder(self, data_dir: str) -> bool:
        """Whether there are image files in folders of the classes."""
        return bool(self.as_files) and folder.holds_only(data_dir, self.as_files)

    def root(self, data_dir: str) -> Path:
        """What torchvision calls the root: the folder above the one that it makes."""
        named = place(data_dir)
        return named.parent if named.name == self.below else named


def _open(
    official: Official, data_dir: str, *, val_fraction: float = 0.2, seed: int = 0, group: str | None = None
) -> Data:
    """See `Dataset.open`."""
    if official.is_folder(data_dir):
        data = folder.open_folder(data_dir, val_fraction=val_fraction, seed=seed, group=group)
        return dataclasses.replace(data, name=official.name)
    ungrouped(official.name, group)
    train, test = (_read(official, data_dir, train=train) for train in (True, False))
    return Data(
        name=official.name,
        class_names=tuple(train.classes),
        train=_pixels("train", train),
        test=_pixels("test", test),
        fingerprint=official.archive,
    )


def _read(official: Official, data_dir: str, *, train: bool) -> Any:
    """torchvision's, downloaded if it is not there or not whole."""
    from torchvision import datasets

    make: Callable[..., Any] = getattr(datasets, official.of)
    root = official.root(data_dir)
    try:
        return make(str(root), train=train)
    except RuntimeError:  # not there, or not what it should be
        wanted = f"{official.below} of the official archive" + (", or a folder a class," if official.as_files else "")
        downloaded(official.label, data_dir, lambda _: make(str(root), download=True), wanted)
        return make(str(root), train=train)


def _pixels(part: str, images: Any) -> Pixels:
    import torch

    pixels = torch.from_numpy(images.data).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor(images.targets, dtype=torch.long)
    return Pixels(pixels=pixels, labels=labels, part=part, numbers=torch.arange(len(labels)))


def _facts(official: Official, data_dir: str) -> Facts:
    if official.is_folder(data_dir):
        return folder.facts(data_dir)
    return Facts(official.classes, TRAIN_IMAGES, test_images=TEST_IMAGES)


def _fingerprint(official: Official, data_dir: str) -> str:
    return folder.fingerprint(data_dir) if official.is_folder(data_dir) else official.archive


def _row(official: Official) -> Dataset:
    return Dataset(
        name=official.name,
        label=official.label,
        title=f"{official.label}, 32x32 pixels in colour (50,000 training and 10,000 test images)",
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="none stated; see the source",
        open=partial(_open, official),
        facts=partial(_facts, official),
        fingerprint=partial(_fingerprint, official),
        libraries=("torchvision", "pillow"),
        unavailable=absent,
    )


CIFAR10 = Official(
    name="cifar10",
    label="CIFAR-10",
    of="CIFAR10",
    below="cifar-10-batches-py",
    archive="c58f30108f718f92721af3b95e74349a",
    classes=len(CLASSES),
    as_files=CLASSES,
)
CIFAR100 = Official(
    name="cifar100",
    label="CIFAR-100",
    of="CIFAR100",
    below="cifar-100-python",
    archive="eb9058c3a382ffc7106e4002c42a8d85",
    classes=100,
)

SETS = (_row(CIFAR10), _row(CIFAR100))
