"""Held-out images that look like training images: the same picture resized, encoded anew or cut a little.

Equal files are left out before (see `zoo.data.contents`). These stay: whether two are one picture, a person has to say.

Small squares of the pictures are compared by their correlation. Two are alike where it is high and far above what is
usual among these images, since shirts before a white wall all have a high one. Of 250 photographs that were made half,
a quarter or 64 pixels large, cut by 2 %, brightened by a fifth or kept at JPEG quality 10, 98 % or more are found, and
of different ones none; in CIFAR-10 3 of 1,500 are named, in Fashion-MNIST 2 of 1,000.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from zoo.data.dataset import PARTS, Data
from zoo.data.photographs import READERS, Files, Photographs
from zoo.errors import shown
from zoo.images import picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Squares = NDArray[np.float16]

__all__ = ["with_look_alikes"]

SIDE = 16  # pixels of the small squares, in colour, that are compared
ALIKE = 0.93  # the least correlation of squares of one picture
CLOSER, AMONG = 6, 10  # times nearer to 1 than the correlation with the tenth that an image is most like
EQUAL = 0.998  # correlation from which on nothing else is asked
FLAT = 4.0  # standard deviation of pixels from 0 to 255 below which there is nothing to compare
MOST_IMAGES, MOST_BYTES = 50_000, 2e9  # half a minute of two processors
NAMED = 3
BLOCK = 2048  # squares compared at once with as many


def with_look_alikes(data: Data) -> Data:
    """The same data whose notes say which pictures are on both sides; only photographs are compared."""
    return dataclasses.replace(data, notes=(*data.notes, *_notes(data)))


def _notes(data: Data) -> Iterator[str]:
    """A line a part of which some images look like training images."""
    train = data.train
    held = {part: split for part in PARTS[1:] if isinstance(split := getattr(data, part), Photographs)}
    if not isinstance(train, Photographs) or not held:
        return
    parts = [train, *held.values()]
    count = sum(len(split.files) for split in parts)
    if count > MOST_IMAGES or sum(map(_bytes, parts)) > MOST_BYTES:
        yield f"{count:,} images are too many to look for pictures that are in train and held out, too"
        return
    known = _squares(train.files)
    for part, split in held.items():
        pairs = list(_pairs(_squares(split.files), known))
        if pairs:
            names = [f"{shown(split.name(own))} like {shown(train.name(other))}" for own, other in pairs[:NAMED]]
            more = f" and {len(pairs) - NAMED:,} more" if len(pairs) > NAMED else ""
            yield (
                f"{len(pairs):,} of {len(split.files):,} {part} images look like training images (resized, encoded "
                f"anew or cut a little) and say little of new pictures: {', '.join(names)}{more}"
            )


def _bytes(split: Photographs) -> int:
    """Of the files, as far as they are there."""
    found = 0
    for position in range(len(split.files)):
        with contextlib.suppress(OSError):
            found += os.stat(split.files.path(position)).st_size
    return found


def _squares(files: Files) -> Squares:
    """Small squares, (N, values); 0 for what cannot be compared."""
    import numpy as np

    squares = np.zeros((len(files), 3 * SIDE * SIDE), np.float16)
    with ThreadPoolExecutor(READERS) as readers:
        for start in range(0, len(files), BLOCK):
            rows = range(start, min(start + BLOCK, len(files)))
            for position, found in zip(rows, readers.map(partial(_square, files), rows), strict=True):
                if found is not None:
                    squares[position] = found
    return squares


def _square(files: Files, position: int) -> NDArray[np.float32] | None:
    """Each colour of mean 0, all of norm 1, whatever shape the picture has."""
    import numpy as np
    from PIL import Image

    try:
        image = picture(files.path(position), least=2 * SIDE)
    except Exception:  # what is wrong with it is said when its turn comes
        return None
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32).reshape(-1, 3)
    small = (small - small.mean(axis=0)).ravel()  # of two skies the blue says nothing
    if small.std() < FLAT:
        return None
    found: NDArray[np.float32] = small / np.linalg.norm(small)
    return found


def _pairs(own: Squares, known: Squares) -> Iterator[tuple[int, int]]:
    """Positions of those that look like a known one, each with the one that it is most like."""
    import numpy as np

    for start in range(0, len(own), BLOCK):
        block = own[start : start + BLOCK].astype(np.float32)
        most = np.zeros((len(block), 0), np.float32)  # likenesses, those with the most like images
        best, where = np.zeros(len(block), np.float32), np.zeros(len(block), np.int64)
        for other in range(0, len(known), BLOCK):
            likeness = block @ known[other : other + BLOCK].astype(np.float32).T
            where = np.where(likeness.max(axis=1) > best, other + likeness.argmax(axis=1), where)
            best = np.maximum(best, likeness.max(axis=1))
            most = _largest(np.concatenate((most, likeness), axis=1))
        alike = (best >= EQUAL) | ((best >= ALIKE) & (CLOSER * (1 - best) <= 1 - most[:, 0]))
        for row in np.flatnonzero(alike).tolist():
            yield start + row, int(where[row])


def _largest(likeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each row the `AMONG` largest, as far as there are so many; the least of them first."""
    import numpy as np

    kept = min(AMONG, likeness.shape[1])
    return np.sort(np.partition(likeness, -kept, axis=1)[:, -kept:], axis=1)
