"""Which images choose the epoch: decided for each image by its name and a seed, whatever other images there are."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import TYPE_CHECKING

from zoo.errors import DataError, one_line, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["check_split", "grouping", "hashed", "held_out"]

Grouping = Callable[[str], str | None]  # path "class/.../file" to what its image belongs to, None for nothing

FOLDER = "folder"
WORD = 64  # bits of a hash


def check_split(val_fraction: float, seed: int) -> tuple[float, int]:
    """The two as Python's own numbers; raises `DataError` for what is no part of the images or no seed."""
    fits = isinstance(val_fraction, Real) and not isinstance(val_fraction, bool) and 0 <= val_fraction < 1
    if not fits:
        raise DataError(f"val_fraction takes a number from 0 to less than 1; got {shown(val_fraction)}")
    if not isinstance(seed, Integral) or isinstance(seed, bool):
        raise DataError(f"the seed of a split is a whole number; got {shown(seed)}")
    return float(val_fraction), int(seed)


def grouping(group: str | None, root: str, prefix: str = "") -> Grouping:
    """What tells which images belong together.

    Args:
        group: a regular expression, searched for in the path "class/.../file", of which the first group counts or else
            the whole match; "folder" for the folder below that of the class; a CSV file of paths and groups; None for
            nothing.
        root: the folder of the data set, from which the paths of a CSV file start.
        prefix: what may stand in them before the folder of the class ("train/").

    Raises:
        DataError: it is none of these.
    """
    if group is None:
        return lambda path: None
    if not isinstance(group, str) or not group:
        raise DataError(f'group takes a regular expression, "{FOLDER}" or a CSV file; got {shown(group)}')
    if group == FOLDER:
        return _subfolder
    if os.path.isfile(group) or group.lower().endswith(".csv"):
        table = _table(group, root, prefix)
        return lambda path: table.get(_normal(path))
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise DataError(
            f'group takes a regular expression, "{FOLDER}" or a CSV file; {shown(group)} is none: {error}'
        ) from None
    return lambda path: _matched(pattern, path)


def _normal(path: str) -> str:
    """A path as it is hashed and looked up: letters and accents in one, whatever system it lay on."""
    return unicodedata.normalize("NFC", path)


def hashed(paths: Iterable[str], groups: Grouping, seed: int) -> tuple[NDArray[np.uint64], int]:
    """A number for each image, equal for those that belong together, and how many images belong to no group."""
    import numpy as np

    alone = 0

    def number(path: str) -> int:
        nonlocal alone
        group = groups(path)
        alone += group is None
        key = f"{seed}\0image\0{_normal(path)}" if group is None else f"{seed}\0group\0{_normal(group)}"
        return int.from_bytes(hashlib.blake2b(os.fsencode(key), digest_size=WORD // 8).digest(), "big")

    return np.fromiter((number(path) for path in paths), np.uint64), alone


def held_out(hashes: NDArray[np.uint64], labels: NDArray[np.int32], val_fraction: float) -> NDArray[np.bool_]:
    """Which images are held out of training: those whose hash is among the lowest `val_fraction` of all numbers.

    Where that would leave a class without images to train on, its highest hash is trained on; where it would hold out
    none of a class, its lowest hash is held out, if that leaves every class something to train on.

    Args:
        hashes: (N), equal for images that stay together.
        labels: (N), class numbers.
    """
    import numpy as np

    held: NDArray[np.bool_] = hashes < np.uint64(int(val_fraction * 2**WORD))
    if not val_fraction:
        return held
    order = np.argsort(labels, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(labels) else []
    for one in rows:
        if held[one].all():
            held[hashes == hashes[one].max()] = False
    for one in rows:
        if not held[one].any():
            trained = np.bincount(labels[~held], minlength=labels.max() + 1)
            for lowest in np.unique(hashes[one]):
                moved = hashes == lowest
                classes, counts = np.unique(labels[moved], return_counts=True)
                if (trained[classes] > counts).all():
                    held[moved] = True
                    break
    return held


def _subfolder(path: str) -> str | None:
    steps = path.split("/")
    return steps[1] if len(steps) > 2 else None


def _matched(pattern: re.Pattern[str], path: str) -> str | None:
    found = pattern.search(path)
    if found is None:
        return None
    return found.group(1) if pattern.groups and found.group(1) is not None else found.group()


def _table(file: str, root: str, prefix: str) -> dict[str, str]:
    """Group by path, of a CSV file with two columns; see `grouping`."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as text:
            rows = [(number, row) for number, row in enumerate(csv.reader(text), start=1) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"group {file} cannot be read: {one_line(str(error), 100)}") from None
    table: dict[str, str] = {}
    for number, row in rows:
        if len(row) != 2:
            raise DataError(f"group {file} takes two columns, path and group; line {number} has {len(row)}")
        path, named = (cell.strip() for cell in row)
        if os.path.isabs(path):
            path = os.path.relpath(path, root)
        path = _normal(path.replace("\\", "/").removeprefix("./")).removeprefix(prefix)
        if table.setdefault(path, named) != named:
            raise DataError(f"group {file} puts {shown(path)} into two groups; line {number} is the second")
    return table
