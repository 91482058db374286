"""One way in to every data set: those with a name, and folders of one's own."""

from __future__ import annotations

import dataclasses
import os
from numbers import Integral

from zoo.data import DATASETS
from zoo.data.dataset import Data
from zoo.data.folder import FOLDER
from zoo.data.places import meant
from zoo.data.splitting import check_split
from zoo.errors import DataError, one_line, shown

__all__ = ["open_data"]


def open_data(
    name_or_folder: str | os.PathLike[str],
    *,
    img_size: int | None = None,
    data_dir: str | os.PathLike[str] = "",
    val_fraction: float = 0.2,
    seed: int = 0,
    group: str | None = None,
) -> Data:
    """Images to train on, to choose the epoch by and to test on.

    Args:
        name_or_folder: a data set's name, or a folder with one folder of images a class, or with train and val (valid,
            validation, dev) and perhaps test and such folders in each. A path that could be a name starts with "./".
        img_size: side in pixels of what the network sees; None for the network's own.
        data_dir: where the files of a named data set lie, if not in the default place.
        val_fraction: part of the training images to hold out of a folder without val.
        seed: of that choice. Each image is held out or not by its path and the seed, whatever other images there are.
        group: which images stay on one side: a regular expression, searched for in the path "class/.../file"; "folder"
            for the folder below the class's; or a CSV file of paths and groups.

    Raises:
        DataError: there is no such data set or folder, or it holds no images; nothing is fetched for a mistyped name.
    """
    val_fraction, seed = check_split(val_fraction, seed)
    if img_size is not None and (not isinstance(img_size, Integral) or isinstance(img_size, bool) or img_size < 1):
        raise DataError(f"img_size takes a whole number of pixels from 1 on, or None; got {shown(img_size)}")
    if not isinstance(name_or_folder, (str, os.PathLike)) or not os.fspath(name_or_folder):
        raise DataError(f"a data set is its name or a folder; got {shown(name_or_folder)}")
    name, place = os.fspath(name_or_folder), os.fspath(data_dir)
    named = isinstance(name_or_folder, str) and name in DATASETS
    if not named and not os.path.isdir(os.path.expanduser(name)):
        raise DataError(_unknown(name))
    if not named and place:
        raise DataError(f"{one_line(name, 80)} is a folder: data_dir {shown(place)} belongs to a named data set")
    dataset = DATASETS[name] if named else FOLDER
    data = dataset.open(place if named else name, val_fraction=val_fraction, seed=seed, group=group)
    return dataclasses.replace(data, img_size=None if img_size is None else int(img_size))


def _unknown(name: str) -> str:
    """What to say of a name of no data set and no folder."""
    path = os.path.expanduser(name)
    if os.path.lexists(path):
        return f"{one_line(name, 120)} is no folder; a data set is a name or a folder with one folder of images a class"
    folder = meant(path)
    if not folder:
        return f"{DATASETS.unknown(name)}; nor is there such a folder"
    return f"there is no data set or folder {shown(name)}{folder} data sets: {', '.join(DATASETS)}"
