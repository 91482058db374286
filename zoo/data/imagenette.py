"""Imagenette: ten classes of ImageNet that are easy to tell apart, 9,469 photographs to train on and 3,925 besides.

Source: https://github.com/fastai/imagenette, the size of 320 pixels on the shorter side. Its folders are WordNet ids;
its classes have the names that ImageNet's have in the zoo, so ImageNet's weights can be evaluated on it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from zoo.data import folder
from zoo.data.dataset import Data, Dataset, Facts
from zoo.data.imagenet import class_names
from zoo.data.places import absent, downloaded, place
from zoo.errors import DataError

__all__ = ["IMAGENETTE", "SETS", "WNIDS"]

WNIDS = (
    "n01440764", "n02102040", "n02979186", "n03000684", "n03028079", "n03394916", "n03417042", "n03425413",
    "n03445777", "n03888257",
)  # fmt: skip
FOLDERS = ("imagenette2-320", "imagenette2", "imagenette2-160")  # of the archives, the one that is downloaded first
SIZE = "320px"
IMAGES = (9_469, 3_925)


def _local(data_dir: str) -> Path | None:
    """The folder of the images: the one that is named, or one of an archive in it."""
    root = place(data_dir)
    below = (root / name for name in FOLDERS)
    return next((found for found in (root, *below) if folder.holds_only(str(found), WNIDS)), None)


def open_imagenette(data_dir: str, *, val_fraction: float = 0.2, seed: int = 0, group: str | None = None) -> Data:
    """See `Dataset.open`."""
    root = _local(data_dir) or _download(data_dir)
    data = folder.open_folder(str(root), val_fraction=val_fraction, seed=seed, group=group)
    names = class_names()
    return dataclasses.replace(
        data, name=IMAGENETTE.name, class_names=tuple(names.get(name, name) for name in data.class_names)
    )


def _download(data_dir: str) -> Path:
    from torchvision.datasets import Imagenette

    wanted = f"{FOLDERS[0]} (train and val, one folder a WordNet id)"
    root = downloaded("Imagenette", data_dir, lambda into: Imagenette(into, size=SIZE, download=True), wanted)
    found = _local(data_dir)
    if found is None:
        raise DataError(f"{root / FOLDERS[0]} is not Imagenette as it is published; remove it, and it is fetched again")
    return found


def facts(data_dir: str) -> Facts:
    """See `Dataset.facts`."""
    root = _local(data_dir)
    return Facts(len(WNIDS), *IMAGES) if root is None else folder.facts(str(root))


def fingerprint(data_dir: str) -> str:
    """See `Dataset.fingerprint`; empty before it was downloaded."""
    root = _local(data_dir)
    return "" if root is None else folder.fingerprint(str(root))


IMAGENETTE = Dataset(
    name="imagenette",
    label="Imagenette",
    title="Imagenette, ten classes of ImageNet (9,469 training and 3,925 validation images)",
    source="https://github.com/fastai/imagenette",
    licence="Apache 2.0; the photographs as ImageNet's",
    open=open_imagenette,
    facts=facts,
    fingerprint=fingerprint,
    libraries=("torchvision", "pillow"),
    unavailable=absent,
)

SETS = (IMAGENETTE,)
